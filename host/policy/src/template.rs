//! Identities with values in them: `/shop/{docker.label[com.docker.compose.service]}`.
//!
//! Two rules keep one workload from getting another's identity. A value may hold only what a path
//! segment may hold, so it cannot add a segment; and a segment has at most one value, so that
//! `{a}-{b}` cannot read the same for two different pairs.

use std::sync::Arc;

use witgate_identity::{
    Assurance, KeyName, PluginName, Selector, SpiffeId, SpiffeIdError, TrustDomain, encode_segment,
};

use crate::{
    Evidence,
    condition::{Topic, show, too_weak},
    limits::MAX_PLACEHOLDERS,
};

/// An identity template that was parsed, and whose fixed part can be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    text: Arc<str>,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Slot(Slot),
}

/// A place for a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) topic: Topic,
    /// `|encode`: any value, written so that it can stand in a path.
    pub(crate) encode: bool,
    /// What its selectors are worth on the requests of this entry; `None` if its plugin is not
    /// loaded.
    pub(crate) level: Option<Assurance>,
    /// The value must not be shown.
    pub(crate) secret: bool,
}

/// Why a text can never be an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("an identity is the path below the trust domain, without spiffe://")]
    Absolute,
    #[error("the identity can never be valid: {0}")]
    NeverValid(#[source] SpiffeIdError),
    #[error("'{{{inner}}}' is not a placeholder")]
    Placeholder { inner: String },
    #[error(
        "the path segment '{segment}' has two placeholders: different workloads could read the same"
    )]
    Ambiguous { segment: String },
    #[error("the identity has a '{found}' without its partner")]
    Brace { found: char },
    #[error("the identity has {count} placeholders, the limit is {MAX_PLACEHOLDERS}")]
    TooMany { count: usize },
}

impl TemplateError {
    /// What to do about it.
    pub(crate) const fn advice(&self) -> &'static str {
        match self {
            Self::Absolute => "begin with '/'",
            Self::NeverValid(_) => "write a path such as /svc/web, with values only in braces",
            Self::Placeholder { .. } => {
                "write {plugin.key}, {plugin.key[name]} or either with |encode before the brace"
            }
            Self::Ambiguous { .. } => "put a '/' between them",
            Self::Brace { .. } => "braces only stand around placeholders",
            Self::TooMany { .. } => "use fewer",
        }
    }
}

/// What became of a template for one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rendered {
    Id(SpiffeId),
    /// A value is missing, or cannot stand in a path; says which.
    Incomplete(String),
    /// Nobody could say a value.
    Unknown,
}

/// What there is for one placeholder.
pub(crate) enum Filling<'a> {
    Value(&'a Selector),
    Missing(String),
    Unknown(String),
}

impl Template {
    /// Parses a template. Its placeholders' keys are not checked against any vocabulary.
    pub(crate) fn parse(text: &str, domain: &TrustDomain) -> Result<Self, TemplateError> {
        if text.starts_with("spiffe://") {
            return Err(TemplateError::Absolute);
        }
        let parts = split(text)?;
        let template = Self { text: text.into(), parts };
        let count = template.slots().count();
        if count > MAX_PLACEHOLDERS {
            return Err(TemplateError::TooMany { count });
        }
        let sample = template.fill(|slot| {
            // Unlike a real value, a brace tells segments with two placeholders.
            if slot.encode { "{x".to_owned() } else { "{".to_owned() }
        });
        if let Some(segment) = sample.split('/').find(|s| s.matches('{').count() > 1) {
            return Err(TemplateError::Ambiguous {
                segment: segment.replace("{x", "{…}").replace('{', "{…}"),
            });
        }
        SpiffeId::new(domain, &sample.replace('{', "x")).map_err(TemplateError::NeverValid)?;
        Ok(template)
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The places for values.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot),
            Part::Text(_) => None,
        })
    }

    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.parts.iter_mut().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot),
            Part::Text(_) => None,
        })
    }

    /// The identity of one process.
    pub(crate) fn render(&self, domain: &TrustDomain, evidence: &Evidence) -> Rendered {
        let mut values = Vec::new();
        let mut unknown = false;
        for slot in self.slots() {
            match slot.filling(evidence) {
                Filling::Value(selector) => values.push(selector.value()),
                Filling::Missing(what) => return Rendered::Incomplete(what),
                Filling::Unknown(_) => unknown = true,
            }
        }
        if unknown {
            return Rendered::Unknown;
        }
        let mut values = values.into_iter();
        let path = self.fill(|slot| {
            let value = values.next().unwrap_or_default();
            if slot.encode { encode_segment(value) } else { value.to_owned() }
        });
        match SpiffeId::new(domain, &path) {
            Ok(id) => Rendered::Id(id),
            Err(error) => Rendered::Incomplete(error.to_string()),
        }
    }

    fn fill(&self, mut value: impl FnMut(&Slot) -> String) -> String {
        let text = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.to_string(),
            Part::Slot(slot) => value(slot),
        });
        text.collect()
    }
}

