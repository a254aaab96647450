//! Plugins and entries that take effect by themselves when their files change.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use witgate_client::Client;
use witgate_protocol::Outcome;
use witgate_testkit::daemon::{Daemon, Folder, text};

use crate::{
    folder, json,
    supply::{guest, lock, with_section},
};

/// Limits that the load does not reach: what is looked for here is not who is turned away.
const NO_LIMITS: &str = "[limits]\nconnections_per_bucket = 1000\nrequests_per_second = 1000000\n\
                         request_burst = 1000000\n";

/// The word that everything of one generation carries: the settings of the guest, so its selector;
/// the condition of the entry, and its identity.
pub(crate) fn word(number: u64) -> String {
    format!("g{number}")
}

/// Configuration of one generation.
pub(crate) fn config(number: u64, watch: bool) -> String {
    format!(
        "{NO_LIMITS}[reload]\nwatch = {watch}\n[plugins.unix]\nsource = \"builtin:unix\"\n\
         [plugins.guest]\nsource = \"guest.wasm\"\nsettings = {{ generation = \"{}\" }}\n",
        word(number)
    )
}

/// Entries of one generation.
fn entries(number: u64) -> String {
    let word = word(number);
    format!(
        "[[entry]]\nname = \"{word}\"\nidentity = \"/gen/{word}\"\n\
         match = {{ unix.uid = 0, guest.generation = \"{word}\" }}\n"
    )
}

/// Two builds of one guest, which the generations take in turn.
pub(crate) struct Builds([Vec<u8>; 2]);

impl Builds {
    pub(crate) fn new() -> Self {
        let guest = guest("names-generation");
        Self([with_section(&guest, "build", b"b"), guest])
    }

    pub(crate) fn of(&self, number: u64) -> &[u8] {
        &self.0[usize::try_from(number % 2).unwrap()]
    }

    /// Everything of one generation.
    pub(crate) fn put(&self, folder: &Folder, number: u64, watch: bool) {
        let component = self.of(number);
        folder.write("plugins/guest.wasm", component);
        folder.write("plugins.lock", lock("guest", "0.1.0", component));
        folder.write("witgate.toml", config(number, watch));
        folder.write("entries.d/a.toml", entries(number));
    }
}

/// Whoever asks gets the identity of this generation.
fn is_in_effect(daemon: &Daemon, number: u64) -> bool {
    let answer = Client::new(daemon.socket()).attest().unwrap_or_else(|error| panic!("{error}"));
    answer.identity.path() == format!("/gen/{}", word(number))
}

fn status(daemon: &Daemon) -> Value {
    json(&daemon.run(&["status", "--json"]))
}

/// The guest in it.
fn guest_now(daemon: &Daemon) -> Value {
    let status = status(daemon);
    let plugins = status["plugins"].as_array().unwrap();
    plugins.iter().find(|plugin| plugin["name"] == "guest").unwrap().clone()
}

/// Puts a file in place whole, as editors and package managers do: whatever is looked at is the old
/// one or the new one, however slow this machine is.
fn put(folder: &Folder, name: &str, content: impl AsRef<[u8]>) {
    let place = folder.path().join(name);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let new = place.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(&new, &place).unwrap();
}

/// Whether the last reload failed.
fn is_failing(daemon: &Daemon) -> bool {
    !status(daemon)["reloads"]["failing"].is_null()
}

/// A daemon that watches its files, with the generation 0.
fn watching() -> (Daemon, Builds) {
    let (folder, builds) = (folder(), Builds::new());
    folder.write("entries.d/a.toml", entries(0));
    // One that always fits: files that belong together arrive one after the other here.
    folder.write(
        "entries.d/always.toml",
        "[[entry]]\nname = \"always\"\nidentity = \"/always\"\nmatch = { unix.uid = 0 }\n",
    );
    folder.write("witgate.toml", config(0, true));
    folder.write("plugins/guest.wasm", builds.of(0));
    let daemon = folder.serve();
    // It looks once more when the watch has begun.
    daemon.eventually("the watch", || {
        let status = status(&daemon);
        status["watching"]["on"] == true && status["reloads"]["unchanged"] == 1
    });
    (daemon, builds)
}

