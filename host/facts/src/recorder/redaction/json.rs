use serde_json::{Map, Value};

use super::{Redactor, holds_key, looks_secret};
use crate::Blob;

/// How deep JSON in strings of JSON is looked into, as Kubernetes has it in annotations. What is
/// deeper is taken out as a whole.
const NESTED: usize = 4;

impl Redactor {
    /// A body that is JSON, or looks like it. One that cannot be read is taken out as a whole, for
    /// nothing can be said about it.
    pub(super) fn json_body(&mut self, body: &mut Blob) {
        let before = self.count;
        match serde_json::from_slice(&body.0) {
            Ok(mut value) => {
                self.json(&mut value, NESTED);
                // What has no secret stays as it was, to the byte.
                let text = value.to_string();
                self.count += usize::from(lost_strings(&body.0, &text));
                if self.count > before {
                    body.0 = text.into_bytes();
                }
            }
            Err(_) => self.blob(body),
        }
    }

    fn json(&mut self, value: &mut Value, nested: usize) {
        match value {
            Value::Object(fields) => self.object(fields, nested),
            Value::Array(items) => self.array(items, nested),
            Value::String(text) => self.string(text, nested),
            Value::Null | Value::Bool(_) | Value::Number(_) => (),
        }
    }

    /// `{"name": "Authorization", "value": …}` is a field as well, as Kubernetes has it for headers.
    fn object(&mut self, fields: &mut Map<String, Value>, nested: usize) {
        let names =
            |name: &str| name.eq_ignore_ascii_case("name") || name.eq_ignore_ascii_case("key");
        let pair = fields
            .iter()
            .any(|(name, called)| names(name) && called.as_str().is_some_and(looks_secret));
        for (name, value) in fields {
            if pair && name.eq_ignore_ascii_case("value") {
                self.hide(value);
            } else {
                self.field(name, value, nested);
            }
        }
    }

    fn field(&mut self, name: &str, value: &mut Value, nested: usize) {
        if looks_secret(name) {
            self.hide(value);
        } else if matches!(&*name.to_ascii_lowercase(), "env" | "environ" | "environment") {
            self.environment(value, nested);
        } else {
            self.json(value, nested);
        }
    }

    /// Its strings may be the arguments of a program.
    fn array(&mut self, items: &mut [Value], nested: usize) {
        let text = |item: &Value| item.as_str().map(Blob::from);
        if let Some(mut arguments) = items.iter().map(text).collect::<Option<Vec<_>>>() {
            self.arguments(&mut arguments);
            for (item, argument) in items.iter_mut().zip(arguments) {
                *item = Value::String(String::from_utf8_lossy(&argument.0).into_owned());
            }
        }
        for item in items {
            self.json(item, nested);
        }
    }

    fn string(&mut self, text: &mut String, nested: usize) {
        if holds_key(text.as_bytes()) {
            return self.text(text);
        }
        let begins = text.trim_start().bytes().next();
        if matches!(begins, Some(b'{' | b'[')) && self.json_in_string(text, nested) {
            return;
        }
        if begins == Some(b'{') {
            // An object that cannot be read, as a body that cannot be read.
            return self.text(text);
        }
        let mut bytes = std::mem::take(text).into_bytes();
        self.argument(&mut bytes);
        *text = String::from_utf8_lossy(&bytes).into_owned();
    }

    /// False if it is other text that happens to begin with a bracket.
    fn json_in_string(&mut self, text: &mut String, nested: usize) -> bool {
        let before = self.count;
        let Ok(mut inner) = serde_json::from_str(text) else { return false };
        match nested.checked_sub(1) {
            Some(nested) => self.json(&mut inner, nested),
            None => self.text(text),
        }
        let written = inner.to_string();
        if nested > 0 {
            self.count += usize::from(lost_strings(text.as_bytes(), &written));
            if self.count > before {
                *text = written;
            }
        }
        true
    }

    /// `["NAME=value"]`, `[{"name": …, "value": …}]` or `{"NAME": "value"}`: all values.
    fn environment(&mut self, value: &mut Value, nested: usize) {
        let Value::Array(items) = value else { return self.hide(value) };
        for item in items {
            match item {
                Value::String(text) => self.assignment(text),
                Value::Object(fields) => {
                    for (name, field) in fields {
                        if name.eq_ignore_ascii_case("value") {
                            self.hide(field);
                        } else {
                            self.field(name, field, nested);
                        }
                    }
                }
                other => self.json(other, nested),
            }
        }
    }

    fn assignment(&mut self, text: &mut String) {
        if let Some((name, value)) = text.split_once('=') {
            let mut value = value.to_owned();
            self.text(&mut value);
            *text = format!("{name}={value}");
        }
    }

