use std::{
    ffi::OsString,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use witgate_facts::Interface;

use crate::{BuildError, Project, embedded};

/// Where a build puts what it makes, inside the project and ignored by git.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// `build/` in the project.
    pub(crate) dir: PathBuf,
    /// WIT files with a world `plugin` of exactly the interfaces that the plugin has: those it asks
    /// for and those that every plugin has.
    pub(crate) wit: PathBuf,
    /// Where programs are searched for, as in `PATH`.
    pub(crate) path: OsString,
}

impl Workspace {
    /// Makes the folder and writes the WIT files. What is already as it should be is not touched,
    /// so that a build which looks at times of change has nothing to do.
    pub(crate) fn prepare(project: &Project, path: OsString) -> Result<Self, BuildError> {
        let dir = project.dir.join("build");
        let wit = dir.join("wit");
        fs::create_dir_all(&wit).map_err(BuildError::io("making", &wit))?;
        let files = wit_files(project);
        remove_others(&wit, &files).map_err(BuildError::io("cleaning", &wit))?;
        for (name, text) in &files {
            write_if_changed(&wit.join(name), text.as_bytes())?;
        }
        Ok(Self { dir, wit, path })
    }
}

/// Writes a file unless it already has this content.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), BuildError> {
    if fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(BuildError::io("making", parent))?;
    }
    fs::write(path, content).map_err(BuildError::io("writing", path))
}

/// The interfaces of a plugin, by name.
pub(crate) fn interfaces(project: &Project) -> impl Iterator<Item = Interface> {
    let has = |i: &Interface| i.always_granted() || project.toml.requests.reach(*i);
    Interface::ALL.into_iter().filter(has)
}

fn wit_files(project: &Project) -> Vec<(String, String)> {
    let mut files = vec![("world.wit".to_owned(), world(project))];
    let names = interfaces(project).map(Interface::as_str).chain(["attestor", "types"]);
    for name in names.map(|name| format!("{name}.wit")) {
        if let Some(text) = embedded::wit(&name) {
            files.push((name, text.to_owned()));
        }
    }
    files
}

fn world(project: &Project) -> String {
    let mut text = "package witgate:attestor@0.1.0;\n\n\
                    /// What plugin.toml asks for, and what every plugin has.\n\
                    world plugin {\n"
        .to_owned();
    for interface in interfaces(project) {
        let _ = writeln!(text, "    import {interface};");
    }
    text + "\n    export attestor;\n}\n"
}

fn remove_others(dir: &Path, files: &[(String, String)]) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !files.iter().any(|(name, _)| entry.file_name() == name.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(requests: &str) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "name='a'\nversion='1.0.0'\ndescription=''\nlanguage='rust'\nrequests={requests}\n"
        );
        fs::write(dir.path().join("plugin.toml"), text).unwrap();
        let project = Project::open(dir.path()).unwrap();
        let stale = dir.path().join("build/wit/stale.wit");
        fs::create_dir_all(stale.parent().unwrap()).unwrap();
        fs::write(&stale, "package other:one;").unwrap();
        let work = Workspace::prepare(&project, OsString::new()).unwrap();

        let mut resolve = wit_parser::Resolve::default();
        let (package, _) = resolve.push_dir(&work.wit).unwrap();
        let world = resolve.select_world(&[package], Some("plugin")).unwrap();
        let imports = resolve.worlds[world].imports.keys();
        imports.map(|key| resolve.name_world_key(key)).collect()
    }

    #[test]
    fn the_world_is_what_is_asked_for_and_what_every_plugin_has() {
        let name = |i: &str| format!("witgate:attestor/{i}@0.1.0");
        // `types` is there because the others use it.
        let always = ["types", "cgroups", "config", "log", "namespaces", "process"].map(name);
        let mut found = imports("[]");
        found.sort();
        let mut expected = always.to_vec();
        expected.sort();
        assert_eq!(found, expected);
        let mut found = imports("['files.workload:/etc/os-release', 'http:docker', 'process']");
        found.sort();
        expected.extend(["files", "http"].map(name));
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_interface_is_embedded() {
        for interface in Interface::ALL {
            assert!(embedded::wit(&format!("{interface}.wit")).is_some(), "{interface}");
        }
    }
}
