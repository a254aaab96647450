//! Which script an interpreter runs, as its arguments tell.
//!
//! Arguments are whatever a process shows, so this is a claim and no evidence. What is not understood is
//! [`Unclear`]: an option that is not known here may take the next word for its value, and then
//! that is no script.

mod grammar;

use self::grammar::Grammar;

/// An interpreter that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpreter {
    /// A Java virtual machine, which runs a JAR, a module or a class.
    Java,
    /// Node.js.
    Node,
    /// Perl.
    Perl,
    /// Python, and `PyPy`.
    Python,
    /// Ruby.
    Ruby,
    /// bash, dash, and what is called sh.
    Shell,
}

/// What an interpreter was told to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run<'a> {
    /// A file, as it was named.
    File(&'a str),
    /// A module or class, which the interpreter looks for itself.
    Module(&'a str),
    /// Code among the arguments.
    Code,
    /// What it reads from its standard input.
    Input,
}

/// Why the arguments do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear(pub &'static str);

/// Bytes of all arguments that the daemon hands out: what is at their end may be cut.
const ARGUMENT_BYTES: usize = 4096;

impl Interpreter {
    /// The interpreter whose executable this is, by the name of the file: `/usr/bin/python3.11`.
    #[must_use]
    pub fn of_executable(path: &str) -> Option<Self> {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        match name {
            "bash" | "dash" | "sh" => return Some(Self::Shell),
            "java" => return Some(Self::Java),
            _ => {}
        }
        [
            ("nodejs", Self::Node),
            ("node", Self::Node),
            ("perl", Self::Perl),
            ("python", Self::Python),
            ("pypy", Self::Python),
            ("ruby", Self::Ruby),
        ]
        .into_iter()
        .find(|(prefix, _)| name.strip_prefix(prefix).is_some_and(is_version))
        .map(|(_, interpreter)| interpreter)
    }

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Java => "java",
            Self::Node => "node",
            Self::Perl => "perl",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Shell => "shell",
        }
    }

    /// What these arguments, its own name first, tell it to run.
    ///
    /// # Errors
    /// [`Unclear`], if they are not this interpreter's, hold an option that is not known, or are cut.
    pub fn run<'a>(self, arguments: &'a [Vec<u8>]) -> Result<Run<'a>, Unclear> {
        let (own, words) = arguments.split_first().ok_or(Unclear("it shows no arguments"))?;
        if !self.is_called(own) {
            return Err(Unclear("it shows other arguments than its interpreter was given"));
        }
        let mut words = Words { rest: words, cut: is_cut(arguments) };
        Grammar::of(self).read(&mut words)
    }

    /// Whether an interpreter of this kind would be called so; a login shell has a dash in front.
    fn is_called(self, own: &[u8]) -> bool {
        let name = str::from_utf8(own).ok().map(|own| own.strip_prefix('-').unwrap_or(own));
        name.and_then(Self::of_executable) == Some(self)
    }
}

/// `3.11`, or `5.36-x86_64-linux-gnu`, or nothing.
fn is_version(text: &str) -> bool {
    let number = text.split_once('-').map_or(text, |(number, _)| number);
    number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !text.starts_with('-')
}

fn is_cut(arguments: &[Vec<u8>]) -> bool {
    let bytes: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
    bytes >= ARGUMENT_BYTES
}

/// A path without doubled slashes and single dots, if it is absolute. None also if it climbs: where
/// that leads is told by links that are not known here.
#[must_use]
pub fn absolute(path: &str) -> Option<String> {
    let parts = path.strip_prefix('/')?.split('/');
    let parts: Vec<&str> = parts.filter(|part| !matches!(*part, "" | ".")).collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| format!("/{}", parts.join("/")))
}

/// The arguments that are still to be read.
struct Words<'a> {
    rest: &'a [Vec<u8>],
    cut: bool,
}

impl<'a> Words<'a> {
    /// The next one; none at the end.
    ///
    /// # Errors
    /// If it, or the end itself, may be missing a part, or it is no text.
    fn next(&mut self) -> Result<Option<&'a str>, Unclear> {
        if self.cut && self.rest.len() <= 1 {
            return Err(Unclear("its arguments are longer than what is looked at"));
        }
        let Some((word, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        str::from_utf8(word).map(Some).map_err(|_| Unclear("an argument is not UTF-8"))
    }
}
