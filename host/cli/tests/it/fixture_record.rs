//! A process that is recorded here can be replayed anywhere, and its secrets stay here.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::{UnixListener, UnixStream},
        process::CommandExt as _,
    },
    path::Path,
    process::{Child, Command, Stdio},
};

use witgate_testkit::{
    child::Actor,
    daemon::{is_socket, text},
};

use crate::{folder, json, supply::guest};

fn unix() -> &'static [u8] {
    witgate_builtins::find("unix").unwrap().wasm
}

#[test]
fn what_is_recorded_of_a_live_process_is_replayed_by_anybody() {
    let folder = folder();
    folder.write("unix.wasm", unix());
    folder.write("fixtures/.keep", "");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (plugin, fixtures, file) =
        (path("unix.wasm"), path("fixtures"), path("fixtures/live.json"));
    let actor = Actor::spawn().groups(&[77]).gid(1234).uid(1234);
    let pid = actor.pid().to_string();
    let arguments = ["fixture", "record", "--pid", &pid, "--plugin", &plugin, "-o", &file];
    let record = folder.run(&arguments);
    assert!(record.status.success(), "{}", text(&record));
    let said = text(&record);
    assert!(said.contains("process.credentials") && said.contains("0 values redacted"), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(folder.run(&arguments).status.code(), Some(64), "it is there already");
    assert!(folder.run(&[&arguments[..], &["--force"]].concat()).status.success());
    let update = folder.run(&["plugin", "test", &plugin, "--fixtures", &fixtures, "--update"]);
    assert!(update.status.success(), "{}", text(&update));
    let expected = fs::read_to_string(path("fixtures/live.expected.json")).unwrap();
    assert!(expected.contains("\"uid:1234\"") && expected.contains("sha256:"), "{expected}");

    // By somebody who has nothing, when the process is gone.
    actor.kill();
    actor.reap();
    chown(&file, Some(65534), Some(65534)).unwrap();
    let test = ["plugin", "test", &plugin, "--fixtures", &fixtures];
    let mut replay = folder.command(&test);
    replay.env_clear().uid(65534).gid(65534).current_dir("/");
    let replay = replay.output().unwrap();
    assert!(replay.status.success(), "{}", text(&replay));
    assert!(text(&replay).contains("ok   live\n1 passed, 0 failed"), "{}", text(&replay));
}

/// Answers the next three requests over a Unix socket, and closes each connection.
fn answer(listener: &UnixListener, body: &str) {
    for stream in listener.incoming().take(3) {
        let mut stream = stream.unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"GET /value HTTP/1.1\r\n"));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

#[test]
fn what_an_endpoint_answers_is_seen_recorded_without_its_secrets_and_replayed() {
    let folder = folder();
    folder.write("asks.wasm", guest("asks-endpoint"));
    folder.write("fixtures/.keep", "");
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (plugin, fixtures, socket) = (path("asks.wasm"), path("fixtures"), path("api.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    let body = r#"{"unit":"web","token":"hunter2"}"#;
    let server = std::thread::spawn(move || answer(&listener, body));
    let (pid, endpoint) = (std::process::id().to_string(), format!("api=unix:{socket}"));

    let run = ["plugin", "run", &plugin, "--pid", &pid, "--endpoint", &endpoint];
    let run = text(&folder.run(&run));
    assert!(
        run.contains("answer:200 {\"unit\":\"web\"") && run.contains("api: GET /value"),
        "{run}"
    );

    let file = path("fixtures/live.json");
    let record = ["fixture", "record", "--pid", &pid, "--plugin", &plugin, "--endpoint", &endpoint];
    let record = folder.run(&[&record[..], &["-o", &file]].concat());
    assert!(record.status.success(), "{}", text(&record));
    let recorded = fs::read_to_string(&file).unwrap();
    assert!(recorded.contains("web") && !recorded.contains("hunter2"), "{recorded}");
    // Nobody else is asked for it any more.
    let last = UnixStream::connect(&socket).unwrap();
    (&last).write_all(b"GET /value HTTP/1.1\r\n\r\n").unwrap();
    server.join().unwrap();
    let test = ["plugin", "test", &plugin, "--fixtures", &fixtures];
    let update = folder.run(&[&test[..], &["--update"]].concat());
    assert!(update.status.success(), "{}", text(&update));
    let expected = fs::read_to_string(path("fixtures/live.expected.json")).unwrap();
    assert!(expected.contains("redacted, 7 bytes"), "{expected}");
    assert!(folder.run(&test).status.success());
}

/// A process with a secret on its command line; it waits for its standard input.
fn with_secret() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read line", "sh", "--password=hunter2"]);
    command.stdin(Stdio::piped()).spawn().unwrap()
}

#[test]
fn secrets_are_taken_out_unless_they_are_asked_for() {
    let folder = folder();
    let mut child = with_secret();
    let pid = child.id().to_string();
    // It is another program until it has become a shell.
    let cmdline = format!("/proc/{pid}/cmdline");
    while !fs::read_to_string(&cmdline).unwrap().contains("hunter2") {}
    let record = folder.run(&["fixture", "record", "--pid", &pid]);
    let kept = folder.run(&["fixture", "record", "--pid", &pid, "--keep-secrets"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let recorded = json(&record);
    assert_eq!(recorded["cmdline.arguments"]["ok"][4], "--password=<redacted, 7 bytes>");
    assert!(recorded["about"].as_str().unwrap().ends_with("(1 value redacted)"), "{recorded}");
    assert_eq!(json(&kept)["cmdline.arguments"]["ok"][4], "--password=hunter2");
}

#[test]
fn whoever_connects_next_is_recorded() {
    let folder = folder();
    let socket = folder.path().join("record.sock");
    let file = folder.path().join("me.json");
    let (socket_text, file_text) = (socket.to_str().unwrap(), file.to_str().unwrap());
    let arguments = ["fixture", "record", "--listen", socket_text, "-o", file_text, "--json"];
    let mut command = folder.command(&arguments);
    let record = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stream = connect(&socket);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "recorded\n");
    let output = record.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let about = json(&output)["about"].as_str().unwrap().to_owned();
    assert!(about.starts_with(&format!("process {} of ", std::process::id())), "{about}");
    assert!(!socket.exists() && file.exists());
}

/// Once somebody listens there, and anybody may connect.
fn connect(socket: &Path) -> UnixStream {
    let started = std::time::Instant::now();
    loop {
        if is_socket(socket)
            && let Ok(stream) = UnixStream::connect(socket)
        {
            return stream;
        }
        assert!(started.elapsed().as_secs() < 60, "nobody listens");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
