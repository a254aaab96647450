//! What the library writes, with a PING of ours between two of its frames.

use crate::{HEAD, Head, flag, kind};

/// Bytes of a PING frame.
const PING: usize = HEAD + 8;

/// Where the server's side of a connection stands, by what the socket has taken.
#[derive(Debug, Default)]
pub struct Outbound {
    /// The beginning of a frame's head.
    head: Vec<u8>,
    /// Bytes of the frame's payload that are still to come.
    left: usize,
    /// A header block has begun and goes on in the next frame, before which none may come
    /// (RFC 9113 §6.10).
    in_block: bool,
    /// A whole frame was written: the first must be the library's own (RFC 9113 §3.4).
    begun: bool,
    ping: Option<Ping>,
    /// To follow one that is half written.
    next: Option<[u8; 8]>,
}

#[derive(Debug)]
struct Ping {
    bytes: [u8; PING],
    written: usize,
}

impl Outbound {
    /// Has a PING with this payload written as soon as a frame ends, instead of one that has not
    /// begun.
    pub fn ping(&mut self, payload: [u8; 8]) {
        if self.ping.as_ref().is_some_and(|ping| ping.written > 0) {
            self.next = Some(payload);
            return;
        }
        let mut bytes = [0; PING];
        let head = [0, 0, 8, kind::PING, 0, 0, 0, 0, 0];
        for (to, from) in bytes.iter_mut().zip(head.iter().chain(&payload)) {
            *to = *from;
        }
        self.ping = Some(Ping { bytes, written: 0 });
    }

    /// What has to be written before anything else; empty where nothing has.
    #[must_use]
    pub fn due(&self) -> &[u8] {
        match &self.ping {
            Some(ping) if ping.written > 0 || (self.begun && self.at_boundary()) => {
                ping.bytes.get(ping.written..).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Takes note of how many of the due bytes were written.
    pub fn wrote_due(&mut self, count: usize) {
        if let Some(ping) = &mut self.ping {
            ping.written += count;
            if ping.written >= PING {
                self.ping = None;
                if let Some(payload) = self.next.take() {
                    self.ping(payload);
                }
            }
        }
    }

    /// How many of the library's bytes may be written now: all, or where a PING waits, up to the end
    /// of the frame.
    #[must_use]
    pub fn allowed(&self, bytes: &[u8]) -> usize {
        if self.ping.is_none() {
            return bytes.len();
        }
        let (head, left, in_block) = (self.head.clone(), self.left, self.in_block);
        let mut walk = Self { head, left, in_block, ..Self::default() };
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = walk.advance(rest);
            rest = rest.get(taken..).unwrap_or_default();
            if walk.at_boundary() {
                break;
            }
        }
        bytes.len() - rest.len()
    }

    /// Takes note of the library's bytes that were written.
    pub fn wrote(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.advance(bytes);
            self.begun |= self.at_boundary();
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    const fn at_boundary(&self) -> bool {
        self.head.is_empty() && self.left == 0 && !self.in_block
    }

    /// Goes on to the end of the frame or of the bytes; how many that were.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        if self.left == 0 {
            let (head, _) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
            self.head.extend_from_slice(head);
            taken = head.len();
            let Some(head) = Head::parse(&self.head) else { return taken };
            self.head.clear();
            self.left = head.length;
            self.in_block = head.begins_or_continues_block() && !head.has(flag::END_HEADERS);
        }
        let payload = self.left.min(bytes.len() - taken);
        self.left -= payload;
        taken + payload
    }
}

/// Whether a frame is the answer to a PING.
pub(crate) fn is_pong(head: Head) -> bool {
    head.kind == kind::PING && head.has(flag::ACK) && head.length == 8 && head.stream == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [vec![a, b, c, kind, flags, 0, 0, 0, 1], payload.to_vec()].concat()
    }

    fn ping(payload: u8) -> Vec<u8> {
        [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[payload; 8]].concat()
    }

    // The client would close the connection.
    #[test]
    fn no_ping_lies_within_a_header_block() {
        let frames = [
            frame(4, 0, &[]),
            frame(kind::HEADERS, 0, &[1; 20]),
            frame(kind::CONTINUATION, 0, &[2; 20]),
            frame(kind::CONTINUATION, flag::END_HEADERS, &[3; 20]),
            frame(0, 0, &[4; 20]),
        ];
        let all = frames.concat();
        for after in frames[0].len()..all.len() {
            for portion in [1, 7, 1000] {
                let socket = written(&all, &[portion], after);
                let at = socket.windows(17).position(|part| part == ping(7)).unwrap();
                let (block, end) = (frames[0].len(), all.len() - frames[4].len());
                assert!([block, end, all.len()].contains(&at), "{after} {portion} {at}");
            }
        }
    }

    #[test]
    fn a_ping_that_has_begun_is_ended() {
        let mut outbound = Outbound::default();
        outbound.wrote(&frame(4, 0, &[]));
        outbound.ping([1; 8]);
        outbound.ping([2; 8]);
        assert_eq!(outbound.due(), ping(2), "the one before had not begun");
        outbound.wrote_due(5);
        outbound.ping([3; 8]);
        assert_eq!(outbound.due(), ping(2).get(5..).unwrap());
        outbound.wrote_due(12);
        assert_eq!(outbound.due(), ping(3));
        outbound.wrote_due(17);
        assert!(outbound.due().is_empty());
    }

    /// Writes the library's bytes in portions, with a PING asked for after so many of them; what the
    /// socket got.
    fn written(all: &[u8], portions: &[usize], ping_after: usize) -> Vec<u8> {
        let (mut outbound, mut socket, mut asked) = (Outbound::default(), Vec::new(), false);
        let mut rest = all;
        for portion in portions.iter().cycle() {
            if all.len() - rest.len() >= ping_after && !asked {
                outbound.ping([7; 8]);
                asked = true;
            }
            let due = outbound.due().to_vec();
            if !due.is_empty() {
                let count = due.len().min(*portion);
                socket.extend_from_slice(due.get(..count).unwrap());
                outbound.wrote_due(count);
                continue;
            }
            if rest.is_empty() {
                return socket;
            }
            let count = outbound.allowed(rest).min(*portion);
            let (now, later) = rest.split_at(count);
            socket.extend_from_slice(now);
            outbound.wrote(now);
            rest = later;
        }
        unreachable!("there is a portion")
    }

    proptest! {
        #[test]
        fn a_ping_lies_between_two_frames_and_never_first(
            payloads in proptest::collection::vec((any::<u8>(), 0..40_usize), 1..6),
            portions in proptest::collection::vec(1..30_usize, 1..8),
            after in 0..300_usize,
        ) {
            let frames: Vec<_> =
                payloads.iter().map(|(kind, length)| frame(*kind, 4, &vec![9; *length])).collect();
            let all = frames.concat();
            let after = after.min(all.len());
            let socket = written(&all, &portions, after);
            let ping = ping(7);
            let places: Vec<_> = (1..=frames.len())
                .map(|first| {
                    let (before, after) = frames.split_at(first);
                    [before.concat(), ping.clone(), after.concat()].concat()
                })
                .collect();
            prop_assert!(places.contains(&socket), "{socket:?}");
        }

        #[test]
        fn any_bytes_are_harmless(bytes: Vec<u8>, portions in proptest::collection::vec(1..9_usize, 1..4)) {
            let socket = written(&bytes, &portions, 0);
            prop_assert!(socket.len() >= bytes.len());
        }
    }
}
