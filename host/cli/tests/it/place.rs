//! Which daemon a command is about: flags, then the environment, then what is configured.

use std::{
    os::unix::process::CommandExt as _,
    process::{Command, Output},
};

use witgate_testkit::daemon::{Daemon, text};

use crate::folder;

/// Variables and their values.
type Environment<'a> = &'a [(&'a str, &'a str)];

/// A command without a flag of its own, in an environment that names no daemon.
fn witgate(arguments: &[&str], environment: Environment<'_>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_witgate"));
    for name in ["WITGATE_SOCKET", "WITGATE_ADMIN_SOCKET", "WITGATE_DIR", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).output().unwrap()
}

fn dir(daemon: &Daemon) -> String {
    daemon.folder.path().display().to_string()
}

#[test]
fn a_flag_beats_the_environment_and_a_socket_beats_a_folder() {
    let daemon = folder().serve();
    let (dir, socket) = (dir(&daemon), daemon.socket().display().to_string());
    let admin = daemon.folder.admin_socket().display().to_string();
    let nowhere = [("WITGATE_SOCKET", "/nowhere/s"), ("WITGATE_ADMIN_SOCKET", "/nowhere/a")];
    let no_folder = [("WITGATE_DIR", "/nowhere")];
    let sockets = [("WITGATE_SOCKET", &*socket), ("WITGATE_ADMIN_SOCKET", &*admin)];
    let found: [(&[&str], Environment<'_>); 8] = [
        (&["--dir", &dir], &nowhere),
        (&["--dir", "/nowhere", "--socket", &socket, "--admin-socket", &admin], &nowhere),
        (&["--socket", &socket, "--admin-socket", &admin], &no_folder),
        (&["--dir", &dir], &no_folder),
        (&[], &[("WITGATE_DIR", &dir)]),
        (&[], &sockets),
        (&[], &[sockets[0], sockets[1], no_folder[0]]),
        (&[], &[("WITGATE_SOCKET", ""), ("WITGATE_ADMIN_SOCKET", ""), ("WITGATE_DIR", &dir)]),
    ];
    for (flags, environment) in found {
        for command in ["attest", "status"] {
            let output = witgate(&[&[command], flags].concat(), environment);
            let said = text(&output);
            assert!(output.status.success(), "{command} {flags:?} {environment:?}: {said}");
        }
    }
    for command in ["attest", "status"] {
        let output = witgate(&[command], &[nowhere[0], nowhere[1], ("WITGATE_DIR", &dir)]);
        assert_eq!(output.status.code(), Some(69));
        assert!(text(&output).contains("/nowhere/"), "{}", text(&output));
    }
}

#[test]
fn a_folder_and_a_file_exclude_each_other_only_as_flags() {
    let daemon = folder();
    daemon.write("other.toml", "trust_domain = \"corp.example\"\n");
    let config = daemon.path().join("other.toml").display().to_string();
    let both = witgate(&["entry", "check", "--config", &config, "--dir", "/nowhere"], &[]);
    assert_eq!(both.status.code(), Some(64), "{}", text(&both));
    let check = witgate(&["entry", "check", "--config", &config], &[("WITGATE_DIR", "/nowhere")]);
    assert!(check.status.code() != Some(64), "{}", text(&check));
    assert!(!text(&check).contains("/nowhere"), "{}", text(&check));
}

#[test]
fn the_sockets_are_where_the_configuration_says() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let listen = format!(
        "trust_domain = \"corp.example\"\n[listen.public]\npath = \"{}\"\n[listen.admin]\npath = \"{}\"\n",
        path("elsewhere/p.sock"),
        path("hidden/a.sock")
    );
    folder.write("witgate.toml", listen);
    let config = path("witgate.toml");
    let daemon = folder.serve();
    for command in ["attest", "status"] {
        let output = daemon.run(&[command]);
        assert!(output.status.success(), "{command}: {}", text(&output));
        let output = witgate(&[command, "--config", &config], &[("WITGATE_SOCKET", "/nowhere")]);
        assert!(output.status.success(), "{command} --config: {}", text(&output));
    }
}

// Nobody named a daemon, and the system has none: both sockets are this user's.
#[test]
fn a_user_without_a_system_daemon_finds_their_own() {
    assert!(!std::path::Path::new("/run/witgate").exists(), "a daemon is installed here");
    let daemon = folder().serve_as(1000);
    let runtime = tempfile::tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(runtime.path(), open).unwrap();
    std::os::unix::fs::symlink(daemon.folder.path(), runtime.path().join("witgate")).unwrap();
    for command in ["attest", "status"] {
        let output = Command::new(daemon.folder.path().with_file_name("witgate"))
            .arg(command)
            .env_clear()
            .env("XDG_RUNTIME_DIR", runtime.path())
            .uid(1000)
            .gid(1000)
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", text(&output));
    }
}
