//! What a plugin keeps in its cache for other calls, and who waits for whom.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use serde_json::json;
use tokio::{sync::Semaphore, time::Instant};
use witgate_attestor::{BreakerState, Outcome, Use, limits};
use witgate_facts::{
    Ancestor, CgroupClaim, CgroupTrust, Credentials, DirectoryEntry, Doubt, ExecutableInfo,
    FactFuture, FactName, FactResult, FactSource, FileRoot, FileStatus, Lifetimes, Names,
    Namespace, Privileges, SystemdUnit, fixture::Recorded,
};
use witgate_identity::{Assurance, Wanted};

use super::{asked, counted, scene, silent};
use crate::host::{PATIENCE, attest, load, process, said};

#[tokio::test]
async fn what_was_kept_saves_the_request_and_says_how_old_it_is() {
    for wish in ["keep for the process", "keep for the cgroup", "keep for all"] {
        let (catalogue, endpoints) = counted(wish).await;
        for call in 0..5 {
            let attestation = attest(&catalogue, scene()).await.remove(0);
            assert_eq!(said(&attestation), ["reach:answer:0"], "{wish}");
            let hit = attestation.uses.iter().any(|used| matches!(used, Use::Cache { .. }));
            assert_eq!(hit, call > 0, "{wish}: {attestation:?}");
            assert!(attestation.facts_read.contains(FactName::HttpResponse));
        }
        assert_eq!(endpoints.0.load(Relaxed), 1, "{wish}");
    }
}

#[tokio::test]
async fn many_who_miss_together_ask_once() {
    let (catalogue, endpoints) = counted("keep for all").await;
    let plan = catalogue.plan(&Wanted::All);
    let call = || catalogue.attest(&plan, Arc::new(scene()), Instant::now() + PATIENCE);
    let answers = futures_util::future::join_all((0..32).map(|_| call())).await;
    for answer in answers {
        assert_eq!(said(&answer[0]), ["reach:answer:0"]);
    }
    assert_eq!(endpoints.0.load(Relaxed), 1);
}

/// What the workload of a call can make last does not make the calls about others last.
#[tokio::test]
async fn nobody_waits_for_a_call_that_reads_what_must_not_be_kept() {
    let (catalogue, _) = counted("keep what is claimed").await;
    let plan = catalogue.plan(&Wanted::All);
    let slow = Arc::new(Slow { facts: scene(), asked: Semaphore::new(0) });
    let leads = catalogue.attest(&plan, Arc::clone(&slow) as _, Instant::now() + PATIENCE);
    let follows = async {
        let _asked = slow.asked.acquire().await.unwrap();
        attest(&catalogue, scene()).await.remove(0)
    };
    let second = tokio::select! {
        first = leads => panic!("{first:?}"),
        second = follows => second,
    };
    let Outcome::Failed { reason } = &second.outcome else { panic!("{second:?}") };
    assert!(reason.contains("must not outlive it"), "{reason}");
}

#[tokio::test]
async fn who_waits_in_vain_for_another_is_not_at_fault() {
    let (spec, endpoint) = silent("keep for all");
    let catalogue = Arc::new(load(vec![spec]).await);
    let leads = tokio::spawn({
        let catalogue = Arc::clone(&catalogue);
        async move { attest(&catalogue, scene()).await }
    });
    endpoint.asked(1).await;
    let plan = catalogue.plan(&Wanted::All);
    // About others each time, as it takes to rest a plugin for everybody.
    for uid in 0..2 * limits::BREAKER_FAULTS {
        let soon = Instant::now() + 5 * limits::TICK;
        let ended = catalogue.attest(&plan, Arc::new(process(uid)), soon).await.remove(0);
        let Outcome::Unavailable { reason } = &ended.outcome else { panic!("{ended:?}") };
        assert!(reason.contains("it waited for another call"), "{reason}");
    }
    assert_eq!(catalogue.plugins()[0].breaker(), BreakerState::Working);
    leads.abort();
}

#[tokio::test]
async fn one_call_leads_the_search_for_a_few_things_only() {
    let (spec, endpoint) = silent("look for many");
    let catalogue = load(vec![spec]).await;
    let first = attest(&catalogue, process(0));
    // Begins with the first thing that the other does not lead.
    let second = async {
        endpoint.asked(1).await;
        attest(&catalogue, process(u32::try_from(limits::CACHE_LEADS).unwrap())).await
    };
    tokio::select! {
        biased;
        ended = first => panic!("{ended:?}"),
        ended = second => panic!("{ended:?}"),
        () = async { endpoint.asked(1).await } => {}
    }
}

