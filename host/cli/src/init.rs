//! `witgate init`.

use std::{fs, io};

use witgate_daemon::config::{Layout, SCHEMA};
use witgate_identity::TrustDomain;
use witgate_policy::default_entries;

use crate::{
    args::{InitOptions, Place},
    exit::{Exit, Failure},
    output::say,
    put::put,
};

/// The commented configuration; the trust domain is filled in.
const TEMPLATE: &str = include_str!("witgate.toml");

/// Writes a configuration and example entries; never over what is there, unless told to.
pub(crate) fn init(place: &Place, options: &InitOptions) -> Result<Exit, Failure> {
    let domain = TrustDomain::new(&options.trust_domain)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let layout: Layout = place.layout()?;
    if layout.config.exists() && !options.force {
        let message = format!("{} is there already; --force replaces it", layout.config.display());
        return Err(Failure::new(Exit::Config, message));
    }
    let failed = |error: io::Error| {
        let exit = match error.kind() {
            io::ErrorKind::PermissionDenied => Exit::Permission,
            _ => Exit::Internal,
        };
        Failure::new(exit, format!("{}: {error}", layout.config.display()))
    };
    fs::create_dir_all(&layout.entries).map_err(failed)?;
    let config = TEMPLATE.replace("example.org", domain.as_str());
    put(&layout.config, config.as_bytes()).map_err(failed)?;
    say(&format!("wrote {}", layout.config.display()));
    let example = layout.entries.join("example.toml");
    if !example.exists() {
        let owner = rustix::process::geteuid().as_raw();
        fs::write(&example, default_entries(owner)).map_err(failed)?;
        say(&format!("wrote {}", example.display()));
    }
    let schema = layout.config.with_file_name("witgate.schema.json");
    put(&schema, SCHEMA.as_bytes()).map_err(failed)?;
    say(&format!("wrote {}", schema.display()));
    say("check it with: witgate entry check");
    Ok(Exit::Ok)
}
