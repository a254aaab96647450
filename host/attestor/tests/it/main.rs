//! The plugin host with real components: the fixture guests of `plugins/fixtures`, one test each
//! and more, and the built-in attestors. Nothing here is faked but the facts, which are recorded.

mod builtin;
mod host;
mod limits;
mod load;
mod outcomes;
mod plan;
mod store;
mod together;
