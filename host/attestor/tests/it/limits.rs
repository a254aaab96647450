//! Each limit, by a guest that runs into it. What is not here is tested where it stands: lines in
//! `lines.rs`, reports in `report.rs`, tables in `memory.rs`, rests in `breaker.rs`.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;
use witgate_attestor::{BreakerState, Limit, Outcome, limits};
use witgate_facts::{FactFuture, FactSource, FileRoot, fixture::Recorded};
use witgate_identity::Wanted;

use crate::host::{PATIENCE, ask, attest, fixture, load, process, said, with_settings};

#[tokio::test]
async fn busy_loop_runs_out_of_its_own_time() {
    let attestation = ask(fixture("busy-loop"), process(1000)).await;
    assert_eq!(attestation.outcome, Outcome::OutOfTime { limit: Limit::CallTime });
    assert!(attestation.elapsed >= limits::CALL_TIME);
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn host_call_loop_runs_out_of_its_own_time() {
    let attestation = ask(fixture("host-call-loop"), process(1000)).await;
    assert_eq!(attestation.outcome, Outcome::OutOfTime { limit: Limit::CallTime });
    assert!(attestation.host_calls > 1);
}

#[tokio::test]
async fn a_short_deadline_of_the_request_stops_a_guest_sooner() {
    let catalogue = load(vec![fixture("busy-loop")]).await;
    let plan = catalogue.plan(&Wanted::All);
    let deadline = Instant::now() + limits::CALL_TIME / 10;
    let ended = catalogue.attest(&plan, Arc::new(process(1000)), deadline).await.remove(0).outcome;
    assert_eq!(ended, Outcome::OutOfTime { limit: Limit::RequestDeadline });
}

#[tokio::test]
async fn hoard_runs_out_of_memory() {
    let attestation = ask(fixture("hoard"), process(1000)).await;
    let limit = u64::try_from(limits::MEMORY).unwrap();
    assert_eq!(attestation.outcome, Outcome::OutOfMemory { limit });
    assert!(attestation.memory_bytes <= limit);
    assert!(attestation.memory_bytes > limit / 2, "{}", attestation.memory_bytes);
}

#[tokio::test]
async fn deep_recursion_runs_out_of_stack() {
    let attestation = ask(fixture("deep-recursion"), process(1000)).await;
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason, "`attest`: call stack exhausted, the limit is 512 KiB");
}

