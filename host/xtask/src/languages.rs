//! Every guest language: its SDK and example natively, as an author tests them, and a new project
//! built, tested and run about a real process in the sandbox.

use std::{fs, path::Path};

use anyhow::{Context, Result};

use crate::shell::{build_witgate, cargo, program, root, run};

const LANGUAGES: [&str; 6] = ["rust", "go", "c", "python", "js", "ts"];

/// All of them.
pub fn all() -> Result<()> {
    native()?;
    let binary = build_witgate()?;
    let folder = std::env::temp_dir().join(format!("witgate-languages-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let outcome = LANGUAGES.iter().try_for_each(|language| {
        sandboxed(&binary, &folder, language).with_context(|| format!("the language {language}"))
    });
    fs::remove_dir_all(&folder)?;
    outcome?;
    // Every interface, and every mistake that an author can make, in the real sandbox.
    install_packages(&root().join(everything("sdk-js")))?;
    ["sdk-go", "sdk-python", "sdk-js"].map(everything).iter().try_for_each(|folder| {
        run(program(&binary.display().to_string(), ".")?.args(["plugin", "test", folder]))
    })
}

fn everything(sdk: &str) -> String {
    format!("plugins/{sdk}/tests/everything")
}

/// What a JavaScript project's lock file names, in its `node_modules`.
fn install_packages(project: &Path) -> Result<()> {
    let install = ["ci", "--no-audit", "--no-fund", "--loglevel", "error"];
    run(program("npm", ".")?.current_dir(project).args(install))
}

fn example(language: &str) -> String {
    format!("examples/attestors/{language}")
}

fn native() -> Result<()> {
    let rust = root().join(example("rust"));
    run(cargo().current_dir(&rust).args(["fmt", "--check"]))?;
    run(cargo().current_dir(&rust).args(["test", "--locked"]))?;
    run(program("make", &example("c"))?.arg("test"))?;
    for folder in ["plugins/sdk-go", &everything("sdk-go"), &example("go")] {
        run(program("go", folder)?.args(["test", "./..."]))?;
    }
    for folder in ["plugins/sdk-python", &example("python")] {
        let pytest = ["-m", "pytest", "--quiet", "-p", "no:cacheprovider"];
        run(program("python3", folder)?.args(pytest).env("PYTHONDONTWRITEBYTECODE", "1"))?;
    }
    run(program("npm", "plugins/sdk-js")?.args(["test", "--silent"]))
}

/// From nothing to what it says about this very process.
fn sandboxed(witgate: &Path, folder: &Path, language: &str) -> Result<()> {
    let project = folder.join(language);
    let witgate = |arguments: &[&str]| -> Result<()> {
        run(program(&witgate.display().to_string(), ".")?.current_dir(folder).args(arguments))
    };
    witgate(&["plugin", "new", &format!("the-{language}"), "--lang", language, "--in", language])?;
    if matches!(language, "js" | "ts") {
        install_packages(&project)?;
        run(program("npm", ".")?.current_dir(&project).args(["test", "--silent"]))?;
    }
    witgate(&["plugin", "test", language])?;
    let pid = std::process::id().to_string();
    witgate(&["plugin", "run", language, "--no-build", "--pid", &pid])
}
