use crate::unit_name::{UnitName, slice};

/// Where a path of a control group stands among the service manager's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'p> {
    /// The slices around it, from the root.
    pub(crate) slices: Vec<&'p str>,
    /// The unit nearest to the root.
    pub(crate) unit: Option<UnitName<'p>>,
    /// The first directory that is no slice, and everything below it: what is in the unit, or not
    /// the service manager's at all.
    below: Option<&'p str>,
}

/// Why a path is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAbsolute;

impl<'p> Place<'p> {
    /// Reads a path from the root: slices, and the first directory that is none. Only if that is a
    /// unit's, the path leads into a unit; what is further down was made by whoever is inside.
    ///
    /// # Errors
    /// If the path does not begin with a slash or climbs: it was read from another cgroup
    /// namespace, and nobody can say what it means here.
    pub(crate) fn of(path: &'p str) -> Result<Self, NotAbsolute> {
        let mut rest = path.strip_prefix('/').ok_or(NotAbsolute)?;
        if rest.split('/').any(|directory| directory == "..") {
            return Err(NotAbsolute);
        }
        let mut slices = Vec::new();
        while !rest.is_empty() {
            let (directory, behind) = rest.split_once('/').unwrap_or((rest, ""));
            let Some(slice) = slice(directory) else {
                let unit = UnitName::of_directory(directory);
                return Ok(Self { slices, unit, below: Some(behind) });
            };
            slices.push(slice);
            rest = behind;
        }
        Ok(Self { slices, unit: None, below: None })
    }

    /// Whether the path ends in slices, and so does not tell in what.
    pub(crate) const fn is_open(&self) -> bool {
        self.below.is_none()
    }

    /// Whether both are in the same slices and the same unit.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        self.slices == other.slices && self.unit == other.unit && self.is_open() == other.is_open()
    }

    /// The uid whose login session or user manager this is, as logind lays them out.
    pub(crate) fn owner_uid(&self) -> Option<&'p str> {
        let [first, second, ..] = self.slices.as_slice() else { return None };
        let uid = second.strip_prefix("user-")?.strip_suffix(".slice")?;
        (*first == "user.slice" && is_uid(uid)).then_some(uid)
    }

    /// The login session.
    pub(crate) fn session(&self) -> Option<&'p str> {
        self.owner_uid().filter(|_| self.slices.len() == 2)?;
        let session = self.unit?.id.strip_prefix("session-")?.strip_suffix(".scope")?;
        let plain = session.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (plain && !session.is_empty()).then_some(session)
    }

    /// The unit of the user's own service manager, if this is within one.
    pub(crate) fn user_unit(&self) -> Option<UnitName<'p>> {
        let manager = self.unit.filter(|unit| unit.kind == "service")?;
        if manager.prefix != "user" || manager.instance? != self.owner_uid()? {
            return None;
        }
        let mut inside = self.below?.split('/').skip_while(|directory| slice(directory).is_some());
        UnitName::of_directory(inside.next()?)
    }
}

/// A number as systemd writes a uid.
fn is_uid(text: &str) -> bool {
    let canonical = text == "0" || !text.starts_with('0');
    canonical && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u32>().is_ok()
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str) -> Option<&str> {
        Place::of(path).unwrap().unit.map(|unit| unit.id)
    }

    #[test]
    fn a_unit_is_the_first_that_is_no_slice() {
        for (path, id) in [
            ("/system.slice/nginx.service", "nginx.service"),
            ("/init.scope", "init.scope"),
            ("/a.slice/a-b.slice/a-b-c.slice/x.service/sub/y.service", "x.service"),
            ("/user.slice/user-0.slice/user@0.service/app.slice/b.service", "user@0.service"),
        ] {
            assert_eq!(unit(path), Some(id));
        }
        for none in
            ["/", "/docker/ab/system.slice/x.service", "/system.slice", "/lxc/x.service/y", ""]
        {
            assert_eq!(Place::of(none).ok().and_then(|place| place.unit), None, "{none}");
        }
    }

    #[test]
    fn only_a_path_of_slices_leaves_open_what_is_below() {
        for (path, open) in [
            ("/", true),
            ("/user.slice/user-7.slice", true),
            ("/x", false),
            ("/a.slice/x", false),
            ("/a.slice/b.service", false),
        ] {
            assert_eq!(Place::of(path).unwrap().is_open(), open, "{path}");
        }
    }

    // #41
    #[test]
    fn paths_of_another_cgroup_namespace_are_not_looked_at() {
        for path in ["", "x.service", "/../x.service", "/system.slice/../x.service", "/a/b/.."] {
            assert_eq!(Place::of(path), Err(NotAbsolute));
        }
        assert_eq!(unit("/system.slice/..x.service"), Some("..x.service"));
    }

    #[test]
    fn whose_session_it_is_is_told_in_logind_s_layout_only() {
        let of = |path| {
            let place = Place::of(path).unwrap();
            (place.owner_uid(), place.session())
        };
        assert_eq!(of("/user.slice/user-7.slice/session-c2.scope"), (Some("7"), Some("c2")));
        assert_eq!(of("/user.slice/user-7.slice/session-.scope"), (Some("7"), None));
        assert_eq!(of("/user.slice/user-7.slice/x.slice/session-3.scope"), (Some("7"), None));
        for other in [
            "/system.slice/user-7.slice/session-3.scope",
            "/user-7.slice/session-3.scope",
            "/user.slice/user-07.slice/session-3.scope",
            "/user.slice/user-+7.slice/session-3.scope",
            "/user.slice/user-.slice/session-3.scope",
            "/user.slice/user-4294967296.slice/session-3.scope",
            "/a.slice/user.slice/user-7.slice/session-3.scope",
        ] {
            assert_eq!(of(other), (None, None), "{other}");
        }
    }

    #[test]
    fn a_user_s_unit_is_the_first_within_that_user_s_manager() {
        let of = |path: &str| Place::of(path).unwrap().user_unit().map(|unit| unit.id.to_owned());
        let manager = "/user.slice/user-7.slice/user@7.service";
        let app = format!("{manager}/app.slice/app-org.x.slice/a.service/b.scope");
        assert_eq!(of(&app), Some("a.service".to_owned()));
        let init = format!("{manager}/init.scope");
        assert_eq!(of(&init), Some("init.scope".to_owned()));
        for none in ["", "/app.slice", "/x/a.service", "/app.slice/x/a.service"] {
            assert_eq!(of(&format!("{manager}{none}")), None, "{none}");
        }
        assert_eq!(of("/user.slice/user-7.slice/user@8.service/a.service"), None);
        assert_eq!(of("/system.slice/user@7.service/a.service"), None);
        assert_eq!(of("/user.slice/user-7.slice/user@7.scope/a.service"), None);
    }
}
