//! Both clients against a real listener that speaks, or misspeaks, the line protocol.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use witgate_client::{
    AsyncClient, Client, ClientError, Sockets,
    protocol::{
        AttestAnswer, Cause, HealthAnswer, Identity, Nonce, Outcome, Problem, Reason, WatchEvent,
        WhoamiAnswer, You, frame::json_line, limits::MAX_ANSWER,
    },
};
use witgate_identity::{DecisionId, NodeName};

/// A daemon's place: a listener in a folder of its own that answers each connection by `answer`,
/// which is told the request line and may close, wait or write what it likes.
struct Daemon {
    folder: tempfile::TempDir,
    requests: mpsc::Receiver<String>,
}

impl Daemon {
    fn new(answer: impl Fn(&mut UnixStream) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("public")).unwrap();
        let listener = UnixListener::bind(folder.path().join("public/api.sock")).unwrap();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                if sender.send(line).is_err() {
                    return;
                }
                answer(&mut stream);
            }
        });
        Self { folder, requests }
    }

    /// A daemon that writes these bytes and closes.
    fn saying(bytes: Vec<u8>) -> Self {
        Self::new(move |stream| {
            // The client may have had enough before everything is written.
            let _ = stream.write_all(&bytes);
        })
    }

    fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// What both clients make of it, the blocking one first.
    fn attest(&self) -> [Result<AttestAnswer, ClientError>; 2] {
        let client = AsyncClient::in_dir(self.dir());
        let both = [Client::in_dir(self.dir()).attest(), block_on(client.attest())];
        let asked: Vec<_> = self.requests.try_iter().collect();
        assert_eq!(asked, ["attest challenge=yes\n", "attest challenge=yes\n"]);
        both
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn id() -> DecisionId {
    DecisionId::new(&NodeName::new("edge-1").unwrap(), 1_795_464_000_000, [7; 10])
}

fn allow() -> AttestAnswer {
    let (now, end) = ("2026-11-23T20:00:00Z".parse(), "2026-11-23T21:00:00Z".parse());
    let identity = "spiffe://example.org/web".parse().unwrap();
    let identities = vec![Identity::new(identity, end.unwrap(), now.unwrap())];
    AttestAnswer::new(id(), identities, "sha256:8f".to_owned(), false, You::new(1, 2)).unwrap()
}

fn deny() -> Problem {
    Problem::new(Reason::NoMatchingEntry).decided(id()).about(You::new(1, 2))
}

#[test]
fn an_answer_arrives() {
    for result in Daemon::saying(json_line(&allow()).unwrap()).attest() {
        assert_eq!(result.unwrap(), allow());
    }
}

#[test]
fn a_challenge_is_answered() {
    let daemon = Daemon::new(|stream| {
        let nonce = Nonce::new([1, 2, 3, 4, 5, 6, 7, 8]);
        stream.write_all(&json_line(&nonce).unwrap()).unwrap();
        let mut answer = String::new();
        BufReader::new(&*stream).read_line(&mut answer).unwrap();
        let answered = nonce.is_answered_by_line(answer.as_bytes());
        let line = if answered { json_line(&allow()) } else { json_line(&deny()) };
        stream.write_all(&line.unwrap()).unwrap();
    });
    for result in daemon.attest() {
        assert_eq!(result.unwrap(), allow());
    }
}

// A daemon that asks again and again gets one answer.
#[test]
fn a_second_challenge_is_no_answer() {
    let daemon = Daemon::new(|stream| {
        for nonce in [[1; 8], [2; 8]] {
            let _ = stream.write_all(&json_line(&Nonce::new(nonce)).unwrap());
        }
        let _ = BufReader::new(&*stream).read_line(&mut String::new());
    });
    for result in daemon.attest() {
        assert!(matches!(result, Err(ClientError::BadAnswer { .. })), "{result:?}");
    }
}

#[test]
fn an_answer_in_pieces_arrives() {
    let line = json_line(&allow()).unwrap();
    let daemon = Daemon::new(move |stream| {
        for byte in &line {
            stream.write_all(std::slice::from_ref(byte)).unwrap();
        }
    });
    for result in daemon.attest() {
        assert_eq!(result.unwrap(), allow());
    }
}

#[test]
fn a_refusal_is_typed_and_says_what_to_tell_the_operator() {
    let daemon = Daemon::saying(json_line(&deny()).unwrap());
    for result in daemon.attest() {
        let error = result.unwrap_err();
        assert!(error.to_string().contains(&format!("witgate why {}", id())), "{error}");
        assert!(matches!(error, ClientError::Refused(problem) if *problem == deny()));
    }
    assert_eq!(Client::in_dir(daemon.dir()).decide().unwrap(), Outcome::Refuse(deny()));
    let client = AsyncClient::in_dir(daemon.dir());
    assert_eq!(block_on(client.decide()).unwrap(), Outcome::Refuse(deny()));
}

#[test]
fn whoami_and_ping() {
    let whoami = WhoamiAnswer {
        v: 1,
        you: You::new(1, 2),
        groups: vec![2],
        label: None,
        cgroups: vec![],
        tier: "A".to_owned(),
    };
    let daemon = Daemon::saying(json_line(&whoami).unwrap());
    assert_eq!(Client::in_dir(daemon.dir()).whoami().unwrap(), whoami);
    assert_eq!(block_on(AsyncClient::in_dir(daemon.dir()).whoami()).unwrap(), whoami);
    assert_eq!(daemon.requests.recv().unwrap(), "whoami\n");

    let health = HealthAnswer::new(false, "0.1.0", None);
    let daemon = Daemon::saying(json_line(&health).unwrap());
    assert_eq!(Client::in_dir(daemon.dir()).ping().unwrap(), health);
    assert_eq!(block_on(AsyncClient::in_dir(daemon.dir()).ping()).unwrap(), health);
    assert_eq!(daemon.requests.recv().unwrap(), "ping\n");
}

#[test]
fn half_an_answer_is_none() {
    let mut half = json_line(&allow()).unwrap();
    half.pop();
    for bytes in [half, vec![]] {
        for result in Daemon::saying(bytes).attest() {
            assert!(matches!(result, Err(ClientError::CutOff)), "{result:?}");
        }
    }
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    for bytes in [&b"\n"[..], b"HTTP/1.1 400 Bad Request\r\n", b"{}\n", b"{\"v\":1}\n", b"\xff\0\n"]
    {
        for result in Daemon::saying(bytes.to_vec()).attest() {
            assert!(matches!(result, Err(ClientError::BadAnswer { .. })), "{result:?}");
        }
    }
    for result in Daemon::saying(b"{\"v\":2,\"type\":\"x\"}\n".to_vec()).attest() {
        assert!(matches!(result, Err(ClientError::Version { version: 2 })), "{result:?}");
    }
}

#[test]
fn an_answer_without_end_is_cut() {
    for result in Daemon::saying(vec![b' '; MAX_ANSWER + 10_000]).attest() {
        assert!(matches!(result, Err(ClientError::TooLong)), "{result:?}");
    }
}

/// A daemon under load refuses without reading; the refusal must not drown in a write error.
#[test]
fn a_refusal_before_the_request_is_read_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let problem = Problem::new(Reason::RateLimited).retry_after(1);
    let line = json_line(&problem).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(&line).unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
        }
    });
    for _ in 0..50 {
        let both = [Client::new(&path).attest(), block_on(AsyncClient::new(&path).attest())];
        for result in both {
            let Err(ClientError::Refused(refusal)) = result else { panic!("{result:?}") };
            assert_eq!(*refusal, problem);
        }
    }
}

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_silent_daemon_and_a_dripping_one_time_out() {
    let silent = Daemon::new(|_| thread::park());
    let dripping = Daemon::new(|stream| {
        while stream.write_all(b" ").is_ok() {
            thread::sleep(SHORT / 5);
        }
    });
    for daemon in [silent, dripping] {
        let result = Client::in_dir(daemon.dir()).timeout(SHORT).attest();
        assert!(matches!(result, Err(ClientError::TimedOut { after: SHORT })), "{result:?}");
    }
    let silent = Daemon::new(|_| thread::park());
    let result = block_on(AsyncClient::in_dir(silent.dir()).timeout(SHORT).attest());
    assert!(matches!(result, Err(ClientError::TimedOut { after: SHORT })), "{result:?}");
}

