//! A thousand reloads under load, half of them broken: no decision ever mixes two generations.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

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
use witgate_testkit::daemon::Folder;

use crate::{
    folder,
    hot_reload::{Builds, config, word},
    supply::{lock, with_section},
};

/// Reloads under load; every other one is broken.
const RELOADS: u64 = 1000;
/// Clients that ask without a pause.
const CLIENTS: usize = 4;

/// Puts everything of a generation in place, with one mistake; says what will be complained about.
fn put_broken(builds: &Builds, folder: &Folder, number: u64) -> &'static str {
    builds.put(folder, number, false);
    let component = builds.of(number);
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
            swap(component, builds.of(number + 1));
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
            let complaint = put_broken(builds, folder, number);
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
        assert_eq!(mixed(&why, &generations), None, "{why:?}");
        decided.insert(why.id.to_string(), why);
    }
    assert!(told.len() > generations.len(), "{} answers are no load", told.len());
    for (id, path, revision) in &told {
        let why = &decided[id];
        assert_eq!((why.granted[0].id.path(), &why.policy_revision), (path.as_str(), revision));
    }
    let seen: HashSet<_> = decided.values().map(|why| why.generation).collect();
    assert!(seen.len() > 100, "only {} generations were asked", seen.len());
    what_is_mixed_would_be_noticed(&decided, &generations);
}

/// What in a decision is not of the one generation that it names.
fn mixed(why: &Why, generations: &Generations) -> Option<&'static str> {
    let Some((word, revision)) = generations.get(&why.generation) else {
        return Some("generation");
    };
    let identities: Vec<_> = why.granted.iter().map(|granted| granted.id.path()).collect();
    let said: Vec<_> = why
        .attestors
        .iter()
        .flat_map(|attestor| &attestor.selectors)
        .map(|attested| attested.selector.to_string())
        .filter(|selector| selector.starts_with("guest:"))
        .collect();
    if why.verdict != Verdict::Allow || identities != [format!("/gen/{word}")] {
        Some("identity")
    } else if why.policy_revision != *revision {
        Some("entries")
    } else if said != [format!("guest:generation:{word}")] {
        Some("plugin")
    } else {
        None
    }
}

/// The check that nothing is mixed can fail: it does for every part of another generation.
fn what_is_mixed_would_be_noticed(decided: &HashMap<String, Why>, generations: &Generations) {
    let one = decided.values().next().unwrap();
    let differs = |other: &&Why| other.policy_revision != one.policy_revision;
    let other = decided.values().find(differs).unwrap();
    let mixtures = [
        Why { granted: other.granted.clone(), ..one.clone() },
        Why { policy_revision: other.policy_revision.clone(), ..one.clone() },
        Why { attestors: other.attestors.clone(), ..one.clone() },
        Why { generation: 0, ..one.clone() },
    ];
    let noticed = mixtures.map(|mixture| mixed(&mixture, generations));
    assert_eq!(noticed, ["identity", "entries", "plugin", "generation"].map(Some));
}
