//! Which plugin files a running daemon takes: what was pinned, and what a trusted key signed.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use serde_json::Value;
use witgate_attestor::{CompilerCommand, Engine, EngineConfig, inspect};
use witgate_client::Client;
use witgate_daemon::{
    config::{Config, Layout},
    load,
};
use witgate_testkit::daemon::{Daemon, Folder, text};

use crate::{folder, json};

/// A fixture guest.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let guest = witgate_builtins::fixtures::find(name);
    guest.unwrap_or_else(|| panic!("no fixture {name}")).to_vec()
}

/// Another build of a component: the same with one more section.
pub(crate) fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let leb = |mut number: usize| {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        bytes.push(u8::try_from(number).unwrap());
        bytes
    };
    let content = [&leb(name.len()), name.as_bytes(), data].concat();
    [component, &[0], &leb(content.len()), &content].concat()
}

/// The same component, of another version.
fn of_version(component: &[u8], version: &str) -> Vec<u8> {
    let (from, to) = (b"version = \"0.1.0\"", format!("version = \"{version}\""));
    assert_eq!(from.len(), to.len());
    let mut other = component.to_vec();
    // The manifest is in a section, and in the data of the guest besides.
    while let Some(at) = other.windows(from.len()).position(|window| window == from) {
        other[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
    other
}

/// A lock file with one plugin.
pub(crate) fn lock(name: &str, version: &str, component: &[u8]) -> String {
    let digest = inspect(component).unwrap().digest;
    format!(
        "version = 1\n\n[[plugin]]\nname = \"{name}\"\nversion = \"{version}\"\n\
         sha256 = \"{digest}\"\nsource = \"a test\"\n"
    )
}

/// The built-in `unix` and the plugin `guest`, reloaded only when a test asks for it.
fn config(more: &str) -> String {
    format!(
        "[reload]\nwatch = false\n[plugins.unix]\nsource = \"builtin:unix\"\n\
         [plugins.guest]\nsource = \"guest.wasm\"\n{more}"
    )
}

/// A folder with the guest `ok` and an entry that only its selector earns.
fn with_guest(component: &[u8], more: &str) -> Folder {
    let folder = folder();
    folder.write("plugins/guest.wasm", component);
    folder.write("witgate.toml", config(more));
    folder.write(
        "entries.d/a.toml",
        "[[entry]]\nname = \"a\"\nidentity = \"/guest\"\nmatch = { guest.uid = 0 }\n",
    );
    folder
}

/// A reload is refused with these words, and what was loaded before goes on.
fn refused(daemon: &Daemon, words: &[&str]) {
    let before = (guest_now(daemon), generation(daemon));
    let reload = daemon.run(&["reload"]);
    let said = text(&reload);
    assert_eq!(reload.status.code(), Some(78), "{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in {said}");
    }
    assert_eq!(before, (guest_now(daemon), generation(daemon)), "what was loaded before stays");
    let answer = Client::new(daemon.socket()).attest().unwrap();
    assert_eq!(answer.identity.path(), "/guest");
}

/// The guest as `status` shows it.
fn guest_now(daemon: &Daemon) -> Value {
    let status = json(&daemon.run(&["status", "--json"]));
    let plugins = status["plugins"].as_array().unwrap();
    plugins.iter().find(|plugin| plugin["name"] == "guest").unwrap().clone()
}

fn generation(daemon: &Daemon) -> Value {
    json(&daemon.run(&["status", "--json"]))["generation"].clone()
}

fn reloads(daemon: &Daemon) {
    let reload = daemon.run(&["reload"]);
    assert!(reload.status.success(), "{}", text(&reload));
}

// #74: swapped, cut short, another digest, an older version, a link: refused, and the old one stays.
#[test]
fn only_the_file_that_was_pinned_is_taken() {
    let (ok, other) = (guest("ok"), guest("leak"));
    let newer = of_version(&ok, "0.2.0");
    let folder = with_guest(&newer, "");
    folder.write("plugins.lock", lock("guest", "0.2.0", &newer));
    let daemon = folder.serve();
    let file = daemon.folder.path().join("plugins/guest.wasm");
    let put = |bytes: &[u8]| daemon.folder.write("plugins/guest.wasm", bytes);

    let changed = "plugin guest 0.2.0 was changed: its sha256 is ";
    put(&of_version(&other, "0.2.0"));
    refused(&daemon, &[changed, "witgate.toml:6: plugins.guest.source: "]);
    put(&with_section(&newer, "x", b""));
    refused(&daemon, &[changed, "witgate plugin add"]);
    put(&newer[..newer.len() / 2]);
    refused(&daemon, &[changed]);
    put(b"");
    refused(&daemon, &[changed]);
    put(&ok);
    refused(&daemon, &["plugin guest would be downgraded from 0.2.0 to 0.1.0"]);
    put(&of_version(&ok, "0.3.0"));
    refused(&daemon, &["plugin guest 0.3.0 is an upgrade from 0.2.0 and is not pinned yet"]);

    let elsewhere = file.with_file_name("elsewhere.wasm");
    fs::write(&elsewhere, &newer).unwrap();
    fs::remove_file(&file).unwrap();
    symlink(&elsewhere, &file).unwrap();
    refused(&daemon, &["guest.wasm is a symbolic link, which is not followed"]);
    fs::remove_file(&file).unwrap();
    refused(&daemon, &["cannot read", "guest.wasm", "No such file"]);
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    refused(&daemon, &["guest.wasm is a pipe or a device, not a regular file"]);
    fs::remove_file(&file).unwrap();

    put(&newer);
    reloads(&daemon);
    assert_eq!(guest_now(&daemon)["pinned"], true);
    assert_eq!(generation(&daemon), 2);
}

#[test]
fn a_lock_file_that_cannot_be_used_loads_nothing() {
    let ok = guest("ok");
    let daemon = with_guest(&ok, "").serve();
    daemon.folder.write("plugins.lock", "version = 1\n[[plugin]]\nname = \"guest\"\nsha = 1\n");
    refused(&daemon, &["plugins.lock:4: ", "plugins.lock:2: "]);
    let lock_file = daemon.folder.path().join("plugins.lock");
    fs::remove_file(&lock_file).unwrap();
    symlink("/dev/null", &lock_file).unwrap();
    refused(&daemon, &["plugins.lock is a symbolic link"]);
    fs::remove_file(&lock_file).unwrap();
    // What is not pinned may be loaded unless that is required, and then the message says how.
    daemon.folder.write("witgate.toml", config("[supply]\nrequire_lock = true\n"));
    refused(&daemon, &["plugin guest is not pinned", "require_lock", "witgate plugin add"]);
    daemon.folder.write("plugins.lock", lock("guest", "0.1.0", &ok));
    reloads(&daemon);
}

/// The `minisign` program, with a key pair of its own.
struct Signer(tempfile::TempDir);

impl Signer {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        this.run(&["-G", "-W", "-p", &this.path("key.pub"), "-s", &this.path("key")]);
        this
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn run(&self, arguments: &[&str]) {
        let mut minisign = Command::new("minisign");
        let output = minisign.args(arguments).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("minisign (Debian package): {error}"));
        assert!(output.status.success(), "{output:?}");
    }

    fn sign(&self, file: &Path) {
        let file = file.display().to_string();
        self.run(&["-S", "-W", "-s", &self.path("key"), "-m", &file]);
    }

    /// `[supply]` that trusts it alone.
    fn supply(&self) -> String {
        let public = fs::read_to_string(self.path("key.pub")).unwrap();
        let key = public.lines().nth(1).unwrap();
        format!(
            "[supply]\nrequire_signature = true\ntrusted_keys = [{{ name = \"release\", key = \"{key}\" }}]\n"
        )
    }
}

