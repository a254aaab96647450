//! Configuration, listeners and connections; composes the other crates
