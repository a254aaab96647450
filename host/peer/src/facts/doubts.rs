//! What speaks against taking a process for the program that its link `exe` names.
//!
//! Whoever is root in a user namespace may set the link of its own memory (prctl(2),
//! `PR_SET_MM_EXE_FILE`), also from a helper that shares the memory of a process outside. What shows
//! of that is the namespace, or that nothing of the file is mapped.

use std::os::fd::AsFd as _;

use rustix::io::Errno;
use witgate_facts::{Doubt, FactError, FactResult};

use crate::{
    error::fact_error,
    file_systems, limits,
    parse::{self, MappedFile},
    process_directory::ProcessDirectory,
    sys::{FileStat, Open},
};

/// Bytes of `maps` read at a time: the file that is run comes first, in life.
const STEP: usize = 512;

/// What is looked at on a thread that may hang: a workload can hold the lock of its own memory.
#[derive(Debug)]
pub(super) struct Look {
    mapped: bool,
    traced: bool,
}

impl Look {
    pub(super) fn at(directory: &ProcessDirectory, stat: &FileStat) -> FactResult<Self> {
        let mapped = is_mapped(directory, stat).map_err(fact_error)?;
        let status = directory.read(c"status", limits::STATUS_FILE).map_err(fact_error)?;
        let tracer = parse::tracer(&status).ok_or_else(super::malformed)?;
        Ok(Self { mapped, traced: tracer != 0 })
    }
}

/// All of them, by name. `link` is the text of the link, `same_on_host` whether it leads to the same
/// file here.
pub(super) fn all(
    look: &Look,
    nested: bool,
    link: &[u8],
    links: u32,
    same_on_host: bool,
) -> Vec<Doubt> {
    let deleted = links == 0;
    // The kernel makes this text; only what has no name any more can have it.
    let memfd = deleted && link.starts_with(b"/memfd:");
    [
        (Doubt::Deleted, deleted && !memfd),
        (Doubt::ExeNotMapped, !look.mapped),
        (Doubt::ForeignMount, !deleted && !same_on_host),
        (Doubt::Memfd, memfd),
        (Doubt::NestedUserns, nested),
        (Doubt::Traced, look.traced),
    ]
    .into_iter()
    .filter_map(|(doubt, holds)| holds.then_some(doubt))
    .collect()
}

/// Nothing, unless one of the doubts is that the link may be a forgery.
pub(super) fn withheld(doubts: &[Doubt]) -> FactResult<()> {
    match doubts.iter().find(|doubt| doubt.withholds()) {
        Some(doubt) => Err(FactError::Io(format!("withheld: {doubt}"))),
        None => Ok(()),
    }
}

/// Whether any of the first mappings is of this file.
fn is_mapped(directory: &ProcessDirectory, stat: &FileStat) -> Result<bool, Errno> {
    let device = (rustix::fs::major(stat.device), rustix::fs::minor(stat.device));
    let mut number_only = false;
    let found = mapped_files(directory, |file| {
        number_only |= file.inode == stat.inode;
        file == MappedFile { device, inode: stat.inode }
    })?;
    Ok(found || number_only && has_other_devices(directory)?)
}

/// Whether statx(2) and `maps` name the devices of its files differently: layers of an overlay and
/// subvolumes have their own.
fn has_other_devices(directory: &ProcessDirectory) -> Result<bool, Errno> {
    let sys = directory.sys();
    let named = sys.open_at(directory.as_fd(), c"exe", Open::Name)?;
    Ok(file_systems::has_other_devices(sys.file_system(named.as_fd())?))
}

/// Whether one of the mapped files is `wanted`, as far as they are looked at.
fn mapped_files(
    directory: &ProcessDirectory,
    mut wanted: impl FnMut(MappedFile) -> bool,
) -> Result<bool, Errno> {
    let sys = directory.sys();
    let file = sys.open_at(directory.as_fd(), c"maps", Open::Read)?;
    let (mut begun, mut chunk, mut seen) = (Vec::new(), [0; STEP], 0);
    while seen < limits::MAPS_FILE {
        let read = match sys.read(file.as_fd(), &mut chunk) {
            Ok(0) => break,
            Ok(length) => chunk.get(..length).unwrap_or_default(),
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
        };
        seen += read.len();
        begun.extend_from_slice(read);
        while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = begun.drain(..=end).collect();
            if parse::mapped_file(&line).is_some_and(&mut wanted) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
