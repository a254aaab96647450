//! `witgate plugin add`.

use std::io::IsTerminal as _;

use serde_json::json;
use witgate_attestor::{PluginSpec, read_requests};
use witgate_daemon::config::{Config, Layout};
use witgate_facts::{Capabilities, PluginToml};
use witgate_identity::PluginName;
use witgate_protocol::frame::printable;
use witgate_provenance::{
    Candidate, LockFile, Note, Owner, Pin, Version, admit, parse_version, read_signature,
};

use super::{
    args::AddOptions,
    configuration::{Configuration, Wish},
    install::{Effect, Installation, install},
    replaced::Replaced,
    source::{Source, of_read},
    words,
    workshop::Workshop,
};
use crate::{
    args::Place,
    exit::{Exit, Failure, with_causes},
    output::{remark, say, say_json},
};

/// The plugin that is to be added.
struct Newcomer {
    name: PluginName,
    version: Version,
    toml: PluginToml,
    source: Source,
    signature: Option<String>,
}

/// Shows what it asks for, lets the operator decide, tries it, and adds it.
pub(crate) fn add(place: &Place, options: &AddOptions) -> Result<Exit, Failure> {
    if let Some(dir) = place.folder()?.filter(|dir| !dir.is_dir()) {
        return Err(Failure::config(format!("{}: there is no such folder", dir.display())));
    }
    let config = place.config()?;
    let newcomer = Newcomer::read(options)?;
    newcomer.check_name(&config)?;
    let configuration = Configuration::read(&config.layout, &newcomer.name)?;
    let mut lock = read_lock(&config.layout)?;
    let sha256 = newcomer.source.component.sha256();
    let replaced = Replaced::find(&config, &lock, &newcomer.name, sha256);
    newcomer.pin(&config, &mut lock, options.allow_downgrade)?;
    newcomer.agree(replaced.as_ref(), options)?;
    let grants: Capabilities = newcomer.toml.needed().into_iter().collect();
    let kept = replaced.and_then(|replaced| replaced.max_assurance);
    let max_assurance = options.max_assurance.or(kept);
    let wish =
        Wish { grants: &grants, required: options.required, max_assurance, dev_override: false };
    newcomer.try_out(&configuration, &wish)?;
    let parts = Installation {
        name: &newcomer.name,
        component: newcomer.source.component.bytes(),
        signature: newcomer.signature.as_deref(),
        configuration: (&configuration.file, configuration.text(&newcomer.name, &wish)?),
        lock: Some(&lock),
        keep_builtins: !configuration.any_plugins,
    };
    let effect = install(place, &config.layout, &parts)?;
    newcomer.report(&effect, &config.layout, options)?;
    Ok(Exit::Ok)
}

fn read_lock(layout: &Layout) -> Result<LockFile, Failure> {
    let owner = if layout.one_folder { Owner::Anyone } else { Owner::RootOrUs };
    LockFile::read(&layout.lock, owner).map_err(|error| Failure::config(with_causes(&error)))
}

