//! What a new project is made of, as `build.rs` of this crate collected it.

use crate::Language;

/// A path within a folder, and what is in the file.
pub(crate) type File = (&'static str, &'static [u8]);

mod tables {
    use super::File;

    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

fn folder(table: &'static [(&'static str, &'static [File])], name: &str) -> &'static [File] {
    table.iter().find(|(folder, _)| *folder == name).map_or(&[], |(_, files)| files)
}

/// The example of a language, which is its template.
pub(crate) fn example(language: Language) -> &'static [File] {
    folder(tables::EXAMPLES, language.as_str())
}

/// The SDK of a language.
pub(crate) fn sdk(language: Language) -> &'static [File] {
    folder(tables::SDKS, language.sdk())
}

/// The Go module that generated bindings rest on, without its documentation.
pub(crate) fn go_runtime() -> &'static [File] {
    folder(tables::GO_RUNTIME, "go")
}

/// All of `wit/`.
pub(crate) fn wit_files() -> &'static [File] {
    folder(tables::WIT, "wit")
}

/// One file of `wit/`.
pub(crate) fn wit(name: &str) -> Option<&'static str> {
    let (_, bytes) = wit_files().iter().find(|(path, _)| *path == name)?;
    str::from_utf8(bytes).ok()
}
