use witgate_sdk::Report;

use super::*;

fn facts() -> Facts {
    let own = |kind: &str| Namespace { kind: kind.to_owned(), inode: 4_026_531_836, host: true };
    let service = TrustedEntry {
        hierarchy: 0,
        controllers: Vec::new(),
        prefix: "/system.slice/nginx.service".to_owned(),
        delegated: false,
        mounted: true,
    };
    Facts {
        credentials: Some(Ok(CredentialSet { uid: 33, gid: 33, groups: vec![33, 998] })),
        names: Some(Ok(NameSet {
            user: Some("www-data".to_owned()),
            group: Some("www-data".to_owned()),
            groups: vec![None, Some("docker".to_owned())],
        })),
        namespaces: Some(Ok(vec![own("pid"), own("user")])),
        cgroups: Some(Ok(vec![service])),
        doubts: Some(Ok(vec!["traced".to_owned()])),
        program: Some(Ok(program("/usr/sbin/nginx"))),
        sha256: Some(Ok("e3".repeat(32))),
    }
}

fn program(path: &str) -> Program {
    let path = path.to_owned();
    Program { path, device: 1, inode: 2, size: 3, deleted: false, same_on_host: true }
}

fn everything(facts: Facts) -> Report {
    facts.answer(&Wanted::new(|_| true)).report()
}

/// A process in so many groups whose names have so many bytes.
fn in_groups(count: u32, name_bytes: usize) -> Facts {
    let credentials = CredentialSet { uid: 33, gid: 33, groups: (0..count).collect() };
    let names = NameSet {
        user: Some("www-data".to_owned()),
        group: Some("www-data".to_owned()),
        groups: vec![Some("g".repeat(name_bytes)); count as usize],
    };
    Facts { credentials: Some(Ok(credentials)), names: Some(Ok(names)), ..facts() }
}

fn selectors(report: &Report) -> Vec<String> {
    report.selectors().iter().map(|s| format!("{}:{}", s.key, s.value)).collect()
}

fn unknown(report: &Report) -> Vec<&str> {
    report.unknown_keys().iter().map(|unknown| unknown.key.as_str()).collect()
}

#[test]
fn everything_that_is_known_is_said_in_spires_words() {
    let report = everything(facts());
    let digest = format!("sha256:{}", "e3".repeat(32));
    let expected = [
        "uid:33",
        "gid:33",
        "supplementary_gid:33",
        "supplementary_gid:998",
        "user:www-data",
        "group:www-data",
        "supplementary_group:docker",
        "host:true",
        "doubt:traced",
        "path:/usr/sbin/nginx",
        &digest,
    ];
    assert_eq!(selectors(&report), expected);
    assert!(report.unknown_keys().is_empty());
}

#[test]
fn a_fact_that_cannot_be_read_costs_its_own_keys_and_no_other() {
    let all = selectors(&everything(facts())).len();
    let cases: [(Facts, &[&str], usize); 7] = [
        (Facts { credentials: Some(Err(FactError::Denied)), ..facts() }, keys::CREDENTIALS, 4),
        (Facts { names: Some(Err(FactError::Denied)), ..facts() }, keys::NAMES, 3),
        (Facts { namespaces: Some(Err(FactError::Denied)), ..facts() }, keys::HOST, 1),
        (Facts { cgroups: Some(Err(FactError::Unsupported)), ..facts() }, keys::HOST, 1),
        (Facts { doubts: Some(Err(FactError::Denied)), ..facts() }, keys::DOUBTS, 1),
        (Facts { program: Some(Err(FactError::Denied)), ..facts() }, keys::PROGRAM, 1),
        (Facts { sha256: Some(Err(FactError::TooLarge)), ..facts() }, keys::SHA256, 1),
    ];
    for (facts, lost, selectors_lost) in cases {
        let report = everything(facts);
        assert_eq!(unknown(&report), lost);
        assert_eq!(selectors(&report).len(), all - selectors_lost, "{lost:?}");
    }
}

#[test]
fn what_was_not_asked_for_is_neither_said_nor_unknown() {
    let report = everything(Facts { credentials: facts().credentials, ..Facts::default() });
    assert!(selectors(&report).iter().all(|selector| selector.contains("id:")));
    assert!(report.unknown_keys().is_empty());
    let half = everything(Facts { namespaces: facts().namespaces, ..Facts::default() });
    assert_eq!(half, Report::new());
}

