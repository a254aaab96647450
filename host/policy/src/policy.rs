use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use witgate_identity::{KeyName, PluginName, TrustDomain, Wanted};

use crate::{
    Considered, Entry, ErrorKind, Evaluation, Evidence, HostLabels, PolicyError, PolicyErrors,
    SourceFile, Standing, Vocabulary, Warning, WarningKind,
    evaluate::{Circumstances, evaluate},
    explain::explain,
    guard::check::same_guard,
    index::Index,
    limits,
    near::nearest,
    parse::{Case, Named, Parsed, Words, parse},
    revision::revision,
    trial,
};

/// What a policy is loaded for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// The root of every identity.
    pub trust_domain: TrustDomain,
    /// The labels of this host, for `on`.
    pub host_labels: HostLabels,
    /// Whether an entry about a plugin that is not loaded is an error, instead of inert.
    pub strict_plugins: bool,
}

/// All entries of one generation. Immutable; made anew at every reload.
#[derive(Debug)]
pub struct Policy {
    /// By name, so that the order of files does not matter to anything.
    entries: Vec<Entry>,
    /// Those that are for this host and whose plugins are loaded.
    index: Index,
    warnings: Vec<Warning>,
    wanted: BTreeSet<(PluginName, KeyName)>,
    revision: String,
    trust_domain: TrustDomain,
    host_labels: HostLabels,
    tests_passed: usize,
}

impl Policy {
    /// Parses and checks all files and runs their tests.
    ///
    /// # Errors
    /// Every mistake of every file at once. Tests run only if there is no other mistake.
    pub fn load(
        files: &[SourceFile],
        vocabulary: &Vocabulary,
        options: &LoadOptions,
        now: Timestamp,
    ) -> Result<Self, PolicyErrors> {
        let mut parsed = Parsed::default();
        for file in files {
            parsed.append(parse(file, Words { vocabulary, options }));
        }
        let Parsed { mut entries, names, tests, mut errors } = parsed;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        errors.extend(repeated(names));
        errors.extend(too_many(files, entries.len(), tests.len()));
        errors.extend(same_guard(&entries, now));
        if errors.is_empty() {
            errors = trial::run(&tests, &entries, &options.trust_domain, &options.host_labels);
        }
        if !errors.is_empty() {
            return Err(PolicyErrors::new(errors));
        }
        let index = Index::build(&entries, |entry| entry.absent.is_empty() && entry.here);
        Ok(Self {
            warnings: warnings(&entries, &tests, vocabulary, now),
            wanted: wanted(&entries, &tests, now),
            revision: revision(&entries, &options.trust_domain),
            trust_domain: options.trust_domain.clone(),
            host_labels: options.host_labels.clone(),
            tests_passed: tests.iter().filter(|test| test.absent.is_empty()).count(),
            index,
            entries,
        })
    }

    /// Names this set of entries: `sha256:` and 16 hexadecimal digits over the entries and the
    /// trust domain. File names, order, comments and tests do not count.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// How many in-file tests ran, and so passed; those about plugins not loaded here do not run.
    #[must_use]
    pub const fn tests_passed(&self) -> usize {
        self.tests_passed
    }

    /// The entries, by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entry of this name.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.name().cmp(name)).ok()?;
        self.entries.get(at)
    }

    /// What an operator should know, by file and line.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The keys that entries which were live at load, their templates and the in-file tests use.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted::Keys(self.wanted.clone())
    }

    /// What the entries say about one process at a time.
    #[must_use]
    pub fn evaluate(&self, evidence: &Evidence, now: Timestamp) -> Evaluation {
        let host = None;
        let circumstances =
            Circumstances { trust_domain: &self.trust_domain, now: Some(now), host };
        evaluate(&self.entries, &self.index, evidence, circumstances)
    }

    /// The entries that came closest, fewest conditions missing first, at most `limit`. Looks at
    /// every entry: for when a person asks, not for every decision.
    #[must_use]
    pub fn explain(&self, evidence: &Evidence, now: Timestamp, limit: usize) -> Vec<Considered> {
        let (trust_domain, host) = (&self.trust_domain, Some(&self.host_labels));
        let circumstances = Circumstances { trust_domain, now: Some(now), host };
        explain(&self.entries, evidence, circumstances, limit)
    }

    /// The root of every identity.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }
}

