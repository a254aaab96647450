//! Plugins and entries that change under load, by themselves, and half of the time for the worse.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use serde_json::Value;
use tokio::{runtime::Runtime, sync::watch};
use witgate_admin::{Control, ReloadReport};
use witgate_attestor::CompilerCommand;
use witgate_client::Client;
use witgate_daemon::{
    Daemon as InProcess,
    config::{Config, Layout},
};
use witgate_decision::{
    audit::{Filter, read_back},
    why::{Verdict, Why},
};
use witgate_testkit::daemon::{Daemon, Folder, text};

use crate::{
    folder, json,
    supply::{guest, lock, with_section},
};

/// Reloads under load; every other one is broken.
const RELOADS: u64 = 1000;
/// Processors' worth of clients that ask without a pause.
const CLIENTS: usize = 4;

/// Limits that the load does not reach: what is looked for here is not who is turned away.
const NO_LIMITS: &str = "[limits]\nconnections_per_bucket = 1000\nrequests_per_second = 1000000\n\
                         request_burst = 1000000\n";

/// The word that everything of one generation carries: the settings of the guest, so its selector;
/// the condition of the entry, and its identity.
fn word(number: u64) -> String {
    format!("g{number}")
}

/// Configuration of one generation.
fn config(number: u64, watch: bool) -> String {
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
struct Builds([Vec<u8>; 2]);

impl Builds {
    fn new() -> Self {
        let guest = guest("names-generation");
        Self([with_section(&guest, "build", b"b"), guest])
    }

    fn of(&self, number: u64) -> &[u8] {
        &self.0[usize::try_from(number % 2).unwrap()]
    }

    /// Everything of one generation.
    fn put(&self, folder: &Folder, number: u64, watch: bool) {
        let component = self.of(number);
        folder.write("plugins/guest.wasm", component);
        folder.write("plugins.lock", lock("guest", "0.1.0", component));
        folder.write("witgate.toml", config(number, watch));
        folder.write("entries.d/a.toml", entries(number));
    }

    /// As [`Self::put`], with one mistake; says what will be complained about.
    fn put_broken(&self, folder: &Folder, number: u64) -> &'static str {
        self.put(folder, number, false);
        let component = self.of(number);
        let swap = |component: &[u8], pin: &[u8]| {
            folder.write("plugins/guest.wasm", component);
            folder.write("plugins.lock", lock("guest", "0.1.0", pin));
        };
        match number / 2 % 6 {
            0 => {
                folder.write("plugins.lock", "version = 1\n");
                folder.write("plugins/guest.wasm", &component[..component.len() - 100]);
                "guest.wasm"
            }
            1 => {
                let fixture = r#"[{"name": "never", "facts": {},
                                   "expected": {"outcome": "reported", "selectors": ["generation:never"]}}]"#;
                let failing = with_section(component, "witgate:fixtures", fixture.as_bytes());
                swap(&failing, &failing);
                "its own fixture `never` fails"
            }
            2 => {
                folder.write("entries.d/a.toml", "[[entry]]\nname = \"a\"\nidentity = \"/x\"\n");
                "a.toml:1"
            }
            3 => {
                swap(component, self.of(number + 1));
                "plugin guest 0.1.0 was changed"
            }
            4 => {
                folder.write("witgate.toml", config(number, false).replace("generation", "g"));
                "the settings name no generation"
            }
            _ => {
                folder.write("witgate.toml", config(number, false) + "[limits]\nburst = 1\n");
                "witgate.toml"
            }
        }
    }
}

/// What a client was told: decision, identity, and the revision of the entries.
type Told = (String, String, String);

/// Asks until it is told to stop. Anything but an identity ends it.
fn ask(socket: &Path, stop: &AtomicBool) -> Vec<Told> {
    let client = Client::new(socket);
    let mut told = Vec::new();
    while !stop.load(Relaxed) {
        let answer = client.attest().unwrap_or_else(|error| panic!("{error}"));
        let path = answer.identity.path().to_owned();
        told.push((answer.decision_id.to_string(), path, answer.policy_revision));
    }
    told
}

