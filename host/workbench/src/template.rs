use std::{
    fs, io,
    path::{Path, PathBuf},
};

use witgate_identity::PluginName;

use crate::{Language, embedded};

/// A project that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// Its files, relative to its folder, in order.
    pub files: Vec<PathBuf>,
}

/// Why no project was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// The name cannot be a plugin's.
    #[error("{0}")]
    Name(String),

    /// There is something in the folder.
    #[error("{} is not empty ({seen} is in it); a new plugin needs a folder of its own", .dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// Something that is in it.
        seen: String,
    },

    /// A file or folder.
    #[error("{doing} {}: {source}", .path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it did not work.
        source: io::Error,
    },
}

/// Longest name of a new plugin, in bytes: `-attestor` is put behind it, and the result must still
/// be a name for every package registry.
const NAME_BYTES: usize = 48;

/// What builds leave behind in any language.
const IGNORED: &str = "/build/\n/target/\n/node_modules/\n__pycache__/\n";

/// Writes a new project: the example of the language under another name, with the SDK and the WIT
/// files that it was made for below `witgate/`.
///
/// # Errors
/// [`NewError`]; nothing is written if the name is no plugin's or there is anything in the folder.
pub fn create(dir: &Path, name: &str, language: Language) -> Result<Created, NewError> {
    let name = check_name(name)?;
    require_empty(dir)?;
    let mut files = project_files(&name, language);
    files.sort();
    for (path, content) in &files {
        write(&dir.join(path), content)?;
    }
    Ok(Created { files: files.into_iter().map(|(path, _)| path).collect() })
}

fn check_name(name: &str) -> Result<String, NewError> {
    let checked = PluginName::new(name).map_err(|error| NewError::Name(error.to_string()))?;
    if name.len() > NAME_BYTES || name.ends_with(['-', '_']) || name.contains("--") {
        return Err(NewError::Name(format!(
            "{name:?} cannot be a package's name: at most {NAME_BYTES} characters, no `-` or `_` at \
             the end, no two `-` in a row"
        )));
    }
    Ok(checked.into())
}

fn require_empty(dir: &Path) -> Result<(), NewError> {
    let failed = |source| NewError::Io { doing: "reading", path: dir.to_owned(), source };
    let mut entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(failed)?,
    };
    match entries.next().transpose().map_err(failed)? {
        None => Ok(()),
        Some(entry) => Err(NewError::NotEmpty {
            dir: dir.to_owned(),
            seen: entry.file_name().to_string_lossy().into_owned(),
        }),
    }
}

fn project_files(name: &str, language: Language) -> Vec<(PathBuf, Vec<u8>)> {
    let own = embedded::example(language)
        .iter()
        .map(|(path, bytes)| (PathBuf::from(renamed(path, name)), adapted(bytes, name)));
    let below = |folder: &str, files: &'static [embedded::File]| {
        let folder = PathBuf::from(folder);
        files
            .iter()
            .map(move |(path, bytes)| (folder.join(path), bytes.to_vec()))
            .collect::<Vec<_>>()
    };
    let sdk = below(&format!("witgate/plugins/{}", language.sdk()), embedded::sdk(language));
    let wit = below("witgate/wit", embedded::wit_files());
    let mut files: Vec<_> = own.chain(sdk).chain(wit).collect();
    let ignore = PathBuf::from(".gitignore");
    if !files.iter().any(|(path, _)| *path == ignore) {
        files.push((ignore, IGNORED.as_bytes().to_vec()));
    }
    files
}

/// A file of the example as it is in a project: under the plugin's name, and with the repository's
/// folders where the project has them. What is not text is left alone.
fn adapted(bytes: &[u8], name: &str) -> Vec<u8> {
    match str::from_utf8(bytes) {
        Ok(text) => moved(&renamed(text, name)).into_bytes(),
        Err(_) => bytes.to_vec(),
    }
}

/// Puts a name in place of the example's: the plugin's own name is `os`, which is too short to
/// look for, so it is replaced only where it is said to be one.
fn renamed(text: &str, name: &str) -> String {
    text.replace("os-attestor", &format!("{}-attestor", name.replace('_', "-")))
        .replace("os_attestor", &format!("{}_attestor", name.replace('-', "_")))
        .replace("name = \"os\"", &format!("name = \"{name}\""))
        .replace("`os:", &format!("`{name}:"))
        .replace("build/os.wasm", &format!("build/{name}.wasm"))
}

/// From three folders up, the root of the repository, to `witgate/` in the project.
fn moved(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(ROOT) {
        let (before, after) = rest.split_at(at);
        result.push_str(before);
        let below = after.trim_start_matches("../");
        let ups = (after.len() - below.len()) / "../".len();
        result.push_str(&"../".repeat(ups - 3));
        result.push_str("witgate/");
        rest = below;
    }
    result + rest
}

/// The root of the repository, as an example says it.
const ROOT: &str = "../../../";

fn write(path: &Path, content: &[u8]) -> Result<(), NewError> {
    let failed = |doing| move |source| NewError::Io { doing, path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed("making the folder of"))?;
    }
    fs::write(path, content).map_err(failed("writing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_replaced_where_it_is_one() {
        let text =
            "name = \"os\"\nmodule os_attestor of os-attestor\n`os:id:debian` from os-release";
        let expected = "name = \"my-own\"\nmodule my_own_attestor of my-own-attestor\n`my-own:id:debian` from \
             os-release";
        assert_eq!(renamed(text, "my-own"), expected);
    }

    #[test]
    fn the_root_of_the_repository_is_a_folder_of_the_project() {
        assert_eq!(
            moved("a ../../../wit b ../../../plugins/sdk"),
            "a witgate/wit b witgate/plugins/sdk"
        );
        assert_eq!(moved("../../../../wit"), "../witgate/wit");
        assert_eq!(moved("../../wit"), "../../wit");
    }

    #[test]
    fn a_name_that_no_package_can_have_is_refused() {
        for name in ["", "Os", "a b", "a-", "a_", "a--b", "../a", &"a".repeat(49)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        assert_eq!(check_name("a-b_c").unwrap(), "a-b_c");
    }
}
