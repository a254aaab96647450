//! What a plugin can reach beyond its process, and what it cannot: the guest `reach`, which was
//! granted one variable, some paths, one endpoint and the cache.

mod kept;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use serde_json::json;
use tokio::sync::Semaphore;
use witgate_attestor::{
    Attestation, Catalogue, Limit, LoadErrorKind, Outcome, PluginSpec, Question, Use,
};
use witgate_facts::{
    Blob, Capabilities, DirectoryEntry, Endpoints, FactError, FileKind, FileRoot, FileStatus,
    HttpError, HttpFuture, HttpRequest, HttpResponse, SystemdUnit,
    fixture::{Fact, Recorded, RecordedFile},
};
use witgate_identity::Assurance;

use crate::host::{attest, fixture, load, process, refusal, said, unknown, with_settings};

fn grants() -> Capabilities {
    witgate_attestor::read_requests(witgate_builtins::fixtures::find("reach").unwrap())
        .unwrap()
        .requests
}

/// The guest with one wish, and everything that it asks for.
pub(crate) fn reach(wish: &str) -> PluginSpec {
    let spec = PluginSpec { grants: grants(), ..fixture("reach") };
    with_settings(spec, json!({ "do": wish }))
}

fn file(content: &str) -> RecordedFile {
    RecordedFile { content: Some(Fact::Ok(Some(Blob::from(content)))), ..RecordedFile::default() }
}

fn scene() -> Recorded {
    let directory = RecordedFile {
        entries: Some(Fact::Ok(Some(vec![DirectoryEntry {
            name: "sources.list".to_owned(),
            kind: FileKind::File,
        }]))),
        status: Some(Fact::Ok(Some(FileStatus {
            kind: FileKind::Directory,
            size: 0,
            mode: 0o755,
            uid: 0,
            gid: 0,
            modified: 0,
        }))),
        content: None,
    };
    let unit = SystemdUnit {
        id: "nginx.service".to_owned(),
        fragment_path: None,
        slice: None,
        active_state: "active".to_owned(),
        sub_state: "running".to_owned(),
        invocation_id: None,
        user: None,
    };
    Recorded {
        environ: [("GRANTED", "yes"), ("SECRET", "no")]
            .map(|(name, value)| (name.to_owned(), Fact::Ok(Some(Blob::from(value)))))
            .into(),
        workload_files: [("/etc/os-release", file("ID=x")), ("/etc/shadow", file("secret"))]
            .map(|(path, file)| (path.to_owned(), file))
            .into(),
        host_files: [
            ("/etc/hostname", file("node")),
            ("/etcetera", file("secret")),
            ("/etc/../root/secret", file("secret")),
            ("etc/hostname", file("secret")),
            ("/etc/apt", directory),
        ]
        .map(|(path, file)| (path.to_owned(), file))
        .into(),
        systemd_unit: Some(Fact::Ok(Some(unit))),
        ..process(1000)
    }
}

async fn asked(wish: &str) -> Attestation {
    attest(&load(vec![reach(wish)]).await, scene()).await.remove(0)
}

#[tokio::test]
async fn what_was_granted_is_there() {
    for (wish, selectors) in [
        ("variable", vec!["reach:variable:yes"]),
        ("workload file", vec!["reach:workload:ID=x"]),
        ("host file", vec!["reach:host:node"]),
        ("directory", vec!["reach:host:directory 755", "reach:host:sources.list file"]),
        ("unit", vec!["reach:unit:nginx.service"]),
    ] {
        let attestation = asked(wish).await;
        let mut said = said(&attestation);
        said.sort();
        assert_eq!(said, selectors, "{wish}: {attestation:?}");
    }
}