impl Newcomer {
    fn read(options: &AddOptions) -> Result<Self, Failure> {
        let file = &options.file;
        if file.is_dir() {
            let message = format!(
                "{} is a folder; give the component, which `witgate plugin build {}` makes",
                file.display(),
                file.display()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        let source = Source::read(file, None)?;
        let wrong = |cause: String| Failure::config(format!("{}: {cause}", file.display()));
        let Ok(toml) = read_requests(source.component.bytes()) else {
            // Loading it says what it is instead.
            Workshop::open()?.load(source.spec()?)?;
            return Err(wrong("it has no plugin.toml".to_owned()));
        };
        let version =
            parse_version(&toml.version).map_err(|error| wrong(format!("its version: {error}")))?;
        let signature = read_signature(file, Owner::Anyone).map_err(|error| of_read(&error))?;
        let name = options.name.clone().unwrap_or_else(|| toml.name.clone());
        Ok(Self { name, version, toml, source, signature })
    }

    /// A selector of a built-in plugin must not become one of somebody else's by mistake.
    fn check_name(&self, config: &Config) -> Result<(), Failure> {
        let builtin = config
            .plugins
            .iter()
            .any(|plugin| plugin.name == self.name && plugin.builtin_name().is_some());
        if builtin {
            let message = format!("{} is a built-in plugin here; choose another --name", self.name);
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(())
    }

    /// Writes this plugin into the lock file, if the daemon's policy lets it in.
    fn pin(
        &self,
        config: &Config,
        lock: &mut LockFile,
        allow_downgrade: bool,
    ) -> Result<(), Failure> {
        let component = &self.source.component;
        let path = printable(self.source.path.display().to_string().as_bytes());
        let mut pin = Pin {
            name: self.name.clone(),
            version: self.version.clone(),
            sha256: component.sha256(),
            source: Note::new(path).or_else(|_| Note::new("a file")).map_err(Failure::internal)?,
            signed_by: None,
        };
        lock.pin(pin.clone(), allow_downgrade)
            .map_err(|error| Failure::config(error.to_string()))?;
        let (name, version) = (&self.name, &self.version);
        let candidate =
            Candidate { name, version, component, signature: self.signature.as_deref() };
        let admitted = admit(&config.supply, lock, candidate)
            .map_err(|error| Failure::config(with_causes(&error)))?;
        pin.signed_by = admitted.signed_by.map(|signed| signed.key);
        // The very same plugin: it cannot be a downgrade of itself.
        lock.pin(pin, true).map_err(|error| Failure::config(error.to_string()))?;
        Ok(())
    }

    /// Asks, unless it was said before. What was trusted with something is not replaced by the way.
    fn agree(&self, replaced: Option<&Replaced>, options: &AddOptions) -> Result<(), Failure> {
        match replaced.filter(|replaced| replaced.by_another()) {
            _ if !options.yes => self.ask(replaced),
            Some(replaced) if !options.replace => Err(replaced.refusal()),
            _ => Ok(()),
        }
    }

    /// Shows it, and asks. Where nobody can answer, `--yes` is the answer.
    fn ask(&self, replaced: Option<&Replaced>) -> Result<(), Failure> {
        remark(&self.for_people(replaced));
        if !std::io::stdin().is_terminal() {
            let other = replaced.is_some_and(Replaced::by_another);
            let message = format!(
                "nothing was changed: nobody can be asked here; if it may have what it asks for, say \
                 {}",
                if other { "--yes --replace" } else { "--yes" }
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        remark("Add it? [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(Failure::internal)?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(Exit::Deny, "nothing was changed"))
    }

    fn for_people(&self, replaced: Option<&Replaced>) -> String {
        let needed = self.toml.needed();
        let mut lines = vec![
            format!(
                "{} {}: {}",
                self.name,
                self.version,
                printable(self.toml.description.as_bytes())
            ),
            format!("  sha256 {}", self.source.component.sha256()),
        ];
        lines.extend(replaced.map(Replaced::for_people));
        lines.push(if needed.is_empty() {
            "  asks for nothing but what every plugin has".to_owned()
        } else {
            "  asks to".to_owned()
        });
        lines.extend(needed.iter().map(|asked| {
            let new = replaced.is_some_and(|replaced| replaced.is_new(asked));
            format!("    {}{}", words::request(asked), if new { " (new)" } else { "" })
        }));
        lines.join("\n")
    }

    /// Loads it here as the daemon would, before anything is touched.
    fn try_out(&self, configuration: &Configuration, wish: &Wish<'_>) -> Result<(), Failure> {
        let spec = PluginSpec {
            name: self.name.clone(),
            grants: wish.grants.clone(),
            settings: configuration.settings()?,
            max_assurance: wish.max_assurance,
            for_author: false,
            ..self.source.spec()?
        };
        let loaded = Workshop::open()?.load(spec);
        loaded.map(|_| ()).map_err(|failure| {
            Failure::new(failure.exit, format!("{failure}\nnothing was changed"))
        })
    }

    fn report(
        &self,
        effect: &Effect,
        layout: &Layout,
        options: &AddOptions,
    ) -> Result<(), Failure> {
        let generation = match effect {
            Effect::Now(report) => Some(report.generation),
            Effect::AtStart => None,
        };
        if options.form.json {
            let digest = self.source.component.sha256().to_string();
            return say_json(&json!({
                "name": self.name, "version": self.version.to_string(), "sha256": digest,
                "grants": self.toml.needed(), "in_effect": generation.is_some(),
                "generation": generation,
            }));
        }
        let file = layout.plugins.join(format!("{}.wasm", self.name));
        say(&format!(
            "added {} {} as {}, pinned in {}",
            self.name,
            self.version,
            file.display(),
            layout.lock.display()
        ));
        match effect {
            Effect::Now(report) => {
                say(&format!("generation {} is in effect", report.generation));
                report.warnings.iter().for_each(|warning| say(&format!("warning: {warning}")));
            }
            Effect::AtStart => say("no daemon answers; it takes effect when one starts"),
        }
        Ok(())
    }
}
