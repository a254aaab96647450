use super::{Interpreter, Run, Unclear, Words};

/// How an interpreter reads its options: each is a letter, or a word behind two dashes.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Letters without a value.
    flags: &'static str,
    /// Letters whose value is the rest of the word, if there is one.
    attached: &'static str,
    /// Letters whose value is the rest of the word, else the next word.
    valued: &'static str,
    /// Letters whose value is the next word, whatever else is in this one.
    next: &'static str,
    /// Letters with digits behind them, and then more letters.
    numbered: &'static str,
    /// Letters that begin code.
    code: &'static str,
    /// Letters that begin the name of a module.
    module: &'static str,
    /// Letters that tell it to read its input.
    input: &'static str,
    /// Long options without a value; with a star at the end, all that begin so.
    long_flags: &'static [&'static str],
    /// Long options whose value is the next word.
    long_valued: &'static [&'static str],
    /// Long options that begin code.
    long_code: &'static [&'static str],
    /// Whether options may begin with a plus, and a dash alone ends them, as in a shell.
    plus: bool,
}

const NONE: Grammar = Grammar {
    flags: "",
    attached: "",
    valued: "",
    next: "",
    numbered: "",
    code: "",
    module: "",
    input: "",
    long_flags: &[],
    long_valued: &[],
    long_code: &[],
    plus: false,
};

const PYTHON: Grammar = Grammar {
    flags: "?bBdEhiIOPqRsStuvVx",
    valued: "WX",
    code: "c",
    module: "m",
    long_flags: &["help*", "version"],
    long_valued: &["check-hash-based-pycs"],
    ..NONE
};

const PERL: Grammar = Grammar {
    flags: "acfghnpsStTuUvwWX",
    attached: "CdDFimMVx",
    valued: "I",
    numbered: "0l",
    code: "eE",
    ..NONE
};

const RUBY: Grammar = Grammar {
    flags: "acdhlnpsSUvwy",
    attached: "FiKTWx",
    valued: "CEIrX",
    numbered: "0",
    code: "e",
    long_flags: &[
        "copyright",
        "debug",
        "disable-*",
        "enable-*",
        "help",
        "jit*",
        "rjit*",
        "verbose",
        "version",
        "yjit*",
    ],
    long_valued: &["encoding", "external-encoding", "internal-encoding"],
    ..NONE
};

const SHELL: Grammar = Grammar {
    flags: "abBCDeEfhHiIklmnpPrtTuvVx",
    next: "oO",
    code: "c",
    input: "s",
    long_flags: &[
        "debug",
        "debugger",
        "help",
        "login",
        "noediting",
        "noprofile",
        "norc",
        "posix",
        "restricted",
        "verbose",
        "version",
    ],
    long_valued: &["init-file", "rcfile"],
    plus: true,
    ..NONE
};

const NODE: Grammar = Grammar {
    flags: "chiv",
    valued: "Cr",
    code: "ep",
    long_flags: &[
        "abort-on-uncaught-exception",
        "check",
        "enable-*",
        "experimental-*",
        "expose*",
        "force-*",
        "frozen-intrinsics",
        "harmony*",
        "help",
        "insecure-http-parser",
        "inspect",
        "inspect-brk",
        "inspect-wait",
        "interactive",
        "no-*",
        "node-snapshot",
        "pending-deprecation",
        "permission",
        "preserve-symlinks*",
        "report-*",
        "test",
        "throw-deprecation",
        "trace-*",
        "track-heap-objects",
        "use-*",
        "verify-base-objects",
        "version",
        "warnings",
        "watch",
        "zero-fill-buffers",
    ],
    long_valued: &[
        "conditions",
        "cpu-prof-dir",
        "cpu-prof-name",
        "diagnostic-dir",
        "disable-proto",
        "disable-warning",
        "dns-result-order",
        "env-file",
        "env-file-if-exists",
        "experimental-config-file",
        "experimental-default-type",
        "experimental-loader",
        "experimental-policy",
        "experimental-sea-config",
        "heap-prof-dir",
        "heap-prof-name",
        "heapsnapshot-near-heap-limit",
        "heapsnapshot-signal",
        "icu-data-dir",
        "import",
        "input-type",
        "inspect-port",
        "loader",
        "localstorage-file",
        "max-http-header-size",
        "network-family-autoselection-attempt-timeout",
        "openssl-config",
        "redirect-warnings",
        "report-dir",
        "report-directory",
        "report-filename",
        "report-signal",
        "require",
        "secure-heap",
        "secure-heap-min",
        "snapshot-blob",
        "stack-trace-limit",
        "test-concurrency",
        "test-name-pattern",
        "test-reporter",
        "test-reporter-destination",
        "test-shard",
        "test-timeout",
        "title",
        "tls-cipher-list",
        "tls-keylog",
        "trace-event-categories",
        "trace-event-file-pattern",
        "unhandled-rejections",
        "use-largepages",
        "v8-pool-size",
        "watch-path",
    ],
    long_code: &["eval", "print"],
    ..NONE
};

/// Java has words with one dash, which [`java`] reads.
const JAVA: Grammar = NONE;

