//! Runs every command that the README shows, in order, as it stands there.
//!
//! Blocks fenced as ```` ```console ```` hold lines that begin with `$ `; those are the commands,
//! the rest is what a reader should expect to see. A line `# …` before a command may say
//! `# exits 1`. All commands of one block run in one shell, with the daemon of the block before it
//! still running if it was started with `&`.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::shell::{build_witgate, root};

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

/// Runs them in one shell, in an empty folder, with the built binary on the path.
pub fn run() -> Result<()> {
    let binary = build_witgate()?;
    let readme = fs::read_to_string(root().join("README.md")).context("README.md")?;
    let commands = commands(&readme);
    if commands.len() < 10 {
        bail!(
            "README.md shows only {} commands in console blocks; has the format changed?",
            commands.len()
        );
    }
    let folder = std::env::temp_dir().join(format!("witgate-readme-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let outcome = run_in(&folder, &binary, &commands);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn run_in(folder: &Path, binary: &Path, commands: &[String]) -> Result<()> {
    let path = std::env::var("PATH").context("PATH")?;
    let tools = binary.parent().context("the binary has no folder")?;
    let status = Command::new("bash")
        .args(["-u", "-o", "pipefail", "-c"])
        .arg(script(commands))
        .env("PATH", format!("{}:{path}", tools.display()))
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .status()?;
    if !status.success() {
        bail!("a command of README.md failed; the last one shown above");
    }
    println!("    {} commands of README.md ran", commands.len());
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
