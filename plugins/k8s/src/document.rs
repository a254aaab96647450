//! The kubelet's answer to `GET /pods`: what is used of a `PodList` of the API's version 1.
//!
//! It may have 16 MiB, most of it about who has set which field and what is mounted where, and the call
//! that asks for it has 50 ms of its own. So it is read in one pass, what is not used is passed over a
//! block at a time, and text is borrowed. What is passed over is looked at only for where it
//! ends: it may be no JSON, and the rest is read as if it were.

mod read;
mod scan;
mod skip;
mod text;

#[cfg(test)]
mod fuzz;

pub(crate) use self::{read::read, text::Text};
