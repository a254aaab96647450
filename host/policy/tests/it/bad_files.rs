//! Every file of `tests/bad` is refused with exactly the errors that stand beside it.
//!
//! `UPDATE_EXPECTED=1 cargo test -p witgate-policy` writes them anew; read the difference.

use std::{fs, path::Path};

use witgate_policy::{Policy, SourceFile};

use crate::world::{now, options, vocabulary};

fn rendered(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let file = SourceFile { text: fs::read_to_string(path).unwrap(), name };
    let errors = Policy::load(&[file], &vocabulary(), &options(), now()).map(|_| ()).unwrap_err();
    format!("{errors}\n")
}

#[test]
fn bad_files_are_refused_with_these_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        seen += 1;
        let (found, beside) = (rendered(&path), path.with_extension("txt"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&beside, &found).unwrap();
        }
        let expected = fs::read_to_string(&beside).unwrap_or_default();
        assert_eq!(found, expected, "{}", path.display());
    }
    assert!(seen >= 10, "{seen} files");
}
