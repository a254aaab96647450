//! What the client writes, on its way to the library.

use std::ops::Range;

use crate::{HEAD, Head, PREFACE, authority, flag, kind, outbound::is_pong};

/// Bytes of a header block with the heads of its frames: four times what is answered, so that whoever
/// sends too much hears it from the library.
pub const MAX_HEADERS: usize = 64 * 1024;

/// Frames that a header block may be cut into: a block that is answered fits into the first.
pub const MAX_CONTINUATIONS: usize = 16;

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A header block that does not end.
    #[error(
        "a header block has more than {MAX_HEADERS} bytes or {MAX_CONTINUATIONS} continuations"
    )]
    TooLarge,
}

/// Where the client's side of a connection stands.
#[derive(Debug, Default)]
pub struct Inbound {
    /// Bytes of the preface that have passed.
    preface: usize,
    /// Bytes of a frame's payload that pass unseen.
    left: usize,
    /// The beginning of what is looked into and is not whole yet.
    held: Vec<u8>,
    /// What was held and can pass.
    ready: Vec<u8>,
    challenge: Option<[u8; 8]>,
    answered: bool,
}

/// What to do with the next bytes.
enum Next {
    /// They pass.
    Pass(usize),
    /// They pass, with the header block that lies in these parts of them rewritten.
    Headers(usize, Vec<Range<usize>>),
    /// They answered the challenge.
    Answer(usize),
    /// More is needed to say.
    Hold,
}

impl Inbound {
    /// From now on a PING answer with this payload is the answer. One that came before is none.
    pub const fn challenge(&mut self, payload: [u8; 8]) {
        self.challenge = Some(payload);
        self.answered = false;
    }

    /// Whether the challenge was answered; true once.
    pub const fn take_answer(&mut self) -> bool {
        std::mem::replace(&mut self.answered, false)
    }

    /// Looks at what was read. The number of bytes at the front that pass on; the others were taken.
    /// [`Self::ready`] comes before them.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`].
    pub fn filter(&mut self, bytes: &mut [u8]) -> Result<usize, FrameError> {
        if self.held.is_empty() {
            let (passed, seen) = self.walk(bytes)?;
            self.held.extend_from_slice(bytes.get(seen..).unwrap_or_default());
            return Ok(passed);
        }
        let mut whole = std::mem::take(&mut self.held);
        whole.extend_from_slice(bytes);
        let (passed, seen) = self.walk(&mut whole)?;
        self.ready.extend_from_slice(whole.get(..passed).unwrap_or_default());
        whole.drain(..seen.min(whole.len()));
        self.held = whole;
        Ok(0)
    }

    /// Moves bytes that were held, and come before any that are read from here on; how many.
    pub fn ready(&mut self, into: &mut [u8]) -> usize {
        let count = self.ready.len().min(into.len());
        for (to, from) in into.iter_mut().zip(self.ready.drain(..count)) {
            *to = from;
        }
        count
    }

    /// Whether there are such bytes.
    #[must_use]
    pub const fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Goes through the bytes in place: how many are to pass, moved together at the front, and how
    /// many were looked at.
    fn walk(&mut self, bytes: &mut [u8]) -> Result<(usize, usize), FrameError> {
        let (mut passed, mut seen) = (0, 0);
        while let Some(rest) = bytes.get_mut(seen..).filter(|rest| !rest.is_empty()) {
            let count = match self.next(rest)? {
                Next::Hold => break,
                Next::Answer(count) => {
                    seen += count;
                    continue;
                }
                Next::Pass(count) => count,
                Next::Headers(count, parts) => {
                    rewrite(rest, &parts);
                    count
                }
            };
            if passed != seen {
                bytes.copy_within(seen..seen + count, passed);
            }
            passed += count;
            seen += count;
        }
        Ok((passed, seen))
    }

    fn next(&mut self, bytes: &[u8]) -> Result<Next, FrameError> {
        if self.preface < PREFACE.len() {
            let count = bytes.len().min(PREFACE.len() - self.preface);
            self.preface += count;
            return Ok(Next::Pass(count));
        }
        if self.left > 0 {
            let count = bytes.len().min(self.left);
            self.left -= count;
            return Ok(Next::Pass(count));
        }
        let Some(head) = Head::parse(bytes) else { return Ok(Next::Hold) };
        if head.kind == kind::HEADERS {
            return headers(bytes, head);
        }
        if is_pong(head) && self.challenge.is_some() {
            return Ok(self.pong(bytes));
        }
        self.left = head.length;
        let count = bytes.len().min(HEAD + head.length);
        self.left -= count - HEAD;
        Ok(Next::Pass(count))
    }

