//! The daemon: what it was seen to make under all tests, what its own code makes in rare cases, and what the
//! libraries that it rests on make elsewhere for the same ends.

use libc::{
    SYS_accept, SYS_accept4, SYS_bind, SYS_brk, SYS_capget, SYS_capset, SYS_chdir,
    SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_clone, SYS_close,
    SYS_close_range, SYS_connect, SYS_copy_file_range, SYS_dup, SYS_dup3, SYS_epoll_create1,
    SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_execve, SYS_exit,
    SYS_exit_group, SYS_faccessat, SYS_faccessat2, SYS_fallocate, SYS_fchmod, SYS_fchmodat,
    SYS_fchown, SYS_fchownat, SYS_fcntl, SYS_fdatasync, SYS_fgetxattr, SYS_flock, SYS_fstat,
    SYS_fstatfs, SYS_fsync, SYS_ftruncate, SYS_futex, SYS_getcwd, SYS_getdents64, SYS_getegid,
    SYS_geteuid, SYS_getgid, SYS_getgroups, SYS_getpeername, SYS_getpid, SYS_getppid,
    SYS_getrandom, SYS_getrusage, SYS_getsockname, SYS_getsockopt, SYS_gettid, SYS_gettimeofday,
    SYS_getuid, SYS_getxattr, SYS_inotify_add_watch, SYS_inotify_init1, SYS_inotify_rm_watch,
    SYS_ioctl, SYS_kill, SYS_landlock_add_rule, SYS_landlock_create_ruleset,
    SYS_landlock_restrict_self, SYS_linkat, SYS_listen, SYS_lseek, SYS_madvise, SYS_membarrier,
    SYS_memfd_create, SYS_mincore, SYS_mkdirat, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_msync,
    SYS_munmap, SYS_nanosleep, SYS_newfstatat, SYS_openat, SYS_openat2, SYS_perf_event_open,
    SYS_pidfd_open, SYS_pidfd_send_signal, SYS_pipe2, SYS_ppoll, SYS_prctl, SYS_pread64,
    SYS_preadv, SYS_prlimit64, SYS_pselect6, SYS_pwrite64, SYS_pwritev, SYS_read, SYS_readlinkat,
    SYS_readv, SYS_recvfrom, SYS_recvmmsg, SYS_recvmsg, SYS_renameat2, SYS_restart_syscall,
    SYS_rseq, SYS_rt_sigaction, SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn,
    SYS_rt_sigsuspend, SYS_rt_sigtimedwait, SYS_sched_getaffinity, SYS_sched_yield, SYS_seccomp,
    SYS_sendfile, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_set_robust_list, SYS_set_tid_address,
    SYS_setsockopt, SYS_shutdown, SYS_sigaltstack, SYS_socket, SYS_socketpair, SYS_statfs,
    SYS_statx, SYS_sysinfo, SYS_tgkill, SYS_timerfd_create, SYS_timerfd_gettime,
    SYS_timerfd_settime, SYS_times, SYS_umask, SYS_uname, SYS_unlinkat, SYS_wait4, SYS_waitid,
    SYS_write, SYS_writev,
};

use super::When;

/// The calls, by what they are for.
pub(super) const ALLOWED: &[&[i64]] =
    &[MEMORY, FILES, SOCKETS, WAITING, THREADS, PROCESSES, OURSELVES, GIVING_UP, OLD_FORMS];

const MEMORY: &[i64] = &[
    SYS_brk,
    SYS_mmap,
    SYS_mremap,
    SYS_munmap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mincore,
    SYS_msync,
    SYS_membarrier,
    SYS_memfd_create,
];

const FILES: &[i64] = &[
    SYS_openat,
    SYS_openat2,
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_preadv,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_lseek,
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_fgetxattr,
    SYS_getxattr,
    SYS_statfs,
    SYS_fstatfs,
    SYS_readlinkat,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fcntl,
    SYS_flock,
    SYS_dup,
    SYS_dup3,
    SYS_pipe2,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_linkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_umask,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
];

