//! What our own processes give up, before they touch anything that others wrote.
//!
//! | process | memory | calls of the kernel | files and network |
//! |---|---|---|---|
//! | daemon | nobody reads it, no core | the list of [`Role::Daemon`] | as its user may |
//! | compile child | the same | the few of [`Role::Compiler`] | none: Landlock, no capability |
//!
//! The daemon has no Landlock: whoever is under it is refused other processes' links and namespaces,
//! which are what a daemon reads.
//!
//! A call that is not on the list answers `ENOSYS`, as in a kernel that does not have it, for which
//! libraries are prepared. One that neither we nor a library of ours ever makes, such as `ptrace`,
//! `mount` or `bpf`, ends the process: whoever makes it is not us. The kernel logs that
//! (`type=1326 ... sig=31`).
//!
//! Linux only: elsewhere this crate is empty.
#![cfg(target_os = "linux")]

mod calls;
mod error;
mod filter;
mod landlocked;
mod memory;
mod privileges;
mod report;

pub use self::{
    calls::{Role, is_allowed, is_deadly},
    error::ConfineError,
    filter::{confine_all_threads, confine_this_thread},
    landlocked::{Landlocked, give_up_files},
    memory::keep_memory_private,
    privileges::give_up_capabilities,
    report::{Confinement, Trial},
};