    fn pong(&mut self, bytes: &[u8]) -> Next {
        let Some(payload) = bytes.get(HEAD..).and_then(<[u8]>::first_chunk::<8>) else {
            return Next::Hold;
        };
        let count = HEAD + payload.len();
        if self.challenge.as_ref() != Some(payload) {
            return Next::Pass(count);
        }
        self.challenge = None;
        self.answered = true;
        Next::Answer(count)
    }
}

/// A header block from its first frame to its last.
fn headers(bytes: &[u8], first: Head) -> Result<Next, FrameError> {
    let mut parts = vec![fragment(bytes, first)];
    let mut end = HEAD + first.length;
    let mut last = first;
    loop {
        if end > MAX_HEADERS || parts.len() > 1 + MAX_CONTINUATIONS {
            return Err(FrameError::TooLarge);
        }
        if end > bytes.len() {
            return Ok(Next::Hold);
        }
        if last.has(flag::END_HEADERS) {
            return Ok(Next::Headers(end, parts));
        }
        let rest = bytes.get(end..).unwrap_or_default();
        let Some(head) = Head::parse(rest) else { return Ok(Next::Hold) };
        if head.kind != kind::CONTINUATION || head.stream != first.stream {
            // Not allowed here; the library says so.
            return Ok(Next::Pass(end));
        }
        parts.push(end + HEAD..end + HEAD + head.length);
        end += HEAD + head.length;
        last = head;
    }
}

/// Where the header block lies in a HEADERS frame; nowhere, if its padding is longer than it is.
fn fragment(bytes: &[u8], head: Head) -> Range<usize> {
    let mut range = HEAD..HEAD + head.length;
    if head.has(flag::PADDED) {
        let padding = bytes.get(HEAD).copied().unwrap_or_default();
        range = range.start + 1..range.end.saturating_sub(usize::from(padding));
    }
    if head.has(flag::PRIORITY) {
        range.start += 5;
    }
    range
}

