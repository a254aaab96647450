use std::time::Duration;

use jiff::Timestamp;
use toml::{Spanned, de::DeValue};

use super::reader::{Mistake, Reader};
use crate::{ErrorKind, limits};

/// A value, and where it stands.
pub(super) type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

fn wrong_type(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>, wanted: &str) {
    let found = value.get_ref().type_str();
    let message = format!("'{key}' is {wanted}, not {} {found}", article(found));
    reader.report(Mistake::new(ErrorKind::Value, value.span().start, key, message));
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A string of at least one and at most `max` bytes, without control characters.
pub(super) fn text(
    reader: &mut Reader<'_>,
    key: &str,
    value: Value<'_, '_>,
    max: usize,
) -> Option<String> {
    let DeValue::String(text) = value.get_ref() else {
        wrong_type(reader, key, value, "a string");
        return None;
    };
    let at = value.span().start;
    let mistake = if text.is_empty() {
        Mistake::new(ErrorKind::Value, at, key, format!("'{key}' is empty"))
    } else if text.len() > max {
        let message = format!("'{key}' has {} bytes, the limit is {max}", text.len());
        Mistake::new(ErrorKind::Limit, at, key, message)
    } else if text.chars().any(char::is_control) {
        Mistake::new(ErrorKind::Value, at, key, format!("'{key}' holds a control character"))
    } else {
        return Some(text.to_string());
    };
    reader.report(mistake);
    None
}

/// One of a closed list of words.
pub(super) fn word<T: Copy>(
    reader: &mut Reader<'_>,
    key: &str,
    value: Value<'_, '_>,
    words: &[(&'static str, T)],
) -> Option<T> {
    let DeValue::String(found) = value.get_ref() else {
        wrong_type(reader, key, value, "a string");
        return None;
    };
    let known = words.iter().find(|(word, _)| word == found);
    if known.is_none() {
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let shown: String = found.chars().take(64).collect();
        let message = format!("'{key}' cannot be {shown:?}");
        let nearest = crate::near::nearest(found, names.iter().copied());
        let mistake = Mistake::new(ErrorKind::Value, value.span().start, key, message);
        reader.report(mistake.nearest(nearest).advise(format!("one of {}", names.join(", "))));
    }
    known.map(|(_, value)| *value)
}

pub(super) fn boolean(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> Option<bool> {
    let found = value.get_ref().as_bool();
    if found.is_none() {
        wrong_type(reader, key, value, "true or false");
    }
    found
}

pub(super) fn integer(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> Option<i64> {
    let DeValue::Integer(number) = value.get_ref() else {
        wrong_type(reader, key, value, "a whole number");
        return None;
    };
    let found = i64::from_str_radix(number.as_str(), number.radix()).ok();
    if found.is_none() {
        let message = format!("'{key}' does not fit into 64 bits");
        reader.report(Mistake::new(ErrorKind::Limit, value.span().start, key, message));
    }
    found
}

/// What selectors are compared with: a string, or a whole number or a boolean as it is written.
pub(super) fn scalar(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Integer(_) => integer(reader, key, value).map(|number| number.to_string()),
        other => {
            let found = other.type_str();
            let message = format!("{} {found} cannot be a selector's value", article(found));
            let mistake = Mistake::new(ErrorKind::Value, value.span().start, key, message);
            reader.report(mistake.advise("put it in quotes"));
            None
        }
    }
}

/// One scalar or a list of them, each with its place.
pub(super) fn scalars(
    reader: &mut Reader<'_>,
    key: &str,
    value: Value<'_, '_>,
) -> Vec<(String, usize)> {
    let at = value.span().start;
    let one = std::slice::from_ref(value);
    let items = value.get_ref().as_array().map_or(one, |array| array.as_ref());
    if items.is_empty() {
        let mistake = Mistake::new(ErrorKind::Value, at, key, "an empty list can never match");
        reader.report(mistake.advise("leave the key out, or list values"));
    } else if items.len() > limits::MAX_VALUES {
        let message = format!("{} values, the limit is {}", items.len(), limits::MAX_VALUES);
        reader.report(Mistake::new(ErrorKind::Limit, at, key, message));
        return Vec::new();
    }
    let mut values = Vec::with_capacity(items.len());
    for item in items {
        values.extend(scalar(reader, key, item).map(|text| (text, item.span().start)));
    }
    values
}

/// A list of strings, each with its place.
pub(super) fn strings(
    reader: &mut Reader<'_>,
    key: &str,
    value: Value<'_, '_>,
) -> Vec<(String, usize)> {
    let DeValue::Array(items) = value.get_ref() else {
        wrong_type(reader, key, value, "a list of strings");
        return Vec::new();
    };
    let mut values = Vec::with_capacity(items.len());
    for item in items.iter() {
        match item.get_ref().as_str() {
            Some(text) => values.push((text.to_owned(), item.span().start)),
            None => wrong_type(reader, key, item, "a list of strings"),
        }
    }
    values
}

/// A TOML date and time with its offset.
pub(super) fn time(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> Option<Timestamp> {
    let found = value.get_ref().as_datetime().and_then(|time| time.to_string().parse().ok());
    if found.is_none() {
        let message = format!("'{key}' is not a time with its offset");
        let mistake = Mistake::new(ErrorKind::Value, value.span().start, key, message);
        reader.report(mistake.advise("write it without quotes, as 2026-12-01T00:00:00Z"));
    }
    found
}

/// A duration such as `90s`, `30m`, `1h30m`, within the limits of a `ttl`.
pub(super) fn ttl(reader: &mut Reader<'_>, key: &str, value: Value<'_, '_>) -> Option<Duration> {
    let DeValue::String(text) = value.get_ref() else {
        wrong_type(reader, key, value, "a duration in quotes, such as \"1h\"");
        return None;
    };
    let at = value.span().start;
    let Some(ttl) = duration(text) else {
        let shown: String = text.chars().take(64).collect();
        let mistake =
            Mistake::new(ErrorKind::Value, at, key, format!("{shown:?} is not a duration"));
        reader.report(
            mistake.advise("write numbers with s, m, h or d, such as \"90s\" or \"1h30m\""),
        );
        return None;
    };
    if ttl < limits::MIN_TTL || ttl > limits::MAX_TTL {
        let message = format!("'{key}' is {text}, allowed are 10s to 7d");
        reader.report(Mistake::new(ErrorKind::Limit, at, key, message));
        return None;
    }
    Some(ttl)
}

fn duration(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let unit = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, from_unit) = rest.split_at(unit);
        let factor = match from_unit.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = from_unit.get(1..)?;
    }
    (!text.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in [("90s", 90), ("1h30m", 5400), ("2d", 172_800), ("0s", 0)] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "1",
            "h",
            "1 h",
            "1.5h",
            "-1h",
            "1w",
            "1hé",
            "99999999999999999999s",
            "300000000000000d",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
