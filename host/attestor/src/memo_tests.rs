use std::collections::BTreeSet;

use proptest::prelude::*;
use witgate_facts::{
    Blob, Credentials, FactError, FactName, FileRoot,
    fixture::{Fact, Recorded, RecordedFile},
};
use witgate_identity::KeyName;

use super::*;

/// A guest as the memo takes it: a machine whose every step follows from the answers so far. This
/// one goes a way through the questions that its seed and the answers lead it, and reports all that
/// it has seen.
fn machine(seed: u8, facts: &dyn FactSource, wants: &Wants) -> (FactLog, Ending) {
    let mut log = FactLog::default();
    let mut seen = vec![seed];
    for _ in 0..usize::from(seed % 5) {
        let at = seen.iter().fold(7_usize, |at, byte| at.wrapping_mul(31) + usize::from(*byte));
        let question = questions()[at % questions().len()].clone();
        let answer = poll(question.answer(facts, wants));
        if let Some((fact, error)) = &answer.fact {
            log.note(*fact, error.as_ref());
        }
        seen.extend(&answer.bytes);
        log.asked.push(question);
        log.host_calls += 1;
    }
    if seen.len() % 7 == 3 {
        return (log, Err(Failure::Failed(format!("{seen:?}"))));
    }
    let value = format!("{seen:?}");
    let selectors = vec![Selector { key: "seen".to_owned(), name: None, value }];
    (log, Ok(Report { selectors, unknown: Vec::new() }))
}

fn questions() -> Vec<Question> {
    vec![
        Question::Fact(FactName::ProcessCredentials),
        Question::Fact(FactName::ProcessComm),
        Question::Fact(FactName::CmdlineArguments),
        Question::Fact(FactName::ProcessStartTime),
        Question::Variable("A".to_owned()),
        Question::File(FileRoot::Workload, "/a".to_owned()),
        Question::Status(FileRoot::Host, "/a".to_owned()),
        Question::Wants(KeyName::new("uid").unwrap()),
    ]
}

fn poll<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}

fn fact<T: Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Fact<T>>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Fact::Err(FactError::Denied))),
        4 => value.prop_map(|value| Some(Fact::Ok(value))),
    ]
}

/// Few values, so that two subjects are often alike in one thing and not in another.
fn subject() -> impl Strategy<Value = Recorded> {
    let credentials = (0..3_u32, 0..2_u32).prop_map(|(uid, gid)| Credentials {
        uid,
        gid,
        groups: vec![gid; uid as usize],
    });
    let bytes = || prop::collection::vec(0..3_u8, 0..3).prop_map(Blob);
    let file = fact(prop::option::of(bytes()));
    (
        fact(credentials),
        fact(bytes()),
        fact(prop::collection::vec(bytes(), 0..3)),
        fact(0..3_u64),
        file,
    )
        .prop_map(|(credentials, comm, cmdline, start_time, content)| Recorded {
            credentials,
            comm,
            cmdline,
            start_time,
            workload_files: [(
                "/a".to_owned(),
                RecordedFile { content, ..RecordedFile::default() },
            )]
            .into(),
            ..Recorded::default()
        })
}

fn wants(uid: bool) -> Wants {
    let key = KeyName::new("uid").unwrap();
    Wants::new(if uid { BTreeSet::from([key]) } else { BTreeSet::new() })
}

proptest! {
    /// Whatever was asked before: what the memo says is what the guest would say, about the very
    /// subject that is asked about, with the same facts read and missing.
    #[test]
    fn what_is_recalled_is_what_the_guest_would_say(
        seed in 0..6_u8,
        subjects in prop::collection::vec((subject(), any::<bool>()), 1..24),
    ) {
        let memo = Memo::default();
        for (facts, uid) in subjects {
            let wants = wants(uid);
            let (log, ending) = machine(seed, &facts, &wants);
            if let Some((recalled, recalled_log)) = poll(memo.recall(&facts, &wants)) {
                prop_assert_eq!(said(&recalled), said(&ending));
                prop_assert_eq!(recalled_log.read, log.read);
                prop_assert_eq!(&recalled_log.failed, &log.failed);
                prop_assert_eq!(recalled_log.host_calls, log.host_calls);
            }
            poll(memo.learn(&log, &ending, &facts, &wants));
            let (again, _) = poll(memo.recall(&facts, &wants)).expect("just learnt");
            prop_assert_eq!(said(&again), said(&ending));
        }
    }
}

fn said(ending: &Ending) -> String {
    format!("{ending:?}")
}

fn uid(uid: u32) -> Recorded {
    let credentials = Credentials { uid, gid: 0, groups: vec![] };
    Recorded { credentials: Some(Fact::Ok(credentials)), ..Recorded::default() }
}

fn asked(questions: &[Question]) -> FactLog {
    FactLog { asked: questions.to_vec(), ..FactLog::default() }
}

