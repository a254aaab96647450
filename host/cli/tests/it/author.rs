//! What the author of a plugin does, with no daemon: new, test, inspect, run, bench, dev.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;
use witgate_testkit::{child::Actor, daemon::text};

use crate::{
    folder, json,
    supply::{guest, with_section},
};

/// A command of an author, who has a cache of compiled components in this folder.
fn witgate(home: &TempDir, arguments: &[&str]) -> Output {
    command(home, arguments).output().unwrap()
}

fn command(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_witgate"));
    command.args(arguments).env("XDG_CACHE_HOME", home.path().join("cache"));
    command.env_remove("WITGATE_DIR");
    command
}

/// A component as a file.
fn component(home: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = home.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// `unix`, with one fixture that says what it says about root.
fn unix_with_fixture(uid: &str) -> Vec<u8> {
    let facts = r#"{"process.credentials":{"ok":{"uid":0,"gid":0,"groups":[]}}}"#;
    let expected = format!(
        r#"{{"outcome":"reported","wants":["uid"],"selectors":["uid:{uid}"],"unknown":[]}}"#
    );
    let fixtures = format!(r#"[{{"name":"root","facts":{facts},"expected":{expected}}}]"#);
    let unix = witgate_builtins::find("unix").unwrap().wasm;
    with_section(unix, "witgate:fixtures", fixtures.as_bytes())
}

#[test]
fn a_new_plugin_is_tested_updated_and_loaded_on_save() {
    let home = tempfile::tempdir().unwrap();
    let project = home.path().join("my-os");
    let dir = project.to_str().unwrap();
    let new = witgate(&home, &["plugin", "new", "my-os", "--lang", "rust", "--in", dir]);
    assert!(new.status.success() && text(&new).contains("witgate plugin test"), "{}", text(&new));
    let again = witgate(&home, &["plugin", "new", "my-os", "--lang", "rust", "--in", dir]);
    assert_eq!(again.status.code(), Some(64), "{}", text(&again));

    let passes = || {
        let test = witgate(&home, &["plugin", "test", dir]);
        assert!(test.status.success() && text(&test).contains(", 0 failed"), "{}", text(&test));
        assert!(text(&test).contains("ok   debian\n"), "{}", text(&test));
    };
    passes();
    let report = project.join("fixtures/debian.expected.json");
    let right = fs::read_to_string(&report).unwrap();
    fs::write(&report, right.replace("id:debian", "id:debina")).unwrap();
    let test = witgate(&home, &["plugin", "test", dir]);
    assert_eq!(test.status.code(), Some(1), "{}", text(&test));
    let differs = "FAIL debian\n     - selector id:debina\n     + selector id:debian\n";
    assert!(text(&test).contains(differs) && text(&test).contains(", 1 failed"), "{}", text(&test));
    let said = json(&witgate(&home, &["plugin", "test", dir, "--fixture", "debian", "--json"]));
    assert_eq!((&said["passed"], &said["failed"]), (&0.into(), &1.into()), "{said}");
    let update = witgate(&home, &["plugin", "test", dir, "--update"]);
    assert!(text(&update).contains("new  debian\n"), "{}", text(&update));
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let written = value(&fs::read_to_string(&report).unwrap());
    assert_eq!(written["selectors"], value(&right)["selectors"]);
    passes();
    develops(dir, &project);
}

/// Into a daemon that runs, without a restart; half a thought that is saved changes nothing there.
fn develops(dir: &str, project: &Path) {
    let daemon = folder().serve();
    let dev = daemon.run(&["plugin", "dev", dir, "--once"]);
    assert!(dev.status.success() && text(&dev).contains("in generation 2"), "{}", text(&dev));
    let me = std::process::id().to_string();
    let why = || text(&daemon.run(&["why", "--pid", &me]));
    assert!(why().contains("my-os:id:") && why().contains("unix:uid:0"), "{}", why());
    let list = text(&daemon.run(&["plugin", "ls"]));
    assert!(list.contains("my-os") && list.contains("NOT CHECKED"), "{list}");
    let source = project.join("src/lib.rs");
    let right = fs::read_to_string(&source).unwrap();
    fs::write(&source, right + "\nfn half(").unwrap();
    let dev = daemon.run(&["plugin", "dev", dir, "--once"]);
    assert_eq!(dev.status.code(), Some(1), "{}", text(&dev));
    assert!(text(&dev).contains("src/lib.rs"), "{}", text(&dev));
    assert!(why().contains("my-os:id:"), "{}", why());
}

#[test]
fn what_is_no_component_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let inspect = |file: &str| {
        let output = witgate(&home, &["plugin", "inspect", file]);
        (output.status.code(), text(&output))
    };
    let (code, said) = inspect(&component(&home, "core.wasm", b"\0asm\x01\0\0\0"));
    assert!(code == Some(1) && said.contains("build it for wasm32-wasip2"), "{code:?} {said}");
    let file = component(&home, "ok.wasm", &guest("ok"));
    let link = home.path().join("link.wasm");
    symlink(&file, &link).unwrap();
    let (code, said) = inspect(link.to_str().unwrap());
    assert!(code == Some(64) && said.contains("give the file itself"), "{code:?} {said}");
    let (code, said) = inspect("/nowhere.wasm");
    assert!(code == Some(64) && said.contains("/nowhere.wasm"), "{code:?} {said}");
    let (code, said) = inspect(&file);
    assert!(code == Some(0) && said.contains("asks for") && said.contains("worth"), "{said}");
}

#[test]
fn everything_about_a_plugin_can_be_seen_before_it_is_added() {
    let home = tempfile::tempdir().unwrap();
    let file = component(&home, "unix.wasm", &unix_with_fixture("0"));
    let seen = json(&witgate(&home, &["plugin", "inspect", &file, "--json"]));
    assert_eq!(
        (&seen["requests"][0]["request"], &seen["requests"][0]["level"]),
        (&"executable".into(), &"image".into())
    );
    let keys = seen["keys"].as_array().unwrap();
    let sha256 = keys.iter().find(|key| key["spec"]["derived_from"][0] == "executable.sha256");
    let levels = &sha256.unwrap()["assurance"];
    assert_eq!(
        (&levels["unchallenged"], &levels["challenged"]),
        (&"claimed".into(), &"image".into())
    );
    assert_eq!((&seen["fixtures"], &seen["pinned"]), (&1.into(), &false.into()));
    let asked = |import: &serde_json::Value| {
        import["name"].as_str().unwrap().contains("/executable@") && import["kind"] == "requested"
    };
    assert!(seen["imports"].as_array().unwrap().iter().any(asked), "{seen}");
    let check = witgate(&home, &["plugin", "check", &file]);
    assert!(check.status.success(), "{}", text(&check));
}

#[test]
fn a_plugin_is_asked_about_a_process_and_what_it_cost_is_shown() {
    let home = tempfile::tempdir().unwrap();
    let file = component(&home, "unix.wasm", &unix_with_fixture("0"));
    let actor = Actor::spawn().groups(&[]).gid(1234).uid(1234);
    let pid = actor.pid().to_string();
    let said = json(&witgate(&home, &["plugin", "run", &file, "--pid", &pid, "--json"]));
    let uid = serde_json::json!({ "selector": "unix:uid:1234", "assurance": "image" });
    assert!(said["selectors"].as_array().unwrap().contains(&uid), "{said}");
    assert!(said["asked"].as_array().unwrap().contains(&"process.credentials".into()), "{said}");
    assert!(said["host_calls"].as_u64() > Some(0) && said["memory_bytes"].as_u64() > Some(0));
    actor.kill();
    actor.reap();
    let gone = witgate(&home, &["plugin", "run", &file, "--pid", &pid]);
    assert_eq!(gone.status.code(), Some(69), "{}", text(&gone));
    assert!(text(&gone).contains("nothing is wrong with the plugin"), "{}", text(&gone));
}

#[test]
fn a_call_is_measured_beside_the_empty_plugin_and_the_memo() {
    let home = tempfile::tempdir().unwrap();
    let file = component(&home, "unix.wasm", &unix_with_fixture("0"));
    let said = json(&witgate(&home, &["plugin", "bench", &file, "--calls", "30", "--json"]));
    for part in ["fresh", "empty", "memo"] {
        let (p50, p99) = (said[part]["p50_us"].as_f64(), said[part]["p99_us"].as_f64());
        assert!(p50 > Some(0.0) && p99 >= p50, "{part}: {said}");
    }
    assert!(said["ratio_p50"].is_f64() && said["memory_bytes"].as_u64() > Some(0), "{said}");
    assert!(said["load_cold_us"].as_u64() > said["load_warm_us"].as_u64(), "{said}");
    assert_eq!((&said["fixture"], &said["calls"]), (&"root".into(), &30.into()));
    let wrong = witgate(&home, &["plugin", "bench", &file, "--fixture", "toor"]);
    assert!(wrong.status.code() == Some(64) && text(&wrong).contains("there are root"));
}

#[test]
fn a_missing_record_is_told_from_a_wrong_answer() {
    let home = tempfile::tempdir().unwrap();
    let file = component(&home, "unix.wasm", &unix_with_fixture("1"));
    let test = witgate(&home, &["plugin", "test", &file]);
    assert_eq!(test.status.code(), Some(1), "{}", text(&test));
    assert!(text(&test).contains("- selector uid:1\n     + selector uid:0"), "{}", text(&test));
    let folder = home.path().join("recorded");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("empty.json"), "{}").unwrap();
    fs::write(
        folder.join("empty.expected.json"),
        r#"{"outcome":"reported","selectors":["uid:1"],"wants":["uid"]}"#,
    )
    .unwrap();
    let folder = folder.to_str().unwrap();
    let test = witgate(&home, &["plugin", "test", &file, "--fixtures", folder]);
    let hint = "the fixture has no record of process.credentials";
    assert!(text(&test).contains(hint), "{}", text(&test));
}

