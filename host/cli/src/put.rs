//! Putting files in place whole or not at all.

use std::{fs, io, io::Write as _, os::unix::fs::PermissionsExt as _, path::Path};

/// Mode of a file that was not there, before the umask.
const NEW_FILE: u32 = 0o644;

/// Puts a file in place; what is replaced keeps its mode.
pub(crate) fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let mode = fs::metadata(path).map_or(NEW_FILE, |old| old.permissions().mode());
    put_as(path, content, mode & 0o777)
}

/// Puts a file in place with this mode, before the umask.
pub(crate) fn put_as(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(dir.unwrap_or_else(|| Path::new(".")))?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