/// A daemon that hangs before accept: its queue fills, and then connect itself blocks.
#[test]
fn a_daemon_that_does_not_accept_times_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _queued = UnixStream::connect(&path).unwrap();
    let result = Client::new(&path).timeout(SHORT).attest();
    assert!(matches!(result, Err(ClientError::TimedOut { .. })), "{result:?}");
    let result = block_on(AsyncClient::new(&path).timeout(SHORT).attest());
    assert!(matches!(result, Err(ClientError::TimedOut { .. })), "{result:?}");
}

fn not_running(sockets: &Sockets) -> Vec<PathBuf> {
    let both =
        [Client::of(sockets.clone()).attest(), block_on(AsyncClient::of(sockets.clone()).attest())];
    let [first, second] = both.map(|result| match result {
        Err(ClientError::NotRunning { tried }) => {
            tried.into_iter().map(|tried| tried.path).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    });
    assert_eq!(first, second);
    first
}

#[test]
fn no_daemon_lists_where_it_was_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = Sockets::first_of(["a", "b/c"].map(|name| folder.path().join(name)));
    assert_eq!(not_running(&sockets), sockets.paths());
    // A path whose parent is a file, and a socket that nobody listens on any more.
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(not_running(&Sockets::at(file.join("s"))).len(), 1);
    drop(UnixListener::bind(folder.path().join("dead")).unwrap());
    assert_eq!(not_running(&Sockets::at(folder.path().join("dead"))).len(), 1);
    let error = Client::new("/nowhere/s").attest().unwrap_err().to_string();
    assert!(error.contains("/nowhere/s") && error.contains("not running"), "{error}");
}