/// Options of Java whose value is the next word.
const JAVA_VALUED: [&str; 15] = [
    "--add-exports",
    "--add-modules",
    "--add-opens",
    "--add-reads",
    "--class-path",
    "--describe-module",
    "--limit-modules",
    "--module-path",
    "--patch-module",
    "--source",
    "--upgrade-module-path",
    "-classpath",
    "-cp",
    "-d",
    "-p",
];

/// Options of Java behind two dashes that have no value. Those behind one never have one of their own.
const JAVA_FLAGS: [&str; 8] = [
    "--dry-run",
    "--enable-preview",
    "--help",
    "--help-extra",
    "--list-modules",
    "--show-module-resolution",
    "--show-version",
    "--validate-modules",
];

const UNKNOWN: Unclear = Unclear("it was given an option that is not known here");

impl Grammar {
    pub(super) const fn of(interpreter: Interpreter) -> &'static Self {
        match interpreter {
            Interpreter::Java => &JAVA,
            Interpreter::Node => &NODE,
            Interpreter::Perl => &PERL,
            Interpreter::Python => &PYTHON,
            Interpreter::Ruby => &RUBY,
            Interpreter::Shell => &SHELL,
        }
    }

    /// Reads options until it is known what is run.
    pub(super) fn read<'a>(&self, words: &mut Words<'a>) -> Result<Run<'a>, Unclear> {
        if std::ptr::eq(self, Self::of(Interpreter::Java)) {
            return java(words);
        }
        while let Some(word) = words.next()? {
            let found = if word == "-" && !self.plus {
                Some(Run::Input)
            } else if matches!(word, "-" | "--") {
                Some(words.next()?.map_or(Ok(Run::Input), file)?)
            } else if let Some(option) = word.strip_prefix("--") {
                self.long(option, words)?
            } else if let Some(letters) = word.strip_prefix('-') {
                self.letters(letters, words)?
            } else if let Some(letters) = word.strip_prefix('+').filter(|_| self.plus) {
                self.letters(letters, words)?
            } else {
                Some(file(word)?)
            };
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Ok(Run::Input)
    }

    fn long<'a>(&self, option: &str, words: &mut Words<'a>) -> Result<Option<Run<'a>>, Unclear> {
        let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
        if self.long_code.contains(&name) {
            return Ok(Some(Run::Code));
        }
        if value.is_some() {
            return Ok(None);
        }
        if self.long_valued.contains(&name) {
            return words.next().map(|_| None);
        }
        let known = |flag: &&str| match flag.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *flag,
        };
        if self.long_flags.iter().any(known) { Ok(None) } else { Err(UNKNOWN) }
    }

    fn letters<'a>(
        &self,
        letters: &'a str,
        words: &mut Words<'a>,
    ) -> Result<Option<Run<'a>>, Unclear> {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            if self.code.contains(letter) {
                return Ok(Some(Run::Code));
            }
            if self.input.contains(letter) {
                return Ok(Some(Run::Input));
            }
            if self.module.contains(letter) {
                let module = if rest.is_empty() { words.next()? } else { Some(rest) };
                return module.map(|module| Some(Run::Module(module))).ok_or(UNKNOWN);
            }
            if self.attached.contains(letter) {
                return Ok(None);
            }
            if self.valued.contains(letter) {
                return if rest.is_empty() { words.next().map(|_| None) } else { Ok(None) };
            }
            if self.next.contains(letter) {
                words.next()?;
            } else if self.numbered.contains(letter) {
                rest = rest.trim_start_matches(|digit| matches!(digit, '0'..='7'));
            } else if !self.flags.contains(letter) {
                return Err(UNKNOWN);
            }
        }
        Ok(None)
    }
}

fn file(word: &str) -> Result<Run<'_>, Unclear> {
    // What is left where a process wrote over its arguments.
    if word.is_empty() { Err(Unclear("an argument is empty")) } else { Ok(Run::File(word)) }
}

fn java<'a>(words: &mut Words<'a>) -> Result<Run<'a>, Unclear> {
    while let Some(word) = words.next()? {
        match word {
            "-jar" => return words.next()?.map_or(Err(UNKNOWN), file),
            "-m" | "--module" => return words.next()?.map(Run::Module).ok_or(UNKNOWN),
            _ if JAVA_VALUED.contains(&word) => {
                words.next()?;
            }
            _ if word.starts_with("--module=") => {
                return Ok(Run::Module(&word["--module=".len()..]));
            }
            _ if word.starts_with('@') => return Err(Unclear("its options stand in a file")),
            _ if word.starts_with("--") => {
                if !word.contains('=') && !JAVA_FLAGS.contains(&word) {
                    return Err(UNKNOWN);
                }
            }
            _ if word.starts_with('-') => {}
            _ if is_source(word) => return file(word),
            "" => return Err(Unclear("an argument is empty")),
            class => return Ok(Run::Module(class)),
        }
    }
    Ok(Run::Input)
}

/// Java compiles a single file and runs it.
fn is_source(word: &str) -> bool {
    word.ends_with(".java")
}
