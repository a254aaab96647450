//! Fuzz targets: text of `/proc`, most of all the parts of it that a workload writes.

use std::{ffi::CString, fs};

use witgate_testkit::fuzz_target;

use super::{MappedFile, cgroups, groups, ids, mapped_file, mounts, printable, privileges, stat};
use crate::{
    cgroups::{Bucket, claimed, summary},
    sys::Ids,
};

/// The input is a line, and then a name in a line that the kernel wrote.
#[test]
fn stat_line() {
    let words = &["(", ")", ") R 1 1", " ", "\n", "\0", "\x1b[2J", "18446744073709551616", "-1"];
    fuzz_target!("stat_line").words(words).check(|input| {
        if let Some(read) = stat(input) {
            let text = String::from_utf8_lossy(input);
            let (before, behind) = text.rsplit_once(')').unwrap();
            let comm = before.split_once('(').unwrap().1;
            assert_eq!(String::from_utf8_lossy(&read.comm), comm);
            let fields: Vec<&str> = behind.split_ascii_whitespace().collect();
            assert_eq!(read.state.to_string(), fields[0]);
            assert_eq!(Ok(read.parent), fields[1].parse());
            assert_eq!(Ok(read.start_time), fields[19].parse());
        }
        let rest = b") S 7 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3\n";
        let read = stat(&[b"4242 (", input, rest].concat()).unwrap();
        assert_eq!(read.comm, input);
        assert_eq!((read.state, read.parent, read.start_time), ('S', 7, 98_765));
    });
}

/// What the kernel itself makes of a name that a thread gives itself.
#[test]
fn comm() {
    fuzz_target!("comm").words(&[") R 1 1\n", "\nUid:\t0\t0", "\\", "("]).check(|input| {
        let name: Vec<u8> = input.iter().copied().take_while(|byte| *byte != 0).take(15).collect();
        rustix::thread::set_name(&CString::new(name.clone()).unwrap()).unwrap();
        let read = stat(&fs::read("/proc/thread-self/stat").unwrap()).unwrap();
        assert_eq!((read.comm, read.state), (name, 'R'));
        let text = fs::read("/proc/thread-self/status").unwrap();
        let own = ids(&text).unwrap();
        assert_eq!(own.tgid, std::process::id());
        assert_eq!(own.euid, rustix::process::geteuid().as_raw());
        assert!(privileges(&text).is_some() && groups(&text).is_some());
    });
}

/// The input is a file, and then a name in a file that the kernel wrote.
#[test]
fn status() {
    let words =
        &["\nUid:\t0\t0\t0\t0", "Uid:", "Gid:\t0", "Tgid:\t1\n", "\\n", "\n", "CapEff:\tf", "\0"];
    fuzz_target!("status").words(words).check(|input| {
        let field = |name: &str| {
            let line = input.split(|byte| *byte == b'\n').find(|l| l.starts_with(name.as_bytes()));
            line.map(|line| String::from_utf8_lossy(&line[name.len()..]).trim().to_owned())
        };
        let first = |name: &str| field(name).unwrap().split_whitespace().next().map(str::parse);
        if let Some(read) = ids(input) {
            assert_eq!((first("Uid:"), first("Gid:")), (Some(Ok(read.ruid)), Some(Ok(read.rgid))));
            assert_eq!(field("Tgid:").map(|tgid| tgid.parse()), Some(Ok(read.tgid)));
        }
        if let Some(read) = groups(input) {
            let said = field("Groups:").unwrap();
            assert!(read.iter().map(|id| Ok(*id)).eq(said.split_whitespace().map(str::parse)));
        }
        if let Some(read) = privileges(input) {
            assert_eq!(u64::from_str_radix(&field("CapEff:").unwrap(), 16), Ok(read.effective));
            assert_eq!(read.no_new_privs, field("NoNewPrivs:").unwrap() == "1");
        }
        let text = [b"Name:\t", &*as_kernel_writes(input), KERNEL].concat();
        let (tgid, ruid, euid, suid) = (42, 1000, 1001, 1002);
        assert_eq!(ids(&text), Some(Ids { tgid, ruid, euid, suid, rgid: 7, egid: 8, sgid: 9 }));
        assert_eq!(groups(&text), Some(vec![4, 24, u32::MAX - 1]));
        let privileges = privileges(&text).unwrap();
        assert_eq!((privileges.effective, privileges.seccomp), (1 << 10, 2));
    });
}

const KERNEL: &[u8] = b"\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nPid:\t42\nPPid:\t1\n\
    Uid:\t1000\t1001\t1002\t1003\nGid:\t7\t8\t9\t10\nGroups:\t4 24 4294967294 \n\
    CapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000400\n\
    CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";

/// `proc_task_name`: a newline and a backslash are escaped, all else stands there as it is.
fn as_kernel_writes(name: &[u8]) -> Vec<u8> {
    let escaped = name.iter().map(|byte| match byte {
        b'\n' => &b"\\n"[..],
        b'\\' => b"\\\\",
        other => std::slice::from_ref(other),
    });
    escaped.collect::<Vec<_>>().concat()
}