#[test]
fn a_place_that_cannot_be_is_a_mistake_of_the_command_line() {
    let home = tempfile::tempdir().unwrap();
    let file = component(&home, "file", b"");
    let none = home.path().join("none").display().to_string();
    let output = format!("{none}/a.json");
    let pid = std::process::id().to_string();
    let new = ["plugin", "new", "my-own", "--lang", "c", "--in"];
    let is_file = format!("{file} is a file; ");
    let is_none = format!("the folder {none} does not exist");
    for (arguments, says) in [
        ([&new[..], &[&file]].concat(), &*is_file),
        ([&new[..], &[&format!("{file}/a")]].concat(), &is_file),
        ([&new[..], &["/proc/none"]].concat(), "name another folder"),
        (["plugin", "new", "unix", "--lang", "c", "--in", &none].to_vec(), "a built-in plugin"),
        (["plugin", "build", &file].to_vec(), &is_file),
        (["plugin", "build", &none].to_vec(), &is_none),
        (["fixture", "record", "--pid", &pid, "-o", &output].to_vec(), &is_none),
    ] {
        let output = witgate(&home, &arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains(says), "{arguments:?}: {}", text(&output));
    }
    assert!(!Path::new(&none).exists());
}

#[test]
fn the_check_has_one_line_for_each_need_and_refuses_what_cannot_be_added() {
    let home = tempfile::tempdir().unwrap();
    let project = home.path().join("my-own");
    let dir = project.to_str().unwrap();
    let new = witgate(&home, &["plugin", "new", "my-own", "--lang", "c", "--in", dir]);
    assert!(new.status.success(), "{}", text(&new));
    let check = command(&home, &["plugin", "check", dir]).env("PATH", "/none").output().unwrap();
    let said = text(&check);
    let missing: Vec<_> = said.lines().filter(|line| line.starts_with("NO ")).collect();
    assert!(check.status.code() == Some(1) && missing.len() == 2, "{said}");
    assert!(missing[1].contains("zig, or clang ") && missing[1].contains("ziglang; or "), "{said}");

    let toml = project.join("plugin.toml");
    let right = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, right.replace("version = \"0.1.0\"", "version = \"banana\"")).unwrap();
    for verb in ["check", "build"] {
        let refused = witgate(&home, &["plugin", verb, dir]);
        assert_eq!(refused.status.code(), Some(78), "{}", text(&refused));
        assert!(text(&refused).contains("not a semantic version"), "{}", text(&refused));
    }
}

#[test]
fn somebody_without_rights_is_told_whose_they_are() {
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = component(&home, "unix.wasm", &unix_with_fixture("0"));
    // With a copy of the program that any user can run.
    let folder = folder();
    let as_nobody = |arguments: &[&str]| {
        let mut command = folder.command(arguments);
        command.env("XDG_CACHE_HOME", home.path().join("cache"));
        command.uid(65534).gid(65534).output().unwrap()
    };
    let run = as_nobody(&["plugin", "run", &file, "--pid", &std::process::id().to_string()]);
    assert!(text(&run).contains("run this as its user, or as root"), "{}", text(&run));

    let socket = home.path().join("admin.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let list = as_nobody(&["plugin", "ls", "--admin-socket", socket.to_str().unwrap()]);
    let said = text(&list);
    assert!(list.status.code() == Some(77) && said.contains("[listen.admin]"), "{said}");
    assert!(!said.contains("is the daemon running"), "{said}");
}
