//! `witgate plugin pull`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use witgate_attestor::{limits, read_requests};
use witgate_provenance::SIGNATURE_SUFFIX;
use witgate_registry::{Access, Credentials, Pulled, Reference, docker_config, pull as fetch};

use super::{args::PullOptions, words};
use crate::{
    exit::{Exit, Failure, with_causes},
    output::{say, say_json},
    put::put,
};

/// Fetches a component, and the signature that comes with it.
pub(crate) fn pull(options: PullOptions) -> Result<Exit, Failure> {
    let PullOptions { reference, output, form } = options;
    let file = output.unwrap_or_else(|| default_file(&reference));
    let access = access(&reference)?;
    let pulled = runtime()?
        .block_on(fetch(&reference, limits::COMPONENT_BYTES, &access))
        .map_err(|error| Failure::unavailable(with_causes(&error)))?;
    let Pulled { component, digest, signature, .. } = &pulled;
    // What is not a plugin is not written under a plugin's name.
    let toml = read_requests(component.bytes())
        .map_err(|error| Failure::new(Exit::Deny, format!("{reference}: {error}")))?;
    let wrong = |path: &Path, error: io::Error| {
        Failure::new(Exit::Usage, format!("{}: {error}", path.display()))
    };
    let beside = PathBuf::from(format!("{}{SIGNATURE_SUFFIX}", file.display()));
    match signature {
        Some(text) => put(&beside, text.as_bytes()).map_err(|error| wrong(&beside, error))?,
        // One that is left from another component would be a bad one.
        None if beside.exists() => {
            fs::remove_file(&beside).map_err(|error| wrong(&beside, error))?;
        }
        None => {}
    }
    put(&file, component.bytes()).map_err(|error| wrong(&file, error))?;
    if form.json {
        say_json(&serde_json::json!({
            "file": file, "name": toml.name, "version": toml.version,
            "sha256": component.sha256().to_string(), "manifest": format!("sha256:{digest}"),
            "signature": signature.as_ref().map(|_| &beside),
        }))?;
        return Ok(Exit::Ok);
    }
    say(&format!(
        "wrote {}: {} {}, {}\n  sha256    {}\n  pulled    {}",
        file.display(),
        toml.name,
        toml.version,
        words::size(component.bytes().len()),
        component.sha256(),
        reference.pinned(*digest)
    ));
    say(&match signature {
        Some(_) => format!("  signature {} (not checked yet)", beside.display()),
        None => "  signature none".to_owned(),
    });
    say(&format!("add it with: witgate plugin add {}", file.display()));
    Ok(Exit::Ok)
}

fn default_file(reference: &Reference) -> PathBuf {
    let last = reference.repository().rsplit('/').next().unwrap_or("plugin");
    PathBuf::from(format!("{last}.wasm"))
}

/// With what `docker login` or `podman login` keep for the registry.
pub(crate) fn access(reference: &Reference) -> Result<Access, Failure> {
    let found = docker_config().map(|file| Credentials::from_docker_config(&file, reference));
    let credentials =
        found.transpose().map_err(|error| Failure::config(with_causes(&error)))?.flatten();
    Ok(Access { credentials, ..Access::default() })
}

/// Something to wait on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)
}
