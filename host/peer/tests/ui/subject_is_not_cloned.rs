//! Whoever may be answered has one subject.

use witgate_peer::{Connected, Subject};

fn twice(subject: &Subject<Connected>) -> Subject<Connected> {
    subject.clone()
}

fn main() {}
