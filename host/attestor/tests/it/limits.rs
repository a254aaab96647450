//! Each limit, by a guest that runs into it. What is not here is tested where it stands: lines in
//! `lines.rs`, reports in `report.rs`, tables in `memory.rs`, rests in `breaker.rs`.

use std::sync::Arc;

use serde_json::json;
use tokio::time::Instant;
use witgate_attestor::{Attestation, BreakerState, Limit, Outcome, PluginSpec, limits};
use witgate_facts::{FactFuture, FactSource, FileRoot, fixture::Recorded};
use witgate_identity::Wanted;

use crate::{
    grafts,
    host::{
        PATIENCE, ask, attest, engine_with, fixture, load, load_on, process, refusal, said,
        with_settings,
    },
};

/// Lets a plugin do its worst on an engine that has room for one call. The next is an honest plugin's,
/// and works.
async fn attack(spec: PluginSpec) -> Attestation {
    let engine = engine_with(|config| config.concurrency = 1);
    let worst = load_on(&engine, vec![spec]).await;
    let honest = load_on(&engine, vec![fixture("ok")]).await;
    let attestation = attest(&worst, process(1000)).await.remove(0);
    let next = attest(&honest, process(1000)).await.remove(0);
    assert_eq!(said(&next), ["ok:uid:1000"], "{next:?}");
    attestation
}

// #64: whoever computes, calls or waits without end is cut off.
#[tokio::test]
async fn busy_loop_runs_out_of_its_own_time() {
    let attestation = attack(fixture("busy-loop")).await;
    assert_eq!(attestation.outcome, Outcome::OutOfTime { limit: Limit::CallTime });
    assert!(attestation.elapsed >= limits::CALL_TIME);
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn host_call_loop_runs_out_of_its_own_time() {
    let attestation = attack(fixture("host-call-loop")).await;
    assert_eq!(attestation.outcome, Outcome::OutOfTime { limit: Limit::CallTime });
    assert!(attestation.host_calls > 1);
}

#[tokio::test]
async fn sleep_uses_up_its_own_time() {
    let attestation = attack(fixture("sleep")).await;
    assert_eq!(attestation.outcome, Outcome::OutOfTime { limit: Limit::CallTime });
    assert!(attestation.elapsed >= limits::CALL_TIME);
    assert_eq!(said(&attestation), [""; 0]);
}

#[tokio::test]
async fn nobody_waits_for_one_that_sleeps_longer_than_the_request_may_take() {
    let catalogue = load(vec![fixture("sleep"), fixture("ok")]).await;
    let plan = catalogue.plan(&Wanted::All);
    let deadline = Instant::now() + limits::CALL_TIME;
    let ended = catalogue.attest(&plan, Arc::new(process(1000)), deadline).await;
    assert_eq!(ended[0].outcome, Outcome::OutOfTime { limit: Limit::RequestDeadline });
    assert_eq!(said(&ended[1]), ["ok:uid:1000"]);
}

#[tokio::test]
async fn a_short_deadline_of_the_request_stops_a_guest_sooner() {
    let catalogue = load(vec![fixture("busy-loop")]).await;
    let plan = catalogue.plan(&Wanted::All);
    let deadline = Instant::now() + limits::CALL_TIME / 10;
    let ended = catalogue.attest(&plan, Arc::new(process(1000)), deadline).await.remove(0).outcome;
    assert_eq!(ended, Outcome::OutOfTime { limit: Limit::RequestDeadline });
}

// #65: whatever there is to take too much of is refused, and the host lives.
#[tokio::test]
async fn hoard_runs_out_of_memory() {
    let attestation = attack(fixture("hoard")).await;
    let limit = u64::try_from(limits::MEMORY).unwrap();
    assert_eq!(attestation.outcome, Outcome::OutOfMemory { limit });
    assert!(attestation.memory_bytes <= limit);
    assert!(attestation.memory_bytes > limit / 2, "{}", attestation.memory_bytes);
}

#[tokio::test]
async fn grow_is_refused_four_gib_and_lives_on() {
    let attestation = attack(fixture("grow")).await;
    assert_eq!(said(&attestation), ["grow:uid:1000"], "{attestation:?}");
    assert!(attestation.memory_bytes <= u64::try_from(limits::MEMORY).unwrap());
}

/// Grows the table in a loop until that is refused, and traps if there are more than 100 000 elements
/// by then: `(loop (br_if 0 (i32.ne (table.grow 0 (ref.null func) (i32.const 1000)) (i32.const -1))))
/// (if (i32.gt_u (table.size 0) (i32.const 100000)) (then (unreachable)))`.
const TABLE_BOMB: &[u8] = b"\x03\x40\xd0\x70\x41\xe8\x07\xfc\x0f\0\x41\x7f\x47\x0d\0\x0b\
    \xfc\x10\0\x41\xa0\x8d\x06\x4b\x04\x40\0\x0b";

#[tokio::test]
async fn a_table_bomb_is_refused_its_elements_and_lives_on() {
    assert_eq!(limits::TABLE_ELEMENTS, 100_000);
    // A table of one element that may have any number of them.
    let attestation = attack(grafts::with_start(b"\x70\0\x01", TABLE_BOMB)).await;
    assert_eq!(said(&attestation), ["ok:uid:1000"], "{attestation:?}");
}

#[tokio::test]
async fn a_table_that_is_too_large_to_begin_with_is_refused_at_load() {
    // 4 294 967 295 elements.
    let (message, _) = refusal(grafts::with_start(b"\x70\0\xff\xff\xff\xff\x0f", &[])).await;
    assert!(message.contains("table"), "{message}");
}

#[tokio::test]
async fn handles_run_out_long_before_a_million() {
    for kind in ["pollables", "streams"] {
        let attestation = attack(with_settings(fixture("handles"), json!({ "of": kind }))).await;
        let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
        assert_eq!(reason, "`attest`: resource table has no free keys", "{kind}");
    }
}

#[tokio::test]
async fn a_list_of_256_mib_is_not_even_copied() {
    let attestation = attack(fixture("huge-list")).await;
    let Outcome::BadOutput { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason, "it hands over more than 1024 KiB at once");
    assert!(attestation.memory_bytes <= u64::try_from(limits::MEMORY).unwrap());
}

#[tokio::test]
async fn a_value_that_goes_on_beyond_the_memory_is_refused() {
    let spec = with_settings(fixture("huge-list"), json!({ "return": "one value" }));
    let attestation = attack(spec).await;
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason, "`attest`: string pointer/length out of bounds of memory");
}

