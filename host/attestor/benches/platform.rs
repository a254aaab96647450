//! What plugins cost a daemon besides their calls: loading, memory, and one that traps every time.
//! Prints a table.
//!
//! `cargo bench --workspace --bench platform`
#![expect(clippy::unwrap_used, reason = "a benchmark that fails has no result")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use witgate_attestor::{Catalogue, CompilerCommand, Engine, EngineConfig, PluginSpec};
use witgate_builtins::{find, fixtures};
use witgate_facts::{
    Credentials, FactSource,
    fixture::{Fact, Recorded},
};
use witgate_identity::{PluginName, Wanted};

fn engine(store: &str) -> Arc<Engine> {
    let store = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(store);
    let compiler = CompilerCommand {
        program: env!("CARGO_BIN_EXE_witgate-compile-component").into(),
        args: Vec::new(),
    };
    Engine::new(EngineConfig::new(store, compiler)).unwrap()
}

fn unix(name: &str) -> PluginSpec {
    let unix = find("unix").unwrap();
    let grants = unix.default_grants.iter().map(|word| word.parse().unwrap());
    PluginSpec {
        grants: grants.collect(),
        ..PluginSpec::new(PluginName::new(name).unwrap(), "builtin", unix.wasm)
    }
}

fn fixture(name: &str) -> PluginSpec {
    let wasm = fixtures::find(name).unwrap();
    PluginSpec::new(PluginName::new(name).unwrap(), "fixture", wasm)
}

fn process(uid: u32) -> Arc<dyn FactSource> {
    let credentials = Credentials { uid, gid: uid, groups: vec![] };
    Arc::new(Recorded { credentials: Some(Fact::Ok(credentials)), ..Recorded::default() })
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn quantile(sorted: &[Duration], of_hundred: usize) -> Duration {
    sorted[(sorted.len() - 1) * of_hundred / 100]
}

async fn loading(times: usize) {
    let engine = engine("platform");
    Catalogue::load(&engine, vec![unix("warm")]).await.unwrap();
    let mut took = Vec::new();
    for _ in 0..times {
        let started = Instant::now();
        Catalogue::load(&engine, vec![unix("again")]).await.unwrap();
        took.push(started.elapsed());
    }
    took.sort();
    let (p50, p99) = (quantile(&took, 50), quantile(&took, 99));
    print(&format!("load from the warm store, a plugin   p50 {p50:?}  p99 {p99:?}"));
}

async fn memory(plugins: usize) {
    let engine = engine("platform");
    let before = resident_kib();
    let specs = (0..plugins).map(|number| unix(&format!("p{number}"))).collect();
    let catalogue = Catalogue::load(&engine, specs).await.unwrap();
    let plan = catalogue.plan(&Wanted::All);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    catalogue.attest(&plan, process(0), deadline).await;
    let extra = (resident_kib() - before) / 1024;
    print(&format!("{plugins} plugins, loaded and called once   {extra} MiB extra"));
}

/// How long others wait, with and without somebody who asks a trapping plugin 1 000 times a second.
async fn beside_a_trapping_one(calls: usize) {
    let engine = engine("platform");
    let good = Catalogue::load(&engine, vec![unix("unix")]).await.unwrap();
    let bad = Arc::new(Catalogue::load(&engine, vec![fixture("panic")]).await.unwrap());
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..8 {
        let stop = Arc::new(AtomicBool::new(round % 2 == 0));
        let noise = tokio::spawn(trap_on(Arc::clone(&bad), Arc::clone(&stop)));
        let into = if round % 2 == 0 { &mut alone } else { &mut beside };
        waits(&good, calls / 8, into).await;
        stop.store(true, Relaxed);
        noise.await.unwrap();
    }
    alone.sort();
    beside.sort();
    let p99 = [&alone, &beside].map(|waits| quantile(waits, 99));
    let ratio = p99[1].as_secs_f64() / p99[0].as_secs_f64();
    print(&format!(
        "others' p99 beside a plugin that traps   {:?} to {:?} alone, {ratio:.2} x; it is {:?}",
        p99[1],
        p99[0],
        bad.plugins()[0].breaker()
    ));
}

async fn trap_on(catalogue: Arc<Catalogue>, stop: Arc<AtomicBool>) {
    let plan = catalogue.plan(&Wanted::All);
    let mut each = tokio::time::interval(Duration::from_millis(1));
    while !stop.load(Relaxed) {
        each.tick().await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        catalogue.attest(&plan, process(1000), deadline).await;
    }
}

async fn waits(catalogue: &Catalogue, calls: usize, into: &mut Vec<Duration>) {
    let plan = catalogue.plan(&Wanted::All);
    for uid in 0..u32::try_from(calls).unwrap() {
        let started = Instant::now();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(1);
        catalogue.attest(&plan, process(uid), deadline).await;
        into.push(started.elapsed());
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn print(line: &str) {
    println!("{line}");
}

fn main() {
    // `cargo test --all-targets` runs it once, small; `cargo bench` for real.
    let (loads, plugins, calls) =
        if std::env::args().any(|word| word == "--bench") { (200, 50, 20_000) } else { (2, 3, 80) };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        memory(plugins).await;
        loading(loads).await;
        beside_a_trapping_one(calls).await;
    });
}