#[tokio::test]
async fn what_was_not_asked_for_traps_with_a_sentence() {
    for (wish, sentence) in [
        ("another variable", "does not ask for \"environ:SECRET\""),
        ("another workload file", "does not ask for \"files.workload:/etc/shadow\""),
        ("directory by another name", "does not ask for \"files.host:/etcetera\""),
        ("another endpoint", "does not ask for \"http:other\""),
        ("climbing path", "a path is absolute, without `.`, `..`"),
        ("relative path", "a path is absolute, without `.`, `..`"),
    ] {
        let attestation = asked(wish).await;
        let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
        assert!(reason.contains(sentence), "{wish}: {reason}");
        assert!(said(&attestation).is_empty());
    }
}

#[tokio::test]
async fn asked_and_not_granted_is_a_load_error_with_all_lines_to_paste() {
    let some: Capabilities =
        ["environ:GRANTED", "http:api"].iter().map(|word| word.parse().unwrap()).collect();
    let (message, kind) = refusal(PluginSpec { grants: some, ..reach("unit") }).await;
    let LoadErrorKind::NotGranted { missing, .. } = kind else { panic!("{kind:?}") };
    assert_eq!(missing.len(), 6, "{missing:?}");
    let lines = "[plugins.reach]\ngrants = [\"systemd\", \"environ:GRANTED\", \
                 \"files.host:/etc/\", \"files.workload:/etc/os-release\", \"http:api\", \
                 \"cache:process\", \"cache:cgroup\", \"cache:plugin\"]\n";
    assert!(message.ends_with(lines), "{message}");
}

#[tokio::test]
async fn a_file_of_the_workload_is_claimed_and_one_of_the_host_is_not() {
    let level = async |wish: &str, max_assurance| {
        let spec = PluginSpec { max_assurance, ..reach(wish) };
        attest(&load(vec![spec]).await, scene()).await[0].selectors[0].assurance
    };
    let trusted = Some(Assurance::Kernel);
    assert_eq!(level("workload file", trusted).await, Assurance::Claimed);
    assert_eq!(level("variable", trusted).await, Assurance::Claimed);
    assert_eq!(level("host file", trusted).await, Assurance::Runtime);
    assert_eq!(level("unit", trusted).await, Assurance::Kernel);
    assert_eq!(level("unit", None).await, Assurance::Claimed, "the default cap");
}

#[tokio::test]
async fn an_unreadable_file_is_unknown_and_one_that_is_not_there_is_no() {
    let with = |content| {
        let file = RecordedFile { content: Some(content), ..RecordedFile::default() };
        Recorded { workload_files: [("/etc/os-release".to_owned(), file)].into(), ..scene() }
    };
    let catalogue = load(vec![reach("workload file")]).await;
    let missing = attest(&catalogue, with(Fact::Ok(None))).await.remove(0);
    assert_eq!(missing.outcome, Outcome::Reported);
    assert!(!unknown(&missing).contains(&"workload"));
    let denied = attest(&catalogue, with(Fact::Err(FactError::Denied))).await.remove(0);
    assert!(matches!(denied.outcome, Outcome::Failed { .. }), "{denied:?}");
}

#[tokio::test]
async fn too_many_paths_are_a_trap() {
    let files = (0..100).map(|number| {
        let status = Some(Fact::Ok(None));
        (format!("/etc/{number}"), RecordedFile { status, ..RecordedFile::default() })
    });
    let facts = Recorded { host_files: files.collect(), ..scene() };
    let attestation = attest(&load(vec![reach("many files")]).await, facts).await.remove(0);
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("more than 16 different paths"), "{reason}");
    assert_eq!(attestation.host_calls, 17, "its settings, and 16 paths");
}

#[tokio::test]
async fn they_do_not_become_more_by_asking_to_be_asked_again() {
    let catalogue = load(vec![reach("ever other files")]).await;
    let attestation = attest(&catalogue, scene()).await.remove(0);
    let Outcome::Trapped { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("more than 16 different paths for one request"), "{reason}");
}

/// An endpoint that answers with the number of the request.
#[derive(Debug, Default)]
pub(crate) struct Counting(AtomicU32);

