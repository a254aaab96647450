//! A dry run is never answered.

use witgate_peer::{Bound, Confirmed, Observed, PeerError, Subject};

fn answer(subject: &Subject<Observed>, bound: Bound<()>) -> Result<Confirmed<()>, PeerError> {
    subject.confirm(bound)
}

fn main() {}
