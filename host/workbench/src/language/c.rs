//! C, compiled by clang with a libc for WASI, or by Zig, which is clang with everything it needs.
//!
//! The project's own Makefile compiles it, so that an author may add sources, flags and libraries.
//! It is told the compiler, with the flags that a component needs, and where the bindings are.

use std::{fs, path::Path};

use witgate_facts::Interface;

use crate::{
    BuildError, Progress, Project, bindings, component,
    tool::Tool,
    workspace::{Workspace, interfaces},
};

const MAKE: Tool = Tool {
    program: "make",
    version_args: &["--version"],
    needed_for: "running the project's Makefile",
    install: "install make: apt-get install make",
};

/// What each compiler is needed for; the first that is there is taken.
const COMPILING: &str = "compiling C to WebAssembly";

const INSTALL_ZIG: &str = "install Zig in a virtual environment of the project: python3 -m venv .venv && .venv/bin/pip \
     install ziglang";
const INSTALL_CLANG: &str = "install clang: apt-get install clang lld wasi-libc libclang-rt-dev-wasm32 (with a version, such \
     as clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32)";

/// Links an empty program that includes a header: for this clang needs the linker, the libc and its
/// own library.
const CLANG_WORKS: &[&str] = &[
    "--target=wasm32-wasi",
    "-mexec-model=reactor",
    "-include",
    "stdlib.h",
    "-x",
    "c",
    "/dev/null",
    "-o",
    "/dev/null",
];

const fn clang(program: &'static str) -> Tool {
    Tool { program, version_args: CLANG_WORKS, needed_for: COMPILING, install: INSTALL_CLANG }
}

const TOOLCHAIN: [Tool; 8] = [
    MAKE,
    Tool {
        program: "zig",
        version_args: &["version"],
        needed_for: COMPILING,
        install: INSTALL_ZIG,
    },
    Tool {
        program: "python3",
        version_args: &["-m", "ziglang", "version"],
        needed_for: COMPILING,
        install: INSTALL_ZIG,
    },
    clang("clang"),
    clang("clang-22"),
    clang("clang-19"),
    clang("clang-16"),
    clang("clang-14"),
];

/// The programs needed.
pub(super) fn toolchain() -> &'static [Tool] {
    &TOOLCHAIN
}

/// Builds the component, without manifest and fixtures.
pub(super) fn build(
    project: &Project,
    work: &Workspace,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>, BuildError> {
    let make = MAKE.step(work, "compiling with make")?;
    let (compiler, words) = compiler(work)?;
    progress.say(&format!("compiling with {words}"));
    let folder = work.dir.join("bindings");
    bindings::generate(&mut *wit_bindgen_c::Opts::default().build(), work, &folder)?;
    compiler
        .step(work, "compiling the bindings")?
        .args(words.split(' ').skip(1))
        .args(["--target=wasm32-wasi", "-Os", "-c", "bindings/plugin.c", "-o"])
        .arg("bindings/plugin.o")
        .run()?;

    let module = work.dir.join("plugin.module.wasm");
    remove(&module)?;
    make.dir(&project.dir)
        .args(["--no-print-directory", "component"])
        .arg(format!("WASM_CC={words} {}", flags(project, words)))
        .arg("WASM_BINDINGS=build/bindings/plugin.o build/bindings/plugin_component_type.o")
        .arg("WASM_OUT=build/plugin.module.wasm")
        .run()
        .map_err(|error| not_requested(project, error))?;
    let core = fs::read(&module).map_err(BuildError::io("reading what make built,", &module))?;
    let core = component::without_debug_info(&core)?;
    let adapter = component::calls_preview1(&core)?.then_some(component::REACTOR);
    component::componentize(&core, adapter)
}

/// The first compiler that works, and the words that start it.
fn compiler(work: &Workspace) -> Result<(&'static Tool, &'static str), BuildError> {
    let compilers = TOOLCHAIN.iter().filter(|tool| tool.needed_for == COMPILING);
    let found = compilers.into_iter().find(|tool| tool.status(&work.path).version.is_some());
    let tool = found.ok_or_else(|| BuildError::Missing {
        tool: "a compiler for C to WebAssembly".to_owned(),
        install: format!("{INSTALL_CLANG}; or {INSTALL_ZIG}"),
    })?;
    let words = match tool.program {
        "zig" => "zig cc",
        "python3" => "python3 -m ziglang cc",
        clang => clang,
    };
    Ok((tool, words))
}

/// What makes a component of C: a library in place of a program, small, with a stack that traps
/// where it ends, and with the functions of those interfaces that the plugin asks for.
fn flags(project: &Project, words: &str) -> String {
    let mut flags = String::from(
        "--target=wasm32-wasi -mexec-model=reactor -Os -fno-strict-aliasing -Wl,-z,stack-size=262144 \
         -Ibuild/bindings",
    );
    if !words.ends_with(" cc") {
        // Zig does so by itself.
        flags.push_str(" -Wl,--stack-first");
    }
    for interface in interfaces(project).filter(|interface| !Interface::always_granted(*interface))
    {
        let name = interface.as_str().to_uppercase();
        flags.push_str(&format!(" -DWITGATE_ASKS_FOR_{name}"));
    }
    flags
}

/// The linker's words for a function of an interface that the plugin does not ask for.
fn not_requested(project: &Project, error: BuildError) -> BuildError {
    let BuildError::Failed { output, .. } = &error else { return error };
    let symbols = output.split("undefined symbol: witgate_").skip(1);
    let mut missing = symbols.filter_map(|symbol| symbol.split('_').next()?.parse().ok());
    match missing.find(|interface| !interfaces(project).any(|has| has == *interface)) {
        Some(interface) => BuildError::not_requested(project, interface),
        None => error,
    }
}

/// Removes what an earlier build left, so that nobody takes it for this one's.
fn remove(file: &Path) -> Result<(), BuildError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(BuildError::io("removing", file)(error))
        }
        _ => Ok(()),
    }
}