const STACK_EXHAUSTED: &str = "`attest`: call stack exhausted, the limit is 512 KiB";

// #66: the guest's stack ends, and ours does not.
#[tokio::test]
async fn deep_recursion_runs_out_of_stack() {
    for kind in ["without host calls", "with host calls"] {
        let spec = with_settings(fixture("deep-recursion"), json!({ "kind": kind }));
        let attestation = attack(spec).await;
        let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
        assert_eq!(reason, STACK_EXHAUSTED, "{kind}");
    }
}

#[tokio::test]
async fn a_stack_that_overflowed_is_as_good_as_new() {
    let catalogue = load(vec![fixture("deep-recursion"), fixture("ok")]).await;
    // About somebody else each time, so that the plugin never rests.
    for uid in 0..1_000 {
        let ended = attest(&catalogue, process(uid)).await;
        let reason = STACK_EXHAUSTED.to_owned();
        assert_eq!(ended[0].outcome, Outcome::Trapped { reason });
        assert_eq!(said(&ended[1]), [format!("ok:uid:{uid}")]);
    }
}

// #68: a million items.
#[tokio::test]
async fn flood_with_a_million_selectors_costs_its_own() {
    let attestation = attack(fixture("flood")).await;
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
    fn doubts(&self) -> witgate_facts::FactResult<&[witgate_facts::Doubt]> {
        self.0.doubts()
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
