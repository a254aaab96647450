//! The plugin host with real components: the fixture guests of `plugins/fixtures`, one test each
//! and more, and the built-in attestors. Nothing here is faked but the facts, which are recorded.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what tests share is a test, too")]

mod builtin;
mod grafts;
mod host;
mod limits;
mod load;
mod outcomes;
mod plan;
mod playbook;
mod reach;
mod recorded;
mod rehearse;
mod store;
mod together;
