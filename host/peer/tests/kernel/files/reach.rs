//! Nothing of a file is told that the process could not learn by the same path.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{
        fs::{chown, lchown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
};

use witgate_facts::{FactError, FactSource as _, FileKind};
use witgate_peer::limits;
use witgate_testkit::child::Actor;

use super::{Text, WORKLOAD, access_list, mode, read, some};
use crate::scene::{Root, Scene, Started, until};

/// A program that sets its scene and then waits as `sleep`.
fn waits(command: &mut Command) -> Started {
    let child = Started(command.current_dir("/").spawn().unwrap());
    let exe = format!("/proc/{}/exe", child.pid());
    let sleep = fs::canonicalize("/bin/sleep").unwrap();
    until("sleep", || fs::read_link(&exe).is_ok_and(|path| path == sleep));
    child
}

fn user() -> Actor {
    Actor::spawn().groups(&[7]).gid(1000).uid(1000)
}

/// A directory that none but root may search, with a file that all may read.
fn hide(scene: &Scene) -> PathBuf {
    let hidden = scene.path().join("hidden");
    fs::create_dir_all(hidden.join("deep")).unwrap();
    for file in ["os", "deep/file"] {
        fs::write(hidden.join(file), "secret").unwrap();
        mode(&hidden.join(file), 0o644);
    }
    mode(&hidden, 0o700);
    hidden
}

async fn told_nothing(scene: &Scene, pid: i32, path: &str) {
    let facts = scene.observe(pid).await;
    assert_eq!(facts.file(WORKLOAD, path).await, Err(FactError::Denied), "{path}");
    assert_eq!(facts.status(WORKLOAD, path).await, Err(FactError::Denied), "{path}");
    assert_eq!(facts.entries(WORKLOAD, path).await, Err(FactError::Denied), "{path}");
}

#[tokio::test]
async fn root_of_a_namespace_of_their_own_reaches_what_the_user_reaches() {
    let scene = Scene::new();
    let hidden = hide(&scene);
    let script = format!(
        "mount -t tmpfs none /etc && cd /etc && ln -s {0}/os os-release && ln -s {0}/none none && \
         ln -s {0}/deep deep && ln -s ../../../usr/lib/os-release honest && \
         mkdir closed && echo own >closed/file && chmod 700 closed && exec sleep 1000",
        hidden.display()
    );
    let mut command = Command::new("unshare");
    let child = waits(command.args(["-Urm", "sh", "-c", &script]).uid(1000).gid(1000));
    for link in ["os-release", "none", "deep", "deep/file", "deep/none"] {
        told_nothing(&scene, child.pid(), &format!("/etc/{link}")).await;
    }
    let host = fs::read_to_string("/usr/lib/os-release").unwrap();
    assert_eq!(read(&scene, child.pid(), WORKLOAD, "/etc/honest").await, Ok(Some(host)));
    assert_eq!(read(&scene, child.pid(), WORKLOAD, "/etc/closed/file").await, some("own\n"));
}

#[tokio::test]
async fn nobody_learns_what_is_behind_a_directory_that_they_may_not_search() {
    let scene = Scene::new();
    let hidden = hide(&scene);
    fs::create_dir(scene.path().join("open")).unwrap();
    fs::write(scene.path().join("plain"), "plain").unwrap();
    for (link, target) in [
        ("relative", "hidden/os"),
        ("absolute", hidden.join("os").to_str().unwrap()),
        ("chain", "relative"),
        ("directory", "hidden/deep"),
        ("dangling", "hidden/none"),
        ("up", "open/../hidden/os"),
        ("back", "hidden/deep/../../plain"),
        ("out", "hidden/../plain"),
        ("slash", "hidden/deep/"),
        ("honest", "open/.././open/../plain"),
    ] {
        symlink(target, scene.path().join(link)).unwrap();
    }
    let (user, root) = (user(), Actor::spawn());
    let at = |name: &str| format!("{}/{name}", scene.path().display());
    for (name, there) in [
        ("hidden/os", some("secret")),
        ("hidden/none", Ok(None)),
        ("hidden/os/below", Ok(None)),
        ("hidden/deep/file", some("secret")),
        ("hidden/deep/none", Ok(None)),
        ("relative", some("secret")),
        ("absolute", some("secret")),
        ("chain", some("secret")),
        ("directory/file", some("secret")),
        ("directory/none", Ok(None)),
        ("dangling", Ok(None)),
        ("up", some("secret")),
        ("back", some("plain")),
        ("out", some("plain")),
        ("hidden/../plain", some("plain")),
        ("open/../hidden/os", some("secret")),
    ] {
        told_nothing(&scene, user.pid(), &at(name)).await;
        assert_eq!(read(&scene, root.pid(), WORKLOAD, &at(name)).await, there, "{name}");
    }
    told_nothing(&scene, user.pid(), &at("directory")).await;
    told_nothing(&scene, user.pid(), &at("slash")).await;
    // What says its name is the directory above.
    let facts = scene.observe(user.pid()).await;
    let status = facts.status(WORKLOAD, &at("hidden")).await.unwrap().unwrap();
    assert_eq!((status.kind, status.mode), (FileKind::Directory, 0o700));
    assert_eq!(facts.entries(WORKLOAD, &at("hidden")).await, Err(FactError::Denied));
    assert_eq!(read(&scene, user.pid(), WORKLOAD, &at("honest")).await, some("plain"));
}

