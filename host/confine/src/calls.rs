//! Which calls of the kernel each of our processes may make.

mod compiler;
mod daemon;
mod deadly;

use seccompiler::{BackendError, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition};

/// A process of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `witgate serve`; it may also begin the compile child.
    Daemon,
    /// The child that compiles a component: reads, computes and writes.
    Compiler,
}

/// Whether the lists were made for this machine.
pub(crate) const KNOWN_HERE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// The calls that are made whatever their arguments are.
pub(crate) fn allowed(role: Role) -> impl Iterator<Item = i64> {
    let lists: &[&[i64]] = match role {
        Role::Daemon => daemon::ALLOWED,
        Role::Compiler => &[compiler::ALLOWED],
    };
    lists.iter().copied().flatten().copied()
}

/// The calls that are made if all of the conditions beside them hold; one that is listed again, if
/// those of any of its lines do.
pub(crate) fn conditional(
    role: Role,
) -> impl Iterator<Item = (i64, Result<Vec<SeccompCondition>, BackendError>)> {
    let list = match role {
        Role::Daemon => daemon::CONDITIONAL,
        Role::Compiler => &[],
    };
    list.iter().map(|when| (when.call, when.conditions()))
}

/// The calls that end the process.
pub(crate) fn deadly(role: Role) -> impl Iterator<Item = i64> {
    let more: &[i64] = match role {
        Role::Daemon => &[],
        Role::Compiler => compiler::DEADLY,
    };
    deadly::DEADLY.iter().chain(more).copied()
}

/// Whether a process makes a call, at least with some arguments.
#[must_use]
pub fn is_allowed(role: Role, call: i64) -> bool {
    allowed(role).chain(conditional(role).map(|(call, _)| call)).any(|listed| listed == call)
}

/// Whether a call ends the process that makes it.
#[must_use]
pub fn is_deadly(role: Role, call: i64) -> bool {
    deadly(role).any(|listed| listed == call)
}

/// A call that is allowed if these bits of an argument (32 of them) are these, and another argument
/// is zero, if one is named.
struct When {
    call: i64,
    argument: u8,
    mask: u32,
    bits: u32,
    zero: Option<u8>,
}

impl When {
    const fn is(call: i64, argument: u8, value: i32) -> Self {
        Self { call, argument, mask: u32::MAX, bits: value.cast_unsigned(), zero: None }
    }

    const fn has_none(call: i64, argument: u8, bits: i32) -> Self {
        Self { call, argument, mask: bits.cast_unsigned(), bits: 0, zero: None }
    }

    /// An ioctl by its kind and number; the size of its structure grows from kernel to kernel.
    const fn ioctl(kind: u8, number: u8) -> Self {
        let bits = (kind as u32) << 8 | number as u32;
        Self { call: libc::SYS_ioctl, argument: 1, mask: 0xffff, bits, zero: None }
    }

    /// The same, if that argument is zero.
    const fn and_zero(self, argument: u8) -> Self {
        Self { zero: Some(argument), ..self }
    }

    fn conditions(&self) -> Result<Vec<SeccompCondition>, BackendError> {
        let mask = SeccompCmpOp::MaskedEq(self.mask.into());
        let length = SeccompCmpArgLen::Dword;
        let first = SeccompCondition::new(self.argument, length.clone(), mask, self.bits.into());
        let zero = |argument| SeccompCondition::new(argument, length, SeccompCmpOp::Eq, 0);
        std::iter::once(first).chain(self.zero.map(zero)).collect()
    }
}
