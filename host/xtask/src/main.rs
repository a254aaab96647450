//! The task runner: cargo xtask run, cargo xtask test

fn main() {}
