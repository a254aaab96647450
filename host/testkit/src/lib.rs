//! Children that fork, exec, change identity and die on cue; a daemon on a temporary socket; a
//! file system that does not answer; fuzz targets.

pub mod child;
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test whose daemon does not start has failed"
)]
pub mod daemon;
pub mod figures;
pub mod fuse;
pub mod fuzz;