impl Endpoints for Counting {
    fn send<'a>(&'a self, _: &'a str, _: HttpRequest) -> HttpFuture<'a> {
        let number = self.0.fetch_add(1, Relaxed);
        Box::pin(async move {
            tokio::task::yield_now().await;
            let body = Blob::from(number.to_string().as_str());
            Ok(HttpResponse { status: 200, headers: vec![], body })
        })
    }
}

/// An endpoint that takes requests and never answers.
#[derive(Debug)]
pub(crate) struct Silent(Semaphore);

impl Silent {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Semaphore::new(0)))
    }

    /// Waits for so many requests more.
    pub(crate) async fn asked(&self, times: u32) {
        self.0.acquire_many(times).await.unwrap().forget();
    }
}

impl Endpoints for Silent {
    fn send<'a>(&'a self, _: &'a str, _: HttpRequest) -> HttpFuture<'a> {
        self.0.add_permits(1);
        Box::pin(std::future::pending())
    }
}

/// A plugin with one wish whose endpoint never answers.
pub(crate) fn silent(wish: &str) -> (PluginSpec, Arc<Silent>) {
    let endpoint = Silent::new();
    (PluginSpec { endpoints: Arc::clone(&endpoint) as _, ..reach(wish) }, endpoint)
}

async fn counted(wish: &str) -> (Catalogue, Arc<Counting>) {
    let endpoints = Arc::new(Counting::default());
    let spec = PluginSpec { endpoints: Arc::clone(&endpoints) as _, ..reach(wish) };
    (load(vec![spec]).await, endpoints)
}

#[tokio::test]
async fn an_exchange_stands_in_the_attestation_and_is_never_answered_from_the_memo() {
    let (catalogue, _) = counted("endpoint").await;
    for number in 0..3 {
        let attestation = attest(&catalogue, scene()).await.remove(0);
        assert_eq!(said(&attestation), [format!("reach:answer:200 {number}")]);
        assert!(!attestation.from_memo);
        let [Use::Endpoint { endpoint, request, outcome, .. }] = attestation.uses.as_slice() else {
            panic!("{attestation:?}");
        };
        assert_eq!((&**endpoint, &**request, &**outcome), ("api", "GET /value", "200"));
    }
}

#[tokio::test]
async fn an_endpoint_that_nobody_configured_is_refused_with_the_section_to_write() {
    let attestation = attest(&load(vec![reach("endpoint")]).await, scene()).await.remove(0);
    let Outcome::Unavailable { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("[endpoints.api]"), "{reason}");
}

#[derive(Debug)]
struct Huge;

impl Endpoints for Huge {
    fn send<'a>(&'a self, _: &'a str, _: HttpRequest) -> HttpFuture<'a> {
        let body = Blob(vec![b'x'; witgate_attestor::limits::RESPONSE_BYTES + 1]);
        Box::pin(async move { Ok(HttpResponse { status: 200, headers: vec![], body }) })
    }
}

#[tokio::test]
async fn a_response_over_the_limit_never_reaches_the_guest() {
    let spec = PluginSpec { endpoints: Arc::new(Huge), ..reach("endpoint") };
    let attestation = attest(&load(vec![spec]).await, scene()).await.remove(0);
    let Outcome::Unavailable { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("TooLarge"), "{reason}");
}

#[tokio::test]
async fn a_guest_that_asks_the_same_is_run_once_and_one_that_looks_at_the_clock_every_time() {
    let catalogue = load(vec![reach("workload file")]).await;
    for call in 0..5 {
        let attestation = attest(&catalogue, scene()).await.remove(0);
        assert_eq!(said(&attestation), ["reach:workload:ID=x"]);
        assert_eq!(attestation.from_memo, call > 0);
        let question = Question::File(FileRoot::Workload, "/etc/os-release".to_owned());
        assert_eq!(attestation.asked.contains(&question), call == 0);
    }
    assert_eq!(catalogue.plugins()[0].memo_hits(), 4);
    let clock = load(vec![reach("clock")]).await;
    let now = async || said(&attest(&clock, scene()).await[0]);
    assert_ne!(now().await, now().await);
    assert_eq!(clock.plugins()[0].memo_hits(), 0);
}

