//! What must hold for any entries and any evidence. Entries are generated as text, so the parser
//! takes part.

mod samples;

use jiff::Timestamp;
use proptest::prelude::*;
use witgate_identity::{Attested, SpiffeId};

use self::samples::{any_entries, any_evidence, any_loss, load, now};
use crate::{
    Action, Evaluation, Evidence, HostLabels, Outcome, Policy, Truth, Verdict,
    condition::Condition,
    evaluate::{Circumstances, Standings, conclude, evaluate, first_few},
    index::Index,
};

/// Looks at every entry, by the definition of its clauses.
fn naive(policy: &Policy, evidence: &Evidence, now: Timestamp) -> Evaluation {
    let entries: Vec<_> = policy.entries().cloned().collect();
    let circumstances = Circumstances {
        trust_domain: policy.trust_domain(),
        now: Some(now),
        host: Some(&HostLabels::default()),
    };
    conclude(&entries, evidence, circumstances, |action| {
        let mut standings = Standings::default();
        for (id, entry) in (0..).zip(&entries).filter(|(_, entry)| entry.action() == action) {
            let holds = |c: &Condition| c.truth(evidence);
            let asked = entry.conditions.iter().map(holds).min().unwrap_or(Truth::True);
            let refused = entry.unless.iter().map(holds).max().unwrap_or(Truth::False);
            let challenged = Truth::from(!entry.challenged || evidence.challenged);
            let excluded = Truth::from(circumstances.exclude(entry));
            match asked.min(!refused).min(challenged).min(!excluded) {
                Truth::True => standings.matching.push(id),
                Truth::Unknown => standings.unsure.push(id),
                Truth::False => {}
            }
        }
        first_few(&mut standings.unsure);
        standings
    })
}

fn ids(verdict: &Verdict) -> Vec<&SpiffeId> {
    verdict.granted().iter().map(|granted| &granted.id).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn the_index_says_what_looking_at_every_entry_says(
        entries in any_entries(0..14), evidence in proptest::collection::vec(any_evidence(), 1..12),
    ) {
        let policy = load(&entries);
        for evidence in evidence {
            prop_assert_eq!(policy.evaluate(&evidence, now()), naive(&policy, &evidence, now()));
        }
    }

    // #89 and design.md §5: whatever is lost, no identity is gained.
    #[test]
    fn losing_information_never_grants(
        entries in any_entries(1..10), evidence in any_evidence(), loss in any_loss(),
    ) {
        let policy = load(&entries);
        let before = policy.evaluate(&evidence, now()).verdict;
        let less = loss.apply(&evidence);
        let after = policy.evaluate(&less, now()).verdict;
        let had = ids(&before);
        prop_assert!(ids(&after).iter().all(|id| had.contains(id)), "{before:?}\n{after:?}\n{less:?}");
    }

    #[test]
    fn neither_order_nor_files_matter(
        entries in any_entries(0..10), evidence in any_evidence(), seed: u64, rotate in 0_usize..10,
    ) {
        let policy = load(&entries);
        let mut shuffled = entries.clone();
        shuffled.sort_by_key(|entry| (entry.len() as u64).wrapping_mul(seed | 1));
        if !shuffled.is_empty() {
            let places = rotate % shuffled.len();
            shuffled.rotate_left(places);
        }
        let other = load(&shuffled);
        prop_assert_eq!(policy.revision(), other.revision());
        prop_assert_eq!(policy.wanted(), other.wanted());
        let strip = |evaluation: Evaluation| {
            // Lines differ, nothing else may.
            let text = serde_json::to_string(&evaluation).unwrap();
            let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
            samples::remove_key(&mut value, "line");
            value
        };
        let mut reversed: Vec<Attested> = evidence.selectors.iter()
            .map(|(selector, assurance)| Attested { selector: selector.clone(), assurance }).collect();
        reversed.reverse();
        let same = Evidence { selectors: reversed.into_iter().collect(), ..evidence.clone() };
        prop_assert_eq!(strip(policy.evaluate(&evidence, now())), strip(other.evaluate(&same, now())));
    }

    #[test]
    fn what_explains_a_decision_agrees_with_it(entries in any_entries(0..10), evidence in any_evidence()) {
        let policy = load(&entries);
        let considered = policy.explain(&evidence, now(), usize::MAX);
        prop_assert_eq!(considered.len(), policy.entries().count());
        prop_assert!(considered.is_sorted_by_key(|c| c.missing.len()));
        let matched = |action| considered.iter().filter(move |c| c.action == action && c.outcome == Outcome::Matched);
        let denied = matched(Action::Deny).count() > 0;
        match policy.evaluate(&evidence, now()).verdict {
            Verdict::Allow(granted) => {
                prop_assert!(!denied);
                for grant in granted {
                    prop_assert!(matched(Action::Allow).any(|c| c.at.entry == grant.entry));
                }
            }
            Verdict::Deny(denial) => {
                prop_assert!(denied || matched(Action::Allow).count() == 0, "{:?}", denial);
                prop_assert!(denied || considered.iter().all(|c| c.action != Action::Allow || c.outcome != Outcome::Unknown));
            }
            Verdict::Unavailable(blocked) => {
                prop_assert!(!blocked.entries.is_empty());
                for undecided in blocked.entries {
                    let found = considered.iter().find(|c| c.at == undecided.entry).unwrap();
                    prop_assert_eq!(found.outcome, Outcome::Unknown);
                    prop_assert!(!undecided.reasons.is_empty());
                }
            }
        }
    }

    #[test]
    fn any_text_is_refused_with_places_or_loads(text in "(\\[\\[entry\\]\\]\n|name = \"a\"\n|match = |\\{|\\}|unix|\\.|uid|=|1|\"|\\[|\\]|\n|é|,| ){0,40}") {
        let lines = text.lines().count().max(1) + 1;
        if let Err(errors) = samples::try_load(&[text]) {
            prop_assert!(!errors.as_slice().is_empty());
            for error in errors.as_slice() {
                prop_assert!((1..=lines).contains(&error.line) && error.column >= 1, "{error}");
            }
        }
    }
}

/// An index over everything answers a test as the index over this host's entries answers a request.
#[test]
fn an_unknown_that_can_change_nothing_does_not_matter() {
    let policy = load(&[
        "[[entry]]\nname = \"no\"\naction = \"deny\"\nmatch = { unix.uid = \"z\", docker.image = \"a\" }\nweak = true"
            .to_owned(),
        "[[entry]]\nname = \"yes\"\nidentity = \"/y\"\nmatch = { unix.uid = \"a\" }".to_owned(),
    ]);
    let mut evidence = samples::evidence(&["unix:uid:a"]);
    evidence.unknown.plugin(samples::plugin("docker"), "timeout".to_owned());
    assert_eq!(policy.evaluate(&evidence, now()).verdict.word(), "allow");
    let entries: Vec<_> = policy.entries().cloned().collect();
    let index = Index::build(&entries, |_| true);
    let circumstances = Circumstances {
        trust_domain: policy.trust_domain(),
        now: None,
        host: Some(&HostLabels::default()),
    };
    let verdict = evaluate(&entries, &index, &evidence, circumstances).verdict;
    assert_eq!(verdict.word(), "allow");
}
