//! A plugin that is added to a running daemon takes effect at once, or leaves no trace.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use witgate_testkit::daemon::{Daemon, text};

use crate::{
    folder, json,
    supply::{guest, with_section},
};

/// A daemon with nothing configured that reloads only when it is asked to, and the attestor `unix`
/// as somebody else's component beside it.
fn daemon() -> (Daemon, String) {
    let folder = folder();
    folder.write("witgate.toml", "[reload]\nwatch = false\n");
    folder.write("mine.wasm", witgate_builtins::find("unix").unwrap().wasm);
    let file = folder.path().join("mine.wasm").to_str().unwrap().to_owned();
    (folder.serve(), file)
}

/// Everything that an operator has in the folder, without what the daemon keeps there itself.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() && !["state", "public", "admin"].iter().any(|own| path.ends_with(own)) {
            found.insert(name, Vec::new());
            found.extend(files(&path));
        } else if path.is_file() {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

fn selectors(daemon: &Daemon) -> String {
    text(&daemon.run(&["why", "--pid", &std::process::id().to_string()]))
}

#[test]
fn what_is_added_takes_effect_at_once_and_is_pinned() {
    let (daemon, file) = daemon();
    assert!(selectors(&daemon).contains("unix:uid:0") && !selectors(&daemon).contains("mine:"));
    let add = daemon.run(&["plugin", "add", &file, "--name", "mine", "--yes"]);
    assert!(add.status.success() && text(&add).contains("generation 2"), "{}", text(&add));
    let why = selectors(&daemon);
    assert!(why.contains("mine:uid:0") && why.contains("unix:uid:0"), "{why}");
    let list = text(&daemon.run(&["plugin", "ls"]));
    let mine = list.lines().find(|line| line.starts_with("mine")).unwrap();
    assert!(mine.contains("pinned") && list.contains("container"), "{list}");
    let conf = daemon.folder.path().join("conf.d");
    let written = fs::read_to_string(conf.join("plugin-mine.toml")).unwrap();
    assert!(written.contains("grants = [\"executable\"]"), "{written}");

    // Again, with more to say about it: what was said stays.
    let arguments = ["plugin", "add", &file, "--name", "mine", "--yes", "--required"];
    assert!(daemon.run(&arguments).status.success());
    let levels = ["plugin", "add", &file, "--name", "mine", "--yes", "--max-assurance", "claimed"];
    let again = json(&daemon.run(&[&levels[..], &["--json"]].concat()));
    assert_eq!((&again["in_effect"], &again["generation"]), (&true.into(), &4.into()), "{again}");
    let written = fs::read_to_string(conf.join("plugin-mine.toml")).unwrap();
    assert!(written.contains("required = true") && written.contains("\"claimed\""), "{written}");
    let taken = daemon.run(&["plugin", "add", &file, "--yes"]);
    assert_eq!(taken.status.code(), Some(64), "{}", text(&taken));
    assert!(text(&taken).contains("unix is a built-in plugin here"), "{}", text(&taken));

    // The daemon starts with it, too.
    let (_, folder) = daemon.stop();
    assert!(selectors(&folder.serve()).contains("mine:uid:0"));
}

#[test]
fn nobody_is_added_without_being_asked_about() {
    let (daemon, file) = daemon();
    let before = files(&daemon.folder.path());
    let add = daemon.run(&["plugin", "add", &file, "--name", "mine"]);
    assert_eq!(add.status.code(), Some(64), "{}", text(&add));
    let said = text(&add);
    assert!(said.contains("executable: see which program") && said.contains("--yes"), "{said}");
    assert!(said.contains("[image]") && said.contains("sha256 "), "{said}");
    assert_eq!(files(&daemon.folder.path()), before);
}

/// Runs it with a terminal, where somebody types an answer.
fn answered(daemon: &Daemon, arguments: &[&str], answer: &str) -> (bool, String) {
    let witgate = daemon.folder.command(arguments);
    let words = [witgate.get_program()].into_iter().chain(witgate.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    script.envs(witgate.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = script.spawn().unwrap_or_else(|e| panic!("script (Debian: bsdutils): {e}"));
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), text(&output))
}

#[test]
fn whoever_is_asked_decides() {
    let (daemon, file) = daemon();
    let before = files(&daemon.folder.path());
    let add = ["plugin", "add", &file, "--name", "mine"];
    let (added, said) = answered(&daemon, &add, "n\n");
    assert!(!added && said.contains("Add it? [y/N]") && said.contains("nothing was"), "{said}");
    assert_eq!(files(&daemon.folder.path()), before);
    let (added, said) = answered(&daemon, &add, "y\n");
    assert!(added && said.contains("generation 2 is in effect"), "{said}");
}

#[test]
fn what_another_was_trusted_with_is_not_taken_over_by_the_way() {
    let (daemon, file) = daemon();
    let add = ["plugin", "add", &file, "--name", "mine", "--max-assurance", "kernel"];
    let add = [&add[..], &["--yes", "--required"]].concat();
    assert!(daemon.run(&add).status.success());
    let other = with_section(&fs::read(&file).unwrap(), "note", b"another build");
    fs::write(&file, other).unwrap();
    let before = files(&daemon.folder.path());
    let add = ["plugin", "add", &file, "--name", "mine"];
    for arguments in [&add[..], &[&add[..], &["--yes"]].concat()] {
        let refused = daemon.run(arguments);
        let said = text(&refused);
        assert_eq!(refused.status.code(), Some(64), "{said}");
        assert!(said.contains("replaces mine (0.1.0, sha256 "), "{said}");
        assert!(said.contains("required = true, max_assurance = \"kernel\""), "{said}");
        assert_eq!(files(&daemon.folder.path()), before);
    }
    let replaced = daemon.run(&[&add[..], &["--yes", "--replace"]].concat());
    assert!(replaced.status.success(), "{}", text(&replaced));
}

#[test]
fn what_the_daemon_does_not_take_leaves_no_trace() {
    let (daemon, file) = daemon();
    let add = || daemon.run(&["plugin", "add", &file, "--name", "mine", "--yes", "--replace"]);
    daemon.folder.write("entries.d/bad.toml", "[[entry]]\nname = \"a\"\nidentity = \"/a\"\n");
    let before = files(&daemon.folder.path());
    let refused = add();
    assert_eq!(refused.status.code(), Some(78), "{}", text(&refused));
    let said = text(&refused);
    assert!(said.contains("bad.toml") && said.contains("nothing was changed"), "{said}");
    assert_eq!(files(&daemon.folder.path()), before);
    assert!(selectors(&daemon).contains("unix:uid:0") && !selectors(&daemon).contains("mine:"));

    // Nor does it where there was one before.
    fs::remove_file(daemon.folder.path().join("entries.d/bad.toml")).unwrap();
    assert!(add().status.success());
    daemon.folder.write("entries.d/bad.toml", "[[entry]]\nname = \"a\"\nidentity = \"/a\"\n");
    let other = with_section(&fs::read(&file).unwrap(), "note", b"another build");
    fs::write(&file, other).unwrap();
    let before = files(&daemon.folder.path());
    assert_eq!(add().status.code(), Some(78));
    assert_eq!(files(&daemon.folder.path()), before);
}

#[test]
fn a_plugin_that_fails_its_own_fixture_is_not_even_tried() {
    let (daemon, file) = daemon();
    let fixtures =
        br#"[{"name":"root","facts":{},"expected":{"outcome":"reported","selectors":["uid:7"]}}]"#;
    let failing = with_section(&fs::read(&file).unwrap(), "witgate:fixtures", fixtures);
    fs::write(&file, failing).unwrap();
    let before = files(&daemon.folder.path());
    let add = daemon.run(&["plugin", "add", &file, "--name", "mine", "--yes"]);
    assert_eq!(add.status.code(), Some(1), "{}", text(&add));
    assert!(text(&add).contains("its own fixture `root` fails"), "{}", text(&add));
    assert_eq!(files(&daemon.folder.path()), before);
}

#[test]
fn without_a_daemon_it_waits_for_the_next_one() {
    let (daemon, file) = daemon();
    let (_, folder) = daemon.stop();
    let add = folder.run(&["plugin", "add", &file, "--name", "mine", "--yes"]);
    assert!(add.status.success(), "{}", text(&add));
    assert!(text(&add).contains("takes effect when one starts"), "{}", text(&add));
    assert!(selectors(&folder.serve()).contains("mine:uid:0"));
}

#[test]
fn what_a_plugin_writes_can_be_followed() {
    let (daemon, file) = daemon();
    fs::write(&file, guest("flood-log")).unwrap();
    let add = daemon.run(&["plugin", "add", &file, "--name", "flood", "--yes"]);
    assert!(add.status.success(), "{}", text(&add));
    let _ = selectors(&daemon);
    let logs = daemon.run(&["plugin", "logs", "flood"]);
    assert!(logs.status.success(), "{}", text(&logs));
    let (lines, complaint) = (logs.stdout, String::from_utf8(logs.stderr).unwrap());
    let lines = String::from_utf8(lines).unwrap();
    assert!(lines.lines().count() > 1 && lines.contains("  info   "), "{lines}");
    assert!(complaint.contains("lines are not kept"), "{complaint}");
    let count = lines.lines().count();
    let mut follow = daemon.folder.command(&["plugin", "logs", "flood", "--follow"]);
    let mut follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    let mut followed = BufReader::new(follow.stdout.take().unwrap()).lines();
    for _ in 0..count {
        assert!(followed.next().unwrap().is_ok());
    }
    // As soon as it may write again, its next lines come by themselves.
    let (stop, stopped) = std::sync::mpsc::channel();
    let caller = std::thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let _ = selectors(&daemon);
        }
        daemon
    });
    assert!(followed.next().unwrap().is_ok());
    stop.send(()).unwrap();
    follow.kill().unwrap();
    follow.wait().unwrap();
    let daemon = caller.join().unwrap();
    let unknown = daemon.run(&["plugin", "logs", "flod"]);
    assert!(unknown.status.code() == Some(1) && text(&unknown).contains("there are"));
}

