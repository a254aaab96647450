//! One endpoint, checked.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use http::Method;
use witgate_facts::Capability;

use crate::{ConfigError, EndpointSettings, limits, pattern::Pattern, place::Place, show::cut};

/// An endpoint that can be used: where it is, what may be asked of it, and how much.
///
/// Two that are equal behave alike, so whoever reloads can keep the old endpoint with its counters
/// and its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointConfig {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) methods: Vec<Method>,
    pub(crate) paths: Vec<Pattern>,
    pub(crate) timeout: Duration,
    pub(crate) max_response_bytes: u64,
    pub(crate) concurrency: u64,
}

impl EndpointConfig {
    /// Checks what the operator wrote under `[endpoints.<name>]`. No file is read.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key.
    pub fn new(name: &str, settings: &EndpointSettings) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        if format!("http:{name}").parse::<Capability>().is_err() {
            errors.push(ConfigError::Name { seen: cut(name) });
        }
        let methods = methods(settings.methods.as_deref(), &mut errors);
        let paths = paths(settings.paths.as_deref(), &mut errors);
        let mut number = |key, given: Option<u64>, default, range: RangeInclusive<u64>| {
            let number = given.unwrap_or(default);
            if !range.contains(&number) {
                let (least, most) = range.into_inner();
                errors.push(ConfigError::OutOfRange { key, seen: number, least, most });
            }
            number
        };
        let timeout_ms =
            number("timeout_ms", settings.timeout_ms, limits::TIMEOUT_MS, limits::TIMEOUT_MS_RANGE);
        let max_response_kib = number(
            "max_response_kib",
            settings.max_response_kib,
            limits::MAX_RESPONSE_KIB,
            limits::MAX_RESPONSE_KIB_RANGE,
        );
        let concurrency = number(
            "concurrency",
            settings.concurrency,
            limits::CONCURRENCY,
            limits::CONCURRENCY_RANGE,
        );
        if let Some(file) = &settings.token_file {
            absolute("token_file", file, &mut errors);
        }
        let token_file = settings.token_file.clone();
        let place = Place::read(settings, &mut errors);
        match place {
            Some(place) if errors.is_empty() => Ok(Self {
                name: name.to_owned(),
                place,
                token_file,
                methods,
                paths,
                timeout: Duration::from_millis(timeout_ms),
                max_response_bytes: max_response_kib << 10,
                concurrency,
            }),
            _ => Err(errors),
        }
    }

    /// The name under which plugins are granted it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Complains unless a path is absolute: the daemon has no working folder worth naming.
pub(crate) fn absolute(key: &'static str, path: &Path, errors: &mut Vec<ConfigError>) {
    if !path.is_absolute() {
        let seen = cut(&path.to_string_lossy());
        errors.push(ConfigError::Invalid { key, seen, hint: "write an absolute path".to_owned() });
    }
}

fn methods(given: Option<&[String]>, errors: &mut Vec<ConfigError>) -> Vec<Method> {
    let Some(given) = given else { return vec![Method::GET] };
    if given.is_empty() {
        let hint = "list at least \"GET\", or leave the key out";
        errors.push(ConfigError::Missing { key: "methods", hint });
    }
    let mut methods = Vec::new();
    for word in given {
        match word.as_str() {
            "GET" => methods.push(Method::GET),
            "HEAD" => methods.push(Method::HEAD),
            "POST" => methods.push(Method::POST),
            _ => errors.push(ConfigError::Invalid {
                key: "methods",
                seen: cut(word),
                hint: "an attestor asks and changes nothing; GET, HEAD and POST are possible"
                    .to_owned(),
            }),
        }
    }
    methods
}

fn paths(given: Option<&[String]>, errors: &mut Vec<ConfigError>) -> Vec<Pattern> {
    let key = "paths";
    let given = given.unwrap_or_default();
    if given.is_empty() {
        let hint = "list what plugins may ask for, such as \"/containers/*/json\"";
        errors.push(ConfigError::Missing { key, hint });
    }
    if given.len() > limits::PATTERNS {
        let hint = format!("at most {} paths", limits::PATTERNS);
        errors.push(ConfigError::Invalid { key, seen: format!("{} paths", given.len()), hint });
    }
    let mut patterns = Vec::new();
    for text in given.iter().take(limits::PATTERNS) {
        match Pattern::parse(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(hint) => errors.push(ConfigError::Invalid { key, seen: cut(text), hint }),
        }
    }
    patterns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_the_value_that_the_documentation_says() {
        let settings = EndpointSettings {
            unix: Some("/run/docker.sock".into()),
            paths: Some(vec!["/pods".to_owned()]),
            ..EndpointSettings::default()
        };
        let config = EndpointConfig::new("docker", &settings).unwrap();
        assert_eq!(config.methods, [Method::GET]);
        assert_eq!(config.timeout, Duration::from_secs(2));
        assert_eq!((config.max_response_bytes, config.concurrency), (1024 * 1024, 8));
        assert_eq!(config.token_file, None);
    }
}
