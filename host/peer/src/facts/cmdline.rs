use witgate_facts::FactResult;

use super::pinned::Pinned;
use crate::{error::fact_error, limits};

/// What the process shows as its arguments. They lie in its own memory, where it may put a page
/// that never arrives: so on a thread that may hang.
pub(super) async fn arguments(pinned: &Pinned) -> FactResult<Vec<Vec<u8>>> {
    let read =
        pinned.read(|process| process.read_start(c"cmdline", limits::CMDLINE).map_err(fact_error));
    let (text, _whole) = read.await?;
    Ok(split(&text))
}

fn split(text: &[u8]) -> Vec<Vec<u8>> {
    if text.is_empty() {
        return Vec::new();
    }
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    text.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_with_zero_bytes() {
        assert!(split(b"").is_empty());
        assert_eq!(split(b"sh\0-c\0\0"), [&b"sh"[..], b"-c", b""]);
        assert_eq!(split(b"cut o"), [b"cut o"]);
    }
}

#[cfg(test)]
mod fuzz {
    use witgate_testkit::fuzz_target;

    use super::split;

    #[test]
    fn cmdline() {
        fuzz_target!("cmdline").words(&["\0", "\0\0", "--", " "]).check(|input| {
            let arguments = split(input);
            assert!(arguments.iter().all(|argument| !argument.contains(&0)));
            // Each argument with the byte that ends it is the text again, but for a last such byte.
            let again: Vec<u8> =
                arguments.iter().flat_map(|argument| [argument, &b"\0"[..]].concat()).collect();
            let whole = if input.ends_with(b"\0") || input.is_empty() {
                input.to_vec()
            } else {
                [input, b"\0"].concat()
            };
            assert_eq!(again, whole);
        });
    }
}