#[test]
fn only_what_a_trusted_key_signed_is_taken_if_that_is_required() {
    let (ok, signer, stranger) = (guest("ok"), Signer::new(), Signer::new());
    let daemon = with_guest(&ok, "").serve();
    let file = daemon.folder.path().join("plugins/guest.wasm");
    let signature = file.with_file_name("guest.wasm.minisig");
    daemon.folder.write("witgate.toml", config(&signer.supply()));
    refused(&daemon, &["plugin guest (sha256 ", "not signed by a trusted key", "minisign -S"]);
    stranger.sign(&file);
    refused(&daemon, &["a signature that does not count", "release"]);
    signer.sign(&file);
    fs::write(&file, with_section(&ok, "x", b"")).unwrap();
    refused(&daemon, &["a signature that does not count"]);
    fs::write(&file, &ok).unwrap();
    reloads(&daemon);
    assert_eq!(guest_now(&daemon)["signed_by"], "release");
    assert!(text(&daemon.run(&["status"])).contains("not pinned, signed by release"));

    // A signature elsewhere is named, and then it has to be there.
    let named = |name: &str| config(&format!("signature = \"{name}\"\n{}", signer.supply()));
    fs::rename(&signature, file.with_file_name("other.minisig")).unwrap();
    daemon.folder.write("witgate.toml", named("other.minisig"));
    reloads(&daemon);
    daemon.folder.write("witgate.toml", named("none.minisig"));
    refused(&daemon, &["plugins.guest.signature: ", "none.minisig: there is no such file"]);
}

