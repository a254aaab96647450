//! Nobody makes the layer keep more than one header block, or go round in circles.

use witgate_http2::{FrameError, Inbound, MAX_CONTINUATIONS, MAX_HEADERS, PREFACE};

use crate::wire;

/// Frames of one flood (security matrix 50).
const FLOOD: usize = 1_000_000;

fn begun() -> Inbound {
    let mut inbound = Inbound::default();
    assert_eq!(inbound.filter(&mut PREFACE.to_vec()), Ok(PREFACE.len()));
    inbound
}

/// Bytes until the connection ends, given one by one; nothing passes meanwhile.
fn taken(inbound: &mut Inbound, bytes: impl IntoIterator<Item = u8>) -> Option<usize> {
    for (at, byte) in bytes.into_iter().enumerate() {
        match inbound.filter(&mut [byte]) {
            Ok(passed) => assert!(passed == 0 && !inbound.has_ready(), "{at}"),
            Err(FrameError::TooLarge) => return Some(at + 1),
            Err(other) => panic!("{other}"),
        }
    }
    None
}

#[test]
fn the_largest_block_passes_and_a_byte_more_does_not() {
    let block = |more| {
        let first = wire::frame(wire::HEADERS, 0, 1, &[0x82; 16_384]);
        let rest = vec![0x82; MAX_HEADERS - first.len() - 9 + more];
        [first, wire::frame(wire::CONTINUATION, wire::END_HEADERS, 1, &rest)].concat()
    };
    let largest = block(0);
    let (last, before) = largest.split_last().unwrap();
    let mut inbound = begun();
    assert_eq!(taken(&mut inbound, before.iter().copied()), None);
    assert_eq!(inbound.filter(&mut [*last]), Ok(0));
    let mut passed = vec![0; 2 * MAX_HEADERS];
    let count = inbound.ready(&mut passed);
    assert!(passed[..count] == largest);
    // Known by the head, before any of it is kept.
    assert_eq!(taken(&mut begun(), block(1)), Some(9 + 16_384 + 9));
}

#[test]
fn a_block_of_empty_frames_ends() {
    let first = wire::frame(wire::HEADERS, 0, 1, &[]);
    let more = wire::frame(wire::CONTINUATION, 0, 1, &[]).into_iter().cycle().take(9 * FLOOD);
    let most = 9 * (1 + MAX_CONTINUATIONS);
    assert!(taken(&mut begun(), first.into_iter().chain(more)).is_some_and(|at| at <= most + 9));
}

#[test]
fn a_flood_of_small_frames_only_passes() {
    let kinds = [wire::DATA, wire::RESET, wire::PING, wire::SETTINGS, wire::CONTINUATION];
    let frames: Vec<u8> = kinds.iter().flat_map(|kind| wire::frame(*kind, 0, 1, &[])).collect();
    let flood = frames.repeat(FLOOD / kinds.len() / 100);
    let mut inbound = begun();
    for _ in 0..100 {
        let mut now = flood.clone();
        assert_eq!(inbound.filter(&mut now), Ok(flood.len()));
        assert!(now == flood && !inbound.has_ready());
    }
}
