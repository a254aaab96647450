/// One line of proc(5) `cgroup`: `hierarchy:controllers:path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CgroupLine<'a> {
    /// 0 for v2.
    pub(crate) hierarchy: u32,
    /// `cpu,cpuacct`, or `name=systemd`; empty for v2.
    pub(crate) controllers: &'a str,
    /// Any bytes but newline, `:` too.
    pub(crate) path: &'a [u8],
}

impl<'a> CgroupLine<'a> {
    pub(crate) fn controllers(&self) -> Vec<String> {
        let names = self.controllers.split(',').filter(|name| !name.is_empty());
        names.map(str::to_owned).collect()
    }

    /// The directories from the root downwards, up to the first that no directory is named like:
    /// a path that leaves the root (`/..`, seen from inside a cgroup namespace) names nothing.
    pub(crate) fn components(&self) -> impl Iterator<Item = &'a [u8]> {
        let below = self.path.strip_prefix(b"/").unwrap_or_default();
        let parts = below.split(|byte| *byte == b'/');
        parts.take_while(|part| !matches!(*part, b"" | b"." | b".."))
    }

    pub(crate) fn is_root(&self) -> bool {
        self.path == b"/"
    }
}

/// The lines that are well formed.
pub(crate) fn cgroups(text: &[u8]) -> impl Iterator<Item = CgroupLine<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let hierarchy = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let controllers = std::str::from_utf8(parts.next()?).ok()?;
        let path = parts.next().filter(|path| path.starts_with(b"/"))?;
        Some(CgroupLine { hierarchy, controllers, path })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn components(path: &[u8]) -> Vec<&[u8]> {
        CgroupLine { hierarchy: 0, controllers: "", path }.components().collect()
    }

    // #41
    #[test]
    fn v1_hybrid_and_v2_lines_are_read() {
        let text =
            b"12:cpu,cpuacct:/a\n1:name=systemd:/user.slice/x:y\xff\n0::/\ngarbage\n3:x:rel\n";
        let lines: Vec<_> = cgroups(text).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].controllers(), ["cpu", "cpuacct"]);
        assert_eq!(
            (lines[1].controllers, lines[1].path),
            ("name=systemd", &b"/user.slice/x:y\xff"[..])
        );
        assert!(lines[2].is_root() && lines[2].controllers().is_empty());
    }

    #[test]
    fn a_path_that_leaves_the_root_names_nothing_below_it() {
        assert_eq!(components(b"/a/../b"), [b"a"]);
        assert!(components(b"/../..").is_empty());
        assert!(components(b"/").is_empty());
        assert_eq!(components(b"/a//b"), [b"a"]);
        assert_eq!(components(b"/docker/0123"), [&b"docker"[..], b"0123"]);
    }
}
