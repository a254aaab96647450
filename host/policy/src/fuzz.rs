//! Fuzz target: the loader of entry files, and what a file that it takes then grants.

use jiff::Timestamp;
use witgate_identity::{Assurance, Attested, KeyName, PluginName, Selector, SpiffeId, TrustDomain};
use witgate_testkit::{fuzz::is_harmless, fuzz_target};

use crate::{
    Action, Entry, ErrorKind, Evidence, HostLabels, KeySchema, LoadOptions, Policy, PolicyErrors,
    SourceFile, Unknown, Vocabulary,
    evaluate::{Circumstances, evaluate},
    index::Index,
    limits,
};

/// Plugin, key, whether it has names, whether there is one at most, its level.
const KEYS: [(&str, &str, bool, bool, Assurance); 8] = [
    ("unix", "uid", false, true, Assurance::Kernel),
    ("unix", "user", false, true, Assurance::Kernel),
    ("unix", "host", false, true, Assurance::Kernel),
    ("unix", "group", false, false, Assurance::Kernel),
    ("unix", "path", false, true, Assurance::Claimed),
    ("docker", "image", false, true, Assurance::Runtime),
    ("docker", "label", true, true, Assurance::Runtime),
    ("lsm", "label", false, true, Assurance::Kernel),
];

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn plugin(name: &str) -> PluginName {
    PluginName::new(name).unwrap()
}

fn vocabulary() -> Vocabulary {
    let mut vocabulary = Vocabulary::new();
    for (plugin_name, key, named, single, assurance) in KEYS {
        let challenged_assurance = assurance.max(Assurance::Image);
        let (meaning, example) = (key.to_owned(), "a".to_owned());
        let (stable, secret) = (true, false);
        let schema = KeySchema {
            meaning,
            example,
            named,
            stable,
            single,
            secret,
            assurance,
            challenged_assurance,
        };
        vocabulary.insert(plugin(plugin_name), KeyName::new(key).unwrap(), schema);
    }
    vocabulary
}

fn load(text: &str, vocabulary: &Vocabulary) -> Result<Policy, PolicyErrors> {
    let options = LoadOptions {
        trust_domain: TrustDomain::new("example.org").unwrap(),
        host_labels: HostLabels::default(),
        strict_plugins: false,
    };
    let file = SourceFile { name: "a.toml".to_owned(), text: text.to_owned() };
    Policy::load(&[file], vocabulary, &options, now())
}

/// Processes that the corpus has entries about, known in full and in part.
fn worlds() -> Vec<Evidence> {
    let said = |text: &&str| {
        let selector = Selector::parse(text, text.starts_with("docker:label:")).unwrap();
        Attested { selector, assurance: Assurance::Kernel }
    };
    let known = |texts: &[&str]| texts.iter().map(said).collect();
    let full = ["unix:uid:1000", "unix:user:owner", "unix:host:true", "unix:group:adm"];
    let container = ["unix:uid:0", "docker:image:shop/web:1", "docker:label:tier:web"];
    let mut no_docker = Unknown::new();
    no_docker.plugin(plugin("docker"), "timeout".to_owned());
    let mut no_user = Unknown::new();
    no_user.key(plugin("unix"), KeyName::new("user").unwrap(), "denied".to_owned());
    let unknown = Unknown::new;
    vec![
        Evidence::default(),
        Evidence { selectors: known(&full), unknown: unknown(), challenged: false },
        Evidence { selectors: known(&full), unknown: unknown(), challenged: true },
        Evidence { selectors: known(&full), unknown: no_docker.clone(), challenged: true },
        Evidence { selectors: known(&full[..1]), unknown: no_user, challenged: false },
        Evidence { selectors: known(&container), unknown: unknown(), challenged: true },
        Evidence { selectors: known(&container[..1]), unknown: no_docker, challenged: false },
    ]
}

