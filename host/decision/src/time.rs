//! The two clocks, read in one place.

use jiff::Timestamp;

/// Wall clock, cut to microseconds: what stands in records.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}
