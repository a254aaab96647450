//! A value leaves its `Bound` only through confirm.

use witgate_peer::Bound;

fn answer(bound: Bound<String>) -> String {
    bound.into_inner()
}

fn reach(bound: Bound<String>) -> String {
    bound.value
}

fn main() {}