#[test]
fn what_has_changed_takes_effect_by_itself() {
    let (daemon, builds) = watching();
    assert!(is_in_effect(&daemon, 0));
    // Settings and entries.
    put(&daemon.folder, "witgate.toml", config(1, true));
    put(&daemon.folder, "entries.d/b.toml", entries(1));
    daemon.eventually("the new settings", || is_in_effect(&daemon, 1));
    // A component, renamed over the old one, and one that is written into it.
    let before = guest_now(&daemon)["digest"].clone();
    put(&daemon.folder, "plugins/guest.wasm", builds.of(1));
    daemon.eventually("the new component", || guest_now(&daemon)["digest"] != before);
    daemon.folder.write("plugins/guest.wasm", builds.of(0));
    daemon.eventually("the old component", || guest_now(&daemon)["digest"] == before);
    // A lock file.
    put(&daemon.folder, "plugins.lock", lock("guest", "0.1.0", builds.of(0)));
    daemon.eventually("the lock file", || guest_now(&daemon)["pinned"] == true);
    // A folder that was not there.
    put(&daemon.folder, "conf.d/z.toml", "[host]\nlabels = { role = \"edge\" }\n");
    daemon.eventually("a new folder", || status(&daemon)["labels"]["role"] == "edge");
    assert!(is_in_effect(&daemon, 1));
}

#[test]
fn a_file_in_the_middle_of_being_written_is_not_taken() {
    let (daemon, _) = watching();
    let deny = "[[entry]]\nname = \"never\"\naction = \"deny\"\nmatch = { unix.uid = 0 }\n";
    let mut file = fs::File::create(daemon.folder.path().join("entries.d/c.toml")).unwrap();
    // Valid by itself, and more than what is meant.
    let half = "[[entry]]\nname = \"half\"\nidentity = \"/half\"\npriority = 9\n\
                match = { unix.uid = 0, unix.gid = 0 }\n";
    file.write_all(half.as_bytes()).unwrap();
    put(&daemon.folder, "conf.d/z.toml", "[host]\nlabels = { role = \"edge\" }\n");
    // Much longer than it takes to look at what is quiet; and however slow this machine is, half of
    // the file must not count.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert!(is_in_effect(&daemon, 0));
    }
    assert_eq!(status(&daemon)["generation"], 1);
    file.write_all(deny.as_bytes()).unwrap();
    drop(file);
    daemon.eventually("the whole file", || {
        match Client::new(daemon.socket()).decide().unwrap() {
            Outcome::Allow(answer) => assert_eq!(answer.identity.path(), "/gen/g0"),
            Outcome::Refuse(_) => return true,
        }
        false
    });
}

#[test]
fn a_file_that_only_looks_changed_costs_no_generation() {
    let (daemon, builds) = watching();
    let before = status(&daemon);
    let touched = Command::new("touch").arg(daemon.folder.path().join("entries.d/a.toml")).status();
    assert!(touched.unwrap().success());
    put(&daemon.folder, "plugins/guest.wasm", builds.of(0));
    put(&daemon.folder, "entries.d/a.toml", entries(0));
    daemon.eventually("a look at the files", || {
        let unchanged = |status: &Value| status["reloads"]["unchanged"].as_u64();
        unchanged(&status(&daemon)) > unchanged(&before)
    });
    let after = status(&daemon);
    assert_eq!(before["generation"], after["generation"]);
    assert_eq!(after["reloads"]["changed"], 0);
    // Whoever asks for a reload gets one all the same, with the plugins as they are.
    assert!(is_in_effect(&daemon, 0));
    let calls = || guest_now(&daemon)["calls"].as_u64().unwrap();
    let asked = calls();
    assert!(asked > 0 && daemon.run(&["reload"]).status.success());
    assert_eq!(status(&daemon)["generation"], 2);
    assert_eq!(calls(), asked, "a plugin that is as before is taken over");
}

