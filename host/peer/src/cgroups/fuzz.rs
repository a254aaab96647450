//! Fuzz target: how far up a control group's path only root can have put a process. Compared with a
//! slow reference, over real directories with real owners.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _, chown},
    },
    path::Path,
};

use witgate_testkit::fuzz_target;

use super::{Hierarchies, Hierarchy};
use crate::{
    parse::{self, CgroupLine},
    sys::{Linux, Sys as _},
};

/// Whom a directory or file may belong to besides root.
const USER: u32 = 1000;

/// Directories, and what is not root's about them: the directory, one of its files, nothing.
const TREE: &[(&[u8], Given)] = &[
    (b"system.slice/docker-0123456789abcdef.scope/init", Given::Nothing),
    (b"system.slice/a.service", Given::Nothing),
    (b"user.slice/user-1000.slice", Given::Nothing),
    (b"user.slice/user-1000.slice/user@1000.service", Given::Directory),
    (b"user.slice/user-1000.slice/user@1000.service/docker-0123456789abcdef.scope", Given::Nothing),
    (b"docker", Given::Nothing),
    (b"docker/everybody", Given::Everybody),
    (b"docker/everybody/below", Given::Nothing),
    (b"docker/group", Given::Group),
    (b"docker/given-procs", Given::File("cgroup.procs")),
    (b"docker/given-threads", Given::File("cgroup.threads")),
    (b"docker/given-tasks", Given::File("tasks")),
    (b"docker/bare", Given::NoFiles),
    (b"a:b:c", Given::Nothing),
    (b"esc\x1b[2J", Given::Nothing),
    (b"\xff\xfe", Given::Nothing),
    (b"caf\xc3\xa9", Given::Nothing),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Nothing,
    Directory,
    Everybody,
    Group,
    File(&'static str),
    NoFiles,
}

fn plant(root: &Path) {
    own(root, Given::Nothing);
    let long = "n".repeat(255).into_bytes();
    let deep = [b"d".as_slice()].repeat(70).join(&b'/');
    let more = [(&*long, Given::Nothing), (&*deep, Given::Nothing)];
    for (path, given) in TREE.iter().copied().chain(more) {
        let mut directory = root.to_path_buf();
        for part in path.split(|byte| *byte == b'/') {
            directory.push(OsStr::from_bytes(part));
            if !directory.exists() {
                fs::create_dir(&directory).unwrap();
                own(&directory, Given::Nothing);
            }
        }
        own(&directory, given);
    }
}

/// Makes it root's, where we are root, but for what is given away.
fn own(directory: &Path, given: Given) {
    for name in ["cgroup.procs", "cgroup.threads", "tasks"] {
        let file = directory.join(name);
        match given {
            Given::NoFiles => drop(fs::remove_file(&file)),
            _ => fs::write(&file, "").unwrap(),
        }
        if given == Given::File(name) {
            let _ = chown(&file, Some(USER), None);
        }
    }
    let mode = match given {
        Given::Everybody => 0o777,
        Given::Group => 0o775,
        _ => 0o755,
    };
    fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
    let owner = (given == Given::Directory).then_some(USER);
    let group = (given == Given::Group).then_some(USER);
    let _ = chown(directory, owner, group);
}

/// Everything on the way, one directory after the other, by what `ls -ld` would show.
fn reference(root: &Path, line: &CgroupLine<'_>, movers: [&str; 2]) -> (String, Option<u64>) {
    let nothing = ("/".to_owned(), None);
    let mut directory = root.to_path_buf();
    if !is_roots(&directory, movers) {
        return nothing;
    }
    let (mut prefix, mut inode) = (String::new(), None);
    for part in line.path.split(|byte| *byte == b'/').skip(1).take(64) {
        let Ok(name) = str::from_utf8(part) else { break };
        if matches!(name, "" | "." | "..") || name.chars().any(char::is_control) {
            break;
        }
        directory.push(name);
        if !is_roots(&directory, movers) {
            break;
        }
        prefix = format!("{prefix}/{name}");
        inode = Some(fs::metadata(&directory).unwrap().ino());
    }
    if prefix.is_empty() { nothing } else { (prefix, inode) }
}

fn is_roots(directory: &Path, [always, sometimes]: [&str; 2]) -> bool {
    let roots = |path: &Path| {
        let found = fs::metadata(path)?;
        let by_group = found.mode() & 0o020 != 0 && found.gid() != 0;
        Ok(found.uid() == 0 && !by_group && found.mode() & 0o002 == 0)
    };
    let missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    let file = |name: &str| roots(&directory.join(name));
    roots(directory).unwrap_or(false)
        && file(always).unwrap_or(false)
        && file(sometimes).unwrap_or_else(missing)
}

#[test]
fn trusted() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    plant(root);
    let open = |controllers: &[&str]| Hierarchy {
        controllers: controllers.iter().map(|name| (*name).to_owned()).collect(),
        root: fs::File::open(root).unwrap().into(),
    };
    let hierarchies = Hierarchies(vec![open(&["rw", "cpu", "cpuacct"]), open(&[])]);
    let words = &[
        "0::/",
        "\n",
        "/",
        "..",
        ".",
        "1:cpu:/",
        "3:cpu,cpuacct:/",
        "5::/",
        "7:pids:/",
        "docker",
        "/everybody",
        "/below",
        "/procs",
        "/tasks",
        "/threads",
        "cgroup.procs",
        "\0",
        "/d/d/d/d/d",
    ];
    fuzz_target!("trusted").words(words).inputs(2_000).check(|input| {
        let found = hierarchies.trusted(&Linux, input);
        let lines: Vec<_> = parse::cgroups(input).collect();
        assert_eq!((found.entries.len(), found.inodes.len()), (lines.len(), lines.len()));
        for (line, (entry, inode)) in lines.iter().zip(found.entries.iter().zip(&found.inodes)) {
            let (mounted, movers) = match (line.hierarchy, line.controllers) {
                (0, _) => (true, ["cgroup.procs", "cgroup.threads"]),
                (_, "cpu" | "cpuacct" | "cpu,cpuacct" | "cpuacct,cpu") => {
                    (true, ["cgroup.procs", "tasks"])
                }
                (_, other) => (
                    other.split(',').all(|c| ["rw", "cpu", "cpuacct"].contains(&c)),
                    ["cgroup.procs", "tasks"],
                ),
            };
            let expected = match mounted {
                true => reference(root, line, movers),
                false => ("/".to_owned(), None),
            };
            assert_eq!(entry.mounted, mounted);
            assert_eq!((entry.prefix.clone(), *inode), expected, "{line:?}");
            assert_eq!(entry.delegated, entry.prefix.as_bytes() != line.path, "{line:?}");
        }
    });
    assert!(Linux.own_uid() != 0 || is_roots(&root.join("docker"), ["cgroup.procs", "tasks"]));
}
