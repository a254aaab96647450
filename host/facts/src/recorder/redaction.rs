//! What is taken out of a recording before anybody sees it. Which values are secrets can only be
//! guessed by their names: a recording is still to be read before it is given away.

mod arguments;
#[cfg(test)]
mod fuzz;
mod json;
mod names;

use self::names::looks_secret;
use crate::{
    Blob, HttpRequest,
    fixture::{Answered, Exchange, Fact, Recorded, RecordedFile},
};

/// What to do with secrets in a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redaction {
    /// Takes these out, and says how long they were:
    /// the values of all variables of the environment; arguments such as `--password=…`, and those
    /// behind such a flag; passwords in addresses (`scheme://user:password@host`); content of files
    /// whose path looks secret, or that hold a private key, and such bodies; in requests and responses header fields that carry secrets (without
    /// a trace), fields of such names in the query and in JSON bodies, and environments in them.
    #[default]
    Secrets,
    /// Keeps everything.
    Keep,
}

/// Redacts, and says in `about` how much.
pub(super) fn redact(recorded: &mut Recorded) {
    let mut redactor = Redactor::default();
    for value in recorded.environ.values_mut() {
        redactor.fact(value);
    }
    if let Some(Fact::Ok(arguments)) = &mut recorded.cmdline {
        redactor.arguments(arguments);
    }
    for (path, file) in recorded.host_files.iter_mut().chain(&mut recorded.workload_files) {
        redactor.file(path, file);
    }
    for exchange in &mut recorded.exchanges {
        redactor.exchange(exchange);
    }
    let count = redactor.count;
    let values = if count == 1 { "value" } else { "values" };
    recorded.add_to_about(&format!("{count} {values} redacted"));
}

/// Counts as it goes.
#[derive(Debug, Default)]
struct Redactor {
    count: usize,
}

const BEFORE: &str = "<redacted, ";
const BEHIND: &str = " bytes>";

/// What stands in the place of a value; none if that has nothing to hide.
///
/// It is the same for equal values, so that a request made of a redacted value is still found among
/// the redacted exchanges.
fn in_place_of(value: &[u8]) -> Option<String> {
    let redacted =
        value.strip_prefix(BEFORE.as_bytes()).and_then(|v| v.strip_suffix(BEHIND.as_bytes()));
    let already = redacted.is_some_and(|length| length.iter().all(u8::is_ascii_digit));
    (!value.is_empty() && !already).then(|| format!("{BEFORE}{}{BEHIND}", value.len()))
}

/// A private key in PEM (RFC 7468), or in OpenSSH's form.
fn holds_key(text: &[u8]) -> bool {
    let mark = b"PRIVATE KEY-----";
    text.windows(mark.len()).any(|window| window == mark)
}

impl Redactor {
    fn text(&mut self, value: &mut String) {
        if let Some(placeholder) = in_place_of(value.as_bytes()) {
            self.count += 1;
            *value = placeholder;
        }
    }

    fn blob(&mut self, value: &mut Blob) {
        if let Some(placeholder) = in_place_of(&value.0) {
            self.count += 1;
            *value = Blob(placeholder.into_bytes());
        }
    }

    fn fact(&mut self, fact: &mut Fact<Option<Blob>>) {
        if let Fact::Ok(Some(value)) = fact {
            self.blob(value);
        }
    }

    fn file(&mut self, path: &str, file: &mut RecordedFile) {
        let Some(content) = file.content.as_mut() else { return };
        let key = matches!(content, Fact::Ok(Some(bytes)) if holds_key(&bytes.0));
        if key || path.split('/').any(looks_secret) {
            self.fact(content);
        }
    }

    fn exchange(&mut self, exchange: &mut Exchange) {
        let HttpRequest { method: _, path, headers, body } = &mut exchange.request;
        if let Some((before, query)) = path.split_once('?') {
            *path = format!("{before}?{}", self.form(query));
        }
        self.body(headers, body);
        self.headers(headers);
        if let Answered::Ok(response) = &mut exchange.outcome {
            self.body(&response.headers, &mut response.body);
            self.headers(&mut response.headers);
        }
    }

    fn headers(&mut self, headers: &mut Vec<(String, String)>) {
        let before = headers.len();
        headers.retain(|(name, _)| !looks_secret(name));
        self.count += before - headers.len();
    }

    /// `name=value&…`, of a query or of a form.
    fn form(&mut self, text: &str) -> String {
        let mut field = |field: &str| match field.split_once('=') {
            Some((name, value)) if looks_secret(name) => {
                let mut value = value.to_owned();
                self.text(&mut value);
                format!("{name}={value}")
            }
            _ => field.to_owned(),
        };
        text.split('&').map(&mut field).collect::<Vec<_>>().join("&")
    }

    fn body(&mut self, headers: &[(String, String)], body: &mut Blob) {
        let says = |kind: &str| {
            let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
            headers
                .iter()
                .any(|(name, value)| is_type(name) && value.to_ascii_lowercase().contains(kind))
        };
        let begins = body.0.trim_ascii_start().first();
        if holds_key(&body.0) {
            self.blob(body);
        } else if says("json") || matches!(begins, Some(b'{' | b'[')) {
            self.json_body(body);
        } else if says("form-urlencoded") {
            let text = self.form(&String::from_utf8_lossy(&body.0));
            body.0 = text.into_bytes();
        }
    }
}
