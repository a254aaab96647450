mod foreign;
mod reach;

use std::{
    collections::BTreeSet,
    ffi::{CString, OsStr},
    fs,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt as _,
            fs::{PermissionsExt as _, chown, symlink},
            net::UnixListener,
        },
    },
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{CWD, FileType, Mode, inotify, mknodat};
use witgate_facts::{
    FactError, FactName, FactResult, FactSet, FactSource as _, FileKind, FileRoot,
};
use witgate_identity::Assurance;
use witgate_peer::limits;
use witgate_testkit::child::Actor;

use crate::scene::{Root, Scene};

const HOST: FileRoot = FileRoot::Host;
const WORKLOAD: FileRoot = FileRoot::Workload;

type Text = FactResult<Option<String>>;

/// What a new request finds.
async fn read(scene: &Scene, pid: i32, root: FileRoot, path: &str) -> Text {
    let facts = scene.observe(pid).await;
    let content = facts.file(root, path).await?;
    Ok(content.map(|content| String::from_utf8(content).unwrap()))
}

fn some(text: &str) -> Text {
    Ok(Some(text.to_owned()))
}

#[tokio::test]
async fn a_process_with_a_root_of_its_own_reads_there() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    root.write("etc/os-release", "ID=inside\n");
    let child = root.start();
    let facts = scene.observe(child.pid()).await;
    let path = "/etc/os-release";
    assert_eq!(facts.file(WORKLOAD, path).await, Ok(Some(b"ID=inside\n".to_vec())));
    let host = fs::read("/usr/lib/os-release").unwrap();
    assert_eq!(facts.file(HOST, "/usr/lib/os-release").await, Ok(Some(host)));
    let status = facts.status(WORKLOAD, path).await.unwrap().unwrap();
    assert_eq!((status.kind, status.size, status.mode), (FileKind::File, 10, 0o644));
    assert_eq!((status.uid, status.gid), (0, 0));
    assert!(status.modified > 1_600_000_000);
    let entries = facts.entries(WORKLOAD, "/").await.unwrap().unwrap();
    assert!(entries.iter().any(|entry| entry.name == "etc" && entry.kind == FileKind::Directory));
    assert!(!entries.iter().any(|entry| entry.name == "var"));
    assert_eq!(facts.assurance(FactName::FilesWorkload), Assurance::Claimed);
    assert_eq!(facts.assurance(FactName::FilesHost), Assurance::Runtime);
}

// #37
#[tokio::test]
async fn links_stay_in_the_root_of_the_workload() {
    let scene = Scene::new();
    fs::write(scene.path().join("outside"), "outside").unwrap();
    let root = Root::new(scene.path());
    root.write("inside", "inside");
    root.write("deep/er/file", "");
    for (link, target) in [
        ("absolute", "/inside"),
        ("deep/er/up", "../../../../../../../inside"),
        ("escape", "../outside"),
        ("escape-absolute", scene.path().join("outside").to_str().unwrap()),
        ("passwd", "/etc/passwd"),
        ("itself", "itself"),
    ] {
        symlink(target, root.path().join(link)).unwrap();
    }
    let child = root.start();
    for (path, expected) in [
        ("/inside", some("inside")),
        ("/absolute", some("inside")),
        ("/deep/er/up", some("inside")),
        ("/escape", Ok(None)),
        ("/escape-absolute", Ok(None)),
        ("/passwd", Ok(None)),
        ("/inside/below", Ok(None)),
        ("/nothing", Ok(None)),
        ("/itself", Err(FactError::Denied)),
    ] {
        assert_eq!(read(&scene, child.pid(), WORKLOAD, path).await, expected, "{path}");
    }
}

/// Ends an attack when the test does, however that is.
struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A directory is carried out of the root while a path goes to and fro in it, and then climbs up.
#[test]
fn nothing_outside_is_read_while_directories_are_moved() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    fs::create_dir(scene.path().join("elsewhere")).unwrap();
    fs::write(scene.path().join("secret"), "outside").unwrap();
    root.write("secret", "inside");
    root.write("a/b/d/file", "");
    let climb = format!("{}../../secret", "d/../".repeat(700));
    symlink(climb, root.path().join("a/b/climb")).unwrap();
    let child = root.start();
    let (within, without) = (root.path().join("a/b"), scene.path().join("elsewhere/b"));
    let attacking = AtomicBool::new(true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let find = || runtime.block_on(read(&scene, child.pid(), WORKLOAD, "/a/b/climb"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while attacking.load(Ordering::Relaxed) {
                fs::rename(&within, &without).unwrap();
                fs::rename(&without, &within).unwrap();
            }
        });
        let _end = EndOf(&attacking);
        for _ in 0..1_000 {
            assert_ne!(find(), some("outside"));
        }
    });
    assert_eq!(find(), some("inside"));
}

