//! Runs every command that a document shows, in order, as it stands there.
//!
//! Blocks fenced as ```` ```console ```` hold lines that begin with `$ `; those are the commands,
//! the rest is what a reader should expect to see. A line `# …` before a command may say
//! `# exits 1`. All commands of one block run in one shell, with the daemon of the block before it
//! still running if it was started with `&`.

use std::{ffi::OsStr, fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    needs,
    shell::{build_witgate, root},
};

/// Cuts the commands out of the README's `console` blocks. A command goes on over lines that end in
/// a backslash, and over a here-document that ends in `END`.
fn commands(readme: &str) -> Vec<String> {
    let mut inside = false;
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in readme.lines() {
        if line.starts_with("```") && !open {
            inside = line == "```console";
        } else if inside && open {
            if let Some(last) = found.last_mut() {
                last.push('\n');
                last.push_str(line);
            }
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            found.push(command.to_owned());
        } else {
            continue;
        }
        open = inside && found.last().is_some_and(|command| goes_on(command));
    }
    found
}

fn goes_on(command: &str) -> bool {
    command.ends_with('\\') || (command.contains("<<'END'") && !command.ends_with("\nEND"))
}

/// Runs the commands of a document in one shell, in an empty folder, with the built binary and the
/// guests' toolchains on the path. There must be at least so many.
pub fn run(document: &str, at_least: usize) -> Result<()> {
    let binary = build_witgate()?;
    let text = fs::read_to_string(root().join(document)).context(document.to_owned())?;
    let commands = commands(&text);
    if commands.len() < at_least {
        bail!(
            "{document} shows only {} commands in console blocks; has the format changed?",
            commands.len()
        );
    }
    let folder = std::env::temp_dir().join(format!("witgate-document-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let outcome = run_in(&folder, &binary, &commands);
    fs::remove_dir_all(&folder)?;
    outcome.with_context(|| {
        format!("a command of {document} failed; it is the last one shown above")
    })?;
    println!("    {} commands of {document} ran", commands.len());
    Ok(())
}

fn run_in(folder: &Path, binary: &Path, commands: &[String]) -> Result<()> {
    let tools = binary.parent().context("the binary has no folder")?;
    let path = [tools.as_os_str().to_owned(), needs::path()?].join(OsStr::new(":"));
    let status = Command::new("bash")
        .args(["-u", "-o", "pipefail", "-c"])
        .arg(script(commands))
        .env("PATH", path)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .status()?;
    if !status.success() {
        bail!("the shell ended with {status}");
    }
    Ok(())
}

/// Each command is shown before it runs; the first unexpected exit code ends the script. A command
/// with the comment `# exits N` must exit with N.
fn script(commands: &[String]) -> String {
    let mut script = String::from("trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\nran=0\n");
    for command in commands {
        let wanted = command.rsplit_once("# exits ").map_or("0", |(_, code)| code.trim());
        let quoted = command.replace('\'', "'\\''");
        let _ = writeln!(script, "echo '    $ {quoted}'\nran=$((ran + 1))\n{command}");
        if !command.trim_end().ends_with('&') {
            let _ = writeln!(
                script,
                "got=$?; [ $got = {wanted} ] || {{ echo \"exit code $got, expected {wanted}\"; exit 1; }}"
            );
        }
    }
    // A quote that is left open would swallow the rest, and look like success.
    let _ = writeln!(
        script,
        "[ $ran = {} ] || {{ echo \"only $ran commands ran\"; exit 1; }}",
        commands.len()
    );
    script
}
