use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    BuildError, Language, Progress, Project,
    tool::{Step, Tool, ToolStatus},
    workspace::Workspace,
};

const NODE: Tool = Tool {
    program: "node",
    version_args: &["-p", "if (parseInt(process.versions.node) < 20) throw 0; process.version"],
    needed_for: "building JavaScript and TypeScript",
    install: "install Node 20 or newer: apt-get install nodejs npm (Debian 13 or newer)",
};

const NPM: Tool = Tool {
    program: "npm",
    version_args: &["--version"],
    needed_for: "installing the packages of JavaScript and TypeScript projects",
    install: "install Node 20 or newer: apt-get install nodejs npm (Debian 13 or newer)",
};

/// What a project has in `node_modules`. Of the two engines that make components of JavaScript,
/// componentize-qjs is the one that `jco componentize --backend qjs` starts, without the rest of
/// jco (40 MB in place of 390 MB):
///
/// | engine | component | build | instance and first call, over Rust's |
/// |---|---|---|---|
/// | QuickJS (componentize-qjs 0.4.5) | 1.8 MB | 2 s | 0.4 ms |
/// | StarlingMonkey (componentize-js 0.23.0) | 12 MB | 6 to 12 s | over 2 ms |
///
/// esbuild makes one module of the author's files, the SDK and whatever else is imported.
const PACKAGES: [Tool; 3] = [
    package("componentize-qjs", "making components of JavaScript", INSTALL_PACKAGES),
    package("esbuild", "making one module of several", INSTALL_PACKAGES),
    SDK,
];

const SDK: Tool = package(
    "@witgate/sdk",
    "what attestors import",
    "install it in the project: npm install ./witgate/plugins/sdk-js",
);

const INSTALL_PACKAGES: &str =
    "install it in the project: npm install --save-dev componentize-qjs@0.4.5 esbuild@0.28.2";

const fn package(name: &'static str, needed_for: &'static str, install: &'static str) -> Tool {
    Tool { program: name, version_args: &[], needed_for, install }
}

/// The programs needed.
pub(super) fn toolchain() -> &'static [Tool] {
    &[NODE, NPM]
}

/// Which of the packages needed are there.
pub(super) fn packages(project: &Project) -> Vec<ToolStatus> {
    let version = |tool: &Tool| version(&in_node_modules(&project.dir, tool.program)?);
    PACKAGES.map(|tool| ToolStatus { tool, version: version(&tool) }).into()
}

/// What a package says about its version, if anything; none if it is not whole.
fn version(package: &Path) -> Option<String> {
    let text = fs::read_to_string(package.join("package.json")).ok()?;
    let said: serde_json::Value = serde_json::from_str(&text).ok()?;
    Some(said["version"].as_str().unwrap_or_default().to_owned())
}

/// Builds the component, without manifest and fixtures: the caller embeds those.
pub(super) fn build(
    project: &Project,
    work: &Workspace,
    progress: &mut dyn Progress,
) -> Result<Vec<u8>, BuildError> {
    let node = NODE.step(work, "making a component with componentize-qjs")?;
    if NODE.status(&work.path).version.is_none() {
        return Err(NODE.missing());
    }
    for package in PACKAGES {
        require(project, &package)?;
    }
    let sdk = require(project, &SDK)?;
    let source = source(project)?;
    if project.language == Language::TypeScript {
        check_types(project, work, progress)?;
    }
    progress.say("making a component with componentize-qjs");
    let component = work.dir.join("componentized.wasm");
    let step = node.arg(sdk.join("componentize/main.js")).arg(&project.dir).arg(source);
    for line in step.arg(&work.wit).arg(&component).run()?.lines() {
        progress.say(line);
    }
    fs::read(&component).map_err(BuildError::io("reading", component))
}

/// The file that exports the attestor.
fn source(project: &Project) -> Result<&'static str, BuildError> {
    let name = match project.language {
        Language::TypeScript => "attestor.ts",
        _ => "attestor.js",
    };
    let path = project.dir.join(name);
    fs::metadata(&path).map_err(BuildError::io("reading", path))?;
    Ok(name)
}

/// A package's folder, in the project's `node_modules` or one further up.
fn require(project: &Project, package: &Tool) -> Result<PathBuf, BuildError> {
    in_node_modules(&project.dir, package.program).ok_or_else(|| BuildError::Missing {
        tool: format!("the npm package `{}`", package.program),
        install: package.install.to_owned(),
    })
}

fn in_node_modules(dir: &Path, below: &str) -> Option<PathBuf> {
    dir.ancestors().map(|dir| dir.join("node_modules").join(below)).find(|path| path.exists())
}

/// esbuild only takes the types away, so they are checked where the compiler is installed.
fn check_types(
    project: &Project,
    work: &Workspace,
    progress: &mut dyn Progress,
) -> Result<(), BuildError> {
    let Some(tsc) = in_node_modules(&project.dir, ".bin/tsc") else {
        progress.say("types are not checked: the npm package `typescript` is not installed");
        return Ok(());
    };
    progress.say("checking types with tsc");
    let step = Step::new(tsc, "checking types with tsc", &work.path, &project.dir);
    step.args(["--noEmit", "--pretty", "false"]).run().map(drop)
}
