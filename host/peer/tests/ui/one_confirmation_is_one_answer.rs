//! A recipient is confirmed for every answer anew.

use witgate_peer::{Bound, Confirmed, Delegated, PeerError, Subject};

fn two(
    subject: &Subject<Delegated>,
    first: Bound<()>,
    second: Bound<()>,
    recipient: Confirmed<()>,
) -> Result<Confirmed<()>, PeerError> {
    subject.confirm_for(first, recipient)?;
    subject.confirm_for(second, recipient)
}

fn main() {}