#[tokio::test]
async fn flood_with_a_million_selectors_costs_its_own() {
    let attestation = ask(fixture("flood"), process(1000)).await;
    assert!(attestation.outcome.is_fault(), "{attestation:?}");
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn more_output_than_may_be_handed_over_is_not_even_copied() {
    let spec = with_settings(fixture("flood"), json!({ "count": "50000" }));
    let attestation = ask(spec, process(1000)).await;
    let Outcome::BadOutput { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason, "it hands over more than 1024 KiB at once");
}

#[tokio::test]
async fn too_many_selectors_are_refused() {
    let too_many = limits::SELECTORS + 1;
    let spec = with_settings(fixture("flood"), json!({ "count": too_many.to_string() }));
    let attestation = ask(spec, process(1000)).await;
    let Outcome::BadOutput { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(*reason, format!("{too_many} selectors, the limit is {}", limits::SELECTORS));
}

#[tokio::test]
async fn flood_log_fills_nothing() {
    let catalogue = load(vec![fixture("flood-log")]).await;
    let attestation = attest(&catalogue, process(1000)).await.remove(0);
    assert_eq!(said(&attestation), ["flood-log:uid:1000"]);
    let (lines, dropped) = catalogue.plugins()[0].lines();
    assert_eq!(lines.len(), limits::LINES_KEPT);
    assert!(lines.iter().all(|line| line.text.len() <= limits::LINE_BYTES + '…'.len_utf8()));
    assert!(dropped > 0);
}

#[tokio::test]
async fn a_plugin_that_always_runs_out_of_time_rests() {
    let catalogue = load(vec![fixture("busy-loop")]).await;
    let plugin = &catalogue.plugins()[0];
    for uid in 0..limits::BREAKER_FAULTS {
        assert_eq!(plugin.breaker(), BreakerState::Working);
        attest(&catalogue, process(uid)).await;
    }
    assert!(matches!(plugin.breaker(), BreakerState::Resting(_)));
    let ended = attest(&catalogue, process(1000)).await.remove(0);
    let Outcome::Unavailable { reason } = &ended.outcome else { panic!("{ended:?}") };
    assert!(reason.contains("rests"), "{reason}");
    assert_eq!(ended.host_calls + u32::from(ended.memory_bytes > 0), 0, "it was not called");
}

/// A file that takes its time to be hashed.
#[derive(Debug)]
struct SlowFile(Recorded);

impl FactSource for SlowFile {
    fn executable_sha256(&self) -> FactFuture<'_, String> {
        Box::pin(async {
            tokio::time::sleep(2 * limits::CALL_TIME).await;
            self.0.executable_sha256().await
        })
    }
    fn assurance(&self, fact: witgate_facts::FactName) -> witgate_identity::Assurance {
        self.0.assurance(fact)
    }
    fn credentials(&self) -> witgate_facts::FactResult<&witgate_facts::Credentials> {
        self.0.credentials()
    }
    fn names(&self) -> witgate_facts::FactResult<&witgate_facts::Names> {
        self.0.names()
    }
    fn label(&self) -> witgate_facts::FactResult<&str> {
        self.0.label()
    }
    fn privileges(&self) -> witgate_facts::FactResult<&witgate_facts::Privileges> {
        self.0.privileges()
    }
    fn state(&self) -> witgate_facts::FactResult<char> {
        self.0.state()
    }
    fn start_time(&self) -> witgate_facts::FactResult<u64> {
        self.0.start_time()
    }
    fn comm(&self) -> witgate_facts::FactResult<&[u8]> {
        self.0.comm()
    }
    fn cgroups_trusted(&self) -> witgate_facts::FactResult<&[witgate_facts::CgroupTrust]> {
        self.0.cgroups_trusted()
    }
    fn cgroups_claimed(&self) -> witgate_facts::FactResult<&[witgate_facts::CgroupClaim]> {
        self.0.cgroups_claimed()
    }
    fn namespaces(&self) -> witgate_facts::FactResult<&[witgate_facts::Namespace]> {
        self.0.namespaces()
    }
    fn executable(&self) -> witgate_facts::FactResult<&witgate_facts::ExecutableInfo> {
        self.0.executable()
    }
    fn ancestry(&self) -> FactFuture<'_, Vec<witgate_facts::Ancestor>> {
        self.0.ancestry()
    }
    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>> {
        self.0.cmdline()
    }
    fn variable<'a>(&'a self, name: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        self.0.variable(name)
    }
    fn file<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        self.0.file(root, path)
    }
    fn entries<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<Vec<witgate_facts::DirectoryEntry>>> {
        self.0.entries(root, path)
    }
    fn status<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<witgate_facts::FileStatus>> {
        self.0.status(root, path)
    }
    fn systemd_unit(&self) -> FactFuture<'_, Option<witgate_facts::SystemdUnit>> {
        self.0.systemd_unit()
    }
    fn lifetimes(&self) -> witgate_facts::Lifetimes {
        self.0.lifetimes()
    }
}

#[tokio::test]
async fn what_a_guest_waits_for_a_fact_is_not_its_own_time() {
    let attestation = ask(crate::host::builtin("unix"), SlowFile(process(1000))).await;
    assert_eq!(attestation.outcome, Outcome::Reported);
    assert!(attestation.elapsed > limits::CALL_TIME);
    let digest = format!("unix:sha256:{}", "ab".repeat(32));
    assert!(said(&attestation).contains(&digest));
}

#[tokio::test]
async fn a_fact_that_never_comes_costs_the_request_s_deadline_and_no_more() {
    let catalogue = load(vec![crate::host::builtin("unix"), fixture("ok")]).await;
    let plan = catalogue.plan(&Wanted::All);
    let deadline = Instant::now() + limits::CALL_TIME;
    let ended = catalogue.attest(&plan, Arc::new(SlowFile(process(1))), deadline).await;
    assert_eq!(ended[0].outcome, Outcome::OutOfTime { limit: Limit::RequestDeadline });
    assert_eq!(ended[1].outcome, Outcome::Reported);
    assert!(Instant::now() < deadline + PATIENCE);
}
