/// Hears what a build is doing, for whoever waits for it.
pub trait Progress {
    /// One line, without a period: `compiling with cargo`.
    fn say(&mut self, line: &str);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn say(&mut self, _: &str) {}
}
