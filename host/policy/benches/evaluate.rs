//! What a decision costs with 10 and with 100 000 entries: `cargo bench -p witgate-policy`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has to stop")]

use std::{fmt::Write as _, hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use witgate_identity::{Assurance, Attested, KeyName, PluginName, Selector, TrustDomain};
use witgate_policy::{
    Evidence, HostLabels, KeySchema, LoadOptions, Policy, SourceFile, Vocabulary,
};

const KEYS: [(&str, &str, bool); 9] = [
    ("unix", "uid", false),
    ("unix", "user", false),
    ("unix", "group", false),
    ("unix", "host", false),
    ("unix", "supplementary_gid", false),
    ("unix", "sha256", false),
    ("docker", "image", false),
    ("docker", "label", true),
    ("systemd", "unit", false),
];

fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    for (plugin, key, named) in KEYS {
        let assurance = if key == "sha256" { Assurance::Claimed } else { Assurance::Kernel };
        let schema = KeySchema {
            meaning: key.to_owned(),
            example: "x".to_owned(),
            named,
            stable: true,
            single: true,
            secret: false,
            assurance,
            challenged_assurance: assurance,
        };
        vocabulary.insert(PluginName::new(plugin).unwrap(), KeyName::new(key).unwrap(), schema);
    }
    vocabulary
}

/// Entries as a fleet has them: most by user, some by container, a few rules for everybody.
fn entries(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let clauses = match at % 10 {
            0 => format!("docker.label.app = \"app-{at}\", docker.image = \"shop/app-{at}:1\""),
            1 => format!("systemd.unit = \"unit-{at}.service\", unix.user = \"root\""),
            _ => format!("unix.uid = {at}, unix.host = true, unix.sha256 = \"{at:064x}\""),
        };
        let _ = writeln!(
            text,
            "[[entry]]\nname = \"e{at}\"\nidentity = \"/e/{at}/{{unix.user}}\"\nmatch = {{ {clauses} }}"
        );
    }
    text + "[[entry]]\nname = \"no-guests\"\naction = \"deny\"\nmatch = { unix.group = \"guests\" }\n"
}

fn file(count: usize) -> [SourceFile; 1] {
    [SourceFile { name: "entries.toml".to_owned(), text: entries(count) }]
}

fn load(file: &[SourceFile]) -> Policy {
    let options = LoadOptions {
        trust_domain: TrustDomain::new("example.org").unwrap(),
        host_labels: HostLabels::default(),
        strict_plugins: true,
    };
    Policy::load(file, &vocabulary(), &options, now()).unwrap()
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

/// A process that the entry with this number is about, with what a real one has around it.
fn evidence(at: usize) -> Evidence {
    let mut texts = vec![
        format!("unix:uid:{at}"),
        format!("unix:user:user-{at}"),
        "unix:group:staff".to_owned(),
        "unix:host:true".to_owned(),
        format!("unix:sha256:{at:064x}"),
        "systemd:unit:session.scope".to_owned(),
    ];
    texts.extend((0..20).map(|gid| format!("unix:supplementary_gid:{gid}")));
    let attest = |text: &String| Attested {
        selector: Selector::parse(text, false).unwrap(),
        assurance: Assurance::Kernel,
    };
    Evidence { selectors: texts.iter().map(attest).collect(), ..Evidence::default() }
}

fn bench(criterion: &mut Criterion) {
    let allowed = evidence(5);
    let denied = evidence(usize::MAX);
    let mut blind = denied.clone();
    blind.unknown.plugin(PluginName::new("docker").unwrap(), "timeout".to_owned());
    for count in [10, 100_000] {
        let policy = load(&file(count));
        assert_eq!(policy.evaluate(&allowed, now()).verdict.word(), "allow");
        assert_eq!(policy.evaluate(&denied, now()).verdict.word(), "deny");
        assert_eq!(policy.evaluate(&blind, now()).verdict.word(), "unavailable");
        let cases = [("allow", &allowed), ("deny", &denied), ("docker unknown", &blind)];
        for (name, evidence) in cases {
            criterion.bench_function(&format!("evaluate/{name}/{count} entries"), |bencher| {
                bencher.iter(|| policy.evaluate(black_box(evidence), now()));
            });
        }
        criterion.bench_with_input(
            BenchmarkId::new("explain", count),
            &policy,
            |bencher, policy| {
                bencher.iter(|| policy.explain(black_box(&denied), now(), 5));
            },
        );
        let file = file(count);
        criterion.bench_with_input(BenchmarkId::new("load", count), &file, |bencher, file| {
            bencher.iter(|| load(file));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = bench
}
criterion_main!(benches);