#[test]
fn cgroup() {
    let words = &[
        "/../..",
        "/./",
        "//",
        ":",
        "\n",
        "0::/",
        "1:name=systemd:/",
        "12:cpu,cpuacct:/",
        "\x1b[2J",
        "\u{202e}",
        "/docker/",
        "4294967296:x:/a",
        "-1::/",
    ];
    fuzz_target!("cgroup").words(words).check(|input| {
        let lines: Vec<_> = cgroups(input).collect();
        for line in &lines {
            assert!(line.path.starts_with(b"/") && !line.path.contains(&b'\n'));
            let parts: Vec<&[u8]> = line.components().collect();
            let plain = |p: &&[u8]| !matches!(*p, b"" | b"." | b"..") && !p.contains(&b'/');
            assert!(parts.iter().all(plain));
            // The way from the root to the first that is no name, and nothing behind it.
            let way = [b"/", &*parts.join(&b'/')].concat();
            assert!(line.path.starts_with(&way) && line.is_root() == (line.path == b"/"));
            let behind = line.path.split(|b| *b == b'/').nth(parts.len() + 1).unwrap_or(b"");
            assert!(!plain(&behind));
        }
        assert!(lines.len() <= input.split(|byte| *byte == b'\n').count());
        let paths = claimed(input).into_iter().map(|claim| claim.path);
        assert!(paths.chain(summary(input)).all(|path| !path.contains(char::is_control)));
        assert_bucket(&Bucket::new(7, input).cgroup, input);
    });
}

/// The bucket is a first directory of one of the lines, that of v2 if it has one.
fn assert_bucket(bucket: &str, text: &[u8]) {
    assert!(!bucket.contains(char::is_control));
    let firsts: Vec<_> = cgroups(text)
        .filter_map(|line| Some((line.hierarchy, printable(line.components().next()?, false))))
        .collect();
    let v2 = firsts.iter().find(|(hierarchy, _)| *hierarchy == 0);
    match bucket.strip_prefix('/').unwrap() {
        "" => assert!(firsts.is_empty()),
        name => {
            assert!(firsts.iter().any(|(_, first)| first == name));
            assert!(v2.is_none_or(|(_, first)| first == name));
        }
    }
}

/// The input is a line, and then the name of a file that is mapped.
#[test]
fn maps() {
    let words = &[" ", "fe:1f", "00:00", "-1", " 0 ", "ffffffff:100000000", "[stack]", "\t"];
    fuzz_target!("maps").words(words).check(|input| {
        if let Some(file) = mapped_file(input) {
            let text = String::from_utf8_lossy(input);
            assert!(file.inode != 0 && text.contains(&file.inode.to_string()));
        }
        let line = [b"1000-2000 r-xp 00000000 fe:1f 1311      ", input].concat();
        let file = MappedFile { device: (0xfe, 0x1f), inode: 1311 };
        assert_eq!(mapped_file(&line), Some(file));
    });
}

/// The input is a file, and then the root, place and source of a mount that the kernel wrote.
#[test]
fn mountinfo() {
    let words = &[
        " ",
        " - ",
        "-",
        "\\040",
        "\\134",
        "\\012",
        "\\400",
        "cgroup2",
        "0:28",
        "4294967296:0",
        "\n",
    ];
    fuzz_target!("mountinfo").words(words).check(|input| {
        for mount in mounts(input) {
            assert!(mount.root.len() + mount.point.len() + mount.kind.len() <= input.len());
            assert!(!mount.kind.contains(' ') && !mount.kind.contains('\n'));
        }
        let mut parts = input.split(|byte| *byte == b'\n');
        let mut part = || parts.next().unwrap_or_default();
        let (root, point, source) = (part(), part(), part());
        let fields = [
            b"36 35 98:1 ",
            &*mangled(root),
            b" ",
            &mangled(point),
            b" rw,noatime master:1 - cgroup2 ",
            &mangled(source),
            b" rw,nsdelegate\n",
        ];
        let text = fields.concat();
        let found: Vec<_> = mounts(&text).collect();
        let [mount] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&*mount.root, &*mount.point), (root, point));
        assert_eq!((mount.major, mount.minor), (98, 1));
        assert_eq!((&*mount.kind, &*mount.options), ("cgroup2", "rw,nsdelegate"));
    });
}

/// `mangle_path`: what separates fields or lines, and the backslash, as three octal digits.
fn mangled(text: &[u8]) -> Vec<u8> {
    let byte = |byte: &u8| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        other => vec![*other],
    };
    text.iter().flat_map(byte).collect()
}

/// Two texts, divided by a newline: they are shown alike only if they are alike.
#[test]
fn shown() {
    fuzz_target!("shown").words(&["\\", "\\x0a", "\\\\", "\u{85}", "\n", "\x1b"]).check(|input| {
        let mut parts = input.splitn(2, |byte| *byte == b'\n');
        let (one, other) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (text, other_text) = (printable(one, true), printable(other, true));
        assert_eq!(text == other_text, one == other);
        assert!(!text.contains(char::is_control) && text.len() <= 4 * one.len());
        assert!(!printable(one, false).contains(char::is_control));
    });
}