#[tokio::test]
async fn what_the_kernel_makes_for_its_reader_is_not_the_workloads() {
    let scene = Scene::new();
    let link = scene.path().join("innocent");
    symlink("/proc/self/environ", &link).unwrap();
    let actor = Actor::spawn();
    for path in [
        // Magic links: out of any root.
        "/proc/self/root/etc/hostname",
        "/proc/1/root/etc/hostname",
        "/proc/self/cwd",
        "/proc/self/exe",
        // The daemon's own secrets, by whoever's link.
        "/proc/self/environ",
        link.to_str().unwrap(),
        "/proc/1/environ",
        "/sys/kernel/notes",
    ] {
        let facts = scene.observe(actor.pid()).await;
        assert_eq!(facts.file(WORKLOAD, path).await, Err(FactError::Denied), "{path}");
        assert_eq!(facts.status(WORKLOAD, path).await, Err(FactError::Denied), "{path}");
    }
    // The operator may grant those of the host, whose length is not known before.
    assert_eq!(read(&scene, actor.pid(), HOST, "/proc/sys/kernel/ostype").await, some("Linux\n"));
    assert_eq!(read(&scene, actor.pid(), HOST, "/proc/self/environ").await, Err(FactError::Denied));
}

/// By whoever's link: we may read more than the process may.
#[tokio::test]
async fn what_the_process_may_not_read_is_not_read_for_it() {
    let scene = Scene::new();
    let secret = scene.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let link = scene.path().join("innocent");
    symlink(&secret, &link).unwrap();
    let path = link.to_str().unwrap();
    let plain = Actor::spawn().groups(&[7]).gid(1000).uid(1000);
    let root = Actor::spawn();
    for (owner, group, bits, may) in [
        (0, 0, 0o600, false),
        (0, 0, 0o640, false),
        (0, 0, 0o604, true),
        (0, 1000, 0o640, true),
        (0, 7, 0o640, true),
        // As the kernel has it, the first that fits decides.
        (0, 7, 0o604, false),
        (1000, 0, 0o400, true),
        (1000, 7, 0o044, false),
    ] {
        chown(&secret, Some(owner), Some(group)).unwrap();
        mode(&secret, bits);
        let expected = if may { some("secret") } else { Err(FactError::Denied) };
        let found = read(&scene, plain.pid(), WORKLOAD, path).await;
        assert_eq!(found, expected, "{owner}:{group} {bits:o}");
        assert_eq!(read(&scene, root.pid(), WORKLOAD, path).await, some("secret"));
    }
    mode(scene.path(), 0o711);
    let facts = scene.observe(plain.pid()).await;
    let directory = scene.path().to_str().unwrap();
    assert_eq!(facts.entries(WORKLOAD, directory).await, Err(FactError::Denied));
    let status = facts.status(WORKLOAD, directory).await.unwrap().unwrap();
    assert_eq!((status.kind, status.mode), (FileKind::Directory, 0o711));
}

fn special_files(root: &Root) {
    let node = |name: &str, kind, device| {
        mknodat(CWD, root.path().join(name), kind, Mode::from_raw_mode(0o644), device).unwrap();
    };
    node("pipe", FileType::Fifo, 0);
    node("null", FileType::CharacterDevice, rustix::fs::makedev(1, 3));
    node("disk", FileType::BlockDevice, rustix::fs::makedev(7, 0));
    drop(UnixListener::bind(root.path().join("socket")).unwrap());
    fs::create_dir(root.path().join("directory")).unwrap();
}

/// Who opened what below a directory since the watch began.
fn opened(watch: &OwnedFd) -> BTreeSet<String> {
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    let mut names = BTreeSet::new();
    while let Ok(event) = events.next() {
        names.extend(event.file_name().map(|name| name.to_str().unwrap().to_owned()));
    }
    names
}