#[test]
fn what_saw_more_than_its_questions_is_not_remembered() {
    let (facts, wants) = (uid(1), wants(true));
    let ending: Ending = Err(Failure::NotApplicable);
    let memo = Memo::default();
    for log in [
        FactLog { impure: true, ..FactLog::default() },
        FactLog { gone: true, ..FactLog::default() },
    ] {
        poll(memo.learn(&log, &ending, &facts, &wants));
    }
    poll(memo.learn(&FactLog::default(), &Err(Failure::Retry(1)), &facts, &wants));
    assert!(poll(memo.recall(&facts, &wants)).is_none());
    poll(memo.learn(&FactLog::default(), &ending, &facts, &wants));
    assert!(poll(memo.recall(&facts, &wants)).is_some());
    assert_eq!(memo.hits(), 1);
}

#[test]
fn a_guest_that_is_no_machine_does_not_mix_its_ways() {
    let (facts, wants) = (uid(1), wants(true));
    let memo = Memo::default();
    let one = asked(&[Question::Fact(FactName::ProcessCredentials)]);
    let other = asked(&[Question::Fact(FactName::ProcessStartTime)]);
    poll(memo.learn(&one, &Err(Failure::Failed("one".to_owned())), &facts, &wants));
    poll(memo.learn(&other, &Err(Failure::Failed("other".to_owned())), &facts, &wants));
    let (ending, _) = poll(memo.recall(&facts, &wants)).unwrap();
    assert_eq!(said(&ending), said(&Err(Failure::Failed("one".to_owned()))));
}

#[test]
fn no_more_is_remembered_than_fits() {
    let wants = wants(true);
    let memo = Memo::default();
    for number in 0..20_000 {
        let log = asked(&[Question::Fact(FactName::ProcessCredentials)]);
        poll(memo.learn(&log, &Err(Failure::NotApplicable), &uid(number), &wants));
    }
    assert!(memo.bytes.load(Relaxed) <= limits::MEMO_BYTES as u64);
    let Some(Step::Ask(node)) = lock(&memo.first).clone() else { panic!() };
    assert!(lock(&node.answers).len() < 10_000);
}

#[test]
fn an_answer_that_is_too_long_is_not_remembered() {
    let content = Some(Fact::Ok(Some(Blob(vec![b'x'; limits::MEMO_ANSWER_BYTES]))));
    let file = RecordedFile { content, ..RecordedFile::default() };
    let facts =
        Recorded { workload_files: [("/a".to_owned(), file)].into(), ..Recorded::default() };
    let log = asked(&[Question::File(FileRoot::Workload, "/a".to_owned())]);
    let memo = Memo::default();
    poll(memo.learn(&log, &Err(Failure::NotApplicable), &facts, &wants(true)));
    assert!(poll(memo.recall(&facts, &wants(true))).is_none());
}

/// Whatever text a guest has in its hand counts, and one call cannot make the memo forget all others.
#[test]
fn a_call_that_would_take_much_room_is_not_remembered() {
    let (facts, wants) = (uid(1), wants(true));
    let much = || "x".repeat(limits::MEMO_CALL_BYTES);
    let selector = |key, name, value| {
        let selectors = vec![Selector { key, name, value }];
        Ok(Report { selectors, unknown: Vec::new() })
    };
    let unknown = |key, reason| {
        Ok(Report { selectors: Vec::new(), unknown: vec![UnknownKey { key, reason }] })
    };
    let none = String::new;
    let endings: [Ending; 7] = [
        Err(Failure::Failed(much())),
        Err(Failure::Unavailable(much())),
        selector(much(), None, none()),
        selector(none(), Some(much()), none()),
        selector(none(), None, much()),
        unknown(much(), none()),
        unknown(none(), much()),
    ];
    let memo = Memo::default();
    for ending in endings {
        poll(memo.learn(&FactLog::default(), &ending, &facts, &wants));
        assert!(poll(memo.recall(&facts, &wants)).is_none());
    }
    let questions: Vec<_> = (0..limits::TRACE_QUESTIONS)
        .map(|number| Question::File(FileRoot::Host, format!("/{number}/{}", "x".repeat(1000))))
        .collect();
    poll(memo.learn(&asked(&questions), &Err(Failure::NotApplicable), &facts, &wants));
    assert!(poll(memo.recall(&facts, &wants)).is_none());
    assert_eq!(memo.bytes.load(Relaxed), 0);
}

/// By what the allocator would see: the text in the tree itself.
#[test]
fn the_memo_is_as_large_as_it_says() {
    let wants = wants(true);
    let memo = Memo::default();
    let reason = "x".repeat(limits::MEMO_CALL_BYTES / 2);
    for number in 0..1000 {
        let log = asked(&[Question::Fact(FactName::ProcessCredentials)]);
        poll(memo.learn(&log, &Err(Failure::Failed(reason.clone())), &uid(number), &wants));
    }
    let Some(Step::Ask(node)) = lock(&memo.first).clone() else { panic!() };
    assert!(lock(&node.answers).len() * reason.len() <= limits::MEMO_BYTES);
}
