//! Brokers, and others on their socket, that mean harm.

use super::*;

/// What leads nowhere, with what the daemon calls it.
fn nowhere(daemon: &Daemon) -> Vec<(OwnedFd, &'static str, Box<dyn std::any::Any>)> {
    let (pipe, end) = rustix::pipe::pipe().unwrap();
    let event = rustix::event::eventfd(0, rustix::event::EventfdFlags::empty()).unwrap();
    let family = rustix::net::AddressFamily::UNIX;
    let unconnected = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
    let listening = UnixListener::bind(daemon.folder.path().join("listening")).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(tcp.local_addr().unwrap()).unwrap();
    let thread = PidfdFlags::from_bits_retain(libc::PIDFD_THREAD);
    let thread = pidfd_open(rustix::process::getpid(), thread).unwrap();
    let directory = File::open("/proc/self").unwrap();
    let listener = agent(daemon);
    let client = UnixStream::connect(daemon.folder.path().join("agent")).unwrap();
    let (one, other) = UnixStream::pair().unwrap();
    vec![
        (pipe, "pipe:[", Box::new(end)),
        (event, "anon_inode:[eventfd]", Box::new(())),
        (unconnected, "socket:[", Box::new(())),
        // Whoever connected would ask about whoever listens.
        (client.into(), "socket:[", Box::new(listener)),
        (one.into(), "socket:[", Box::new(other)),
        (listening.into(), "socket:[", Box::new(())),
        (connected.into(), "socket:[", Box::new(tcp)),
        (thread, "a pidfd of one thread", Box::new(())),
        (directory.into(), "/proc/", Box::new(())),
        (File::open("/dev/null").unwrap().into(), "/dev/null", Box::new(())),
    ]
}

#[test]
fn what_leads_nowhere_is_told_by_its_name() {
    let daemon = serve();
    let before = descriptors(&daemon, "/dev/null");
    for (fd, name, _other_end) in nowhere(&daemon) {
        let answer = answered(&daemon, b"attest\n", fd.as_fd(), 1);
        assert_eq!(answer["reason"], "bad_request", "{name} {answer}");
        let expected = format!("leads to a process, {name}");
        assert!(answer["detail"].as_str().unwrap().contains(&expected), "{answer}");
    }
    let null = File::open("/dev/null").unwrap();
    for (count, detail) in [(0, "no descriptor"), (2, "more than one"), (253, "more than one")] {
        let answer = answered(&daemon, b"attest\n", null.as_fd(), count);
        assert_eq!(answer["reason"], "bad_request");
        assert!(answer["detail"].as_str().unwrap().contains(detail), "{answer}");
    }
    // One with each half is two.
    let mut broker = invited(&daemon);
    pass(&broker, b"att", null.as_fd(), 1);
    pass(&broker, b"est\n", null.as_fd(), 1);
    let answer = read_all(&mut broker);
    assert!(parse(&answer)["detail"].as_str().unwrap().contains("more than one"));
    daemon.eventually("everything is closed", || descriptors(&daemon, "/dev/null") == before);
    assert!(!daemon.log().contains("panic"), "{}", daemon.log());
}

/// How many descriptors of the daemon lead to what is called so.
fn descriptors(daemon: &Daemon, name: &str) -> usize {
    let links = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let link =
        |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    links.filter_map(link).filter(|link| link.to_string_lossy().starts_with(name)).count()
}

/// Threads that hang. Asked without starting a program, which would close what the test has open.
fn busy(daemon: &Daemon) -> u64 {
    let metrics = crate::admin::get(daemon, "/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix("witgate_reads_busy ")).unwrap();
    line.parse().unwrap()
}

/// A TCP socket that has something unsent and waits for it, for an hour, when it is let go of.
fn lingering() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    rustix::net::sockopt::set_socket_linger(&ours, Some(Duration::from_secs(3600))).unwrap();
    ours.set_nonblocking(true).unwrap();
    while (&ours).write(&[0; 65536]).is_ok() {}
    (ours.into(), listener.accept().unwrap().0)
}

