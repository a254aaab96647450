//! What the configuration files say about plugins, and the file that is written for one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Table, Value};
use witgate_daemon::config::Layout;
use witgate_facts::Capabilities;
use witgate_identity::{Assurance, PluginName};

use crate::exit::Failure;

/// What keeps the built-in plugins, where so far nothing was configured and they were the default.
pub(crate) const BUILTINS: &str = "\
# These were the default; written when the first other plugin was added, so that they stay.
[plugins.unix]
source = \"builtin:unix\"

[plugins.container]
source = \"builtin:container\"
";

/// The configuration of one plugin, as it stands in the files.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The file that is written for it.
    pub(crate) file: PathBuf,
    /// Its keys, in whatever file they are; the last file counts, as for the daemon.
    pub(crate) keys: Table,
    /// Some file has a table `plugins`; else the daemon loads what is built in.
    pub(crate) any_plugins: bool,
}

/// What is set for a plugin that is added.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) grants: &'a Capabilities,
    pub(crate) required: bool,
    pub(crate) max_assurance: Option<Assurance>,
    /// It is an author's build, which nobody checks.
    pub(crate) dev_override: bool,
}

impl Configuration {
    /// Reads the files of a layout; that they are valid has been checked.
    pub(crate) fn read(layout: &Layout, name: &PluginName) -> Result<Self, Failure> {
        let file = layout.config_dir.join(format!("plugin-{name}.toml"));
        let mut this = Self { file, keys: Table::new(), any_plugins: false };
        let mut last = None;
        for path in files(layout).map_err(|error| of_io(&layout.config_dir, &error))? {
            let text = fs::read_to_string(&path).map_err(|error| of_io(&path, &error))?;
            let whole: Table = text
                .parse()
                .map_err(|error| Failure::config(format!("{}: {error}", path.display())))?;
            let Some(Value::Table(plugins)) = whole.get("plugins") else { continue };
            this.any_plugins = true;
            if let Some(Value::Table(keys)) = plugins.get(name.as_str()) {
                this.keys.clone_from(keys);
                last = Some(path);
            }
        }
        match last {
            // Files count in the order of their names.
            Some(last) if last.parent() == this.file.parent() && last > this.file => {
                Err(Failure::config(format!(
                    "{} has [plugins.{name}] and counts more than {}, which would be written; \
                     move that table away",
                    last.display(),
                    this.file.display()
                )))
            }
            _ => Ok(this),
        }
    }

    /// Whether it is loaded unchecked.
    pub(crate) fn is_unchecked(&self) -> bool {
        self.keys.get("dev_override").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Its own settings.
    pub(crate) fn settings(&self) -> Result<serde_json::Value, Failure> {
        let none = || Ok(serde_json::json!({}));
        let settings = self.keys.get("settings").map(serde_json::to_value);
        settings.map_or_else(none, |settings| settings.map_err(Failure::internal))
    }

    /// The text of its file: what was configured, with what is wished for.
    pub(crate) fn text(&self, name: &PluginName, wish: &Wish<'_>) -> Result<String, Failure> {
        let mut keys = self.keys.clone();
        let grants = wish.grants.iter().map(|word| Value::String(word.to_string()));
        keys.insert("source".to_owned(), format!("{name}.wasm").into());
        keys.insert("grants".to_owned(), Value::Array(grants.collect()));
        // Beside the component, as it comes.
        keys.remove("signature");
        if wish.required {
            keys.insert("required".to_owned(), true.into());
        }
        if let Some(level) = wish.max_assurance {
            keys.insert("max_assurance".to_owned(), level.as_str().into());
        }
        keys.remove("dev_override");
        if wish.dev_override {
            keys.insert("dev_override".to_owned(), true.into());
        }
        let plugin = Table::from_iter([(name.to_string(), Value::Table(keys))]);
        let whole = Table::from_iter([("plugins".to_owned(), Value::Table(plugin))]);
        let by = if wish.dev_override { "dev" } else { "add" };
        let text = toml::to_string(&whole).map_err(Failure::internal)?;
        Ok(format!("# Written by: witgate plugin {by}\n{text}"))
    }
}

/// The configuration files that are there, in the order in which they count.
fn files(layout: &Layout) -> io::Result<Vec<PathBuf>> {
    let mut files = match fs::read_dir(&layout.config_dir) {
        Ok(listing) => listing.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    if layout.config.exists() {
        files.insert(0, layout.config.clone());
    }
    Ok(files)
}

fn of_io(path: &Path, error: &io::Error) -> Failure {
    Failure::config(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Configuration, Failure> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Configuration::read(&Layout::below(dir.path()), &PluginName::new("os").unwrap())
    }

    fn wish(grants: &Capabilities) -> Wish<'_> {
        Wish { grants, required: false, max_assurance: None, dev_override: false }
    }

    #[test]
    fn what_was_configured_stays_and_what_is_wished_for_is_set() {
        let found = read(&[(
            "witgate.toml",
            "[plugins.os]\nsource = \"/old.wasm\"\nrequired = true\ndev_override = true\n\
             settings = { a = [1] }\n",
        )])
        .unwrap();
        assert_eq!(found.settings().unwrap(), serde_json::json!({ "a": [1] }));
        let grants = ["executable".parse().unwrap()].into_iter().collect::<Capabilities>();
        let text = found.text(&PluginName::new("os").unwrap(), &wish(&grants)).unwrap();
        let again = read(&[("conf.d/plugin-os.toml", &text)]).unwrap().keys;
        assert_eq!(again["source"].as_str(), Some("os.wasm"));
        assert_eq!(again["grants"][0].as_str(), Some("executable"));
        assert_eq!(again["settings"]["a"][0].as_integer(), Some(1));
        assert_eq!(again["required"].as_bool(), Some(true));
        assert!(!again.contains_key("dev_override"), "{text}");
    }

    #[test]
    fn a_table_that_would_win_is_told() {
        let table = "[plugins.os]\nsource = \"os.wasm\"\n";
        assert!(read(&[("conf.d/a.toml", table)]).unwrap().any_plugins);
        let error = read(&[("conf.d/z.toml", table)]).unwrap_err().to_string();
        assert!(error.contains("conf.d/z.toml has [plugins.os]"), "{error}");
    }

    #[test]
    fn the_default_is_known_from_a_configuration_without_plugins() {
        assert!(!read(&[("witgate.toml", "strict_plugins = true\n")]).unwrap().any_plugins);
        let written = read(&[("conf.d/00-builtins.toml", BUILTINS)]).unwrap();
        assert!(written.any_plugins && written.keys.is_empty());
    }
}