/// A real registry on a port of its own, which ends with the test.
struct Registry {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: 127.0.0.1:0\n",
            folder.path().join("storage").display()
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("docker-registry (Debian: docker-registry): {e}"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let said = lines.find(|line| line.contains("listening on ")).unwrap();
        // It stops when nobody reads its log.
        std::thread::spawn(move || lines.for_each(drop));
        let (_, rest) = said.split_once("listening on ").unwrap();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
        let address = rest[..end.unwrap_or(rest.len())].to_owned();
        Self { child, address, _folder: folder }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_was_pushed_is_pulled_byte_for_byte_with_its_signature() {
    let registry = Registry::start();
    let (daemon, file) = daemon();
    fs::write(format!("{file}.minisig"), "a signature").unwrap();
    let reference = format!("{}/attestors/mine:0.1.0", registry.address);
    let push = json(&daemon.run(&["plugin", "push", &file, &reference, "--json"]));
    let pinned = push["reference"].as_str().unwrap();
    assert!(pinned.contains("@sha256:") && push["signed"] == true, "{push}");
    let pulled = daemon.folder.path().join("pulled.wasm");
    let pull = daemon.run(&["plugin", "pull", pinned, "-o", pulled.to_str().unwrap()]);
    assert!(pull.status.success() && text(&pull).contains("not checked yet"), "{}", text(&pull));
    assert_eq!(fs::read(&pulled).unwrap(), fs::read(&file).unwrap());
    let signature = fs::read_to_string(pulled.with_extension("wasm.minisig")).unwrap();
    assert_eq!(signature, "a signature");
    let none = format!("{}/attestors/none:1", registry.address);
    let pull = daemon.run(&["plugin", "pull", &none]);
    assert!(pull.status.code() == Some(69) && text(&pull).contains("none:1"), "{}", text(&pull));
}