#[tokio::test]
async fn pipes_devices_and_sockets_notice_nothing() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    special_files(&root);
    root.write("plain", "plain");
    let child = root.start();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    inotify::add_watch(&watch, root.path(), inotify::WatchFlags::OPEN).unwrap();
    let facts = scene.observe(child.pid()).await;
    for name in ["pipe", "null", "disk", "socket"] {
        let path = format!("/{name}");
        let error = facts.file(WORKLOAD, &path).await.unwrap_err();
        let expected = "it is a device, a pipe or a socket, not a regular file";
        assert_eq!(error, FactError::Io(expected.to_owned()), "{name}");
        assert_eq!(facts.entries(WORKLOAD, &path).await, Ok(None));
        assert_eq!(facts.status(WORKLOAD, &path).await.unwrap().unwrap().kind, FileKind::Other);
    }
    let error = facts.file(WORKLOAD, "/directory").await.unwrap_err();
    assert_eq!(error, FactError::Io("it is a directory, not a regular file".to_owned()));
    assert_eq!(opened(&watch), BTreeSet::from(["directory".to_owned()]));
    // The watch does see what is opened.
    assert_eq!(facts.file(WORKLOAD, "/plain").await, Ok(Some(b"plain".to_vec())));
    assert_eq!(opened(&watch), BTreeSet::from(["plain".to_owned()]));
}

#[tokio::test]
async fn files_and_directories_have_a_limit() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    root.write("full", &"x".repeat(limits::FILE));
    root.write("over", &"x".repeat(limits::FILE + 1));
    for (name, entries) in [("many", limits::DIRECTORY_ENTRIES), ("too-many", 1025)] {
        fs::create_dir(root.path().join(name)).unwrap();
        for number in 1..entries {
            root.write(&format!("{name}/{number:04}"), "");
        }
        // Counts, though it cannot be shown.
        fs::write(root.path().join(name).join(OsStr::from_bytes(b"\xff")), "").unwrap();
    }
    let child = root.start();
    let facts = scene.observe(child.pid()).await;
    let length = facts.file(WORKLOAD, "/full").await.unwrap().unwrap().len();
    assert_eq!(length, limits::FILE);
    assert_eq!(facts.file(WORKLOAD, "/over").await, Err(FactError::TooLarge));
    let status = facts.status(WORKLOAD, "/over").await.unwrap().unwrap();
    assert_eq!(status.size, limits::FILE as u64 + 1);
    let names: Vec<_> = facts
        .entries(WORKLOAD, "/many")
        .await
        .unwrap()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    let expected: Vec<_> = (1..1024).map(|number| format!("{number:04}")).collect();
    assert_eq!(names, expected);
    assert_eq!(facts.entries(WORKLOAD, "/too-many").await, Err(FactError::TooLarge));
}

#[tokio::test]
async fn all_of_a_request_see_a_path_as_it_was_first_seen() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    root.write("file", "before");
    let child = root.start();
    let facts = scene.observe(child.pid()).await;
    assert_eq!(facts.file(WORKLOAD, "/file").await, Ok(Some(b"before".to_vec())));
    assert_eq!(facts.file(WORKLOAD, "/later").await, Ok(None));
    root.write("file", "afterwards");
    root.write("later", "");
    assert_eq!(facts.file(WORKLOAD, "/file").await, Ok(Some(b"before".to_vec())));
    assert_eq!(facts.status(WORKLOAD, "/file").await.unwrap().unwrap().size, 6);
    assert_eq!(facts.status(WORKLOAD, "/later").await, Ok(None));
    assert_eq!(read(&scene, child.pid(), WORKLOAD, "/file").await, some("afterwards"));
}

#[tokio::test]
async fn one_request_looks_at_so_many_paths_and_no_more() {
    let scene = Scene::new();
    let actor = Actor::spawn();
    let facts = scene.observe(actor.pid()).await;
    for number in 0..limits::PATHS {
        assert_eq!(facts.file(HOST, &format!("/etc/none-{number}")).await, Ok(None));
    }
    let error = facts.file(HOST, "/etc/one-more").await.unwrap_err();
    assert_eq!(error, FactError::Io("more than 64 different paths in one request".to_owned()));
    assert_eq!(facts.status(HOST, "/etc/none-0").await, Ok(None));
}

#[tokio::test]
async fn a_process_that_has_exited_is_gone() {
    let scene = Scene::new();
    for reaped in [false, true] {
        let actor = Actor::spawn();
        let facts = scene.observe(actor.pid()).await;
        assert!(facts.file(WORKLOAD, "/etc/hostname").await.is_ok());
        actor.exit(0);
        if reaped {
            actor.reap();
        }
        assert_eq!(facts.file(WORKLOAD, "/etc/passwd").await, Err(FactError::Gone));
        assert_eq!(facts.entries(WORKLOAD, "/etc").await, Err(FactError::Gone));
        assert_eq!(facts.status(HOST, "/etc").await, Err(FactError::Gone));
        assert_eq!(facts.variable("PATH").await, Err(FactError::Gone));
        assert_eq!(facts.cmdline().await, Err(FactError::Gone));
    }
}