const SOCKETS: &[i64] = &[
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_shutdown,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
];

const WAITING: &[i64] = &[
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_epoll_pwait2,
    SYS_ppoll,
    SYS_pselect6,
    SYS_eventfd2,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
    SYS_futex,
    SYS_restart_syscall,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
];

const THREADS: &[i64] = &[
    SYS_exit,
    SYS_exit_group,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_gettid,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sigaltstack,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_tgkill,
];

/// Peers, and the compile child.
const PROCESSES: &[i64] = &[
    SYS_execve,
    SYS_wait4,
    SYS_waitid,
    SYS_kill,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_perf_event_open,
];

const OURSELVES: &[i64] = &[
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getgroups,
    SYS_uname,
    SYS_sysinfo,
    SYS_getrandom,
    SYS_getrusage,
    SYS_times,
    SYS_capget,
];

/// By which the compile child gives up more.
const GIVING_UP: &[i64] = &[
    SYS_capset,
    SYS_seccomp,
    SYS_landlock_create_ruleset,
    SYS_landlock_add_rule,
    SYS_landlock_restrict_self,
];

/// Older forms of the same.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_getrlimit,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_inotify_init,
    libc::SYS_getdents,
    libc::SYS_time,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_FORMS: &[i64] = &[];

/// Bits of clone(2) that make new namespaces. Those of clone3(2) are in memory, where no filter sees
/// them; so that call is on no list, and libraries take this one.
const NEW_NAMESPACES: i32 = libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWUTS;

/// What names a region of memory for people; allocators do.
const PR_SET_VMA: i32 = 0x5356_4d41;

/// What the kernel told this program when it began it (`prctl.h`, Linux 6.4).
const PR_GET_AUXV: i32 = 0x4155_5856;

pub(super) const CONDITIONAL: &[When] = &[
    When::is(SYS_socket, 0, libc::AF_UNIX),
    When::is(SYS_socket, 0, libc::AF_INET),
    When::is(SYS_socket, 0, libc::AF_INET6),
    When::is(SYS_socketpair, 0, libc::AF_UNIX),
    When::has_none(SYS_clone, 0, NEW_NAMESPACES),
    // Our own limits and nobody else's.
    When::is(SYS_prlimit64, 0, 0),
    When::is(SYS_prctl, 0, libc::PR_SET_NAME),
    When::is(SYS_prctl, 0, libc::PR_GET_NAME),
    When::is(SYS_prctl, 0, PR_SET_VMA),
    When::is(SYS_prctl, 0, PR_GET_AUXV),
    When::is(SYS_prctl, 0, libc::PR_CAPBSET_READ),
    When::is(SYS_prctl, 0, libc::PR_GET_DUMPABLE),
    // The compile child's.
    When::is(SYS_prctl, 0, libc::PR_SET_DUMPABLE).and_zero(1),
    When::is(SYS_prctl, 0, libc::PR_SET_PDEATHSIG),
    When::is(SYS_prctl, 0, libc::PR_SET_NO_NEW_PRIVS),
    When::is(SYS_prctl, 0, libc::PR_CAP_AMBIENT),
    // Of a pidfd, whatever is asked; what a scan of pages by the engine asks.
    When::ioctl(0xff, 0x0b),
    When::ioctl(b'f', 0x10),
    When::is(SYS_ioctl, 1, FIOCLEX),
    When::is(SYS_ioctl, 1, FIONBIO),
    When::is(SYS_ioctl, 1, FIONREAD),
    // Whether it is a terminal.
    When::is(SYS_ioctl, 1, TCGETS),
    When::is(SYS_ioctl, 1, TIOCGWINSZ),
];

// Of the same number on the machines that we know; their type differs from one library to the next.
const FIOCLEX: i32 = 0x5451;
const FIONBIO: i32 = 0x5421;
const FIONREAD: i32 = 0x541b;
const TCGETS: i32 = 0x5401;
const TIOCGWINSZ: i32 = 0x5413;
