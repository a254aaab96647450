//! No other crate can make a kind of subject that may be answered.

struct Mine;

impl witgate_peer::Answerable for Mine {}

fn main() {}
