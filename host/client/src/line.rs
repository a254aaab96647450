//! From bytes to lines to answers: what the blocking and the asynchronous side share.

use serde::{Deserialize, de::DeserializeOwned};
use witgate_protocol::{
    Ask, AttestAnswer, Invitation, Nonce, Outcome, Problem, VERSION, WatchEvent,
    limits::{CLIENT_TIMEOUT, MAX_ANSWER},
};

use crate::ClientError;

/// What a client waits for, if it is not told.
pub(crate) const TIMEOUT: std::time::Duration = CLIENT_TIMEOUT;
/// How much is read at a time; most answers fit.
pub(crate) const CHUNK: usize = 4096;

/// Bytes read and not yet used; never holds more than a line and a chunk.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    bytes: Vec<u8>,
    /// Up to here there is no line end.
    searched: usize,
}

impl Lines {
    pub(crate) fn push(&mut self, read: &[u8]) {
        self.bytes.extend_from_slice(read);
    }

    /// The next whole line, if there is one.
    pub(crate) fn next_line(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        let found = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n');
        match found.map(|at| self.searched + at) {
            Some(end) if end <= MAX_ANSWER => {
                let rest = self.bytes.split_off(end + 1);
                self.searched = 0;
                Ok(Some(std::mem::replace(&mut self.bytes, rest)))
            }
            None if self.bytes.len() <= MAX_ANSWER => {
                self.searched = self.bytes.len();
                Ok(None)
            }
            _ => Err(ClientError::TooLong),
        }
    }
}

/// What every frame begins with; a problem is known by its `type`.
#[derive(Deserialize)]
struct Head {
    v: u64,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// How a question is put: a decision with the offer to answer a challenge.
pub(crate) fn question(ask: Ask) -> String {
    if ask.is_decision() { format!("{ask} challenge=yes\n") } else { format!("{ask}\n") }
}

/// The nonce, if the frame is a challenge and no answer.
pub(crate) fn challenge(line: &[u8]) -> Option<Nonce> {
    serde_json::from_slice(line).ok().filter(|nonce: &Nonce| nonce.v == VERSION)
}

/// The line that a broker waits for before it asks.
pub(crate) fn invited(line: &[u8]) -> Result<(), ClientError> {
    answer::<Invitation>(line).map(drop)
}

/// Reads one frame; a problem becomes [`ClientError::Refused`].
pub(crate) fn answer<T: DeserializeOwned>(line: &[u8]) -> Result<T, ClientError> {
    let bad = |source| ClientError::BadAnswer { source };
    let head: Head = serde_json::from_slice(line).map_err(bad)?;
    if head.v != u64::from(VERSION) {
        return Err(ClientError::Version { version: head.v });
    }
    if head.kind.is_some() {
        let problem: Problem = serde_json::from_slice(line).map_err(bad)?;
        return Err(ClientError::Refused(Box::new(problem)));
    }
    serde_json::from_slice(line).map_err(bad)
}

/// An event as a result: a watch goes on after a refusal, so it is a value here, not an error.
pub(crate) fn event(line: &[u8]) -> Result<WatchEvent, ClientError> {
    answer(line)
}

/// For those who want the refusal as a value too.
pub(crate) fn outcome(result: Result<AttestAnswer, ClientError>) -> Result<Outcome, ClientError> {
    match result {
        Ok(answer) => Ok(Outcome::Allow(answer)),
        Err(ClientError::Refused(problem)) => Ok(Outcome::Refuse(*problem)),
        Err(error) => Err(error),
    }
}