fn repeated(mut names: Vec<Named>) -> Vec<PolicyError> {
    let place = |n: &Named| (n.file.clone(), n.line, n.column);
    names.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| place(a).cmp(&place(b))));
    let mut errors = Vec::new();
    for same in names.chunk_by(|a, b| a.name == b.name) {
        let Some((first, others)) = same.split_first() else { continue };
        let room = limits::MAX_ERRORS_PER_FILE.saturating_sub(errors.len());
        errors.extend(others.iter().take(room).map(|other| PolicyError {
            file: other.file.to_string(),
            line: other.line,
            column: other.column,
            key: "entry.name".to_owned(),
            kind: ErrorKind::Duplicate,
            message: format!("the name '{}' is taken by {}:{}", other.name, first.file, first.line),
            advice: Some("names are unique over all files".to_owned()),
            nearest: None,
        }));
    }
    errors
}

fn too_many(files: &[SourceFile], entries: usize, tests: usize) -> Vec<PolicyError> {
    let counts = [("entries", entries, limits::MAX_ENTRIES), ("tests", tests, limits::MAX_TESTS)];
    let over = counts.into_iter().filter(|(_, count, max)| count > max);
    over.map(|(what, count, max)| PolicyError {
        file: files.first().map(|file| file.name.clone()).unwrap_or_default(),
        line: 1,
        column: 1,
        key: String::new(),
        kind: ErrorKind::Limit,
        message: format!("{count} {what} in all files, the limit is {max}"),
        advice: None,
        nearest: None,
    })
    .collect()
}

fn warnings(
    entries: &[Entry],
    tests: &[Case],
    vocabulary: &Vocabulary,
    now: Timestamp,
) -> Vec<Warning> {
    let mut warnings: Vec<_> =
        entries.iter().flat_map(|entry| warnings_of(entry, vocabulary, now)).collect();
    let inert = tests.iter().filter(|test| !test.absent.is_empty());
    warnings.extend(inert.map(|test| Warning {
        file: test.file.to_string(),
        line: test.line,
        kind: WarningKind::Inert,
        name: test.name.clone(),
        message: format!("test not run: {}", not_loaded(&test.absent, vocabulary)),
    }));
    warnings.sort();
    warnings
}

fn warnings_of(entry: &Entry, vocabulary: &Vocabulary, now: Timestamp) -> Vec<Warning> {
    let warning = |kind, message: String| Warning {
        file: entry.file.to_string(),
        line: entry.line,
        kind,
        name: entry.name.to_string(),
        message,
    };
    match entry.standing(now) {
        Standing::OtherHost => Vec::new(),
        Standing::Expired => {
            vec![warning(WarningKind::Expired, "expired, does nothing".to_owned())]
        }
        Standing::Inert(absent) => {
            let message = format!("does nothing: {}", not_loaded(&absent, vocabulary));
            vec![warning(WarningKind::Inert, message)]
        }
        Standing::Live => {
            let guard = entry.guard();
            let mut warnings = Vec::new();
            if entry.weak {
                warnings.push(warning(
                    WarningKind::Weak,
                    format!("can be cheated (weak = true): {guard}"),
                ));
            }
            if guard.also_means_containers() {
                let message = format!("{guard}; unix.host = \"true\" would mean this host only");
                warnings.push(warning(WarningKind::AlsoContainers, message));
            }
            warnings
        }
    }
}

fn not_loaded(absent: &[PluginName], vocabulary: &Vocabulary) -> String {
    let say = |plugin: &PluginName| {
        let near = nearest(plugin.as_str(), vocabulary.plugins().map(PluginName::as_str));
        let hint = near.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
        format!("no plugin '{plugin}' is loaded{hint}")
    };
    absent.iter().map(say).collect::<Vec<_>>().join(", ")
}

fn wanted(entries: &[Entry], tests: &[Case], now: Timestamp) -> BTreeSet<(PluginName, KeyName)> {
    // Most entries want the same few keys: look before cloning.
    let mut wanted: BTreeMap<PluginName, BTreeSet<KeyName>> = BTreeMap::new();
    let mut want = |plugin: &PluginName, key: &KeyName| {
        if wanted.get(plugin).is_some_and(|keys| keys.contains(key)) {
            return;
        }
        wanted.entry(plugin.clone()).or_default().insert(key.clone());
    };
    for entry in entries.iter().filter(|entry| entry.standing(now) == Standing::Live) {
        let conditions = entry.conditions.iter().chain(&entry.unless).map(|c| &c.topic);
        let slots = entry.slots().map(|slot| &slot.topic);
        conditions.chain(slots).for_each(|topic| want(&topic.plugin, &topic.key));
    }
    for test in tests.iter().filter(|test| test.absent.is_empty()) {
        test.keys.iter().for_each(|(plugin, key)| want(plugin, key));
    }
    let pairs = wanted
        .into_iter()
        .flat_map(|(plugin, keys)| keys.into_iter().map(move |key| (plugin.clone(), key)));
    pairs.collect()
}