// #33, #48: threads and places of the one who passed it hang, and nobody else's. The daemon is stopped while
// it is passed, so that nobody but the daemon is the last to let go of it.
#[test]
fn descriptors_that_hang_keep_nobody_else_from_being_answered() {
    let place = tempfile::tempdir().unwrap();
    let slow = SlowFile::mount(place.path(), vec![1]).unwrap();
    let daemon = serve();
    let web = workload(3001);
    // What hangs, how often it is passed, and with what: one that is closed; three, of which the kernel
    // lets go of what nobody receives; one with more than was asked for.
    let (passed, other_ends): (Vec<_>, Vec<_>) = [(1, "attest\n"), (3, "a"), (1, "x\n and more")]
        .map(|(count, bytes)| {
            let (hangs, other_end) = lingering();
            ((hangs, count, bytes), other_end)
        })
        .into_iter()
        .unzip();
    let hostile = [0; 4].map(|_| workload(2001));
    hostile.iter().for_each(|hostile| invite(hostile, &daemon));
    // Once: the signals end what lingers.
    stop(&daemon);
    hostile[3].pass(b"attest\n", File::open(slow.path()).unwrap().as_fd());
    for (hostile, (hangs, count, bytes)) in hostile.iter().zip(passed) {
        (0..count).for_each(|_| hostile.pass(bytes.as_bytes(), hangs.as_fd()));
    }
    let hold = slow.hold();
    daemon.signal(Signal::SIGCONT);
    daemon.eventually("they hang", || busy(&daemon) == 4);
    let status = text(&daemon.run(&["status"]));
    assert!(status.contains(" hang, by what a workload does"), "{status}");
    for _ in 0..40 {
        let answer = client(&daemon).attest_for(pidfd(&web)).unwrap();
        assert_eq!(answer.you.uid, 3001);
        assert!(Client::new(daemon.socket()).decide().is_ok());
    }
    drop((other_ends, hold));
    daemon.eventually("all is let go of", || busy(&daemon) == 0);
    let path = slow.path().to_str().unwrap();
    daemon.eventually("nothing is left", || descriptors(&daemon, path) == 0);
}

// #33, #48: whoever may not ask has nothing that could hang, however often.
#[test]
fn strangers_shut_no_broker_out() {
    let daemon = serve();
    let (web, stranger) = (workload(3001), workload(65_534));
    let (hangs, _other_end) = lingering();
    stop(&daemon);
    for _ in 0..60 {
        stranger.connect_again(socket(&daemon));
        let refused = stranger.try_pass(b"attest\n", hangs.as_fd()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
    }
    daemon.signal(Signal::SIGCONT);
    assert!(client(&daemon).attest_for(pidfd(&web)).is_ok());
    assert_eq!(busy(&daemon), 0);
}

// #51: each byte of a line could bring two.
#[test]
fn a_line_full_of_descriptors_is_not_read_to_its_end() {
    let daemon = serve();
    let (web, hostile) = (workload(3001), workload(2001));
    let null = File::open("/dev/null").unwrap();
    let before = descriptors(&daemon, "/dev/null");
    invite(&hostile, &daemon);
    stop(&daemon);
    (0..200).for_each(|_| hostile.pass(b"a", null.as_fd()));
    daemon.signal(Signal::SIGCONT);
    let answer = parse(&hostile.receive());
    assert!(answer["detail"].as_str().unwrap().contains("more than one"), "{answer}");
    daemon.eventually("everything is closed", || descriptors(&daemon, "/dev/null") == before);
    assert!(client(&daemon).attest_for(pidfd(&web)).is_ok());
}

// #48, #49: brokers that say nothing hold their own places, and for so long.
#[test]
fn a_broker_that_hoards_is_cut() {
    let daemon = serve();
    let (web, hoarder) = (workload(3001), workload(2001));
    let silent = || {
        hoarder.connect_again(socket(&daemon));
        UnixStream::from(hoarder.give_connection())
    };
    let held: Vec<_> = (0..17).map(|_| silent()).collect();
    // Somebody else has places left.
    assert!(client(&daemon).attest_for(pidfd(&web)).is_ok());
    let mut reasons = Vec::new();
    for mut silent in held {
        let said = String::from_utf8(read_all(&mut silent)).unwrap();
        let last = said.lines().last().unwrap();
        reasons.push(parse(last.as_bytes())["reason"].as_str().unwrap().to_owned());
    }
    let count = |word: &str| reasons.iter().filter(|reason| *reason == word).count();
    assert!(count("rate_limited") >= 1 && count("timeout") >= 1, "{reasons:?}");
    assert_eq!(count("rate_limited") + count("timeout"), 17, "{reasons:?}");
}
