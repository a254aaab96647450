//! Facts natively: every one of them from a fixture, and what a test says where something differs.

#![expect(clippy::unwrap_used, reason = "what the tests share is a test, too")]

use std::{fs, panic::catch_unwind};

use witgate_sdk::{
    Attestor, Failure, Key, Manifest, Report,
    facts::{
        FactError, ancestry, cache, cgroups, cmdline, environ, executable, files, http, namespaces,
        process, systemd,
    },
    host::{config, log},
    testing::{Process, check_fixtures},
    wants,
};

const EVERYTHING: &str = r#"{
    "about": "every fact there is",
    "challenged": true,
    "process.credentials": { "ok": { "uid": 1, "gid": 2, "groups": [3] } },
    "process.names": { "ok": { "user": "u", "group": null, "groups": [null, "g"] } },
    "process.label": { "ok": "unconfined" },
    "process.privileges": { "ok": { "seccomp": 2, "no_new_privs": true, "inheritable": 0,
        "permitted": 18446744073709551615, "effective": 1, "bounding": 2, "ambient": 3 } },
    "process.state": { "ok": "S" },
    "process.start-time": { "ok": 77 },
    "process.comm": { "ok": { "base64": "/wA=" } },
    "cgroups.trusted": { "ok": [{ "hierarchy": 0, "controllers": ["cpu"], "prefix": "/a",
        "delegated": true, "mounted": true }] },
    "cgroups.claimed": { "ok": [{ "hierarchy": 0, "controllers": [], "path": "/a/b" }] },
    "namespaces.all": { "ok": [{ "kind": "mnt", "inode": 5, "host": false }] },
    "executable.info": { "ok": { "path": "/bin/x", "device": 1, "inode": 2, "size": 3,
        "deleted": false, "same_on_host": true } },
    "executable.doubts": { "ok": ["traced"] },
    "executable.sha256": { "err": "too-large" },
    "ancestry.parents": { "ok": [{ "uid": 0, "gid": 0, "comm": "init", "executable": null,
        "start_time": 9 }] },
    "cmdline.arguments": { "ok": ["x", { "base64": "/w==" }] },
    "environ.variables": { "HOME": { "ok": "/root" }, "NONE": { "ok": null } },
    "files.host": { "/d": { "entries": { "ok": [{ "name": "f", "kind": "file" }] } } },
    "files.workload": { "/f": { "content": { "ok": "text" }, "status": { "ok": { "kind": "file",
        "size": 4, "mode": 420, "uid": 0, "gid": 0, "modified": -1 } } },
        "/none": { "content": { "ok": null } }, "/io": { "content": { "err": { "io": "EIO" } } } },
    "systemd.unit": { "ok": { "id": "x.service", "fragment_path": null, "slice": "system.slice",
        "active_state": "active", "sub_state": "running", "invocation_id": null, "user": "x" } },
    "http.exchanges": [
        { "endpoint": "e", "request": { "method": "GET", "path": "/a" },
          "outcome": { "ok": { "status": 200, "headers": [["etag", "1"]], "body": "yes" } } },
        { "endpoint": "e", "request": { "method": "POST", "path": "/a", "body": "b" },
          "outcome": { "err": "timeout" } }
    ]
}"#;

fn everything() -> Process {
    Process::from_json(EVERYTHING).unwrap()
}

#[test]
fn the_kernel_s_facts_are_those_of_the_fixture() {
    everything().during(|| {
        assert_eq!(process::credentials().unwrap().groups, [3]);
        assert_eq!(process::names().unwrap().groups, [None, Some("g".to_owned())]);
        assert_eq!(process::label().unwrap(), "unconfined");
        assert_eq!(process::privileges().unwrap().permitted, u64::MAX);
        assert_eq!(process::state().unwrap(), "S");
        assert_eq!(process::start_time(), Ok(77));
        assert_eq!(process::comm().unwrap(), b"\xff\0");
        assert_eq!(cgroups::trusted().unwrap()[0].prefix, "/a");
        assert_eq!(cgroups::claimed().unwrap()[0].path, "/a/b");
        assert_eq!(namespaces::all().unwrap()[0].inode, 5);
        assert_eq!(systemd::unit().unwrap().unwrap().id, "x.service");
    });
}

#[test]
fn what_a_process_claims_is_that_of_the_fixture() {
    everything().during(|| {
        assert!(executable::info().unwrap().same_on_host);
        assert_eq!(executable::doubts(), Ok(vec!["traced".to_owned()]));
        assert_eq!(executable::sha256(), Err(FactError::TooLarge));
        assert_eq!(ancestry::parents().unwrap()[0].comm, b"init");
        assert_eq!(cmdline::arguments().unwrap(), [b"x".to_vec(), b"\xff".to_vec()]);
        assert_eq!(environ::variable("HOME").unwrap().unwrap(), b"/root");
        assert_eq!(environ::variable("NONE"), Ok(None));
        assert_eq!(environ::variable("OTHER"), Err(FactError::Unsupported));
        assert_eq!(files::read(files::Root::Workload, "/f").unwrap().unwrap(), b"text");
        assert_eq!(files::read(files::Root::Workload, "/none"), Ok(None));
        let io = files::read(files::Root::Workload, "/io");
        assert_eq!(io, Err(FactError::Io("EIO".to_owned())));
        assert_eq!(files::read(files::Root::Host, "/f"), Err(FactError::Unsupported));
        assert_eq!(files::entries(files::Root::Host, "/d").unwrap().unwrap()[0].name, "f");
        let status = files::status(files::Root::Workload, "/f").unwrap().unwrap();
        assert_eq!(status.modified, -1);
    });
}

