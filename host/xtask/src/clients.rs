//! Clients of gRPC in other languages, as their registries have them, on the public socket: each
//! answers the challenge without knowing of it.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};

use crate::{
    daemon::Daemon,
    shell::{build_witgate, program, run},
};

const FOLDER: &str = "host/cli/tests/grpc";
/// A method that is not served.
const METHOD: &str = "/witgate.test.Service/Method";

/// All of them, one after the other.
pub fn grpc() -> Result<()> {
    let witgate = build_witgate()?;
    let dir = std::env::temp_dir().join(format!("witgate-clients-{}", std::process::id()));
    fs::create_dir(&dir).with_context(|| dir.display().to_string())?;
    let outcome = against(&witgate, &dir);
    fs::remove_dir_all(&dir)?;
    outcome
}

fn against(witgate: &Path, dir: &Path) -> Result<()> {
    let clients = [("Go", go(dir)?), ("Python", python()?), ("Java", java(dir)?)];
    let serving = dir.join("daemon");
    fs::create_dir(&serving)?;
    let mut daemon = Daemon::start(witgate, &serving)?;
    for (before, (language, mut client)) in clients.into_iter().enumerate() {
        let output = client.arg(serving.join("public/api.sock")).arg(METHOD).output()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        println!("--- {language}: {said}");
        if !said.to_uppercase().starts_with("UNIMPLEMENTED WITGATE SERVES NO SUCH METHOD") {
            bail!("{language}: {said}{}", String::from_utf8_lossy(&output.stderr));
        }
        let answered = answered(&serving)?;
        if answered != before + 1 {
            bail!("{language}: {answered} challenges were answered, {} expected", before + 1);
        }
    }
    daemon.stop()
}

fn go(dir: &Path) -> Result<Command> {
    let client = dir.join("go-client");
    let build = ["build", "-mod=readonly", "-o"];
    run(program("go", &format!("{FOLDER}/go"))?.args(build).arg(&client).arg("."))?;
    Ok(Command::new(client))
}

fn python() -> Result<Command> {
    let mut client = program("python3", &format!("{FOLDER}/python"))?;
    client.arg("client.py");
    Ok(client)
}

fn java(dir: &Path) -> Result<Command> {
    let (jars, folder) = (dir.join("jars"), format!("{FOLDER}/java"));
    let copy = format!("-DoutputDirectory={}", jars.display());
    let maven = ["--quiet", "--batch-mode", "dependency:copy-dependencies", &copy];
    run(program("mvn", &folder)?.args(maven))?;
    let mut client = program("java", &folder)?;
    client.arg("--class-path").arg(jars.join("*")).arg("Client.java");
    Ok(client)
}

/// How many challenges the daemon has had answered.
fn answered(serving: &Path) -> Result<usize> {
    let socket = serving.join("admin/admin.sock");
    let output = program("curl", ".")?
        .args(["--silent", "--fail", "--unix-socket"])
        .arg(socket)
        .arg("http://localhost/metrics")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = "witgate_challenges_total{outcome=\"answered\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(Ok(0), |number| Ok(number.parse()?))
}
