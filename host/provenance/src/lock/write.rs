use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{LockError, Pin};

/// Everybody may read what may be loaded here; only the owner writes it.
#[cfg(unix)]
const MODE: u32 = 0o644;

const HEAD: &str = "\
# Which plugin files may be loaded. Written by `witgate plugin add`; keep it under version control.
version = 1
";

/// The text of a lock file, always the same for the same plugins.
pub(super) fn render<'a>(
    pins: impl Iterator<Item = &'a Pin>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str(HEAD)?;
    for Pin { name, version, sha256, source, signed_by } in pins {
        let quoted = |text: &str| toml::Value::from(text);
        writeln!(f, "\n[[plugin]]")?;
        writeln!(f, "name = {}", quoted(name.as_str()))?;
        writeln!(f, "version = {}", quoted(&version.to_string()))?;
        writeln!(f, "sha256 = {}", quoted(&sha256.to_string()))?;
        writeln!(f, "source = {}", quoted(source.as_str()))?;
        if let Some(signer) = signed_by {
            writeln!(f, "signed_by = {}", quoted(signer.as_str()))?;
        }
    }
    Ok(())
}

/// Puts a text in the place of a file: into a new file beside it, to the disk, then renamed.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), LockError> {
    let failed = |operation, source| LockError::Write { path: path.to_owned(), operation, source };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => return Err(LockError::Link { path: path.to_owned() }),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(failed("look at", source)),
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = temporary_name(folder);
    let written = write_new(&temporary, text)
        .map_err(|source| failed("write", source))
        .and_then(|()| fs::rename(&temporary, path).map_err(|source| failed("replace", source)));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder).map_err(|source| failed("sync the folder of", source))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // Left over by a crashed process with our number. A link in its place is removed, not followed.
    let _ = fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    open_to_readers(&file)?;
    file.sync_all()
}

/// Whatever the umask says: a lock file that the daemon cannot read would refuse every plugin.
#[cfg(unix)]
fn open_to_readers(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(MODE))
}

#[cfg(not(unix))]
fn open_to_readers(_: &File) -> io::Result<()> {
    Ok(())
}

/// Makes the rename last through a loss of power.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn temporary_name(folder: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    folder.join(format!(".plugins.lock-{}-{number}", std::process::id()))
}
