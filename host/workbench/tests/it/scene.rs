//! Projects in folders of their own, and what is in the components that are built of them.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use wasmparser::{Parser, Payload};
use witgate_workbench::{BuildError, Built, Language, Progress, Silent, create};

/// What a component imports of ours that uses all there is.
pub(crate) const EVERY_INTERFACE: [&str; 13] = [
    "ancestry",
    "cache",
    "cgroups",
    "cmdline",
    "config",
    "environ",
    "executable",
    "files",
    "http",
    "log",
    "namespaces",
    "process",
    "systemd",
];

/// A new project, removed when it is dropped.
pub(crate) struct Scene {
    _folder: tempfile::TempDir,
    pub(crate) dir: PathBuf,
}

impl Scene {
    /// A project of this language, under a name that says whether it was put everywhere.
    pub(crate) fn new(language: Language) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("project");
        create(&dir, "my-own", language).unwrap();
        Self { _folder: folder, dir }
    }

    pub(crate) fn build(&self) -> Result<Built, BuildError> {
        witgate_workbench::build(&self.dir, &mut Silent)
    }

    /// What a build says that has to fail.
    pub(crate) fn build_error(&self) -> String {
        self.build().unwrap_err().to_string()
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.dir.join(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.join(file), text).unwrap();
    }

    /// Replaces a text that is in a file.
    pub(crate) fn replace(&self, file: &str, from: &str, to: &str) {
        let text = self.read(file);
        assert!(text.contains(from), "{file} has {from:?}");
        self.write(file, &text.replace(from, to));
    }

    /// Runs a program in the project as its author does: whether it ended well, and all it said.
    pub(crate) fn run(&self, program: &str, arguments: &[&str], target: &Path) -> (bool, String) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.dir);
        for (name, _) in std::env::vars_os() {
            let steers = ["CARGO_", "RUSTFLAGS", "RUSTC_", "MAKE", "RUST_BACKTRACE"];
            if steers.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        let output = command.env("CARGO_TARGET_DIR", target).output().unwrap();
        (output.status.success(), text(&output))
    }
}

/// Hears everything.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Vec<String>);

impl Progress for Heard {
    fn say(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
}

/// The custom sections of this name in a component, at any depth.
pub(crate) fn sections(wasm: &[u8], name: &str) -> Vec<String> {
    let payloads = Parser::new(0).parse_all(wasm).map(Result::unwrap);
    let named = payloads.filter_map(|payload| match payload {
        Payload::CustomSection(section) if section.name() == name => Some(section.data().to_vec()),
        _ => None,
    });
    named.map(|data| String::from_utf8(data).unwrap()).collect()
}

/// What a component imports, by the names of the interfaces without their versions.
pub(crate) fn imports(wasm: &[u8]) -> BTreeSet<String> {
    let decoded = wit_component::decode(wasm).unwrap();
    let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
        panic!("not a component")
    };
    let names = resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key));
    names.map(|name| name.split('@').next().unwrap().to_owned()).collect()
}

/// The interfaces of ours among them, in order.
pub(crate) fn ours(wasm: &[u8]) -> Vec<String> {
    let ours = imports(wasm).into_iter();
    let ours = ours.filter_map(|name| name.strip_prefix("witgate:attestor/").map(str::to_owned));
    ours.filter(|name| name != "types").collect()
}

/// All that a program said.
pub(crate) fn text(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

/// What it said, if it ended well.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", text(&output));
    text(&output)
}

/// Copies a folder without what a build left in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == "build" => {}
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Where the tests keep what they have installed or fetched, between runs.
pub(crate) fn cache(name: &str) -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache");
    base.unwrap_or_else(home).join("witgate/tools").join(name)
}

/// Whether a program can be found.
pub(crate) fn is_in(path: &OsStr, program: &str) -> bool {
    std::env::split_paths(path).any(|dir| dir.join(program).is_file())
}
