use sha2::{Digest as _, Sha256};
use witgate_identity::TrustDomain;

use crate::{
    Entry,
    condition::{Accepted, Condition},
};

/// Names a set of entries: the same for the same entries, in whatever files and order.
pub(crate) fn revision(entries: &[Entry], domain: &TrustDomain) -> String {
    use std::fmt::Write as _;
    let mut canon = Canon(Sha256::new());
    canon.text("witgate entries 1");
    canon.text(domain.as_str());
    for entry in entries {
        canon.entry(entry);
    }
    let digest = canon.0.finalize();
    let mut name = "sha256:".to_owned();
    for byte in digest.iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Writes every part with its length in front, so that no two different entries write the same.
struct Canon(Sha256);

impl Canon {
    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text);
    }

    fn option(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    fn entry(&mut self, entry: &Entry) {
        self.text(&entry.name);
        self.text(entry.action.as_str());
        self.option(entry.identity());
        self.conditions(&entry.conditions);
        self.conditions(&entry.unless);
        self.count(entry.on.len());
        for (label, values) in &entry.on {
            self.text(label);
            self.count(values.len());
            values.iter().for_each(|value| self.text(value));
        }
        self.option(entry.expires.map(|at| at.to_string()).as_deref());
        self.option(entry.hint.as_deref());
        self.0.update(entry.priority.to_be_bytes());
        self.0.update(entry.ttl.as_secs().to_be_bytes());
        self.0.update([u8::from(entry.challenged), u8::from(entry.weak)]);
    }

    fn conditions(&mut self, conditions: &[Condition]) {
        self.count(conditions.len());
        for condition in conditions {
            self.text(condition.topic.plugin.as_str());
            self.text(condition.topic.key.as_str());
            self.option(condition.topic.name.as_deref());
            match &condition.accepted {
                Accepted::Literal(selectors) => {
                    self.text("literal");
                    self.count(selectors.len());
                    selectors.iter().for_each(|selector| self.text(selector.value()));
                }
                Accepted::Like(globs) => {
                    self.text("like");
                    self.count(globs.len());
                    globs.iter().for_each(|glob| self.text(glob.as_str()));
                }
            }
        }
    }
}