#[tokio::test]
async fn a_file_fact_that_nobody_wants_is_not_read() {
    let scene = Scene::new();
    let (_actor, subject) = scene.guest(Actor::spawn());
    let only_host: FactSet = [FactName::FilesHost].into_iter().collect();
    let facts = subject.collect(only_host, &scene.reader).await.unwrap();
    assert!(facts.file(HOST, "/etc/hostname").await.is_ok());
    assert_eq!(facts.file(WORKLOAD, "/etc/hostname").await, Err(FactError::Unsupported));
    assert_eq!(facts.entries(WORKLOAD, "/etc").await, Err(FactError::Unsupported));
    assert_eq!(facts.status(WORKLOAD, "/etc").await, Err(FactError::Unsupported));
    assert_eq!(facts.variable("PATH").await, Err(FactError::Unsupported));
    assert_eq!(facts.systemd_unit().await, Err(FactError::Unsupported));
}

/// A directory of the host that only root can write, with a file in it.
struct Trusted(tempfile::TempDir);

impl Trusted {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/run").unwrap();
        fs::create_dir(directory.path().join("sub")).unwrap();
        fs::write(directory.path().join("sub/file"), "trusted").unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Lets uid 1000 write by an access list, while owner, group and mode stay what they are.
fn let_write_by_access_list(path: &Path) {
    access_list(path, [(1, 6), (2, 6), (4, 4), (0x10, 6), (0x20, 4)]);
}

/// What it gives, by the tags of the kernel: to the owner (1), uid 1000 (2), the group (4), at most to
/// any of a name (0x10), and to all others (0x20).
fn access_list(path: &Path, entries: [(u16, u16); 5]) {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions) in entries {
        let id = if tag == 2 { 1000 } else { u32::MAX };
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(path, "system.posix_acl_access", &list, flags).unwrap();
}

type Spoil = fn(&Trusted);

#[tokio::test]
async fn a_host_file_counts_only_where_nobody_but_root_can_have_written_it() {
    let scene = Scene::new();
    let actor = Actor::spawn();
    let spoils: [(&str, Spoil); 10] = [
        ("owner", |at| chown(at.path("sub/file"), Some(1000), None).unwrap()),
        ("group bit", |at| mode(&at.path("sub/file"), 0o664)),
        ("other bit", |at| mode(&at.path("sub/file"), 0o646)),
        ("access list", |at| let_write_by_access_list(&at.path("sub/file"))),
        ("directory's owner", |at| chown(at.path("sub"), Some(1000), None).unwrap()),
        ("directory's group bit", |at| mode(&at.path("sub"), 0o775)),
        ("sticky directory", |at| mode(&at.path("sub"), 0o1777)),
        ("directory above", |at| mode(&at.path(""), 0o777)),
        ("link", |at| {
            fs::rename(at.path("sub/file"), at.path("real")).unwrap();
            symlink(at.path("real"), at.path("sub/file")).unwrap();
        }),
        ("linked directory", |at| {
            fs::rename(at.path("sub"), at.path("real")).unwrap();
            symlink("real", at.path("sub")).unwrap();
        }),
    ];
    for (what, spoil) in spoils {
        let trusted = Trusted::new();
        let path = trusted.path("sub/file").to_str().unwrap().to_owned();
        assert_eq!(read(&scene, actor.pid(), HOST, &path).await, some("trusted"));
        spoil(&trusted);
        assert_eq!(fs::read(&path).unwrap(), b"trusted", "{what}");
        let facts = scene.observe(actor.pid()).await;
        assert_eq!(facts.file(HOST, &path).await, Err(FactError::Denied), "{what}");
        assert_eq!(facts.status(HOST, &path).await, Err(FactError::Denied), "{what}");
    }
}

#[tokio::test]
async fn a_directory_of_the_host_is_listed_and_what_is_not_there_is_not() {
    let scene = Scene::new();
    let actor = Actor::spawn();
    let trusted = Trusted::new();
    let facts = scene.observe(actor.pid()).await;
    let path = |name: &str| trusted.path(name).to_str().unwrap().to_owned();
    let entries = facts.entries(HOST, &path("")).await.unwrap().unwrap();
    assert_eq!((entries.len(), &*entries[0].name), (1, "sub"));
    for name in ["none", "none/at/all", "sub/file/below"] {
        assert_eq!(facts.status(HOST, &path(name)).await, Ok(None), "{name}");
    }
    assert_eq!(facts.entries(HOST, &path("sub/file")).await, Ok(None));
    mode(&trusted.path("sub"), 0o777);
    // Not said whether it is there: anybody could have put it, or taken it away.
    assert_eq!(facts.status(HOST, &path("sub/none")).await, Err(FactError::Denied));
    assert_eq!(facts.entries(HOST, &path("sub")).await, Err(FactError::Denied));
}
