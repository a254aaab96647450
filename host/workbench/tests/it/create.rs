use std::{fs, path::Path};

use witgate_workbench::{Language, NewError, Project, create, fixtures};

use crate::scene::Scene;

/// Every file of a folder that is text, by its path within.
fn texts(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                found.push((path.strip_prefix(dir).unwrap().display().to_string(), text));
            }
        }
    }
    found
}

#[test]
fn a_new_project_is_whole_and_has_its_own_name() {
    for language in Language::ALL {
        let scene = Scene::new(language);
        let project = Project::open(&scene.dir).unwrap();
        assert_eq!((project.name(), project.language), ("my-own", language));
        for file in [".gitignore", "witgate/wit/files.wit"] {
            assert!(scene.dir.join(file).is_file(), "{language}: {file}");
        }
        assert!(scene.read("README.md").starts_with("# my-own-attestor\n"), "{language}");
        let license = fs::read_dir(scene.dir.join("witgate/plugins")).unwrap().next().unwrap();
        assert!(license.unwrap().path().join("LICENSE").is_file(), "{language}");
        assert!(scene.read(".gitignore").contains("build"), "{language}");
        let fixtures = fixtures(&scene.dir).unwrap();
        assert!(fixtures.len() >= 20 && fixtures.iter().all(|one| one.expected.is_some()));
        for (path, text) in texts(&scene.dir) {
            for left in ["os-attestor", "os_attestor", "`os:"] {
                assert!(!text.contains(left) && !path.contains(left), "{language}: {path}: {left}");
            }
            let own = !path.starts_with("witgate/");
            assert!(!own || !text.contains("../../../"), "{language}: {path} leads out");
        }
    }
}

#[test]
fn nothing_is_written_over_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    create(dir.path(), "first", Language::C).unwrap();
    let error = create(dir.path(), "second", Language::C).unwrap_err();
    assert!(matches!(error, NewError::NotEmpty { .. }), "{error}");
    assert!(error.to_string().contains("a folder of its own"), "{error}");
    assert_eq!(Project::open(dir.path()).unwrap().name(), "first");
    let file = dir.path().join("plugin.toml");
    assert!(matches!(create(&file, "x", Language::C), Err(NewError::Io { .. })));
}

#[test]
fn a_bad_name_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["", "My", "a b", "../up", "a/b", "-a", "a--b"] {
        let new = dir.path().join("new");
        assert!(matches!(create(&new, name, Language::Rust), Err(NewError::Name(_))), "{name}");
        assert!(!new.exists(), "{name}");
    }
}

#[test]
fn what_was_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let created = create(dir.path(), "a", Language::Rust).unwrap();
    let mut there: Vec<String> = texts(dir.path()).into_iter().map(|(path, _)| path).collect();
    let mut told: Vec<String> =
        created.files.iter().map(|file| file.display().to_string()).collect();
    there.sort();
    told.sort();
    assert_eq!(told, there);
}
