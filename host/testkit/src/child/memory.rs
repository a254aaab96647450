//! What a process can make `/proc` say about its own memory. As in `body.rs`: system calls only.

#![expect(
    unsafe_code,
    reason = "replaces the mappings that the code itself runs in, by bare system calls"
)]

use std::ptr;

use libc::{c_int, c_long, c_void};

use super::body::{close, map, status, word};

/// Bytes of `/proc/self/maps` that are looked at: the program comes first.
const MAPS: usize = 16 * 1024;

/// Bytes of a helper's stack.
const STACK: usize = 64 * 1024;

/// Structure of `PR_SET_MM_MAP` (linux/prctl.h).
#[repr(C)]
struct MemoryMap {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// How the link to the executable is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Forgery {
    /// From a user namespace of its own.
    Inside = 0,
    /// By a helper that shares its memory and has a user namespace; it stays outside.
    Outside,
    /// The same, and the file is mapped as well.
    OutsideMapped,
}

/// Sets the link `exe` to the file that is named after the kind of forgery; 0 or an errno.
pub(super) fn forge_executable(payload: &[u8]) -> c_int {
    let Some(path) = payload.get(4..) else { return libc::EINVAL };
    // SAFETY: the path ends with zero, inside the packet.
    let file = unsafe { libc::open(path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if file == -1 {
        return status(-1);
    }
    let forgery = word(payload, 0);
    let done = match leave_executable() {
        0 if forgery == Forgery::Inside as u32 => {
            // SAFETY: takes a number.
            match status(unsafe { libc::unshare(libc::CLONE_NEWUSER) }.into()) {
                0 => set_executable(file),
                errno => errno,
            }
        }
        0 => set_by_helper(file),
        errno => errno,
    };
    let mapped = forgery == Forgery::OutsideMapped as u32;
    let done = if done == 0 && mapped { keep_mapped(file) } else { done };
    close(file);
    done
}

/// Has its command line lie in a mapping of this file, from which it must be read.
pub(super) fn show_arguments(payload: &[u8]) -> c_int {
    // SAFETY: the path ends with zero, inside the packet; a new mapping touches no other.
    let room = unsafe {
        let file = libc::open(payload.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let room = libc::mmap(ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE, file, 0);
        // To close it can hang, and the mapping stays.
        libc::close(file);
        room
    };
    if room == libc::MAP_FAILED { status(-1) } else { set_map(room as u64, u32::MAX) }
}

fn keep_mapped(file: c_int) -> c_int {
    // SAFETY: a new mapping touches no other.
    let room =
        unsafe { libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_PRIVATE, file, 0) };
    if room == libc::MAP_FAILED { status(-1) } else { 0 }
}

fn set_executable(file: c_int) -> c_int {
    let room = map(4096);
    if room.is_null() { libc::ENOMEM } else { set_map(room as u64, file.cast_unsigned()) }
}

/// Everything lies at `place`, as far as the kernel keeps book of it.
fn set_map(place: u64, exe_fd: u32) -> c_int {
    let end = place + 4096;
    let memory = MemoryMap {
        start_code: place,
        end_code: end,
        start_data: place,
        end_data: end,
        start_brk: end,
        brk: end,
        start_stack: place,
        arg_start: place,
        arg_end: end,
        env_start: place,
        env_end: end,
        auxv: 0,
        auxv_size: 0,
        exe_fd,
    };
    let (option, size) = (libc::PR_SET_MM_MAP, size_of_val(&memory));
    // SAFETY: a live structure of that size, which the kernel reads.
    let done =
        unsafe { libc::prctl(libc::PR_SET_MM, c_long::from(option), &raw const memory, size, 0) };
    status(done.into())
}

extern "C" fn helper(file: *mut c_void) -> c_int {
    // SAFETY: points to the number written below.
    set_executable(unsafe { *file.cast::<c_int>() })
}

/// The helper has the right in its own user namespace, and the memory is ours as well.
fn set_by_helper(file: c_int) -> c_int {
    let stack = map(STACK);
    if stack.is_null() {
        return libc::ENOMEM;
    }
    let flags = libc::CLONE_VM | libc::CLONE_NEWUSER | libc::SIGCHLD;
    let mut result = 0;
    // SAFETY: the number lies at the low end of a fresh mapping, the stack at its high end; this
    // thread waits until the helper has ended.
    unsafe {
        stack.cast::<c_int>().write(file);
        let pid = libc::clone(helper, stack.byte_add(STACK), flags, stack);
        if pid == -1 || libc::waitpid(pid, &raw mut result, 0) == -1 {
            return status(-1);
        }
    }
    if libc::WIFEXITED(result) { libc::WEXITSTATUS(result) } else { libc::EINTR }
}

/// Replaces every mapping of the program that runs here by memory with the same content: the link
/// can be set only when nothing of the old file is mapped.
fn leave_executable() -> c_int {
    let mut text = [0_u8; MAPS];
    let length = read_maps(&mut text);
    let text = text.get(..length).unwrap_or_default();
    let here = leave_executable as *const () as u64;
    let own = lines(text).find(|line| line.start <= here && here < line.end);
    let Some(own) = own else { return libc::ENOENT };
    for line in lines(text).filter(|line| line.file == own.file) {
        if let errno @ 1.. = replace(&line) {
            return errno;
        }
    }
    0
}

fn read_maps(into: &mut [u8]) -> usize {
    let mut length = 0;
    // SAFETY: the name ends with zero; what is read stays inside the slice that is left.
    unsafe {
        let file = libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        while let Some(room) = into.get_mut(length..).filter(|room| !room.is_empty()) {
            match usize::try_from(libc::read(file, room.as_mut_ptr().cast(), room.len())) {
                Ok(0) | Err(_) => break,
                Ok(bytes) => length += bytes,
            }
        }
        libc::close(file);
    }
    length
}

struct Line<'a> {
    start: u64,
    end: u64,
    permissions: &'a [u8],
    /// Device and inode.
    file: (&'a [u8], &'a [u8]),
}

fn lines(text: &[u8]) -> impl Iterator<Item = Line<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let range = fields.next()?;
        let dash = range.iter().position(|byte| *byte == b'-')?;
        let (start, end) = (hex(range.get(..dash)?), hex(range.get(dash + 1..)?));
        let permissions = fields.next()?;
        let file = (fields.nth(1)?, fields.next()?);
        Some(Line { start, end, permissions, file })
    })
}

fn hex(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| {
        number << 4 | u64::from((*digit as char).to_digit(16).unwrap_or_default())
    })
}

fn replace(line: &Line<'_>) -> c_int {
    let Ok(length) = usize::try_from(line.end - line.start) else { return libc::EINVAL };
    let copy = map(length);
    if copy.is_null() {
        return libc::ENOMEM;
    }
    let place = line.start as *mut c_void;
    let allowed = |letter, bit| if line.permissions.contains(&letter) { bit } else { 0 };
    let protection = allowed(b'r', libc::PROT_READ)
        | allowed(b'w', libc::PROT_WRITE)
        | allowed(b'x', libc::PROT_EXEC);
    // SAFETY: the range is mapped, and what takes its place has the same content and rights; the
    // code that does so is in the C library, which stays where it is. No other thread runs here.
    unsafe {
        if protection & libc::PROT_READ != 0 {
            ptr::copy_nonoverlapping(place.cast::<u8>(), copy.cast::<u8>(), length);
        }
        if libc::mprotect(copy, length, protection) == -1 {
            return status(-1);
        }
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        if libc::mremap(copy, length, length, flags, place) == libc::MAP_FAILED {
            return status(-1);
        }
    }
    0
}