#[test]
fn the_users_daemon_is_found_where_there_is_no_other() {
    let runtime = tempfile::tempdir().unwrap();
    let public = runtime.path().join("witgate/public");
    std::fs::create_dir_all(&public).unwrap();
    let listener = UnixListener::bind(public.join("api.sock")).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(&json_line(&allow()).unwrap()).unwrap();
        }
    });
    let system = runtime.path().join("no/system/daemon");
    let sockets = Sockets::first_of([system, public.join("api.sock")]);
    assert_eq!(Client::of(sockets.clone()).attest().unwrap(), allow());
    assert_eq!(block_on(AsyncClient::of(sockets).attest()).unwrap(), allow());
}

/// The lines of a whole watch.
fn story() -> Vec<WatchEvent> {
    vec![
        WatchEvent::decision(Outcome::Allow(allow())),
        WatchEvent::changed(Cause::Reload, Outcome::Refuse(deny())),
        WatchEvent::ended(Reason::SubjectChanged, None),
    ]
}

fn lines(events: &[WatchEvent]) -> Vec<u8> {
    events.iter().flat_map(|event| json_line(event).unwrap()).collect()
}

async fn watched(client: &AsyncClient) -> Vec<Result<WatchEvent, ClientError>> {
    let mut watch = client.watch().await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = watch.next().await {
        seen.push(event);
    }
    seen
}

#[test]
fn a_watch_tells_its_story_and_ends() {
    let mut told = lines(&story());
    told.extend(b"what comes after the end is not read\n");
    let daemon = Daemon::saying(told);
    let watch = Client::in_dir(daemon.dir()).watch().unwrap();
    assert_eq!(watch.map(Result::unwrap).collect::<Vec<_>>(), story());
    let seen = block_on(watched(&AsyncClient::in_dir(daemon.dir())));
    assert_eq!(seen.into_iter().map(Result::unwrap).collect::<Vec<_>>(), story());
}

#[test]
fn a_watch_that_is_cut_off_says_so_once() {
    let mut told = lines(story().split_last().unwrap().1);
    told.extend(b"{\"event\":");
    let daemon = Daemon::saying(told);
    let blocking: Vec<_> = Client::in_dir(daemon.dir()).watch().unwrap().collect();
    let awaited = block_on(watched(&AsyncClient::in_dir(daemon.dir())));
    for seen in [blocking, awaited] {
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(matches!(seen.last(), Some(Err(ClientError::CutOff))), "{seen:?}");
    }
}

/// The timeout is for the first line; a watch may then be silent for as long as it likes.
#[test]
fn a_watch_outlives_the_timeout() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let slow = || {
        Daemon::new(|stream| {
            for event in story() {
                stream.write_all(&json_line(&event).unwrap()).unwrap();
                thread::sleep(TIMEOUT * 3 / 2);
            }
        })
    };
    let (first, second) = (slow(), slow());
    let watch = Client::in_dir(first.dir()).timeout(TIMEOUT).watch().unwrap();
    assert_eq!(watch.map(Result::unwrap).collect::<Vec<_>>(), story());
    let seen = block_on(watched(&AsyncClient::in_dir(second.dir()).timeout(TIMEOUT)));
    assert_eq!(seen.into_iter().map(Result::unwrap).collect::<Vec<_>>(), story());
}

#[test]
fn a_refused_watch_is_an_error() {
    let daemon = Daemon::saying(json_line(&Problem::new(Reason::RateLimited)).unwrap());
    let result = Client::in_dir(daemon.dir()).watch();
    assert!(matches!(result, Err(ClientError::Refused(_))), "{result:?}");
    let result = block_on(AsyncClient::in_dir(daemon.dir()).watch());
    assert!(matches!(result, Err(ClientError::Refused(_))), "{result:?}");
}