/// What a user with the ids of [`user`] finds by themselves: whether each directory's file is there
/// and can be read, and whether the directory can be read and searched.
fn found_by_themselves(directory: &Path) -> BTreeMap<String, String> {
    let script = "for d in *; do s=-; r=-; l=-; [ -e $d/file ] && s=s; \
                  { read -r line <$d/file; } 2>/dev/null && r=r; \
                  [ -r $d ] && [ -x $d ] && l=l; echo $d $s$r$l; done";
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1000", "--regid=1000", "--groups=7", "sh", "-c", script]);
    let output = command.current_dir(directory).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| line.split_once(' ').map(|(name, found)| (name.into(), found.into()));
    lines.lines().map(|line| pair(line).unwrap()).collect()
}

#[tokio::test]
async fn directories_let_the_process_through_as_the_kernel_does() {
    let scene = Scene::new();
    for (owner, group) in [(0, 0), (0, 7), (0, 1000), (1000, 0), (1000, 7)] {
        for number in 0..64 {
            // To read and to search, for each of the three.
            let digit = |shift: u32| [0, 1, 4, 5][number >> shift & 3];
            let bits = digit(4) << 6 | digit(2) << 3 | digit(0);
            let directory = scene.path().join(format!("{owner}-{group}-{bits:03o}"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("file"), "text\n").unwrap();
            mode(&directory, bits);
            chown(&directory, Some(owner), Some(group)).unwrap();
        }
    }
    fs::remove_file(&scene.socket).unwrap();
    let user = user();
    let expected = found_by_themselves(scene.path());
    assert_eq!(expected.len(), 5 * 64);
    for (name, expected) in expected {
        let facts = scene.observe(user.pid()).await;
        let directory = scene.path().join(&name).to_str().unwrap().to_owned();
        let file = format!("{directory}/file");
        let letter = |found: bool, letter: char| if found { letter } else { '-' };
        let found = [
            letter(facts.status(WORKLOAD, &file).await.is_ok_and(|found| found.is_some()), 's'),
            letter(facts.file(WORKLOAD, &file).await.is_ok(), 'r'),
            letter(facts.entries(WORKLOAD, &directory).await.is_ok(), 'l'),
        ];
        assert_eq!(String::from_iter(found), expected, "{name}");
        let missing = facts.status(WORKLOAD, &format!("{directory}/none")).await;
        let expected = if expected.starts_with('s') { Ok(None) } else { Err(FactError::Denied) };
        assert_eq!(missing, expected, "{name}");
    }
}

#[tokio::test]
async fn root_that_is_not_root_here_is_let_through_as_anybody() {
    let scene = Scene::new();
    let (directory, file) = (scene.path().join("theirs"), scene.path().join("theirs/file"));
    fs::create_dir(&directory).unwrap();
    fs::write(&file, "theirs").unwrap();
    chown(&file, Some(1000), Some(1000)).unwrap();
    mode(&file, 0o600);
    let in_a_namespace = waits(Command::new("unshare").args(["-Ur", "sleep", "1000"]));
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-all", "--inh-caps=-all", "sleep", "1000"]);
    let without_capabilities = waits(&mut command);
    let root = Actor::spawn();
    let path = file.to_str().unwrap();
    let denied: Text = Err(FactError::Denied);
    for pid in [in_a_namespace.pid(), without_capabilities.pid()] {
        assert_eq!(scene.observe(pid).await.credentials().unwrap().uid, 0);
        assert_eq!(read(&scene, pid, WORKLOAD, path).await, denied);
        mode(&file, 0o604);
        assert_eq!(read(&scene, pid, WORKLOAD, path).await, some("theirs"));
        chown(&directory, Some(1000), Some(1000)).unwrap();
        mode(&directory, 0o700);
        told_nothing(&scene, pid, path).await;
        assert_eq!(read(&scene, root.pid(), WORKLOAD, path).await, some("theirs"));
        mode(&directory, 0o755);
        mode(&file, 0o600);
    }
}

#[tokio::test]
async fn an_access_list_may_give_less_than_the_mode_shows() {
    let scene = Scene::new();
    let (directory, file) = (scene.path().join("listed"), scene.path().join("listed/file"));
    fs::create_dir(&directory).unwrap();
    fs::write(&file, "listed").unwrap();
    let (user, path) = (user(), file.to_str().unwrap());
    let denied: Text = Err(FactError::Denied);
    assert_eq!(read(&scene, user.pid(), WORKLOAD, path).await, some("listed"));
    let all_but_uid_1000 = [(1, 7), (2, 0), (4, 5), (0x10, 5), (0x20, 5)];
    access_list(&file, all_but_uid_1000);
    assert_eq!(fs::metadata(&file).unwrap().permissions(), permissions(0o100_755));
    assert_eq!(read(&scene, user.pid(), WORKLOAD, path).await, denied);
    access_list(&directory, all_but_uid_1000);
    told_nothing(&scene, user.pid(), path).await;
    // It says nothing about the owner.
    for path in [&directory, &file] {
        chown(path, Some(1000), None).unwrap();
    }
    assert_eq!(read(&scene, user.pid(), WORKLOAD, path).await, some("listed"));
}

fn permissions(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

/// As such ids show that have no number here.
#[tokio::test]
async fn nobodys_files_are_not_those_of_a_process_called_nobody() {
    let scene = Scene::new();
    let file = scene.path().join("file");
    fs::write(&file, "text").unwrap();
    let nobody = Actor::spawn().gid(65_534).uid(65_534);
    for (owner, group, bits, may) in [
        (65_534, 0, 0o600, false),
        (65_534, 0, 0o640, false),
        (0, 65_534, 0o640, false),
        (65_534, 65_534, 0o444, true),
    ] {
        chown(&file, Some(owner), Some(group)).unwrap();
        mode(&file, bits);
        let expected = if may { some("text") } else { Err(FactError::Denied) };
        let found = read(&scene, nobody.pid(), WORKLOAD, file.to_str().unwrap()).await;
        assert_eq!(found, expected, "{owner}:{group} {bits:o}");
    }
}

#[tokio::test]
async fn strangers_links_are_not_followed_where_anybody_may_put_them() {
    let scene = Scene::new();
    let shared = scene.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::write(scene.path().join("file"), "text").unwrap();
    symlink("../file", shared.join("link")).unwrap();
    let (user, path) = (user(), shared.join("link").to_str().unwrap().to_owned());
    for (bits, owner, may) in [
        (0o1777, 1001, false),
        (0o1777, 1000, true),
        (0o1777, 0, true),
        (0o777, 1001, true),
        (0o1775, 1001, true),
    ] {
        mode(&shared, bits);
        lchown(&path, Some(owner), None).unwrap();
        let expected = if may { some("text") } else { Err(FactError::Denied) };
        let found = read(&scene, user.pid(), WORKLOAD, &path).await;
        assert_eq!(found, expected, "{bits:o} {owner}");
    }
}

#[tokio::test]
async fn what_the_kernel_makes_is_no_way_through() {
    let scene = Scene::new();
    let user = user();
    for path in ["/proc/1/none", "/proc/none", "/proc/self/none", "/sys/kernel/none"] {
        told_nothing(&scene, user.pid(), path).await;
    }
}

#[tokio::test]
async fn a_path_has_an_end() {
    let scene = Scene::new();
    let root = Root::new(scene.path());
    root.write("link-0", "end");
    for number in 0..=limits::LINKS {
        let link = root.path().join(format!("link-{}", number + 1));
        symlink(format!("link-{number}"), link).unwrap();
    }
    let deep = |depth: usize| format!("/{}", vec!["d"; depth].join("/"));
    fs::create_dir_all(root.path().join(&deep(limits::PATH_DEPTH + 1)[1..])).unwrap();
    root.write("e", "end");
    // With the two of the path that leads there.
    for (link, steps) in [("long", limits::PATH_STEPS), ("longer", limits::PATH_STEPS + 1)] {
        symlink("./".repeat(steps - 3) + "e", root.path().join(link)).unwrap();
    }
    let child = root.start();
    let facts = scene.observe(child.pid()).await;
    let last = format!("/link-{}", limits::LINKS);
    assert_eq!(facts.file(WORKLOAD, &last).await, Ok(Some(b"end".to_vec())));
    let more = format!("/link-{}", limits::LINKS + 1);
    assert_eq!(facts.status(WORKLOAD, &more).await, Err(FactError::Denied));
    assert!(facts.status(WORKLOAD, &deep(limits::PATH_DEPTH)).await.unwrap().is_some());
    let error = facts.status(WORKLOAD, &deep(limits::PATH_DEPTH + 1)).await.unwrap_err();
    assert_eq!(error, FactError::Io("deeper than 64".to_owned()));
    assert_eq!(facts.file(WORKLOAD, "/long").await, Ok(Some(b"end".to_vec())));
    let error = facts.file(WORKLOAD, "/longer").await.unwrap_err();
    assert_eq!(error, FactError::Io("more than 2048 steps".to_owned()));
}
