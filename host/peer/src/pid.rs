use std::fmt;

/// The number of a process in the daemon's pid namespace; never zero.
///
/// A number is no identity: the kernel hands it out again. It is for people, logs and for opening
/// `/proc/<pid>` between two looks at the pidfd.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pid(rustix::process::Pid);

impl Pid {
    /// None unless `raw` is positive.
    #[must_use]
    pub fn new(raw: i32) -> Option<Self> {
        (raw > 0).then(|| rustix::process::Pid::from_raw(raw).map(Self)).flatten()
    }

    /// The number.
    #[must_use]
    pub fn as_raw(self) -> i32 {
        self.0.as_raw_nonzero().get()
    }

    /// The number as the kernel's structures have it.
    #[must_use]
    pub fn as_u32(self) -> u32 {
        self.as_raw().unsigned_abs()
    }

    pub(crate) const fn of_kernel(self) -> rustix::process::Pid {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_raw().fmt(f)
    }
}

impl fmt::Debug for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pid({})", self.as_raw())
    }
}
