//! `witgate plugin new`.

use std::{
    io,
    path::{Path, PathBuf},
};

use witgate_workbench::{Language, NewError, create};

use super::args::NewOptions;
use crate::{
    exit::{Exit, Failure, is_permission, with_causes},
    output::{say, say_json},
};

/// Writes a project, and says what to do with it.
pub(crate) fn new(options: &NewOptions) -> Result<Exit, Failure> {
    let folder = options.folder.clone().unwrap_or_else(|| PathBuf::from(&options.name));
    if witgate_builtins::find(&options.name).is_some() {
        let message = format!(
            "{} is a built-in plugin, which no other can be; choose another name",
            options.name
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let created = create(&folder, &options.name, options.lang).map_err(|error| of_new(&error))?;
    let next = next(&folder, options.lang);
    if options.form.json {
        say_json(&serde_json::json!({
            "folder": folder, "language": options.lang.as_str(), "files": created.files, "next": next,
        }))?;
        return Ok(Exit::Ok);
    }
    // The SDK and the interfaces are there to be built with, not to be read first.
    let own = created.files.iter().filter(|file| !file.starts_with("witgate"));
    let (fixtures, sources): (Vec<&PathBuf>, Vec<_>) = own.partition(|f| f.starts_with("fixtures"));
    for file in sources {
        say(&format!("wrote {}", folder.join(file).display()));
    }
    let others = created.files.len() - fixtures.len();
    say(&format!(
        "wrote {} (recorded processes: {} files)",
        folder.join("fixtures").display(),
        fixtures.len()
    ));
    say(&format!(
        "wrote {} (SDK and interfaces; {others} files in all)",
        folder.join("witgate").display()
    ));
    say(&format!("\nnext:\n  {}", next.join("\n  ")));
    Ok(Exit::Ok)
}

fn of_new(error: &NewError) -> Failure {
    let exit = match error {
        NewError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            Exit::Permission
        }
        error if is_permission(error) => Exit::Permission,
        NewError::Io { path, source, .. } => return of_io(path, source, error),
        _ => Exit::Usage,
    };
    Failure::new(exit, with_causes(error))
}

/// Where nothing can be written, somewhere else it can.
fn of_io(path: &Path, source: &io::Error, error: &NewError) -> Failure {
    if let Some(file) = path.ancestors().find(|above| above.is_file()) {
        let message = format!("{} is a file; name another folder: --in DIR", file.display());
        return Failure::new(Exit::Usage, message);
    }
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem => {
            let message = format!("{}; name another folder: --in DIR", with_causes(error));
            Failure::new(Exit::Usage, message)
        }
        _ => Failure::internal(with_causes(error)),
    }
}

/// The commands that come next.
fn next(folder: &Path, language: Language) -> Vec<String> {
    let native: &[&str] = match language {
        Language::Rust => &["cargo test"],
        Language::Go => &["go test ./..."],
        Language::C => &["make test"],
        Language::Python => &[
            "python3 -m venv .venv && .venv/bin/pip install -r requirements-dev.txt",
            ".venv/bin/pytest",
        ],
        _ => &["npm install", "npm test"],
    };
    let mut next = vec![format!("cd {}", folder.display())];
    next.extend(native.iter().map(|line| (*line).to_owned()));
    next.push("witgate plugin test".to_owned());
    next
}
