//! Children that fork, exec, change identity and die on cue; a daemon on a temporary socket.

pub mod child;
