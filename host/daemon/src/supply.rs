//! One plugin file on its way into the daemon: read once, and admitted or refused.

use std::path::{Path, PathBuf};

use witgate_attestor::{limits, read_requests};
use witgate_provenance::{
    Candidate, Component, LockError, LockFile, Owner, Pin, ReadError, SIGNATURE_SUFFIX, SignedBy,
    Version, admit, parse_version, read_component, read_signature,
};

use crate::{
    causes::with_causes,
    config::{Config, ConfigError, PluginConfig},
    inputs::Inputs,
};

/// Why a plugin was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// It is part of the daemon.
    pub(crate) builtin: bool,
    /// The lock file names this very file.
    pub(crate) pinned: bool,
    /// A trusted key signed it.
    pub(crate) signed_by: Option<SignedBy>,
    /// Nothing was checked, because the operator said so.
    pub(crate) dev_override: bool,
}

/// Who checks plugin files: the policy of the configuration with the lock file beside it.
#[derive(Debug)]
pub(crate) struct Gatekeeper<'a> {
    config: &'a Config,
    owner: Owner,
    /// None if it has mistakes; then no file is admitted.
    lock: Option<LockFile>,
}

/// A plugin file in memory.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) path: PathBuf,
    pub(crate) component: Component,
    /// None if it is not a plugin at all, which loading it will say in better words.
    pub(crate) provenance: Option<Provenance>,
}

impl<'a> Gatekeeper<'a> {
    /// Reads the lock file. In one folder anybody may own the files, since it is an author's own;
    /// an installed daemon takes only what root or its own user alone can write.
    pub(crate) fn new(
        config: &'a Config,
        inputs: &mut Inputs,
        errors: &mut Vec<ConfigError>,
    ) -> Self {
        let layout = &config.layout;
        let owner = if layout.one_folder { Owner::Anyone } else { Owner::RootOrUs };
        let lock = match LockFile::read(&layout.lock, owner) {
            Ok(lock) => Some(lock),
            Err(error) => {
                errors.extend(of_lock(&layout.lock, &error));
                None
            }
        };
        match &lock {
            Some(lock) => inputs.add(&layout.lock, lock.to_string().as_bytes()),
            None => inputs.add_absent(&layout.lock),
        }
        Self { config, owner, lock }
    }

    /// Reads a plugin file and its signature, and says whether it may be loaded.
    pub(crate) fn read(
        &self,
        plugin: &PluginConfig,
        path: PathBuf,
        inputs: &mut Inputs,
    ) -> Result<Read, ConfigError> {
        inputs.add_absent(&path);
        let component = read_component(&path, limits::COMPONENT_BYTES, self.owner)
            .map_err(|error| plugin.mistake("source", with_causes(&error)))?;
        inputs.add_digest(&path, component.sha256());
        if plugin.dev_override {
            let provenance = Some(Provenance { dev_override: true, ..Provenance::default() });
            return Ok(Read { path, component, provenance });
        }
        let signature = self.signature(plugin, &path, inputs)?;
        let provenance = self.admit(plugin, &component, signature.as_deref())?;
        Ok(Read { path, component, provenance })
    }

    fn signature(
        &self,
        plugin: &PluginConfig,
        component: &Path,
        inputs: &mut Inputs,
    ) -> Result<Option<String>, ConfigError> {
        let named = plugin.signature.as_ref().map(|named| self.config.layout.plugins.join(named));
        let mut file = component.as_os_str().to_owned();
        file.push(SIGNATURE_SUFFIX);
        let file = named.clone().unwrap_or_else(|| PathBuf::from(file));
        inputs.add_absent(&file);
        let wrong = |error: ReadError| plugin.mistake("signature", with_causes(&error));
        let text = read_signature(&file.with_extension(""), self.owner).map_err(wrong)?;
        match &text {
            Some(text) => inputs.add(&file, text.as_bytes()),
            None if named.is_some() => {
                let message = format!("{}: there is no such file", file.display());
                return Err(plugin.mistake("signature", message));
            }
            None => {}
        }
        Ok(text)
    }

    fn admit(
        &self,
        plugin: &PluginConfig,
        component: &Component,
        signature: Option<&str>,
    ) -> Result<Option<Provenance>, ConfigError> {
        let Some(lock) = &self.lock else { return Ok(None) };
        let pin = lock.get(&plugin.name);
        let Some(version) = version(component, pin)
            .map_err(|cause| plugin.mistake("source", format!("its version: {cause}")))?
        else {
            return Ok(None);
        };
        let (name, version) = (&plugin.name, &version);
        let candidate = Candidate { name, version, component, signature };
        let admitted = admit(&self.config.supply, lock, candidate)
            .map_err(|error| plugin.mistake("source", with_causes(&error)))?;
        let (pinned, signed_by) = (admitted.pinned, admitted.signed_by);
        Ok(Some(Provenance { pinned, signed_by, ..Provenance::default() }))
    }
}

/// The version in a component. One that is not a plugin any more counts as what it was pinned as:
/// then it is said that it was changed, and not only that it cannot be read.
fn version(component: &Component, pin: Option<&Pin>) -> Result<Option<Version>, String> {
    match read_requests(component.bytes()) {
        Ok(toml) => parse_version(&toml.version).map(Some).map_err(|error| error.to_string()),
        Err(_) => Ok(pin.map(|pin| pin.version.clone())),
    }
}

fn of_lock(path: &Path, error: &LockError) -> Vec<ConfigError> {
    let LockError::Mistakes(mistakes) = error else {
        return vec![ConfigError::of_file(path, with_causes(error))];
    };
    let mistakes = mistakes.as_slice().iter().cloned();
    mistakes
        .map(|mistake| ConfigError {
            file: mistake.file,
            line: Some(mistake.line),
            key: mistake.key,
            message: mistake.message,
        })
        .collect()
}
