//! What is said about a process goes to whoever asked about it, who is looked at again, too.

use witgate_peer::{Bound, Confirmed, Delegated, PeerError, Subject};

fn grant(subject: &Subject<Delegated>, bound: Bound<()>) -> Result<Confirmed<()>, PeerError> {
    subject.confirm(bound)
}

fn without(subject: &Subject<Delegated>, bound: Bound<()>) -> Result<Confirmed<()>, PeerError> {
    subject.confirm_for(bound)
}

fn unconfirmed(
    subject: &Subject<Delegated>,
    bound: Bound<()>,
    recipient: Bound<()>,
) -> Result<Confirmed<()>, PeerError> {
    subject.confirm_for(bound, recipient)
}

fn main() {}