#[tokio::test]
async fn what_a_process_claims_is_never_kept_for_another() {
    let (catalogue, _) = counted("keep what is claimed").await;
    let attestation = attest(&catalogue, scene()).await.remove(0);
    let Outcome::Failed { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("`environ.variables`, which must not outlive it"), "{reason}");
}

/// `security.md` #72, by the one door that there is.
#[tokio::test]
async fn a_uid_that_was_kept_is_not_believed_of_somebody_else() {
    let (catalogue, _) = counted("the uid of somebody else").await;
    let first = attest(&catalogue, process(0)).await.remove(0);
    assert_eq!(said(&first), ["reach:uid:0"]);
    let second = attest(&catalogue, process(1000)).await.remove(0);
    let Outcome::BadOutput { reason } = &second.outcome else { panic!("{second:?}") };
    assert!(reason.contains("`process.credentials` was not read"), "{reason}");
    assert!(said(&second).is_empty());
}

#[tokio::test]
async fn too_much_is_not_kept() {
    let attestation = asked("keep too much").await;
    let Outcome::Failed { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert_eq!(reason.matches("TooLarge").count(), 2, "{reason}");
}

/// What a recording makes a plugin keep is gone with it, or a component's own fixtures could put an
/// answer in the mouth of the daemon.
#[tokio::test]
async fn a_recording_leaves_nothing_in_the_cache() {
    let (catalogue, _) = counted("keep for all").await;
    let plugin = &catalogue.plugins()[0];
    let exchange = json!({
        "endpoint": "api",
        "request": { "method": "GET", "path": "/value" },
        "outcome": { "ok": { "status": 200, "body": "recorded" } },
    });
    let facts = Recorded { exchanges: vec![serde_json::from_value(exchange).unwrap()], ..scene() };
    let expected = serde_json::from_value(json!({
        "outcome": "reported", "settings": { "do": "keep for all" },
    }))
    .unwrap();
    let said_of_it = said(&plugin.rehearse(facts, Some(&expected)).await);
    assert_eq!(said_of_it, ["reach:answer:recorded"]);
    assert_eq!(said(&attest(&catalogue, scene()).await[0]), ["reach:answer:0"]);
}

/// A process whose environment never comes.
#[derive(Debug)]
struct Slow {
    facts: Recorded,
    asked: Semaphore,
}

impl FactSource for Slow {
    fn variable<'a>(&'a self, _: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        self.asked.add_permits(1);
        Box::pin(std::future::pending())
    }
    fn assurance(&self, fact: FactName) -> Assurance {
        self.facts.assurance(fact)
    }
    fn credentials(&self) -> FactResult<&Credentials> {
        self.facts.credentials()
    }
    fn names(&self) -> FactResult<&Names> {
        self.facts.names()
    }
    fn label(&self) -> FactResult<&str> {
        self.facts.label()
    }
    fn privileges(&self) -> FactResult<&Privileges> {
        self.facts.privileges()
    }
    fn state(&self) -> FactResult<char> {
        self.facts.state()
    }
    fn start_time(&self) -> FactResult<u64> {
        self.facts.start_time()
    }
    fn comm(&self) -> FactResult<&[u8]> {
        self.facts.comm()
    }
    fn cgroups_trusted(&self) -> FactResult<&[CgroupTrust]> {
        self.facts.cgroups_trusted()
    }
    fn cgroups_claimed(&self) -> FactResult<&[CgroupClaim]> {
        self.facts.cgroups_claimed()
    }
    fn namespaces(&self) -> FactResult<&[Namespace]> {
        self.facts.namespaces()
    }
    fn executable(&self) -> FactResult<&ExecutableInfo> {
        self.facts.executable()
    }
    fn doubts(&self) -> FactResult<&[Doubt]> {
        self.facts.doubts()
    }
    fn executable_sha256(&self) -> FactFuture<'_, String> {
        self.facts.executable_sha256()
    }
    fn ancestry(&self) -> FactFuture<'_, Vec<Ancestor>> {
        self.facts.ancestry()
    }
    fn cmdline(&self) -> FactFuture<'_, Vec<Vec<u8>>> {
        self.facts.cmdline()
    }
    fn file<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<Vec<u8>>> {
        self.facts.file(root, path)
    }
    fn entries<'a>(
        &'a self,
        root: FileRoot,
        path: &'a str,
    ) -> FactFuture<'a, Option<Vec<DirectoryEntry>>> {
        self.facts.entries(root, path)
    }
    fn status<'a>(&'a self, root: FileRoot, path: &'a str) -> FactFuture<'a, Option<FileStatus>> {
        self.facts.status(root, path)
    }
    fn systemd_unit(&self) -> FactFuture<'_, Option<SystemdUnit>> {
        self.facts.systemd_unit()
    }
    fn lifetimes(&self) -> Lifetimes {
        self.facts.lifetimes()
    }
}
