//! The compile child: no file, no socket, no other process, no program.

use libc::{
    SYS_accept4, SYS_bind, SYS_brk, SYS_clock_getres, SYS_clock_gettime, SYS_clone, SYS_close,
    SYS_connect, SYS_execve, SYS_execveat, SYS_exit, SYS_exit_group, SYS_fstat, SYS_futex,
    SYS_getpid, SYS_getrandom, SYS_gettid, SYS_kill, SYS_listen, SYS_madvise, SYS_mmap,
    SYS_mprotect, SYS_mremap, SYS_munmap, SYS_perf_event_open, SYS_pidfd_open,
    SYS_pidfd_send_signal, SYS_read, SYS_readv, SYS_restart_syscall, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_getaffinity, SYS_sched_yield, SYS_sigaltstack,
    SYS_socket, SYS_socketpair, SYS_tkill, SYS_write, SYS_writev,
};

pub(super) const ALLOWED: &[i64] = &[
    SYS_read,
    SYS_readv,
    SYS_write,
    SYS_writev,
    SYS_fstat,
    SYS_close,
    SYS_brk,
    SYS_mmap,
    SYS_mremap,
    SYS_munmap,
    SYS_mprotect,
    SYS_madvise,
    SYS_futex,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_getrandom,
    SYS_getpid,
    SYS_gettid,
    SYS_exit,
    SYS_exit_group,
];

/// Opening a file is not among them: libraries try that and do without.
pub(super) const DEADLY: &[i64] = &[
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept4,
    SYS_clone,
    SYS_execve,
    SYS_execveat,
    SYS_kill,
    SYS_tkill,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_perf_event_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];
