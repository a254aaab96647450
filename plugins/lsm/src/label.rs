use serde::Deserialize;

/// A security module that labels sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Module {
    /// A profile and its mode: `docker-default (enforce)`.
    AppArmor,
    /// A context: `system_u:system_r:httpd_t:s0`.
    SeLinux,
    /// A word: `System::Run`.
    Smack,
}

impl Module {
    /// Its name in selectors.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AppArmor => "apparmor",
            Self::SeLinux => "selinux",
            Self::Smack => "smack",
        }
    }
}

/// A label in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Label<'l> {
    /// Of AppArmor.
    AppArmor(Confinement<'l>),
    /// Of SELinux.
    SeLinux(Context<'l>),
    /// Of Smack, which has no parts.
    Smack,
}

impl<'l> Label<'l> {
    /// Reads a label as this module writes it; without one, as the module whose shape it has.
    ///
    /// # Errors
    /// If that module writes no such label.
    pub(crate) fn parse(text: &'l str, module: Option<Module>) -> Result<Self, &'static str> {
        let apparmor = || Confinement::parse(text).map(Self::AppArmor);
        let selinux = || Context::parse(text).map(Self::SeLinux);
        let smack = || is_smack(text).then_some(Self::Smack);
        match module {
            Some(Module::AppArmor) => apparmor().ok_or("AppArmor writes no such label"),
            Some(Module::SeLinux) => selinux().ok_or("SELinux writes no such label"),
            Some(Module::Smack) => smack().ok_or("Smack writes no such label"),
            None => {
                apparmor().or_else(selinux).or_else(smack).ok_or("no module writes such a label")
            }
        }
    }

    /// Whose it is.
    pub(crate) const fn module(&self) -> Module {
        match self {
            Self::AppArmor(_) => Module::AppArmor,
            Self::SeLinux(_) => Module::SeLinux,
            Self::Smack => Module::Smack,
        }
    }
}

/// By what AppArmor confines a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confinement<'l> {
    /// The profiles, all of which have to allow an access; none if it is unconfined.
    pub(crate) profiles: Vec<&'l str>,
    /// `enforce`, `complain`, `kill`, `prompt`, `user`, `mixed` or `unconfined`.
    pub(crate) mode: &'l str,
}

/// What AppArmor puts behind a profile in brackets.
const MODES: [&str; 7] = ["complain", "enforce", "kill", "mixed", "prompt", "unconfined", "user"];

const UNCONFINED: &str = "unconfined";

impl<'l> Confinement<'l> {
    fn parse(text: &'l str) -> Option<Self> {
        if text == UNCONFINED {
            return Some(Self { profiles: Vec::new(), mode: UNCONFINED });
        }
        let (names, mode) = text.strip_suffix(')')?.rsplit_once(" (")?;
        let mode = MODES.into_iter().find(|known| *known == mode)?;
        let profiles: Vec<&str> = names.split("//&").collect();
        let named = profiles.iter().all(|profile| !profile.is_empty());
        named.then_some(Self { profiles, mode })
    }
}

/// A context of SELinux.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context<'l> {
    pub(crate) user: &'l str,
    pub(crate) role: &'l str,
    /// The type, which for a process is its domain.
    pub(crate) domain: &'l str,
    /// Sensitivity and categories, in policies that have them.
    pub(crate) level: Option<&'l str>,
}

impl<'l> Context<'l> {
    fn parse(text: &'l str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let mut word = || parts.next().filter(|word| is_word(word, b"_.-"));
        let (user, role, domain) = (word()?, word()?, word()?);
        let level = parts.next();
        let valid = level.is_none_or(|level| is_word(level, b"_.-:,"));
        valid.then_some(Self { user, role, domain, level })
    }
}

fn is_word(text: &str, besides: &[u8]) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || besides.contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

/// Longest label of Smack, in bytes.
const SMACK_LONGEST: usize = 255;

/// As smack(8) allows it: visible ASCII but slashes, quotes and backslash, no dash in front.
fn is_smack(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/\"\\'".contains(&byte);
    (1..=SMACK_LONGEST).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(allowed)
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(text: &str) -> Option<Module> {
        Label::parse(text, None).ok().map(|label| label.module())
    }

    #[test]
    fn a_label_is_told_by_its_shape() {
        for (text, module) in [
            ("unconfined", Module::AppArmor),
            ("docker-default (enforce)", Module::AppArmor),
            ("/usr/sbin/nginx (complain)", Module::AppArmor),
            (":lxd://lxd-c1 (enforce)", Module::AppArmor),
            ("a:b:c (kill)", Module::AppArmor),
            ("system_u:system_r:httpd_t", Module::SeLinux),
            ("system_u:system_r:container_t:s0:c1,c2", Module::SeLinux),
            ("unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023", Module::SeLinux),
            ("_", Module::Smack),
            ("^", Module::Smack),
            ("System::Run", Module::Smack),
            ("User::Pkg::org.x", Module::Smack),
        ] {
            assert_eq!(guessed(text), Some(module), "{text}");
        }
        for none in
            ["", " ", "a b", "x (enforced)", " (enforce)", "a//& (enforce)", "a/b", "-x", "\u{e9}"]
        {
            assert_eq!(guessed(none), None, "{none}");
        }
        assert!(guessed(&"s".repeat(255)).is_some() && guessed(&"s".repeat(256)).is_none());
    }

    #[test]
    fn a_module_that_is_named_is_not_guessed() {
        let smack = Label::parse("a:b:c", Some(Module::Smack));
        assert_eq!(smack, Ok(Label::Smack));
        for (text, module) in [
            ("System::Run", Module::SeLinux),
            ("a:b:c", Module::AppArmor),
            ("docker-default (enforce)", Module::Smack),
        ] {
            assert!(Label::parse(text, Some(module)).is_err(), "{text}");
        }
    }

    #[test]
    fn profiles_are_stacked_and_have_one_mode_together() {
        let parse = |text| Confinement::parse(text).unwrap();
        let stack = parse("snap.x.y//&:ns://b c (enforce) (mixed)");
        assert_eq!(
            (stack.profiles, stack.mode),
            (vec!["snap.x.y", ":ns://b c (enforce)"], "mixed")
        );
        assert_eq!(parse("x//null-/bin/y (complain)").profiles, ["x//null-/bin/y"]);
        assert!(parse("unconfined").profiles.is_empty());
        // A profile of that name, which says nothing of the kind.
        assert_eq!(parse("unconfined (enforce)").profiles, ["unconfined"]);
    }

    #[test]
    fn a_level_has_colons_of_its_own() {
        let context = Context::parse("u:r:t:s0-s15:c0.c1023,c7").unwrap();
        assert_eq!(context.level, Some("s0-s15:c0.c1023,c7"));
        assert_eq!((context.user, context.role, context.domain), ("u", "r", "t"));
        for none in ["u:r", "u::t", "u:r:t:", "u:r:t:s0 x", "u:r:t\u{0}", ":u:r:t"] {
            assert_eq!(Context::parse(none), None, "{none}");
        }
    }
}