#[tokio::test]
async fn a_wish_that_is_no_key_is_nobody_s_and_is_not_noted() {
    let catalogue = load(vec![reach("long wishes")]).await;
    for _ in 0..2 {
        let attestation = attest(&catalogue, scene()).await.remove(0);
        assert_eq!(attestation.outcome, Outcome::Reported);
        assert!(attestation.host_calls > 64 && !attestation.from_memo);
        assert_eq!(attestation.asked, []);
    }
}

#[tokio::test]
async fn a_guest_that_sleeps_now_and_then_uses_up_its_own_time() {
    let attestation = asked("many short sleeps").await;
    assert_eq!(attestation.outcome, Outcome::OutOfTime { limit: Limit::CallTime });
}

#[tokio::test]
async fn another_file_is_another_answer_whatever_is_in_the_memo() {
    let catalogue = load(vec![reach("workload file")]).await;
    for round in 0..2 {
        for content in ["ID=a", "ID=b", "ID=c"] {
            let files = [("/etc/os-release".to_owned(), file(content))].into();
            let facts = Recorded { workload_files: files, ..scene() };
            let attestation = attest(&catalogue, facts).await.remove(0);
            assert_eq!(said(&attestation), [format!("reach:workload:{content}")]);
            assert_eq!(attestation.from_memo, round > 0);
        }
    }
}

#[tokio::test]
async fn a_process_that_is_gone_is_gone_in_the_memo_too() {
    let catalogue = load(vec![reach("variable")]).await;
    attest(&catalogue, scene()).await;
    let environ = [("GRANTED".to_owned(), Fact::Err(FactError::Gone))].into();
    let gone = attest(&catalogue, Recorded { environ, ..scene() }).await.remove(0);
    assert_eq!(gone.outcome, Outcome::Gone);
}

#[tokio::test]
async fn the_answer_of_a_recording_is_what_was_recorded() {
    let exchange = json!({
        "endpoint": "api",
        "request": { "method": "GET", "path": "/value" },
        "outcome": { "ok": { "status": 201, "body": "recorded" } },
    });
    let facts = Recorded { exchanges: vec![serde_json::from_value(exchange).unwrap()], ..scene() };
    let catalogue = load(vec![reach("unit")]).await;
    let expected = witgate_attestor::Expected {
        settings: Some(json!({ "do": "endpoint" })),
        ..serde_json::from_value(json!({ "outcome": "reported" })).unwrap()
    };
    let attestation = catalogue.plugins()[0].rehearse(facts.clone(), Some(&expected)).await;
    assert_eq!(said(&attestation), ["reach:answer:201 recorded"]);
    let other = Recorded { exchanges: vec![], ..facts };
    let attestation = catalogue.plugins()[0].rehearse(other, Some(&expected)).await;
    let Outcome::Unavailable { reason } = &attestation.outcome else { panic!("{attestation:?}") };
    assert!(reason.contains("the fixture has no answer"), "{reason}");
    assert!(matches!(
        Endpoints::send(&scene(), "api", request()).await,
        Err(HttpError::Refused(_))
    ));
}

fn request() -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        path: "/other".to_owned(),
        headers: vec![],
        body: Blob::default(),
    }
}

#[tokio::test]
async fn a_replay_stands_still() {
    let catalogue = load(vec![reach("clock")]).await;
    let settings = serde_json::from_value(json!({
        "outcome": "reported", "settings": { "do": "clock" },
    }))
    .unwrap();
    let plugin = &catalogue.plugins()[0];
    let now = async || said(&plugin.rehearse(scene(), Some(&settings)).await);
    assert_eq!(now().await, now().await);
}
