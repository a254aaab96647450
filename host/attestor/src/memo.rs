//! Answers that follow.
//!
//! A guest is a deterministic machine: started fresh, with the same settings, it asks the same first
//! question, and after the same answers it asks the same next one and ends with the same report.
//! What else it could see is the clock, random numbers, an endpoint, the cache and how much time is
//! left; a call that touched any of these, or wrote a line, is not remembered. So a call can be
//! answered without running it: ask the question that it would ask, look for the answer among those
//! seen before, go on with the question that followed, and at the end there is the report. One
//! answer that was not seen before, and the guest is run, in a fresh store as always.
//!
//! What a report is worth is judged anew each time, by the facts of that very request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use witgate_facts::FactSource;

use crate::{
    Question,
    bindings::exports::witgate::attestor::attestor::{Failure, Report, Selector, UnknownKey},
    limits,
    plan::Wants,
    sandbox::FactLog,
};

/// What a guest ended with.
pub(crate) type Ending = Result<Report, Failure>;

/// The tree of questions and answers of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    first: Mutex<Option<Step>>,
    bytes: AtomicU64,
    hits: AtomicU64,
}

/// What a guest does next.
#[derive(Debug, Clone)]
enum Step {
    Ask(Arc<Node>),
    End(Arc<Ending>),
}

#[derive(Debug)]
struct Node {
    question: Question,
    answers: Mutex<HashMap<Box<[u8]>, Step>>,
}

impl Memo {
    /// How many calls were answered without running the guest.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    /// What the guest would end with, and the facts that it would have read on the way.
    pub(crate) async fn recall(
        &self,
        facts: &dyn FactSource,
        wants: &Wants,
    ) -> Option<(Arc<Ending>, FactLog)> {
        let mut step = lock(&self.first).clone()?;
        let mut log = FactLog::default();
        loop {
            let node = match step {
                Step::End(ending) => {
                    self.hits.fetch_add(1, Relaxed);
                    return Some((ending, log));
                }
                Step::Ask(node) => node,
            };
            let answer = node.question.answer(facts, wants).await;
            if let Some((fact, error)) = &answer.fact {
                log.note(*fact, error.as_ref());
            }
            log.host_calls += 1;
            step = lock(&node.answers).get(answer.bytes.as_slice())?.clone();
        }
    }

    /// Remembers a call, if what it ended with follows from what it asked.
    pub(crate) async fn learn(
        &self,
        log: &FactLog,
        ending: &Ending,
        facts: &dyn FactSource,
        wants: &Wants,
    ) {
        // Whoever asks to be asked again wants to see whether something has changed meanwhile.
        if log.impure || log.gone || matches!(ending, Err(Failure::Retry(_))) {
            return;
        }
        let mut weight = weight(ending);
        let mut answers = Vec::with_capacity(log.asked.len());
        for question in &log.asked {
            let answer = question.answer(facts, wants).await.bytes;
            weight += EACH + question.len() + answer.len();
            let too_much = answer.len() > limits::MEMO_ANSWER_BYTES;
            if answer.is_empty() || too_much || weight > limits::MEMO_CALL_BYTES {
                return;
            }
            answers.push(answer.into_boxed_slice());
        }
        if weight <= limits::MEMO_CALL_BYTES {
            self.make_room(u64::try_from(weight).unwrap_or(u64::MAX));
            self.insert(&log.asked, answers, ending);
        }
    }

    /// Forgets everything if this is too much: simple, and a working set that does not fit would
    /// not profit from anything cleverer.
    fn make_room(&self, weight: u64) {
        let limit = u64::try_from(limits::MEMO_BYTES).unwrap_or(u64::MAX);
        if self.bytes.fetch_add(weight, Relaxed).saturating_add(weight) > limit {
            *lock(&self.first) = None;
            self.bytes.store(weight, Relaxed);
        }
    }

    fn insert(&self, questions: &[Question], answers: Vec<Box<[u8]>>, ending: &Ending) {
        let step = |at: usize| match questions.get(at) {
            Some(question) => {
                Step::Ask(Arc::new(Node { question: question.clone(), answers: Mutex::default() }))
            }
            None => Step::End(Arc::new(ending.clone())),
        };
        let mut here = lock(&self.first).get_or_insert_with(|| step(0)).clone();
        for (at, answer) in answers.into_iter().enumerate() {
            // Another question, or an end, where this guest once asked: it is not the machine
            // that we take it for. It is not relied upon.
            let Step::Ask(node) = here else { return };
            if questions.get(at) != Some(&node.question) {
                return;
            }
            here = lock(&node.answers).entry(answer).or_insert_with(|| step(at + 1)).clone();
        }
    }
}

/// Bytes of a thing that is remembered, its text not counted: about, and rather more than less.
const EACH: usize = 256;

/// Bytes that it takes to remember what a guest ended with.
fn weight(ending: &Ending) -> usize {
    let selector =
        |s: &Selector| EACH + s.key.len() + s.name.as_ref().map_or(0, String::len) + s.value.len();
    let unknown = |u: &UnknownKey| EACH + u.key.len() + u.reason.len();
    let text = match ending {
        Ok(report) => {
            let selectors: usize = report.selectors.iter().map(selector).sum();
            selectors + report.unknown.iter().map(unknown).sum::<usize>()
        }
        Err(Failure::Unavailable(reason) | Failure::Failed(reason)) => reason.len(),
        Err(Failure::NotApplicable | Failure::Retry(_)) => 0,
    };
    EACH + text
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "memo_tests.rs"]
mod tests;
