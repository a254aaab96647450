use std::fmt;

use crate::{Reason, frame::quote, limits::MAX_LINE};

/// What a workload can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Who am I, by policy: a decision.
    Attest,
    /// Who am I, by the kernel: no policy, no identity.
    Whoami,
    /// A decision now and on every change.
    Watch,
    /// Can the daemon decide?
    Health,
}

/// How an answer is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// An HTTP response with a JSON body.
    Http,
    /// One line of JSON.
    LineJson,
    /// A few lines for a person; only for an empty request line.
    LinePeople,
}

/// One request line, understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What is asked.
    pub ask: Ask,
    /// How to answer: [`Dialect::LinePeople`] for an empty line, else [`Dialect::LineJson`].
    pub dialect: Dialect,
    /// Whether the client answers a challenge: `challenge=yes`.
    pub challenge: bool,
}

/// A request that is none. The text quotes at most a few escaped characters of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// An argument that is not `key=value`.
    #[error("{found} is not key=value")]
    NotAPair {
        /// What we saw, quoted.
        found: String,
    },
    /// No line end within [`MAX_LINE`] bytes.
    #[error("a line has at most {MAX_LINE} bytes")]
    TooLong,
    /// A line that is not printable ASCII.
    #[error("a line is printable ASCII")]
    NotAscii,
    /// A value that this argument does not have.
    #[error("{key} is yes, not {value}")]
    UnknownValue {
        /// The argument's name.
        key: &'static str,
        /// What we saw, quoted.
        value: String,
    },
    /// An argument that this request does not take.
    #[error("{ask} takes no argument {key}")]
    UnknownKey {
        /// The request.
        ask: Ask,
        /// The argument's name, quoted.
        key: String,
    },
    /// An HTTP method other than `GET`.
    #[error("only GET is answered here")]
    UnknownMethod,
    /// An HTTP path that is not served.
    #[error("the paths are /v1/attest, /v1/whoami, /v1/watch, /v1/health")]
    UnknownPath,
    /// A word that is not a request.
    #[error("{word} is not a request; they are attest, whoami, watch, ping")]
    UnknownWord {
        /// What we saw, quoted.
        word: String,
    },
}

impl Ask {
    /// All requests.
    pub const ALL: [Self; 4] = [Self::Attest, Self::Whoami, Self::Watch, Self::Health];

