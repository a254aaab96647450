//! What a call of a plugin costs: `unix` as a component, the same in plain Rust, and the floor, a
//! component that does next to nothing. All over recorded processes: the same one again and again,
//! which is answered from the memo, or ever another one, for which the guest is run.
//!
//! `cargo bench --workspace --bench attest`
#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no result")]

use std::{hint::black_box, path::PathBuf, sync::Arc, time::Duration, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use witgate_attestor::{
    Catalogue, CompilerCommand, Engine, EngineConfig, Plan, PluginSpec, read_requests,
};
use witgate_builtins::{find, fixtures};
use witgate_facts::{
    CgroupTrust, Credentials, ExecutableInfo, FactName, FactSource, Names, Namespace,
    fixture::{Fact, Recorded},
};
use witgate_identity::{Attested, KeyName, PluginName, Selector, Wanted};

fn engine() -> Arc<Engine> {
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-components");
    let compiler = CompilerCommand {
        program: env!("CARGO_BIN_EXE_witgate-compile-component").into(),
        args: Vec::new(),
    };
    Engine::new(EngineConfig::new(store, compiler)).unwrap()
}

/// More processes than a memo has room for, so that each of them is new again when its turn comes.
const PROCESSES: u32 = 8192;

fn process(uid: u32) -> Recorded {
    let namespace = |kind: &str| Namespace { kind: kind.to_owned(), inode: 1, host: true };
    let groups: Vec<u32> = (1000..1008).collect();
    Recorded {
        credentials: Some(Fact::Ok(Credentials { uid, gid: 1000, groups })),
        names: Some(Fact::Ok(Names {
            user: Some("alice".to_owned()),
            group: Some("alice".to_owned()),
            groups: (0..8).map(|n| Some(format!("group{n}"))).collect(),
        })),
        namespaces: Some(Fact::Ok(
            ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"].map(namespace).to_vec(),
        )),
        cgroups_trusted: Some(Fact::Ok(vec![CgroupTrust {
            hierarchy: 0,
            controllers: vec![],
            prefix: "/user.slice/user-1000.slice".to_owned(),
            delegated: true,
            mounted: true,
        }])),
        executable: Some(Fact::Ok(ExecutableInfo {
            path: "/usr/bin/curl".to_owned(),
            device: 1,
            inode: 2,
            size: 3,
            deleted: false,
            same_on_host: true,
        })),
        executable_sha256: Some(Fact::Ok("ab".repeat(32))),
        ..Recorded::default()
    }
}

/// What `plugins/unix` does, without a sandbox.
fn in_process(facts: &dyn FactSource) -> Vec<Attested> {
    let plugin = PluginName::new("unix").unwrap();
    let mut out = Vec::new();
    let mut say = |key: &str, value: &str, fact: FactName| {
        let key = KeyName::new(key).unwrap();
        let selector = Selector::new(plugin.clone(), key, None, value).unwrap();
        out.push(Attested { selector, assurance: facts.assurance(fact) });
    };
    let (credentials, names) = (facts.credentials().unwrap(), facts.names().unwrap());
    say("uid", &credentials.uid.to_string(), FactName::ProcessCredentials);
    say("gid", &credentials.gid.to_string(), FactName::ProcessCredentials);
    for group in &credentials.groups {
        say("supplementary_gid", &group.to_string(), FactName::ProcessCredentials);
    }
    for (key, found) in [("user", &names.user), ("group", &names.group)] {
        if let Some(found) = found {
            say(key, found, FactName::ProcessNames);
        }
    }
    for group in names.groups.iter().flatten() {
        say("supplementary_group", group, FactName::ProcessNames);
    }
    let host = |kind: &str| facts.namespaces().unwrap().iter().any(|n| n.kind == kind && n.host);
    let contained = |path: &str| path.split('/').any(|part| part.len() == 64);
    let cgroups = facts.cgroups_trusted().unwrap();
    if host("pid") && host("user") && !cgroups.iter().any(|entry| contained(&entry.prefix)) {
        say("host", "true", FactName::CgroupsTrusted);
    }
    say("path", &facts.executable().unwrap().path, FactName::ExecutableInfo);
    out
}

fn builtin(name: &str) -> PluginSpec {
    let found = find(name).unwrap();
    PluginSpec {
        grants: found.default_grants.iter().map(|word| word.parse().unwrap()).collect(),
        max_assurance: found.max_assurance.map(|word| word.parse().unwrap()),
        ..PluginSpec::new(PluginName::new(name).unwrap(), "builtin", found.wasm)
    }
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    catalogue: Catalogue,
    plan: Plan,
    processes: Vec<Arc<dyn FactSource>>,
}

impl Bench {
    fn new(specs: Vec<PluginSpec>, wanted: impl Fn(&str) -> bool) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let catalogue = runtime.block_on(Catalogue::load(&engine(), specs)).unwrap();
        let keys = catalogue.plugins().iter().flat_map(|plugin| {
            let keys = plugin.manifest().keys().filter(|(key, _)| wanted(key.as_str()));
            keys.map(|(key, _)| (plugin.name().clone(), key.clone()))
        });
        let plan = catalogue.plan(&Wanted::Keys(keys.collect()));
        let processes = (0..PROCESSES).map(|uid| Arc::new(process(uid)) as _).collect();
        Self { runtime, catalogue, plan, processes }
    }

    /// Ever another process: the guest is run.
    fn run(&self, times: u64) -> Duration {
        self.attest(times, self.processes.iter().cycle())
    }

    /// One process: after the first time the guest is not run.
    fn remember(&self, times: u64) -> Duration {
        self.attest(times, self.processes.iter().take(1).cycle())
    }

    fn attest<'a>(
        &self,
        times: u64,
        mut processes: impl Iterator<Item = &'a Arc<dyn FactSource>>,
    ) -> Duration {
        self.runtime.block_on(async {
            let started = Instant::now();
            for _ in 0..times {
                let facts = Arc::clone(processes.next().unwrap());
                let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
                let said = self.catalogue.attest(&self.plan, facts, deadline);
                let said = black_box(said.await);
                assert!(said.iter().all(|attestation| attestation.outcome.answered()), "{said:?}");
            }
            started.elapsed()
        })
    }
}

fn attest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attest");
    let facts = process(1000);
    group.bench_function("unix in process", |b| b.iter(|| in_process(black_box(&facts))));

    // It asks nothing, so it would be answered from the memo; a clock keeps it out of there.
    let reach = PluginSpec {
        grants: read_requests(fixtures::find("reach").unwrap()).unwrap().requests,
        settings: serde_json::json!({ "do": "clock" }),
        ..PluginSpec::new(
            PluginName::new("reach").unwrap(),
            "fixture",
            fixtures::find("reach").unwrap(),
        )
    };
    let floor = Bench::new(vec![reach], |_| true);
    group.bench_function("floor", |b| b.iter_custom(|times| floor.run(times)));
    let uid = Bench::new(vec![builtin("unix")], |key| key == "uid");
    group.bench_function("unix, uid only", |b| b.iter_custom(|times| uid.run(times)));
    let unix = Bench::new(vec![builtin("unix")], |key| key != "sha256");
    group.bench_function("unix", |b| b.iter_custom(|times| unix.run(times)));
    group.bench_function("unix, from the memo", |b| b.iter_custom(|times| unix.remember(times)));
    let both = Bench::new(vec![builtin("unix"), builtin("container")], |key| key != "sha256");
    group.bench_function("unix and container", |b| b.iter_custom(|times| both.run(times)));
    group.finish();
}

criterion_group!(benches, attest);
criterion_main!(benches);
