//! What goes into a component: the files of the folders that modules are imported from.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use crate::{BuildError, Project};

/// Most files, and most bytes of them together. An attestor with its packages has a few hundred; a
/// folder with more is one that was not meant.
const MAX_FILES: usize = 10_000;
const MAX_BYTES: u64 = 64 << 20;

/// Deepest folder, counted from the one that modules are imported from.
const MAX_DEPTH: usize = 32;

/// What a project has and a component does not: what is built, tested and read by people, and the
/// SDK with the WIT files, of which `pythonpath` names the part that is imported.
const NOT_IN_PROJECT: [&str; 9] = [
    "build",
    "conftest.py",
    "fixtures",
    "plugin.toml",
    "pyproject.toml",
    "README.md",
    "requirements-dev.txt",
    "tests",
    "witgate",
];

/// The module that exports the attestor.
const APP: &str = "app.py";

/// The folders, in the order in which they are searched, and their files.
pub(super) struct Sources {
    folders: Vec<Folder>,
    files: Vec<File>,
    bytes: u64,
}

struct Folder {
    /// As `pyproject.toml` says it.
    said: String,
    path: PathBuf,
}

struct File {
    /// Which folder it is in.
    folder: usize,
    /// Where in it.
    path: PathBuf,
    content: Vec<u8>,
}

impl Sources {
    /// Reads them.
    pub(super) fn read(project: &Project) -> Result<Self, BuildError> {
        let mut sources = Self { folders: folders(project)?, files: Vec::new(), bytes: 0 };
        for index in 0..sources.folders.len() {
            sources.walk(project, index, Path::new(""), 0)?;
        }
        sources.files.sort_by(|a, b| (a.folder, &a.path).cmp(&(b.folder, &b.path)));
        if !sources.files.iter().any(|file| file.folder == 0 && file.path == Path::new(APP)) {
            return Err(failed("there is no app.py, which is to end with: export(YourAttestor)"));
        }
        Ok(sources)
    }

    /// A digest of all that a component is made of.
    pub(super) fn digest(&self, version: &str, wit: &Path) -> Result<String, BuildError> {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        };
        add(version.as_bytes());
        for name in names(wit)? {
            let path = wit.join(&name);
            add(name.as_encoded_bytes());
            add(&fs::read(&path).map_err(BuildError::io("reading", &path))?);
        }
        for file in &self.files {
            add(&file.folder.to_le_bytes());
            add(file.path.as_os_str().as_encoded_bytes());
            add(&file.content);
        }
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Writes them below a folder, and gives the folders to import from.
    pub(super) fn copy(&self, dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
        let path: Vec<_> =
            (0..self.folders.len()).map(|index| dir.join(index.to_string())).collect();
        for folder in &path {
            fs::create_dir_all(folder).map_err(BuildError::io("making", folder))?;
        }
        for file in &self.files {
            let to = path[file.folder].join(&file.path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent).map_err(BuildError::io("making", parent))?;
            }
            fs::write(&to, &file.content).map_err(BuildError::io("writing", &to))?;
        }
        Ok(path)
    }

    /// A text in which the interpreter's names of the folders are the author's.
    pub(super) fn renamed(&self, text: &str) -> String {
        self.folders.iter().enumerate().fold(text.to_owned(), |text, (index, folder)| {
            let said = if folder.said == "." { String::new() } else { format!("{}/", folder.said) };
            text.replace(&format!("\"/{index}/"), &format!("\"{said}"))
        })
    }

    fn walk(
        &mut self,
        project: &Project,
        index: usize,
        below: &Path,
        depth: usize,
    ) -> Result<(), BuildError> {
        let dir = self.folders[index].path.join(below);
        if depth > MAX_DEPTH {
            return Err(failed(&format!(
                "{} is too deep: over {MAX_DEPTH} folders",
                dir.display()
            )));
        }
        for name in names(&dir)? {
            let path = dir.join(&name);
            if self.left_out(project, &path, &name.to_string_lossy()) {
                continue;
            }
            let found = fs::metadata(&path).map_err(BuildError::io("looking at", &path))?;
            if found.is_dir() {
                // A link to a folder could lead round in a circle.
                if !path.is_symlink() {
                    self.walk(project, index, &below.join(&name), depth + 1)?;
                }
            } else if found.is_file() {
                self.add(index, below.join(&name), &path, found.len())?;
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        folder: usize,
        path: PathBuf,
        from: &Path,
        len: u64,
    ) -> Result<(), BuildError> {
        self.bytes += len;
        if self.files.len() >= MAX_FILES || self.bytes > MAX_BYTES {
            let dir = self.folders[folder].path.display();
            return Err(failed(&format!(
                "the folders of pythonpath hold over {MAX_FILES} files or {} MiB; the last that was \
                 read is {dir}",
                MAX_BYTES >> 20
            )));
        }
        let content = fs::read(from).map_err(BuildError::io("reading", from))?;
        self.files.push(File { folder, path, content });
        Ok(())
    }

    fn left_out(&self, project: &Project, path: &Path, name: &str) -> bool {
        let in_project = path.parent() == Some(&*project.dir);
        name.starts_with('.')
            || name == "__pycache__"
            || name.ends_with(".pyc")
            || (in_project && (NOT_IN_PROJECT.contains(&name) || is_test(name)))
            || path.join("pyvenv.cfg").exists()
            || self.folders.iter().any(|folder| folder.path == path)
    }
}

fn is_test(name: &str) -> bool {
    name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
}

fn names(dir: &Path) -> Result<Vec<std::ffi::OsString>, BuildError> {
    let entries = fs::read_dir(dir).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
    });
    let mut names = entries.map_err(BuildError::io("reading", dir))?;
    names.sort();
    Ok(names)
}

