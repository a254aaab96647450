//! What the operator lists under `paths`.

use crate::{
    limits,
    target::{check_segment, segments},
};

/// One line of the allow-list: `/pods`, `/containers/*/json`, `/api/**`.
///
/// `*` stands for exactly one segment that is not empty, `**` at the end for everything below. A
/// slash at the end is a difference, as it is for servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
    below: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Any,
    Literal(String),
}

impl Pattern {
    /// Reads one line; the error says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > limits::PATTERN_BYTES {
            return Err(format!("longer than {} bytes", limits::PATTERN_BYTES));
        }
        let Some(inner) = text.strip_prefix('/') else {
            return Err("a path begins with a slash".to_owned());
        };
        let (inner, below) = match inner.strip_suffix("**") {
            Some("") => return Ok(Self { segments: Vec::new(), below: true }),
            Some(above) => match above.strip_suffix('/') {
                Some(above) => (above, true),
                None => return Err("`**` stands alone in its segment".to_owned()),
            },
            None => (inner, false),
        };
        let last = inner.split('/').count() - 1;
        let segments = inner.split('/').enumerate().map(|(place, segment)| {
            if segment.is_empty() && (below || place < last) {
                return Err("a path has no empty segment but the last".to_owned());
            }
            Segment::parse(segment)
        });
        Ok(Self { segments: segments.collect::<Result<_, _>>()?, below })
    }

    /// Whether a checked path is one of those that are meant.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut rest = segments(path);
        let all = self.segments.iter().all(|segment| rest.next().is_some_and(|s| segment.is(s)));
        // Whatever is left must be what `**` is there for, and there must be something.
        all && rest.next().is_some() == self.below
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text == "**" {
            return Err("`**` stands only at the end".to_owned());
        }
        if text.contains('*') {
            return Err(format!("in {text:?}, `*` must be the whole segment"));
        }
        check_segment(text).map_err(|error| error.to_string())?;
        Ok(Self::Literal(text.to_owned()))
    }

    fn is(&self, segment: &str) -> bool {
        match self {
            Self::Any => !segment.is_empty(),
            Self::Literal(text) => text == segment,
        }
    }
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