#[test]
fn an_endpoint_answers_as_recorded_and_refuses_the_rest() {
    let ask = |method: &str, body: &str| {
        let (method, path) = (method.to_owned(), "/a".to_owned());
        let request =
            http::Request { method, path, headers: Vec::new(), body: body.as_bytes().to_vec() };
        http::send("e", &request)
    };
    everything().during(|| {
        let answered = ask("GET", "").unwrap();
        assert_eq!((answered.status, answered.body.as_slice()), (200, &b"yes"[..]));
        assert_eq!(answered.headers[0].name, "etag");
        assert_eq!(ask("POST", "b"), Err(http::HttpError::Timeout));
        assert!(matches!(ask("POST", "c"), Err(http::HttpError::Refused(_))));
    });
}

#[test]
fn the_cache_keeps_what_this_call_put_there() {
    let scope = cache::Scope::Cgroup;
    everything().during(|| {
        assert_eq!(cache::get(scope, "k"), Ok(None));
        cache::put(scope, "k", b"1", 1000).unwrap();
        cache::put(scope, "k", b"2", 1000).unwrap();
        assert_eq!(cache::get(scope, "k").unwrap().unwrap().value, b"2");
        assert_eq!(cache::get(cache::Scope::Process, "k"), Ok(None));
        assert_eq!(cache::put(scope, "k", &vec![0; 65537], 1), Err(cache::CacheError::TooLarge));
    });
    everything().during(|| assert_eq!(cache::get(scope, "k"), Ok(None)));
}

#[test]
fn what_is_wanted_and_set_is_what_the_test_says() {
    everything().settings(r#"{"a":1}"#).wants(&["uid"]).during(|| {
        assert_eq!(config::settings(), r#"{"a":1}"#);
        assert!(wants("uid") && !wants("gid"));
        assert!(config::remaining_ms() > 0);
    });
    everything().during(|| assert!(wants("gid") && config::settings() == "{}"));
}

struct Uid;

impl Attestor for Uid {
    fn describe() -> Manifest {
        Manifest::new().key(Key::new("uid", "effective user id", "1000"))
    }

    fn attest() -> Result<Report, Failure> {
        log::write(log::Level::Info, "looking");
        let uid = process::credentials()?.uid;
        assert!(uid != 666, "not this one");
        Ok(Report::new().selector(if uid == 7 { "secret" } else { "uid" }, uid))
    }
}

fn facts(uid: u32) -> String {
    format!(r#"{{"process.credentials":{{"ok":{{"uid":{uid},"gid":0,"groups":[]}}}}}}"#)
}

#[test]
fn a_call_ends_as_in_the_daemon() {
    let attest = |json: &str| Process::from_json(json).unwrap().attest::<Uid>();
    let reported = attest(&facts(1));
    assert_eq!((reported.outcome.as_str(), reported.log.len()), ("reported", 1));
    assert_eq!(attest("{}").reason.as_deref(), Some("this host does not have it"));
    assert_eq!(attest(r#"{"process.credentials":{"err":"gone"}}"#).outcome, "gone");
    let trapped = attest(&facts(666));
    assert_eq!(trapped.outcome, "trapped");
    assert_eq!(trapped.reason.as_deref(), Some("not this one"));
    assert_eq!(attest(&facts(2)).selectors, ["uid:2"], "a panic leaves nothing behind");
}

/// What `check_fixtures` says about these files.
fn checked(files: &[(&str, &str)]) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let panic = catch_unwind(|| check_fixtures::<Uid>(dir.path())).err()?;
    let text = panic.downcast_ref::<String>().unwrap();
    Some(text.replace(&dir.path().display().to_string(), "DIR"))
}

#[test]
fn fixtures_that_agree_pass_and_the_others_say_what_differs() {
    let uid = r#"{"outcome":"reported","selectors":["uid:1"]}"#;
    assert_eq!(checked(&[("a.json", &facts(1)), ("a.expected.json", uid)]), None);
    let other = checked(&[("a.json", &facts(2)), ("a.expected.json", uid)]).unwrap();
    assert_eq!(
        other,
        "not as expected\n\nDIR/a.json\n  - \"uid:1\" is expected and not there\n  + \"uid:2\" is \
         there and not expected\n  log info: looking\n\n"
    );
    let undeclared = r#"{"outcome":"reported","selectors":["secret:7"]}"#;
    let undeclared = checked(&[("a.json", &facts(7)), ("a.expected.json", undeclared)]).unwrap();
    assert!(undeclared.contains("\"secret\" is not among those of `describe`"), "{undeclared}");
    let settings = r#"{"outcome":"reported","settings":{"x":1}}"#;
    let settings = checked(&[("a.json", &facts(1)), ("a.expected.json", settings)]).unwrap();
    assert!(settings.contains("this plugin has no settings"), "{settings}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    assert!(checked(&[]).unwrap().contains("there is no fixture in DIR"));
    let alone = checked(&[("a.json", &facts(1))]).unwrap();
    assert!(alone.contains("DIR/a.expected.json: No such file"), "{alone}");
    let unknown = checked(&[("a.json", "{\n\"process.pid\": 1}")]).unwrap();
    assert!(unknown.contains("process.pid") && unknown.contains("line 2"), "{unknown}");
    assert!(Process::read("/none.json").unwrap_err().to_string().contains("/none.json"));
}

#[test]
fn facts_of_no_process_are_a_mistake_of_the_test() {
    assert!(catch_unwind(process::credentials).is_err());
}