const WORDS: &[&str] = &[
    "[[entry]]\n",
    "[[test]]\n",
    "name = \"a\"\n",
    "identity = \"/a\"\n",
    "/{unix.user}",
    "match = { unix.uid = 1000 }\n",
    "like = { docker.image = \"shop/**\" }\n",
    "action = \"deny\"\n",
    "action = \"observe\"\n",
    "unless = { unix.host = \"true\" }\n",
    "weak = true\n",
    "require = [\"challenged\"]\n",
    "expires = 2026-05-01T00:00:00Z\n",
    "ttl = \"1h\"\n",
    "unix",
    "docker",
    "..",
    "{",
    "}",
    "\\u001b",
    "\\U0010ffff",
    "\"\"\"",
    "[",
    "priority = -9223372036854775808\n",
    "#",
];

#[test]
fn entries() {
    let (vocabulary, worlds) = (vocabulary(), worlds());
    fuzz_target!("entries").words(WORDS).inputs(2_000).check(|input| {
        let text = String::from_utf8_lossy(input);
        let again = load(&text, &vocabulary);
        match load(&text, &vocabulary) {
            Err(errors) => {
                assert_told(&errors, &text);
                assert_eq!(again.err(), Some(errors), "a file is refused the same way every time");
            }
            Ok(policy) => {
                assert_eq!(again.unwrap().revision(), policy.revision());
                let commented = load(&format!("# A comment.\n{text}"), &vocabulary).unwrap();
                assert_eq!(commented.revision(), policy.revision());
                worlds.iter().for_each(|evidence| assert_grants(&policy, &commented, evidence));
            }
        }
    });
}

/// Every mistake has its place in the file, and is said in one harmless line of reasonable length.
fn assert_told(errors: &PolicyErrors, text: &str) {
    let errors = errors.as_slice();
    assert!(!errors.is_empty() && errors.is_sorted());
    // Those of the text, and those of entries together: a name that is taken, a guard.
    let of_text =
        errors.iter().filter(|e| !matches!(e.kind, ErrorKind::Duplicate | ErrorKind::Guard));
    assert!(of_text.count() <= limits::MAX_ERRORS_PER_FILE + 1);
    let taken = errors.iter().filter(|error| error.kind == ErrorKind::Duplicate);
    assert!(taken.count() <= limits::MAX_ERRORS_PER_FILE);
    for error in errors {
        let line = text.split('\n').nth(error.line - 1);
        let length = line.unwrap_or_else(|| panic!("{error} is in no line")).chars().count();
        assert!((1..=length + 1).contains(&error.column), "{error}");
        let said = error.to_string();
        assert!(said.len() <= 4096, "{} bytes: {said}", said.len());
        assert!(is_harmless(&said), "{said:?}");
    }
}

fn granted(entries: &[Entry], policy: &Policy, evidence: &Evidence) -> Vec<SpiffeId> {
    let index = Index::build(entries, |entry| entry.absent.is_empty() && entry.here);
    let (trust_domain, host) = (policy.trust_domain(), None);
    let circumstances = Circumstances { trust_domain, now: Some(now()), host };
    let verdict = evaluate(entries, &index, evidence, circumstances).verdict;
    verdict.granted().iter().map(|granted| granted.id.clone()).collect()
}

/// What is granted is granted by a live entry, every time, and by no entry that is not there.
fn assert_grants(policy: &Policy, commented: &Policy, evidence: &Evidence) {
    let evaluation = policy.evaluate(evidence, now());
    assert_eq!(policy.evaluate(evidence, now()), evaluation);
    assert_eq!(commented.evaluate(evidence, now()).verdict.word(), evaluation.verdict.word());
    for grant in evaluation.verdict.granted() {
        let entry = policy.entry(&grant.entry).unwrap();
        assert_eq!(entry.action(), Action::Allow);
        assert_eq!(grant.id.trust_domain(), policy.trust_domain().as_str());
        assert!(grant.ttl <= limits::MAX_TTL && !entry.has_expired(now()));
    }
    let entries: Vec<Entry> = policy.entries().cloned().collect();
    let all = granted(&entries, policy, evidence);
    for left_out in 0..entries.len() {
        let mut fewer = entries.clone();
        let removed = fewer.remove(left_out);
        let left = granted(&fewer, policy, evidence);
        let (less, more) =
            if removed.action() == Action::Deny { (&all, &left) } else { (&left, &all) };
        assert!(less.iter().all(|id| more.contains(id)), "without {}: {left:?}", removed.name());
    }
}