impl Slot {
    /// The one value there is, if it can stand in a path.
    pub(crate) fn filling<'a>(&'a self, evidence: &'a Evidence) -> Filling<'a> {
        let Topic { plugin, key, name } = &self.topic;
        if let Some(reason) = evidence.unknown.reason(plugin, key) {
            return Filling::Unknown(format!("{}: {reason}", self.topic));
        }
        let mut found = evidence.selectors.of(plugin, key, name.as_deref());
        let Some((selector, level)) = found.next() else {
            return Filling::Missing(format!("there is no {}", self.topic));
        };
        if found.next().is_some() {
            return Filling::Missing(format!("there are several {}", self.topic));
        }
        if self.level.is_some_and(Assurance::guards) && !level.guards() {
            return Filling::Unknown(too_weak(&self.topic, level));
        }
        if !self.encode && !fits_a_segment(selector.value()) {
            let value = show(selector.value(), self.secret);
            let topic = &self.topic;
            return Filling::Missing(format!(
                "{topic} is {value:?}, which needs |encode to stand in a path"
            ));
        }
        Filling::Value(selector)
    }
}

fn fits_a_segment(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn split(text: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (fixed, from_brace) = rest.split_at(at);
        let inner = from_brace.strip_prefix('{').ok_or(TemplateError::Brace { found: '}' })?;
        // A name in brackets may hold a brace.
        let end = match (inner.find('['), inner.find('}')) {
            (Some(open), Some(close)) if open < close => {
                inner.find("]}").or_else(|| inner.find("]|")).map(|end| end + 1)
            }
            (_, close) => close,
        };
        let end = end.and_then(|end| inner.get(end..)?.find('}').map(|more| end + more));
        let end = end.ok_or(TemplateError::Brace { found: '{' })?;
        let (inner, after) = inner.split_at(end);
        if !fixed.is_empty() {
            parts.push(Part::Text(fixed.into()));
        }
        parts.push(Part::Slot(slot(inner)?));
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    Ok(parts)
}

fn slot(inner: &str) -> Result<Slot, TemplateError> {
    let wrong = || TemplateError::Placeholder { inner: inner.chars().take(80).collect() };
    let (topic, encode) = match inner.strip_suffix("|encode") {
        Some(topic) => (topic, true),
        None => (inner, false),
    };
    let (path, name) = match topic.split_once('[') {
        Some((path, name)) => (path, Some(name.strip_suffix(']').ok_or_else(wrong)?)),
        None => (topic, None),
    };
    let (plugin, key) = path.split_once('.').ok_or_else(wrong)?;
    let plugin = PluginName::new(plugin).map_err(|_| wrong())?;
    let key = KeyName::new(key).map_err(|_| wrong())?;
    if name.is_some_and(str::is_empty) {
        return Err(wrong());
    }
    let topic = Topic { plugin, key, name: name.map(Into::into) };
    Ok(Slot { topic, encode, level: None, secret: false })
}
