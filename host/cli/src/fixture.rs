//! `witgate fixture record`: what a plugin may know about a live process, as a file.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt as _,
    net::{UnixListener, UnixStream},
};
use witgate_attestor::{Attestation, Plugin, PluginSpec};
use witgate_facts::{
    Capabilities, Capability, FactSource as _, Interface, Recorder, Redaction, fixture::Recorded,
};
use witgate_peer::ProcessFacts;

use crate::{
    args::RecordOptions,
    exit::{Exit, Failure},
    output::{remark, say, say_json},
    plugin::{source::Source, workshop::Workshop},
    process,
    put::put_as,
};

/// Secrets are only guessed by their names: what is recorded is its recorder's alone at first.
const MODE: u32 = 0o600;

/// Records, writes, and says what is in it.
pub(crate) fn record(options: &RecordOptions) -> Result<Exit, Failure> {
    if let Some(file) = &options.output {
        require_place(file, options.force)?;
    }
    let workshop = Workshop::open()?;
    let plugin = options.plugin.as_deref().map(|plugin| load(&workshop, plugin, options));
    let plugin = plugin.transpose()?;
    let (recorded, said) = workshop.block_on(take(options, plugin.as_ref()))?;
    let text = serde_json::to_string_pretty(&recorded).map_err(Failure::internal)? + "\n";
    match &options.output {
        Some(file) => put_as(file, text.as_bytes(), MODE).map_err(|error| of_io(file, &error))?,
        None => say(&text),
    }
    let facts = facts(&recorded)?;
    match &options.output {
        Some(file) if options.form.json => {
            let outcome = said.as_ref().map(|said| &said.outcome);
            say_json(
                &json!({ "file": file, "about": recorded.about, "facts": facts, "outcome": outcome }),
            )?;
        }
        _ => tell(options.output.as_deref(), &recorded, &facts, said.as_ref()),
    }
    Ok(Exit::Ok)
}

/// Before anybody is asked anything: whether the file can be there.
fn require_place(file: &Path, force: bool) -> Result<(), Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let message = match folder {
        _ if file.exists() && !force => {
            format!("{} is there already; --force replaces it", file.display())
        }
        Some(folder) if !folder.exists() => {
            format!("the folder {} does not exist", folder.display())
        }
        _ => return Ok(()),
    };
    Err(Failure::new(Exit::Usage, message))
}

fn load(workshop: &Workshop, plugin: &Path, options: &RecordOptions) -> Result<Plugin, Failure> {
    let endpoints = process::endpoints(&options.endpoint);
    workshop.load(PluginSpec { endpoints, ..Source::open(plugin, false)?.spec()? })
}

/// Finds the process, lets the plugin ask what it asks, and then asks for everything else.
async fn take(
    options: &RecordOptions,
    plugin: Option<&Plugin>,
) -> Result<(Recorded, Option<Attestation>), Failure> {
    let (facts, pid, waiting) = match (options.pid, &options.listen) {
        (Some(pid), _) => (process::observe(pid).await?, pid, None),
        (None, Some(path)) => {
            let connection = next(path).await?;
            let (facts, pid) = process::accept(&connection).await?;
            (facts, pid, Some(connection))
        }
        (None, None) => return Err(Failure::new(Exit::Usage, "say --pid or --listen")),
    };
    let about = about(&facts, pid);
    let redaction = if options.keep_secrets { Redaction::Keep } else { Redaction::Secrets };
    let recorder = Arc::new(
        Recorder::new(facts)
            .with_endpoints(process::endpoints(&options.endpoint))
            .with_redaction(redaction),
    );
    let said = match plugin {
        Some(plugin) => {
            let (facts, endpoints) = (Arc::clone(&recorder) as _, Arc::clone(&recorder) as _);
            Some(plugin.run(facts, Some(endpoints), process::deadline()).await)
        }
        None => None,
    };
    let granted = plugin.map_or_else(plain, |plugin| plugin.toml().requests.clone());
    let recorded = recorder.finish(&granted, about).await;
    if let Some(mut connection) = waiting {
        // Whoever asked may have gone meanwhile; it is recorded all the same.
        let _ = connection.write_all(b"recorded\n").await;
    }
    Ok((recorded, said))
}

/// Every interface that gives facts without a name to ask for.
fn plain() -> Capabilities {
    [Interface::Ancestry, Interface::Cmdline, Interface::Executable, Interface::Systemd]
        .into_iter()
        .map(Capability::Interface)
        .collect()
}

fn about(facts: &ProcessFacts, pid: i32) -> String {
    let program =
        facts.executable().map_or_else(|_| String::new(), |file| format!(" of {}", file.path));
    let uid =
        facts.credentials().map_or_else(|_| String::new(), |who| format!(", uid {}", who.uid));
    format!("process {pid}{program}{uid}, {}", Timestamp::now())
}

/// Whoever connects next to a socket of this path, which is gone afterwards.
async fn next(path: &Path) -> Result<UnixStream, Failure> {
    let listener = UnixListener::bind(path).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(
            Exit::Usage,
            format!("{} is there already; remove it, or name another", path.display()),
        ),
        _ => of_io(path, &error),
    })?;
    let _removed = Socket(path.to_owned());
    // A service of any user may be the one that is meant; the folder says who gets here.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))
        .map_err(|error| of_io(path, &error))?;
    remark(&format!("waiting for whoever connects to {}", path.display()));
    tokio::select! {
        accepted = listener.accept() => accepted.map(|(stream, _)| stream).map_err(Failure::internal),
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Deny, "nobody connected")),
    }
}

/// A socket in the file system, until this is dropped.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The names of the facts that were found.
fn facts(recorded: &Recorded) -> Result<Vec<String>, Failure> {
    let Value::Object(fields) = serde_json::to_value(recorded).map_err(Failure::internal)? else {
        return Ok(Vec::new());
    };
    let found = |(name, value): (String, Value)| {
        (name.contains('.') && value.get("err").is_none()).then_some(name)
    };
    Ok(fields.into_iter().filter_map(found).collect())
}

fn tell(file: Option<&Path>, recorded: &Recorded, facts: &[String], said: Option<&Attestation>) {
    let file = file.map_or_else(String::new, |file| format!(" to {}", file.display()));
    remark(&format!("recorded{file}: {}", recorded.about));
    remark(&format!("  {}", facts.join(", ")));
    if !recorded.exchanges.is_empty() {
        remark(&format!("  {} exchanges with endpoints", recorded.exchanges.len()));
    }
    if let Some(said) = said {
        remark(&format!("  the plugin: {}", said.outcome));
    }
    remark("read it before you give it away: which values are secrets can only be guessed");
}

fn of_io(path: &Path, error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::Permission,
        _ => Exit::Usage,
    };
    Failure::new(exit, format!("{}: {error}", path.display()))
}
