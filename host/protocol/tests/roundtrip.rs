//! Whatever a workload is called, its answer is one harmless line that reads back as the value.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use proptest::prelude::*;
use witgate_identity::{DecisionId, NodeName};
use witgate_protocol::{Outcome, Problem, Reason, WatchEvent, WhoamiAnswer, You, frame::json_line};

prop_compose! {
    fn any_you()(pid: u32, uid: u32, gid: Option<u32>, exe: Option<String>, user: Option<String>,
                 unit: Option<String>, container: Option<String>) -> You {
        You { pid, exe, uid, gid, user, unit, container }
    }
}

prop_compose! {
    fn any_problem()(reason in prop::sample::select(Reason::ALL.as_slice()), you in any_you(),
                     broker in prop::option::of(any_you()),
                     millis: u64, random: [u8; 10], decided: bool, wait: Option<u32>) -> Problem {
        let mut problem = Problem::new(reason).about(you).asked_by(broker);
        if decided {
            let node = NodeName::from_hostname("n");
            problem = problem.decided(DecisionId::new(&node, millis, random));
        }
        Problem { retry_after_seconds: wait, ..problem }
    }
}

/// One line, nothing in it for a terminal to obey.
fn check_line(line: &[u8]) -> Result<(), TestCaseError> {
    let text = std::str::from_utf8(line).unwrap();
    let body = text.strip_suffix('\n').unwrap();
    prop_assert!(!body.chars().any(char::is_control), "{:?}", body);
    Ok(())
}

proptest! {
    #[test]
    fn problems(problem in any_problem()) {
        let line = json_line(&problem).unwrap();
        check_line(&line)?;
        prop_assert_eq!(serde_json::from_slice::<Problem>(&line).unwrap(), problem.clone());
        let outcome = serde_json::from_slice::<Outcome>(&line).unwrap();
        prop_assert_eq!(outcome, Outcome::Refuse(problem.clone()));
        let event = WatchEvent::decision(Outcome::Refuse(problem));
        let line = json_line(&event).unwrap();
        check_line(&line)?;
        prop_assert_eq!(serde_json::from_slice::<WatchEvent>(&line).unwrap(), event);
    }

    #[test]
    fn lines_for_people_hold_no_control_characters(problem in any_problem()) {
        let text = problem.for_people();
        prop_assert!(text.ends_with('\n') && text.lines().count() <= 5, "{:?}", text);
        for line in text.split_terminator('\n') {
            prop_assert!(!line.chars().any(char::is_control), "{:?}", text);
        }
    }

    #[test]
    fn whoami(you in any_you(), groups: Vec<u32>, label: Option<String>) {
        let answer = WhoamiAnswer { v: 1, you, groups, label, cgroups: vec![], tier: "B".into() };
        let line = json_line(&answer).unwrap();
        check_line(&line)?;
        prop_assert_eq!(serde_json::from_slice::<WhoamiAnswer>(&line).unwrap(), answer);
    }

    /// A client meets arbitrary bytes with an error, never with a panic.
    #[test]
    fn any_line_is_an_answer_or_an_error(bytes: Vec<u8>) {
        let _ = serde_json::from_slice::<Outcome>(&bytes);
        let _ = serde_json::from_slice::<WatchEvent>(&bytes);
    }
}
