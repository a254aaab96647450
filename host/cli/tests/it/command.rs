//! What the command promises to scripts: exit codes, and JSON also of what went wrong.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::Stdio,
};

use witgate_testkit::{
    child::{Actor, Cgroup},
    daemon::text,
};

use crate::{folder, json};

#[test]
fn what_was_typed_wrong_is_64() {
    let daemon = folder().serve();
    let head = format!("5:{}", "0".repeat(3));
    for arguments in [
        &["why", "nonsense"][..],
        &["why", "--pid", "0"],
        &["why", "--pid", "-3"],
        &["why", "--last", "--since", "xx"],
        &["why", "--denied", "--since", "xx"],
        &["entry", "suggest", "nonsense"],
        &["audit", "verify", "--head", "5:00"],
        &["audit", "verify", "--head", &head],
    ] {
        let output = daemon.run(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn a_folder_that_is_not_there_is_78() {
    let folder = folder();
    let verify = folder.run(&["audit", "verify"]);
    assert_eq!(verify.status.code(), Some(78), "{}", text(&verify));
    fs::remove_dir_all(folder.path()).unwrap();
    for arguments in [["entry", "check"], ["entry", "test"]] {
        let output = folder.run(&arguments);
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {}", text(&output));
        assert!(text(&output).contains("there is no such folder"), "{}", text(&output));
    }
}

#[test]
fn what_is_not_allowed_is_77_and_says_what() {
    let daemon = folder().serve();
    fs::set_permissions(daemon.socket(), fs::Permissions::from_mode(0o600)).unwrap();
    let output = daemon.folder.command(&["attest"]).uid(1000).gid(1000).output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{}", text(&output));

    // What root left behind is in the way of another user.
    let (_, folder) = daemon.stop();
    let state = folder.path().join("state");
    for path in [&folder.path(), &state] {
        std::os::unix::fs::chown(path, Some(1000), Some(1000)).unwrap();
    }
    let serve = |mode| {
        fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
        let output = folder.command(&["serve"]).uid(1000).gid(1000).output().unwrap();
        assert_eq!(output.status.code(), Some(77), "{mode:o}: {}", text(&output));
        text(&output)
    };
    assert!(serve(0o700).contains("must belong to uid 1000"));
    let unreadable = serve(0o000);
    assert!(unreadable.contains("state") && unreadable.contains("Permission denied"));
    fs::remove_dir_all(&state).unwrap();
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(1000), Some(1000)).unwrap();
    let unwritable = serve(0o500);
    assert!(unwritable.contains("state") && unwritable.contains("Permission denied"));
}

#[test]
fn a_log_that_is_not_in_order_is_told_as_json() {
    let daemon = folder().serve();
    assert!(daemon.run(&["attest"]).status.success());
    let (_, folder) = daemon.stop();
    let in_order = json(&folder.run(&["audit", "verify", "--json"]));
    assert_eq!(in_order["ok"], true, "{in_order}");
    let log = folder.path().join("state/audit/audit-00000001.jsonl");
    let changed = fs::read_to_string(&log).unwrap().replacen("dev/root", "dev/evil", 1);
    fs::write(&log, changed).unwrap();
    let output = folder.run(&["audit", "verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let flaw = json(&output);
    assert_eq!((&flaw["ok"], &flaw["file"]), (&false.into(), &"audit-00000001.jsonl".into()));
    assert!(flaw["line"].as_u64().is_some_and(|line| line > 1), "{flaw}");
    assert!(flaw["seq"].is_u64() && flaw["error"].is_string(), "{flaw}");
}

// One unit's name is a part of another's.
#[test]
fn a_unit_and_a_container_are_found_by_their_whole_names() {
    let daemon = folder().serve();
    let hierarchy = Cgroup::hierarchies().into_iter().next().expect("a cgroup hierarchy");
    let id = "cd".repeat(32);
    let cgroup = Cgroup::create(&hierarchy, &format!("docker/{id}"));
    let actor = Actor::spawn().enter(&cgroup).connect(daemon.socket());
    actor.send(b"attest\n");
    let _ = actor.receive_to_end();
    assert!(daemon.run(&["attest"]).status.success());
    let detail = json(&daemon.run(&["why", "--container", &id, "--json"]));
    assert_eq!(detail["you"]["pid"], actor.pid(), "{detail}");
    for arguments in [
        ["why", "--container", &id[..12]],
        ["why", "--container", "witgate"],
        ["why", "--unit", "witgate"],
        ["why", "--unit", "dev-owner"],
    ] {
        let output = daemon.run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
    }
    assert_eq!(
        crate::admin::get(&daemon, &format!("/api/v1/decisions?container={id}&unit=x"))
            .matches("\"id\"")
            .count(),
        0
    );
}

// A unit is asked for as systemd writes it, and as the answer shows it.
#[test]
fn a_unit_with_a_backslash_in_its_name_is_found() {
    let daemon = folder().serve();
    let all = Cgroup::hierarchies();
    let systemd =
        all.iter().find(|name| *name == "systemd").or_else(|| all.first()).expect("a hierarchy");
    let cgroup = Cgroup::create(systemd, r"it\x2dunit.service");
    let actor = Actor::spawn().enter(&cgroup).connect(daemon.socket());
    actor.send(b"attest\n");
    let _ = actor.receive_to_end();
    assert!(daemon.run(&["attest"]).status.success());
    let written = cgroup.path().file_name().unwrap().to_str().unwrap();
    let detail = json(&daemon.run(&["why", "--unit", written, "--json"]));
    assert_eq!(detail["you"]["pid"], actor.pid(), "{detail}");
    let shown = detail["you"]["unit"].as_str().unwrap();
    assert_eq!(json(&daemon.run(&["why", "--unit", shown, "--json"]))["id"], detail["id"]);
    assert_eq!(daemon.run(&["why", "--unit", "unit.service"]).status.code(), Some(1));
}

#[test]
fn every_refusal_is_listed_with_its_verdict() {
    let folder = folder();
    let guest = witgate_builtins::fixtures::find("panic").expect("a fixture");
    folder.write("plugins/guest.wasm", guest);
    folder.write(
        "witgate.toml",
        "[plugins.unix]\nsource = \"builtin:unix\"\n[plugins.guest]\nsource = \"guest.wasm\"\nrequired = true\n",
    );
    folder.write(
        "entries.d/a.toml",
        "[[entry]]\nname = \"guest\"\nidentity = \"/guest\"\nmatch = { unix.uid = 0, guest.uid = \"never\" }\n",
    );
    let daemon = folder.serve();
    assert_eq!(daemon.run(&["attest"]).status.code(), Some(69));
    let list = text(&daemon.run(&["why", "--denied"]));
    assert!(list.contains("unavailable") && list.contains("attestor_failed"), "{list}");
    assert!(!list.contains("more:"), "{list}");
}

#[test]
fn more_refusals_than_a_page_holds_are_said_to_be_there() {
    let daemon = folder().serve();
    for uid in 2000..2051 {
        let actor = Actor::spawn().groups(&[]).gid(uid).uid(uid).connect(daemon.socket());
        actor.send(b"attest\n");
        let _ = actor.receive_to_end();
    }
    let list = text(&daemon.run(&["why", "--denied"]));
    assert_eq!(list.lines().count(), 51, "{list}");
    assert!(list.ends_with("more: --since narrows\n"), "{list}");
    assert!(list.contains("  deny  "), "{list}");
}

#[test]
fn a_suggestion_is_also_there_as_json() {
    let daemon = folder().serve();
    let answer = json(&daemon.run(&["attest", "--json"]));
    let id = answer["decision_id"].as_str().unwrap();
    let suggested = json(&daemon.run(&["entry", "suggest", id, "--json"]));
    assert!(suggested["entry"].as_str().unwrap().contains("[[entry]]"), "{suggested}");
}

#[test]
fn completions_for_a_reader_who_went_away_are_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let folder = folder();
    let mut command = folder.command(&["completions", "bash"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!text(&output).contains("panicked"), "{}", text(&output));
}

#[test]
fn a_replaced_configuration_keeps_its_mode() {
    let folder = folder();
    folder.write("witgate.toml", "old");
    let config = folder.path().join("witgate.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    let init = folder.run(&["init", "--trust-domain", "corp.example", "--force"]);
    assert!(init.status.success(), "{}", text(&init));
    assert!(fs::read_to_string(&config).unwrap().contains("corp.example"));
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o640);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.as_encoded_bytes().starts_with(b"."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

// A name that is made printable once is not made printable again.
#[test]
fn a_program_is_shown_with_one_escape() {
    let daemon = folder().serve();
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("a\x1bb");
    fs::copy(daemon.folder.path().with_file_name("witgate"), &program).unwrap();
    let mut command = std::process::Command::new(&program);
    command.args(["attest", "--json", "--dir"]).arg(daemon.folder.path());
    let answer = json(&command.output().unwrap());
    let exe = answer["you"]["exe"].as_str().unwrap();
    assert!(exe.ends_with(r"/a\x1bb"), "{exe}");
    let id = answer["decision_id"].as_str().unwrap();
    let said = text(&daemon.run(&["why", id]));
    assert!(said.contains(r"/a\x1bb") && !said.contains(r"\\x1b"), "{said}");
}