    /// The word of the line protocol.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Attest => "attest",
            Self::Whoami => "whoami",
            Self::Watch => "watch",
            Self::Health => "ping",
        }
    }

    /// The HTTP path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Attest => "/v1/attest",
            Self::Whoami => "/v1/whoami",
            Self::Watch => "/v1/watch",
            Self::Health => "/v1/health",
        }
    }

    /// Whether it is answered by a decision, so that it may be challenged.
    #[must_use]
    pub const fn is_decision(self) -> bool {
        matches!(self, Self::Attest | Self::Watch)
    }

    /// Understands the method, path and query of an HTTP request.
    ///
    /// # Errors
    /// For another method than `GET`, an unknown path, or any query argument: none is defined, and
    /// one that is silently ignored would be worse than an error.
    pub fn from_http(method: &str, path: &str, query: Option<&str>) -> Result<Self, AskError> {
        let ask =
            Self::ALL.into_iter().find(|ask| ask.path() == path).ok_or(AskError::UnknownPath)?;
        if method != "GET" {
            return Err(AskError::UnknownMethod);
        }
        ask.check_arguments(query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()))?;
        Ok(ask)
    }

    /// No HTTP request takes an argument in this version, so every one is an error; which error says
    /// whether it was written as one.
    fn check_arguments<'a>(
        self,
        mut arguments: impl Iterator<Item = &'a str>,
    ) -> Result<(), AskError> {
        match arguments.next().map(|argument| (argument, argument.split_once('='))) {
            None => Ok(()),
            Some((_, Some((key, _)))) if !key.is_empty() => {
                Err(AskError::UnknownKey { ask: self, key: quote(key) })
            }
            Some((argument, _)) => Err(AskError::NotAPair { found: quote(argument) }),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Line {
    /// Finds the first line in what was read so far, and understands it. What stands behind it is
    /// not looked at: there is one request to a connection.
    ///
    /// `Ok(None)` means that the line end has not been read yet.
    ///
    /// # Errors
    /// If the line is too long (then nothing further should be read), not printable ASCII, or not
    /// a request.
    pub fn parse(read: &[u8]) -> Result<Option<Self>, AskError> {
        match read.iter().take(MAX_LINE).position(|byte| *byte == b'\n') {
            Some(end) => Self::understand(read.split_at(end).0).map(Some),
            None if read.len() >= MAX_LINE => Err(AskError::TooLong),
            None => Ok(None),
        }
    }

    /// Understands one line without its line feed.
    fn understand(line: &[u8]) -> Result<Self, AskError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let printable = line.iter().all(|byte| matches!(byte, b' '..=b'~'));
        let line =
            std::str::from_utf8(line).ok().filter(|_| printable).ok_or(AskError::NotAscii)?;
        let mut words = line.split(' ').filter(|word| !word.is_empty());
        let Some(word) = words.next() else {
            return Ok(Self { ask: Ask::Attest, dialect: Dialect::LinePeople, challenge: false });
        };
        let ask = Ask::ALL
            .into_iter()
            .find(|ask| ask.word() == word)
            .ok_or_else(|| AskError::UnknownWord { word: quote(word) })?;
        let mut words = words.peekable();
        let challenge = match words.peek().and_then(|word| word.split_once('=')) {
            Some(("challenge", value)) if ask.is_decision() => {
                words.next();
                let yes = || AskError::UnknownValue { key: "challenge", value: quote(value) };
                (value == "yes").then_some(true).ok_or_else(yes)?
            }
            _ => false,
        };
        ask.check_arguments(words)?;
        Ok(Self { ask, dialect: Dialect::LineJson, challenge })
    }
}

impl AskError {
    /// The reason word of the answer.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::TooLong => Reason::TooLarge,
            Self::UnknownPath => Reason::NotFound,
            Self::UnknownMethod => Reason::MethodNotAllowed,
            Self::NotAPair { .. }
            | Self::NotAscii
            | Self::UnknownValue { .. }
            | Self::UnknownKey { .. }
            | Self::UnknownWord { .. } => Reason::BadRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(ask: Ask) -> Result<Option<Line>, AskError> {
        Ok(Some(Line { ask, dialect: Dialect::LineJson, challenge: false }))
    }

    #[test]
    fn each_word_and_path_is_one_request() {
        for ask in Ask::ALL {
            assert_eq!(Line::parse(format!("{ask}\n").as_bytes()), json(ask));
            assert_eq!(Line::parse(format!("{ask}\r\n").as_bytes()), json(ask));
            assert_eq!(Line::parse(format!("{ask}  \nrubbish \u{e5}").as_bytes()), json(ask));
            assert_eq!(Line::parse(ask.word().as_bytes()), Ok(None));
            assert_eq!(Ask::from_http("GET", ask.path(), None), Ok(ask));
            assert_eq!(Ask::from_http("GET", ask.path(), Some("")), Ok(ask));
            assert_eq!(Ask::from_http("POST", ask.path(), None), Err(AskError::UnknownMethod));
        }
    }

    #[test]
    fn an_empty_line_is_a_person() {
        let people =
            Ok(Some(Line { ask: Ask::Attest, dialect: Dialect::LinePeople, challenge: false }));
        for line in ["\n", "\r\n", "  \n", "\n\nattest\n"] {
            assert_eq!(Line::parse(line.as_bytes()), people, "{line:?}");
        }
    }

    #[test]
    fn what_is_not_a_request_is_said_back_harmlessly() {
        let said = |line: &[u8]| Line::parse(line).unwrap_err().to_string();
        assert_eq!(
            said(b"atest\n"),
            "\"atest\" is not a request; they are attest, whoami, watch, ping"
        );
        assert_eq!(said(b"attest pid=1\n"), "attest takes no argument \"pid\"");
        assert_eq!(said(b"attest =1\n"), "\"=1\" is not key=value");
        assert_eq!(said(b"watch now\n"), "\"now\" is not key=value");
        assert_eq!(said(b"a\x1b[2J\n"), "a line is printable ASCII");
        assert_eq!(said("å\n".as_bytes()), "a line is printable ASCII");
        let long = said(format!("{}\n", "x".repeat(500)).as_bytes());
        assert!(long.len() < 120, "{long}");
        assert_eq!(
            Ask::from_http("GET", "/v1/attest", Some("pid=1")).unwrap_err().to_string(),
            "attest takes no argument \"pid\""
        );
        assert_eq!(Ask::from_http("GET", "/v1/attest/", None), Err(AskError::UnknownPath));
        assert_eq!(Ask::from_http("GET", "/V1/attest", None), Err(AskError::UnknownPath));
    }

    #[test]
    fn a_decision_may_be_challenged() {
        let line = |text: &[u8]| Line::parse(text).map(|line| line.map(|line| line.challenge));
        assert_eq!(line(b"attest challenge=yes\n"), Ok(Some(true)));
        assert_eq!(line(b"watch challenge=yes\n"), Ok(Some(true)));
        let said = |text: &[u8]| line(text).unwrap_err().to_string();
        assert_eq!(said(b"attest challenge=no\n"), "challenge is yes, not \"no\"");
        assert_eq!(said(b"ping challenge=yes\n"), "ping takes no argument \"challenge\"");
        let twice = said(b"attest challenge=yes challenge=yes\n");
        assert_eq!(twice, "attest takes no argument \"challenge\"");
    }

    // #50: a line that never ends is refused at the limit, not collected.
    #[test]
    fn a_line_has_an_end() {
        let mut line = vec![b'a'; MAX_LINE - 1];
        assert_eq!(Line::parse(&line), Ok(None));
        line.push(b'\n');
        assert!(matches!(Line::parse(&line), Err(AskError::UnknownWord { .. })), "just fits");
        line.insert(0, b'a');
        assert_eq!(Line::parse(&line), Err(AskError::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_give_one_outcome(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let outcome = Line::parse(&bytes);
            let line = bytes.split(|b| *b == b'\n').next().unwrap();
            if line.len() >= MAX_LINE {
                prop_assert_eq!(&outcome, &Err(AskError::TooLong));
            } else if line.len() == bytes.len() {
                prop_assert_eq!(&outcome, &Ok(None));
            }
            if let Err(error) = outcome {
                let text = error.to_string();
                prop_assert!(text.len() < 200 && text.bytes().all(|b| matches!(b, b' '..=b'~')));
            }
        }

        /// Reading byte by byte, as a slow sender forces us to, changes nothing.
        #[test]
        fn how_it_arrives_does_not_matter(line in "(attest|whoami|watch|ping|x)?( [a-z=]{0,5}){0,3}\r?\n") {
            let whole = Line::parse(line.as_bytes());
            for end in 0..line.len() {
                prop_assert_eq!(Line::parse(line.as_bytes().split_at(end).0), Ok(None));
            }
            prop_assert!(!matches!(whole, Ok(None)));
        }
    }
}