#[test]
fn what_is_broken_is_visible_until_it_is_mended_and_told_once() {
    let (daemon, builds) = watching();
    let failed = |times: u64| {
        daemon.eventually("a failure", || {
            status(&daemon)["reloads"]["failing"]["times"].as_u64() >= Some(times)
        });
    };
    put(&daemon.folder, "plugins/guest.wasm", "nonsense");
    failed(1);
    put(&daemon.folder, "plugins/guest.wasm", "nonsense");
    failed(2);
    assert!(is_in_effect(&daemon, 0));
    let said = text(&daemon.run(&["status"]));
    for part in ["reload        FAILED", "times since 2", "guest.wasm", "this is not WebAssembly"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let metrics = crate::admin::get(&daemon, "/metrics");
    for line in ["witgate_reload_failed 1", "witgate_reloads_total{result=\"failed\"} "] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert_eq!(daemon.log().matches("Reload failed").count(), 1, "{}", daemon.log());

    // Another mistake is news.
    put(&daemon.folder, "entries.d/a.toml", "[[entry]]\nname = \"a\"\nidentity = \"/x\"\n");
    daemon.eventually("the other mistake", || text(&daemon.run(&["status"])).contains("a.toml:1"));
    assert_eq!(daemon.log().matches("this is not WebAssembly").count(), 1, "{}", daemon.log());
    // It is mended when the files say again what is in effect.
    put(&daemon.folder, "entries.d/a.toml", entries(0));
    put(&daemon.folder, "plugins/guest.wasm", builds.of(0));
    daemon.eventually("the end of it", || !is_failing(&daemon));
    assert_eq!(status(&daemon)["generation"], 1);
    let metrics = crate::admin::get(&daemon, "/metrics");
    assert!(metrics.contains("witgate_reload_failed 0"), "{metrics}");
}

/// Kernel watches that a process holds.
fn inotify_instances(daemon: &Daemon) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let is_watch = |path: &Path| path.to_string_lossy().contains("inotify");
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.filter(|link| is_watch(link)).count()
}

#[test]
fn folders_may_go_and_come_back() {
    let (daemon, builds) = watching();
    let plugins = daemon.folder.path().join("plugins");
    for number in 1..=10 {
        if number % 2 == 0 {
            fs::remove_dir_all(&plugins).unwrap();
        } else {
            fs::rename(&plugins, plugins.with_file_name(format!("away{number}"))).unwrap();
        }
        daemon.eventually("the loss", || is_failing(&daemon));
        put(&daemon.folder, "plugins/guest.wasm", builds.of(number));
        put(&daemon.folder, "witgate.toml", config(number, true));
        put(&daemon.folder, "entries.d/b.toml", entries(number));
        daemon.eventually("the return", || is_in_effect(&daemon, number));
        assert!(!is_failing(&daemon));
    }
    // Changes in the folder that came back are still seen.
    put(&daemon.folder, "plugins/guest.wasm", "nonsense");
    daemon.eventually("a failure", || is_failing(&daemon));
    daemon.eventually("the old watches to end", || inotify_instances(&daemon) <= 1);
}

#[test]
fn the_whole_folder_may_go_and_come_back() {
    let (daemon, builds) = watching();
    let (dir, away) = (daemon.folder.path(), daemon.folder.path().with_file_name("away"));
    fs::rename(&dir, &away).unwrap();
    // What the daemon listens on went along; what it remembers is put back.
    let socket = away.join("public/api.sock");
    fs::create_dir(&dir).unwrap();
    symlink(away.join("state"), dir.join("state")).unwrap();
    put(&daemon.folder, "entries.d/a.toml", entries(1));
    put(&daemon.folder, "plugins/guest.wasm", builds.of(1));
    put(&daemon.folder, "witgate.toml", config(1, true));
    daemon.eventually("the other folder", || {
        let answer = Client::new(&socket).attest().unwrap_or_else(|error| panic!("{error}"));
        answer.identity.path() == "/gen/g1"
    });
}

#[test]
fn nothing_is_watched_if_nobody_wants_it() {
    let (daemon, _) = watching();
    put(&daemon.folder, "witgate.toml", config(0, false));
    daemon.eventually("the end of the watch", || status(&daemon)["watching"]["on"] == false);
    daemon.eventually("the end of the kernel's", || inotify_instances(&daemon) == 0);
    put(&daemon.folder, "witgate.toml", config(0, true));
    assert!(daemon.run(&["reload"]).status.success());
    daemon.eventually("the watch", || status(&daemon)["watching"]["on"] == true);
}
