/// What is used of proc(5) `stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) comm: Vec<u8>,
    pub(crate) state: char,
    pub(crate) parent: i32,
    /// Clock ticks from boot.
    pub(crate) start_time: u64,
}

/// The name stands between the first `(` and the *last* `)`: it may hold anything, `) R 1` too.
pub(crate) fn stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let comm = text.get(open + 1..close)?.to_vec();
    let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
    // After the name: state is field 3, parent 4, start time 22.
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next().filter(|word| word.len() == 1)?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    Some(Stat { comm, state, parent, start_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(comm: &[u8]) -> Vec<u8> {
        let mut text = b"4242 (".to_vec();
        text.extend(comm);
        text.extend(b") S 7 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3\n");
        text
    }

    // #36
    #[test]
    fn a_name_cannot_pass_for_the_fields_behind_it() {
        for comm in [&b"sh"[..], b"a) R 1 1\n\x1b", b"", b"))((", b"\xff\xfe"] {
            let stat = stat(&line(comm)).unwrap();
            assert_eq!(stat.comm, comm);
            assert_eq!((stat.state, stat.parent, stat.start_time), ('S', 7, 98_765));
        }
    }

    #[test]
    fn a_truncated_line_is_refused() {
        let whole = line(b"sh");
        for end in 0..whole.len() - 12 {
            assert_eq!(stat(&whole[..end]), None, "{end}");
        }
    }
}
