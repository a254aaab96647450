//! The cases, as they are numbered everywhere.

/// What came of an attack.
#[derive(Debug)]
pub enum Outcome {
    /// As expected; how often it is tried.
    Passed(&'static str),
    /// What cannot be told, and what that means.
    Limit(&'static str),
    /// Why not.
    CannotRun(&'static str),
}

/// One way to attack.
#[derive(Debug)]
pub struct Case {
    pub number: u16,
    pub case: &'static str,
    pub expected: &'static str,
    pub outcome: Outcome,
}

use Outcome::*;

const fn case(number: u16, case: &'static str, expected: &'static str, outcome: Outcome) -> Case {
    Case { number, case, expected, outcome }
}

/// All of them.
pub const CASES: &[Case] = &[
    case(
        1,
        "peer exits, is reaped, and its number goes to a victim of the same uid before accept",
        "refused `peer_exited`",
        Passed("500 tries, and 500 in own namespaces"),
    ),
    case(
        2,
        "the same after accept, before the facts",
        "refused `peer_exited`",
        Passed("1 000 tries, and 1 000 in own namespaces"),
    ),
    case(
        3,
        "the same between the facts and the answer",
        "refused `peer_exited`",
        Passed("500 tries, and 500 in own namespaces"),
    ),
    case(
        4,
        "the victim's start time is equal (same 10 ms tick)",
        "refused `peer_exited`",
        Passed("most of the tries above are"),
    ),
    case(
        5,
        "the number comes round by itself",
        "refused `peer_exited`",
        Passed("100 tries; the part of the way round that is the same every time is left out"),
    ),
    case(
        6,
        "peer is a zombie at accept, or becomes one later",
        "refused `peer_exited`, connection closed",
        Passed("at accept and after the facts"),
    ),
    case(
        7,
        "main thread has ended, others live",
        "`unattestable`",
        Passed("before and after the facts"),
    ),
    case(
        8,
        "parent connects and exits, a child keeps the connection",
        "nobody is answered",
        Passed("before and after accept"),
    ),
    case(
        9,
        "connection is handed to another process, which asks",
        "refused `sender_differs`; where allowed, every decision says so",
        Passed("by fork and by descriptor, before and after accept"),
    ),
    case(
        10,
        "connect, then exec a trusted program before accept",
        "challenged: refused; else what it runs is `claimed`",
        Passed("100 tries of each of two kinds"),
    ),
    case(
        11,
        "exec after the challenge, at any moment",
        "refused, or what it was when it answered",
        Passed("600 tries"),
    ),
    case(
        12,
        "exec beside a process that shares the memory, addresses not random",
        "refused `subject_changed`",
        Passed("with and without an answer"),
    ),
    case(
        13,
        "io_uring chain from receive to send, armed before exec or by another process",
        "refused",
        Passed("own ring and another process's, with and without an exec"),
    ),
    case(
        14,
        "exec into a program that repeats what it reads",
        "refused `challenge_failed`",
        Passed("six ways to repeat, one of them `tee`"),
    ),
    case(
        15,
        "answer sent before the challenge",
        "ignored, refused",
        Passed("in HTTP/2 and in the line protocol"),
    ),
    case(
        16,
        "connect, then exec a setuid file",
        "refused `credentials_changed`",
        Passed("by exec of a setuid file, and in the daemon"),
    ),
    case(
        17,
        "connect as root, then drop; one thread with another uid; io_uring with saved ids",
        "refused `credentials_changed`",
        Passed("each; effective, real and saved ids, before accept and after the facts"),
    ),
    case(
        18,
        "uid and gid 0, 65534, 2³¹−1, 2³¹, 2³²−2; 65 536 groups",
        "exact values",
        Passed("each value"),
    ),
    case(
        19,
        "client in a pid namespace below, above and beside the daemon's",
        "the daemon's number for it, or refused `peer_unknown`",
        Passed("below, and a daemon that is below"),
    ),
    case(20, "root of a user namespace", "its uid outside", Passed("one try")),
    case(
        21,
        "sender of a message forged by root of own namespaces",
        "refused, or flagged",
        Limit(
            "root of own user and pid namespaces names any process of these as the sender, and nobody else; the fact `namespaces` shows that it is not the host's",
        ),
    ),
    case(
        22,
        "older and exhausted kernels; every errno at every call",
        "typed refusal, never a weaker way",
        Passed("about 350 000 paths on a kernel on paper, see `every_path.rs`"),
    ),
    case(
        23,
        "daemon in a pid or user namespace",
        "does not start, or refuses unmapped uids",
        Passed("simulated"),
    ),
    case(
        24,
        "client's own end is bound to a name with `uid=0;`, newline, 107 bytes",
        "no effect",
        Passed("four names, abstract and in the file system"),
    ),
    case(
        25,
        "exe link forged in a nested user namespace",
        "image facts withheld",
        Passed("with a forged link and without"),
    ),
    case(
        26,
        "exe link forged through a helper that shares memory, file not mapped",
        "image facts withheld",
        Passed("before accept, after the facts, and in the daemon"),
    ),
    case(
        27,
        "the same, file mapped too",
        "worth `claimed`",
        Limit(
            "who maps the file as well is taken for it; so entries that rest on what is run must say that they are weak, or do not load",
        ),
    ),
    case(
        28,
        "trusted path covered by a mount in own mount namespace",
        "not the host's file",
        Passed("one file bound over another; a root that only the process can see"),
    ),
    case(
        29,
        "same path in a container image",
        "not the host's file",
        Passed(
            "two roots of their own, by chroot and by pivot_root; no container runtime was asked to make them",
        ),
    ),
    case(
        30,
        "traced or preloaded trusted program",
        "a fact; otherwise a limit",
        Limit(
            "a tracer is a doubt, for as long as it traces; what was preloaded is not seen, nor who traced before",
        ),
    ),
    case(
        31,
        "executable deleted, replaced, named ` (deleted)`, memfd, newline, not UTF-8, long",
        "escaped; matches by what it is",
        Passed("each"),
    ),
    case(
        32,
        "huge sparse executable; 200 just under the limit",
        "refused by size",
        Passed("by a lowered limit; one uid has four of the threads that hash"),
    ),
    case(
        33,
        "executable on a file system that hangs",
        "refused within the deadline, daemon healthy",
        Passed(
            "one, and two hundred at once in the library and in the daemon; for seconds, not for an hour",
        ),
    ),
    case(
        34,
        "content changes under the same inode",
        "not hashed",
        Passed(
            "FUSE, and an overlay that is somebody's own; networks by the kind of file system, in a unit test",
        ),
    ),
    case(35, "huge command line; one that hangs", "4 KiB; within the deadline", Passed("each")),
    case(
        36,
        "name of the process looks like other fields",
        "right fields",
        Passed("each; and fuzzed"),
    ),
    case(
        37,
        "link in the workload's root to a file of the host",
        "stays inside",
        Passed("nine links"),
    ),
    case(
        38,
        "delegated subtree named like docker, containerd, cri-o, kubepods, podman",
        "no container",
        Passed("five names in three hierarchies"),
    ),
    case(
        39,
        "process in a container makes a child cgroup named as another",
        "the outer one",
        Passed("by the rule of the plugin `container`, and from inside a real container, once"),
    ),
    case(40, "another workload's cgroup bound into own mounts", "ignored", Passed("one try")),
    case(
        41,
        "cgroup paths with `..`, ESC, `:`, very deep, very long",
        "parsed or refused",
        Passed("each; and fuzzed"),
    ),
    case(
        42,
        "moved to another cgroup meanwhile",
        "refused `subject_changed`",
        Passed("one try, and on paper at every moment"),
    ),
    case(
        43,
        "runtime API slow, failing, huge, wrong, restarting, lying",
        "deadline, cap, refused",
        Passed(
            "a real Docker that stands still, once; every other fault as a recorded answer of Docker, Podman and the kubelet",
        ),
    ),
    case(
        44,
        "container dies and its id comes back during the lookup",
        "refused",
        Passed(
            "a real container killed, and removed, with somebody in its control group; one try each",
        ),
    ),
    case(
        45,
        "hidepid without capability",
        "refused `unattestable`",
        Passed("`hidepid=1` and `hidepid=2`: another uid is refused, the daemon's own is served"),
    ),
    case(
        46,
        "one uid: 10 000 new connections a second",
        "others are answered",
        Passed(
            "50 requests of one uid; 10 000 connections a second for a minute are `cargo bench --workspace --bench flood`, which measures and judges nothing",
        ),
    ),
    case(
        47,
        "the same from 1 000 uids",
        "fair shares",
        Passed("8 uids ask as often as they can, 3 hold every place; 1 000 uids are not tried"),
    ),
    case(
        48,
        "10 000 idle connections of one uid",
        "capped; others unaffected",
        Passed(
            "caps of 8 for a uid and of 24 for all; 4 000 idle ones are `cargo bench --workspace --bench flood`",
        ),
    ),
    case(
        49,
        "one byte a second; a header without end; answers never read",
        "cut off",
        Passed("each, by few; 1 000 at once are not tried"),
    ),
    case(
        50,
        "huge length prefix, a million tiny frames, nested JSON, rapid reset, CONTINUATION, ping flood",
        "closed, bounded memory",
        Passed(
            "a request without end, 10 000 CONTINUATION frames, 1 000 streams begun and reset; no request of ours has a length prefix or a body; a flood of PING is not tried",
        ),
    ),
    case(
        51,
        "descriptors or memory are out",
        "sheds, does not spin, recovers by itself",
        Passed(
            "descriptors: taken away while it serves, 64 from the start, 32; memory: `ENOMEM` is among the errors of #22",
        ),
    ),
    case(
        52,
        "peer is frozen",
        "deadline, everything is given back",
        Passed("30 that are stopped: before they write, in the midst of it, before they read"),
    ),
    case(
        53,
        "daemon is killed in every phase",
        "starts again, no lost record of a grant",
        Passed(
            "at random moments: 6 at its start, 6 at work, and 12 of either side of a take-over; `WITGATE_KILLS` makes it more",
        ),
    ),
    case(
        54,
        "disk full, read-only, failing",
        "no grant without a record; heals",
        Passed("a full disk, a read-only one, a write that fails; a failing fsync is not tried"),
    ),
    case(
        55,
        "stale socket, directory, link or foreign socket at the path",
        "refuses to start, or replaces what is stale",
        Passed(
            "each; a folder that others may write to is refused, which is how its parent could be swapped",
        ),
    ),
    case(
        56,
        "connect while the socket is bound",
        "not before it has its mode",
        Passed("three umasks, and three times four daemons that start at once"),
    ),
    case(
        57,
        "restarts under load",
        "no failed connect",
        Passed("10 take-overs under load; `WITGATE_TAKEOVERS` makes it more"),
    ),
    case(
        58,
        "two daemons on one path",
        "the second exits",
        Passed("a second one, three times four at once, and two on one log"),
    ),
    case(59, "72 h of load", "no growth", CannotRun("no run of that length was made")),
    case(
        60,
        "SIGTERM under load",
        "all who asked are answered",
        Passed("over HTTP and in the line protocol, and when another takes over"),
    ),
    case(
        61,
        "clock jumps, suspend",
        "timers are sane",
        Passed("by a day and a minute, forward and back, in a unit test; suspend is not tried"),
    ),
    case(
        62,
        "20 000 peers exit at once",
        "all closed",
        Passed("150 with an open stream; `WITGATE_EXITS` makes it more"),
    ),
    case(
        63,
        "peer execs or changes cgroup on a stream",
        "the stream ends",
        Passed("exec ends it; another cgroup is decided anew"),
    ),
];