/// The folders of `pythonpath`, or those of a new project where `pyproject.toml` names none.
fn folders(project: &Project) -> Result<Vec<Folder>, BuildError> {
    let file = project.dir.join("pyproject.toml");
    let said = match fs::read_to_string(&file) {
        Ok(text) => {
            pythonpath(&text).map_err(|message| failed(&format!("pyproject.toml: {message}")))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(BuildError::io("reading", file)(error)),
    };
    let new = || [".", "witgate/plugins/sdk-python/src"].map(str::to_owned).to_vec();
    let folder = |said: String| match project.dir.join(&said).canonicalize() {
        Ok(path) => Ok(Folder { said, path }),
        Err(error) => Err(failed(&format!("pyproject.toml: pythonpath: {said:?}: {error}"))),
    };
    said.unwrap_or_else(new).into_iter().map(folder).collect()
}

/// `tool.pytest.ini_options.pythonpath`.
fn pythonpath(pyproject: &str) -> Result<Option<Vec<String>>, String> {
    let table: toml::Table = pyproject.parse().map_err(|e: toml::de::Error| e.to_string())?;
    let options = table.get("tool").and_then(|tool| tool.get("pytest")?.get("ini_options"));
    let Some(value) = options.and_then(|options| options.get("pythonpath")) else {
        return Ok(None);
    };
    let folders = value.as_array().map(|items| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    match folders.flatten() {
        Some(folders) if folders.first().is_some_and(|first| first == ".") => Ok(Some(folders)),
        _ => Err("pythonpath must be a list of folders that begins with \".\"".to_owned()),
    }
}

fn failed(message: &str) -> BuildError {
    let step = "collecting the modules of the plugin".to_owned();
    BuildError::Failed { step, output: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Project) {
        let dir = tempfile::tempdir().unwrap();
        let toml = "name='a'\nversion='1.0.0'\ndescription=''\nlanguage='python'\n";
        for (path, content) in [("plugin.toml", toml)].iter().chain(files) {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let project = Project::open(dir.path()).unwrap();
        (dir, project)
    }

    fn paths(sources: &Sources) -> Vec<String> {
        let shown = |file: &File| format!("{}/{}", file.folder, file.path.display());
        sources.files.iter().map(shown).collect()
    }

    #[test]
    fn what_is_not_of_the_plugin_is_left_out() {
        let (_dir, project) = project(&[
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\npythonpath = ['.', 'sdk/src', 'vendor']",
            ),
            ("app.py", ""),
            ("parts/table.json", "{}"),
            ("parts/tests/kept.py", ""),
            ("sdk/src/witgate/__init__.py", ""),
            ("vendor/other.py", ""),
            ("test_app.py", ""),
            ("tests/more.py", ""),
            ("build/python/0/app.py", ""),
            ("fixtures/a.json", ""),
            ("witgate/plugins/x.py", ""),
            (".venv/x.py", ""),
            ("env/pyvenv.cfg", ""),
            ("parts/__pycache__/x.pyc", ""),
        ]);
        let sources = Sources::read(&project).unwrap();
        let expected = [
            "0/app.py",
            "0/parts/table.json",
            "0/parts/tests/kept.py",
            "1/witgate/__init__.py",
            "2/other.py",
        ];
        assert_eq!(paths(&sources), expected);
    }

    #[test]
    fn the_digest_follows_every_file_and_the_version() {
        let digest = |app: &str, wit: &str, version: &str| {
            let (dir, project) = project(&[
                ("app.py", app),
                ("witgate/plugins/sdk-python/src/a.py", ""),
                ("build/wit/world.wit", wit),
                ("test_app.py", app),
            ]);
            let sources = Sources::read(&project).unwrap();
            sources.digest(version, &dir.path().join("build/wit")).unwrap()
        };
        let first = digest("x = 1", "world", "1");
        assert_eq!(first, digest("x = 1", "world", "1"));
        for other in [("x = 2", "world", "1"), ("x = 1", "world2", "1"), ("x = 1", "world", "2")] {
            assert_ne!(first, digest(other.0, other.1, other.2), "{other:?}");
        }
    }

    #[test]
    fn a_link_in_a_circle_ends() {
        let (dir, project) =
            project(&[("app.py", ""), ("witgate/plugins/sdk-python/src/a.py", "")]);
        std::os::unix::fs::symlink(dir.path(), dir.path().join("again")).unwrap();
        let sources = Sources::read(&project).unwrap();
        assert_eq!(paths(&sources), ["0/app.py", "1/a.py"]);
    }

    #[test]
    fn too_much_is_refused() {
        let (dir, project) =
            project(&[("app.py", ""), ("witgate/plugins/sdk-python/src/a.py", "")]);
        let large = fs::File::create(dir.path().join("large.bin")).unwrap();
        large.set_len(MAX_BYTES + 1).unwrap();
        let error = Sources::read(&project).err().unwrap().to_string();
        assert!(error.contains("64 MiB"), "{error}");
    }

    #[test]
    fn pythonpath_is_a_list_that_begins_with_the_project() {
        let path = |text: &str| pythonpath(&format!("[tool.pytest.ini_options]\n{text}"));
        assert_eq!(path("pythonpath = ['.', 'a']").unwrap().unwrap(), [".", "a"]);
        assert_eq!(path("").unwrap(), None);
        for wrong in ["pythonpath = 'a b'", "pythonpath = []", "pythonpath = ['a']", "pythonpath ="]
        {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