fn rewrite(bytes: &mut [u8], parts: &[Range<usize>]) {
    if let [part] = parts {
        return authority::rewrite(bytes.get_mut(part.clone()).unwrap_or_default());
    }
    let mut block: Vec<u8> = parts
        .iter()
        .flat_map(|part| bytes.get(part.clone()).unwrap_or_default())
        .copied()
        .collect();
    authority::rewrite(&mut block);
    let mut from = block.as_slice();
    for part in parts {
        let Some(to) = bytes.get_mut(part.clone()) else { continue };
        let (head, rest) = from.split_at(to.len().min(from.len()));
        to.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        from = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [vec![a, b, c, kind, flags, 0, 0, 0, 1], payload.to_vec()].concat()
    }

    fn pong(payload: [u8; 8]) -> Vec<u8> {
        [&[0, 0, 8, kind::PING, flag::ACK, 0, 0, 0, 0][..], &payload].concat()
    }

    /// Reads everything in portions; what passed on.
    fn passed(
        inbound: &mut Inbound,
        all: &[u8],
        portions: &[usize],
    ) -> Result<Vec<u8>, FrameError> {
        let (mut out, mut rest) = (Vec::new(), all);
        for portion in portions.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*portion));
            let mut now = now.to_vec();
            let count = inbound.filter(&mut now)?;
            let mut ready = vec![0; 1000];
            while inbound.has_ready() {
                let moved = inbound.ready(&mut ready);
                out.extend_from_slice(ready.get(..moved).unwrap());
            }
            out.extend_from_slice(now.get(..count).unwrap());
            rest = later;
        }
        Ok(out)
    }

    fn begun() -> Inbound {
        let mut inbound = Inbound::default();
        assert_eq!(inbound.filter(&mut PREFACE.to_vec()), Ok(24));
        inbound
    }

    /// `:authority: a/b`, and the same rewritten.
    const BEFORE: &[u8] = &[0x41, 3, b'a', b'/', b'b'];
    const AFTER: &[u8] = &[0x41, 3, b'a', b'.', b'b'];

    #[test]
    fn a_header_block_is_found_in_all_its_shapes() {
        let (end, padded, priority) = (flag::END_HEADERS, flag::PADDED, flag::PRIORITY);
        let shapes = |block: &[u8]| {
            let (one, two) = block.split_at(2);
            [
                frame(kind::HEADERS, end, block),
                frame(kind::HEADERS, end | padded, &[&[3], block, &[0; 3]].concat()),
                frame(kind::HEADERS, end | priority, &[&[0; 5], block].concat()),
                frame(
                    kind::HEADERS,
                    end | padded | priority,
                    &[&[1, 0, 0, 0, 0, 9], block, &[0]].concat(),
                ),
                [frame(kind::HEADERS, 0, one), frame(kind::CONTINUATION, end, two)].concat(),
                [
                    frame(kind::HEADERS, 0, &[]),
                    frame(kind::CONTINUATION, 0, block),
                    frame(kind::CONTINUATION, end, &[]),
                ]
                .concat(),
            ]
        };
        for (before, after) in shapes(BEFORE).into_iter().zip(shapes(AFTER)) {
            for portion in [1, 2, 7, 1000] {
                let got = passed(&mut begun(), &before, &[portion]).unwrap();
                assert_eq!(got, after, "{portion}");
            }
        }
        // Data that looks like it is not.
        let data = frame(0, 0, BEFORE);
        assert_eq!(passed(&mut begun(), &data, &[3]).unwrap(), data);
    }

    // #15
    #[test]
    fn only_the_answer_to_a_challenge_that_was_put_is_one() {
        let mut inbound = begun();
        // Sent in advance.
        assert_eq!(passed(&mut inbound, &pong(ANSWER), &[5]).unwrap(), pong(ANSWER));
        inbound.challenge(ANSWER);
        assert!(!inbound.take_answer());
        for guess in 0..100_000_u64 {
            let guess = pong(guess.to_be_bytes());
            assert_eq!(passed(&mut inbound, &guess, &[1000]).unwrap(), guess);
        }
        // A PING of its own, and an answer that is too long or too short, pass too.
        for other in [
            frame(kind::PING, 0, &ANSWER),
            frame(kind::PING, flag::ACK, &[&ANSWER[..], &[0]].concat()),
            frame(kind::PING, flag::ACK, &ANSWER[..7]),
            // On a stream, which PINGs are not.
            frame(kind::PING, flag::ACK, &ANSWER),
        ] {
            assert_eq!(passed(&mut inbound, &other, &[1000]).unwrap(), other);
        }
        assert!(!inbound.take_answer());
        assert_eq!(passed(&mut inbound, &pong(ANSWER), &[4]).unwrap(), b"");
        assert!(inbound.take_answer() && !inbound.take_answer());
        // And once only.
        assert_eq!(passed(&mut inbound, &pong(ANSWER), &[4]).unwrap(), pong(ANSWER));
        assert!(!inbound.take_answer());
    }

    // #50
    #[test]
    fn a_header_block_ends_or_the_connection_does() {
        let head = frame(kind::HEADERS, 0, BEFORE);
        let flood = [head.clone(), frame(kind::CONTINUATION, 0, &[]).repeat(20)].concat();
        assert_eq!(passed(&mut begun(), &flood, &[1]), Err(FrameError::TooLarge));
        let most = frame(kind::CONTINUATION, 0, &[]).repeat(MAX_CONTINUATIONS - 1);
        let all = [head.clone(), most, frame(kind::CONTINUATION, flag::END_HEADERS, &[])].concat();
        assert_eq!(passed(&mut begun(), &all, &[9]).map(|passed| passed.len()), Ok(all.len()));
        let long = [head, frame(kind::CONTINUATION, 0, &vec![0; MAX_HEADERS])].concat();
        assert_eq!(passed(&mut begun(), &long, &[4096]), Err(FrameError::TooLarge));
        let huge = frame(kind::HEADERS, flag::END_HEADERS, &vec![0; MAX_HEADERS]);
        assert_eq!(passed(&mut begun(), &huge, &[4096]), Err(FrameError::TooLarge));
    }

    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let any_frame = (0..12_u8, any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(kind, flags, payload)| frame(kind, flags, &payload));
        let answer = (any::<bool>(), any::<u8>())
            .prop_map(|(right, other)| pong(if right { ANSWER } else { [other; 8] }));
        let block = (0..4_u8).prop_map(|flags| frame(kind::HEADERS, flags << 2, BEFORE));
        proptest::collection::vec(prop_oneof![any_frame, answer, block], 0..12)
            .prop_map(|frames| frames.concat())
    }

    proptest! {
        #[test]
        fn how_it_arrives_does_not_matter(
            mut all in frames(),
            rubbish in proptest::collection::vec(any::<u8>(), 0..30),
            portions in proptest::collection::vec(1..50_usize, 1..8),
        ) {
            all.extend(rubbish);
            let read = |portions: &[usize]| {
                let mut inbound = begun();
                inbound.challenge(ANSWER);
                let passed = passed(&mut inbound, &all, portions);
                (passed, inbound.take_answer())
            };
            let (whole, answered) = read(&[usize::MAX]);
            prop_assert_eq!(read(&portions), (whole.clone(), answered));
            if let Ok(whole) = whole {
                let swallowed = if answered { 17 } else { 0 };
                prop_assert!(whole.len() + swallowed <= all.len());
            }
        }
    }
}
