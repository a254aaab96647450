//! Only `Subject::confirm` makes a `Confirmed`.

use witgate_peer::Confirmed;

fn main() {
    let _ = Confirmed("spiffe://example.org/admin");
}