/// The daemon's own code, in this process.
struct Running {
    runtime: Runtime,
    control: Arc<dyn Control>,
    serving: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Running {
    fn start(folder: &Folder) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .unwrap();
        let config = Config::read(&Layout::below(&folder.path())).unwrap();
        let program = env!("CARGO_BIN_EXE_witgate").into();
        let compiler = CompilerCommand { program, args: vec!["compile-component".into()] };
        let daemon = runtime.block_on(InProcess::start(config, compiler)).unwrap();
        let (stop, stopped) = watch::channel(false);
        let control = daemon.control();
        let serving = runtime.spawn(daemon.serve(stopped));
        Self { runtime, control, serving, stop }
    }

    fn reload(&self) -> ReloadReport {
        self.runtime.block_on(self.control.reload())
    }

    fn stop(self) {
        self.stop.send_replace(true);
        self.runtime.block_on(self.serving).unwrap();
    }
}

/// A generation that took effect: the word that it carries, and the revision of its entries.
type Generations = HashMap<u64, (String, String)>;

/// Reloads again and again; every other time something is broken, which must change nothing.
fn reload_often(daemon: &Running, folder: &Folder, builds: &Builds) -> Generations {
    let mut generations = Generations::new();
    let mut note = |number: u64, report: &ReloadReport| {
        generations.insert(report.generation, (word(number), report.policy_revision.clone()));
    };
    let first = daemon.reload();
    note(0, &first);
    let mut stays = first.generation;
    // The first generation has the same files, so its entries have the same revision.
    let first = ReloadReport { generation: stays - 1, ..first };
    note(0, &first);
    for number in 1..=RELOADS {
        if number % 2 == 1 {
            let complaint = builds.put_broken(folder, number);
            let report = daemon.reload();
            assert!(!report.ok && report.generation == stays, "{number}: {report:?}");
            let said = report.errors.join("\n");
            assert!(said.contains(complaint), "{number}: {complaint} is not in {said}");
        } else {
            builds.put(folder, number, false);
            let report = daemon.reload();
            assert!(report.ok && report.generation == stays + 1, "{number}: {report:?}");
            stays = report.generation;
            note(number, &report);
        }
    }
    generations
}

// #75: a thousand reloads under load, half of them broken; no decision ever mixes two generations.
#[test]
fn no_decision_mixes_two_generations() {
    let (folder, builds) = (folder(), Builds::new());
    builds.put(&folder, 0, false);
    let daemon = Running::start(&folder);
    let (stop, socket) = (Arc::new(AtomicBool::new(false)), folder.socket());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (stop, socket) = (Arc::clone(&stop), socket.clone());
            thread::spawn(move || ask(&socket, &stop))
        })
        .collect();
    let generations = reload_often(&daemon, &folder, &builds);
    stop.store(true, Relaxed);
    let told: Vec<Told> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let audit = daemon.control.about().audit_dir;
    let reloads = daemon.control.reloads();
    daemon.stop();
    assert_eq!((reloads.changed, reloads.failed), (RELOADS / 2 + 1, RELOADS / 2));
    assert_eq!(generations.len() as u64, RELOADS / 2 + 2);

    let mut decided = HashMap::new();
    for record in read_back(&audit, Filter::default()).unwrap() {
        let Ok(why) = serde_json::from_value::<Why>(record.unwrap().body) else { continue };
        consistent(&why, &generations);
        decided.insert(why.id.to_string(), why);
    }
    assert!(told.len() > generations.len(), "{} answers are no load", told.len());
    for (id, path, revision) in &told {
        let why = &decided[id];
        assert_eq!((why.granted[0].id.path(), &why.policy_revision), (path.as_str(), revision));
    }
    let seen: HashSet<_> = decided.values().map(|why| why.generation).collect();
    assert!(seen.len() > 100, "only {} generations were asked", seen.len());
}

/// Everything in a decision is of the one generation that it names.
fn consistent(why: &Why, generations: &Generations) {
    let (word, revision) = &generations[&why.generation];
    assert_eq!((why.verdict, &why.policy_revision), (Verdict::Allow, revision), "{why:?}");
    assert_eq!(why.granted[0].id.path(), format!("/gen/{word}"), "{why:?}");
    let said: Vec<_> = why
        .attestors
        .iter()
        .flat_map(|attestor| &attestor.selectors)
        .map(|attested| attested.selector.to_string())
        .filter(|selector| selector.starts_with("guest:"))
        .collect();
    assert_eq!(said, [format!("guest:generation:{word}")], "{why:?}");
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
    daemon.eventually("the watch", || status(&daemon)["watching"]["on"] == true);
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