    /// Everything in it that could be a secret.
    fn hide(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Number(number) => {
                let mut text = number.to_string();
                self.text(&mut text);
                *value = Value::String(text);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.hide(field)),
            Value::Null | Value::Bool(_) => (),
        }
    }
}

/// Whether JSON had strings that were not looked at: of a key that stands there twice only the last
/// value is read.
fn lost_strings(before: &[u8], after: &str) -> bool {
    quotes(before) != quotes(after.as_bytes())
}

/// The quotes around strings in valid JSON.
fn quotes(json: &[u8]) -> usize {
    let mut bytes = json.iter();
    let mut count = 0;
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(body: &Value) -> Value {
        let mut body = Blob::from(&*body.to_string());
        Redactor::default().json_body(&mut body);
        serde_json::from_slice(&body.0).unwrap()
    }

    #[test]
    fn a_description_of_a_container_loses_its_secrets_and_keeps_the_rest() {
        let found = redacted(&json!({
            "Id": "0123", "Name": "/web",
            "Config": {
                "Env": ["PATH=/bin", "DEBUG", "EMPTY="],
                "Cmd": ["serve", "--token", "abc"],
                "Labels": { "tier": "web", "registry.password": "abc" },
                "Entrypoint": ["sh", "-c"],
            },
            "url": "https://me:abc@host/",
        }));
        let hidden = "<redacted, 3 bytes>";
        let expected = json!({
            "Id": "0123", "Name": "/web",
            "Config": {
                "Env": ["PATH=<redacted, 4 bytes>", "DEBUG", "EMPTY="],
                "Cmd": ["serve", "--token", hidden],
                "Labels": { "tier": "web", "registry.password": hidden },
                "Entrypoint": ["sh", "-c"],
            },
            "url": format!("https://me:{hidden}@host/"),
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn a_pod_loses_its_environment_in_annotations_too() {
        let env =
            json!([{ "name": "A", "value": "abc" }, { "name": "B", "valueFrom": { "x": "y" } }]);
        let applied = json!({ "spec": { "env": env } }).to_string();
        let found = redacted(&json!({ "env": env, "annotations": { "applied": applied } }));
        let hidden = json!([
            { "name": "A", "value": "<redacted, 3 bytes>" },
            { "name": "B", "valueFrom": { "x": "y" } }
        ]);
        assert_eq!(found["env"], hidden);
        let inner = found["annotations"]["applied"].as_str().unwrap();
        let inner: Value = serde_json::from_str(inner).unwrap();
        assert_eq!(inner, json!({ "spec": { "env": hidden } }));
    }

    #[test]
    fn a_pair_of_name_and_value_is_a_field_too() {
        let hidden = "<redacted, 3 bytes>";
        let found = redacted(&json!({ "httpHeaders": [
            { "name": "Authorization", "value": "abc" },
            { "Key": "api_token", "Value": "abc" },
            { "name": "Accept", "value": "abc" },
        ]}));
        let expected = json!({ "httpHeaders": [
            { "name": "Authorization", "value": hidden },
            { "Key": "<redacted, 9 bytes>", "Value": hidden },
            { "name": "Accept", "value": "abc" },
        ]});
        assert_eq!(found, expected);
    }

    #[test]
    fn a_private_key_goes_whatever_it_is_called() {
        let key = "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----\n";
        let found = redacted(&json!({ "note": key, "list": [key] })).to_string();
        assert!(!found.contains("abc") && found.matches("redacted").count() == 2, "{found}");
    }

    #[test]
    fn a_body_without_secrets_stays_to_the_byte_and_one_that_cannot_be_read_goes() {
        let plain = Blob::from(r#"{ "b": 1.50, "a":[ "x" , null] }"#);
        let mut body = plain.clone();
        Redactor::default().json_body(&mut body);
        assert_eq!(body, plain);
        for text in ["{\"a\": ", "{}\n{\"password\":\"abc\"}", &"[".repeat(1000)] {
            let mut body = Blob::from(text);
            Redactor::default().json_body(&mut body);
            assert_eq!(body, Blob(format!("<redacted, {} bytes>", text.len()).into_bytes()));
        }
    }

    #[test]
    fn of_a_key_that_stands_there_twice_nothing_is_left_that_was_not_looked_at() {
        let twice = r#"{"a":{"password":"abc"},"a":"\"x"}"#;
        let mut body = Blob::from(twice);
        Redactor::default().json_body(&mut body);
        assert_eq!(body, Blob::from(r#"{"a":"\"x"}"#));
        assert_eq!(redacted(&json!({ "in": twice })), json!({ "in": r#"{"a":"\"x"}"# }));
    }

    #[test]
    fn json_in_json_in_json_comes_to_an_end() {
        let mut value = json!({ "password": "abc" });
        for _ in 0..NESTED + 2 {
            value = json!({ "in": value.to_string() });
        }
        assert!(!redacted(&value).to_string().contains("abc"));
    }
}