#[test]
fn an_authors_own_build_is_loaded_unchecked_and_everybody_is_told() {
    let ok = guest("ok");
    let signer = Signer::new();
    let folder = with_guest(&ok, &format!("dev_override = true\n{}", signer.supply()));
    folder.write("plugins.lock", lock("guest", "0.1.0", &guest("leak")));
    let daemon = folder.serve();
    let warning = "plugin guest is NOT CHECKED";
    assert!(daemon.log().contains(warning), "{}", daemon.log());
    let said = text(&daemon.run(&["status"]));
    assert!(said.contains(&format!("warning: {warning}")), "{said}");
    assert!(said.contains("NOT CHECKED (dev_override)"), "{said}");
    assert!(text(&daemon.run(&["reload"])).contains(warning));
    let metrics = crate::admin::get(&daemon, "/metrics");
    assert!(metrics.contains("witgate_plugins_not_checked 1"), "{metrics}");
    // It is over as soon as it is taken out.
    daemon.folder.write("witgate.toml", config(&signer.supply()));
    refused(&daemon, &["plugin guest 0.1.0 was changed"]);
}

/// Loads as an installed daemon would.
async fn load_installed(folder: &Folder) -> Result<(), String> {
    let layout = Layout { one_folder: false, ..Layout::below(&folder.path()) };
    let config = Config::read(&layout).map_err(|errors| format!("{errors:?}"))?;
    let program = env!("CARGO_BIN_EXE_witgate").into();
    let compiler = CompilerCommand { program, args: vec!["compile-component".into()] };
    let store = folder.path().join("state/compiled");
    let engine: Arc<Engine> = Engine::new(EngineConfig::new(store, compiler)).unwrap();
    let loaded = load::load(&config, &engine, 1).await;
    loaded.map(drop).map_err(|errors| errors.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installed_daemon_takes_no_file_that_others_can_write() {
    let folder = with_guest(&guest("ok"), "");
    folder.write("conf.d/domain.toml", "trust_domain = \"a.example\"\n");
    folder.write("plugins.lock", lock("guest", "0.1.0", &guest("ok")));
    assert_eq!(load_installed(&folder).await, Ok(()));
    for name in ["plugins/guest.wasm", "plugins.lock"] {
        let file = folder.path().join(name);
        let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o664);
        let refused = load_installed(&folder).await.unwrap_err();
        assert!(refused.contains("may be written by its group"), "{refused}");
        mode(0o644);
        std::os::unix::fs::chown(&file, Some(1000), None).unwrap();
        let refused = load_installed(&folder).await.unwrap_err();
        assert!(refused.contains("may be written by another user (owner 1000"), "{refused}");
        std::os::unix::fs::chown(&file, Some(0), None).unwrap();
    }
    assert_eq!(load_installed(&folder).await, Ok(()));
}