#[test]
fn ids_without_names_have_none() {
    let nameless = NameSet { user: None, group: None, groups: vec![None, None] };
    let report = everything(Facts { names: Some(Ok(nameless)), ..Facts::default() });
    assert_eq!(report, Report::new());
}

#[test]
fn an_odd_name_costs_its_own_key() {
    let odd = NameSet {
        user: Some("a\nb".to_owned()),
        group: Some("staff".to_owned()),
        groups: Vec::new(),
    };
    let report = everything(Facts { names: Some(Ok(odd)), ..Facts::default() });
    assert_eq!(selectors(&report), ["group:staff"]);
    assert_eq!(unknown(&report), ["user"]);
}

#[test]
fn uids_above_two_to_the_31_are_unsigned() {
    let found = CredentialSet { uid: u32::MAX - 1, gid: 0, groups: Vec::new() };
    let report = everything(Facts { credentials: Some(Ok(found)), ..Facts::default() });
    assert_eq!(selectors(&report), ["uid:4294967294", "gid:0"]);
}

// #28, #29, #31
#[test]
fn a_path_that_is_not_the_host_s_file_never_is_a_path() {
    let bind = Program { same_on_host: false, ..program("/usr/sbin/nginx") };
    let gone = Program { deleted: true, ..program("/usr/sbin/nginx") };
    let both = Program { deleted: true, same_on_host: false, ..program("/usr/sbin/nginx") };
    for foreign in [bind, gone, both] {
        let report = everything(Facts { program: Some(Ok(foreign)), ..Facts::default() });
        assert_eq!(selectors(&report), ["foreign_path:/usr/sbin/nginx"]);
        assert!(report.unknown_keys().is_empty());
    }
    let named_deleted = program("/tmp/x (deleted)");
    let report = everything(Facts { program: Some(Ok(named_deleted)), ..Facts::default() });
    assert_eq!(selectors(&report), ["path:/tmp/x (deleted)"]);
}

#[test]
fn a_process_in_a_container_is_not_on_the_host() {
    let mut facts = facts();
    if let Some(Ok(cgroups)) = &mut facts.cgroups {
        cgroups[0].prefix = format!("/docker/{}", "4d".repeat(32));
    }
    let report = everything(facts);
    assert!(!selectors(&report).contains(&"host:true".to_owned()));
    assert!(report.unknown_keys().is_empty());
}

#[test]
fn only_what_is_wanted_is_said() {
    for key in ["uid", "user", "gid", "group", "host", "path", "sha256"] {
        let report = facts().answer(&Wanted::new(|wanted| wanted == key)).report();
        let said: Vec<&str> = report.selectors().iter().map(|s| s.key.as_str()).collect();
        assert_eq!(said, [key]);
    }
    let facts = Facts { names: Some(Err(FactError::Denied)), ..facts() };
    let report = facts.answer(&Wanted::new(|wanted| wanted == "user")).report();
    assert_eq!((selectors(&report), unknown(&report)), (Vec::new(), vec!["user"]));
}

#[test]
fn too_many_groups_cost_their_own_keys() {
    let all = everything(in_groups(500, 32));
    assert_eq!(all.selectors().len(), 2 * 500 + 8);
    assert!(all.selectors().len() <= 1024 && all.unknown_keys().is_empty());

    let report = everything(in_groups(501, 32));
    assert_eq!(report.selectors().len(), 8);
    assert_eq!(unknown(&report), ["supplementary_gid", "supplementary_group"]);
    for unknown in report.unknown_keys() {
        assert_eq!(unknown.reason, "too many groups: 501, the limit is 500");
    }
    let report = in_groups(3000, 32).answer(&Wanted::new(|wanted| wanted == "uid")).report();
    assert_eq!(selectors(&report), ["uid:33"]);
    assert!(report.unknown_keys().is_empty());
}

#[test]
fn names_that_are_too_long_together_cost_their_own_key() {
    assert!(everything(in_groups(128, 512)).unknown_keys().is_empty());
    let report = everything(in_groups(129, 512));
    assert_eq!(unknown(&report), ["supplementary_group"]);
    assert_eq!(report.selectors().len(), 129 + 8);
}
