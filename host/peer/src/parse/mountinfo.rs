/// What is used of a line of proc(5) `mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    /// Its number, as statx(2) has it.
    pub(crate) id: u64,
    /// Device of the file system.
    pub(crate) major: u32,
    /// Its minor number.
    pub(crate) minor: u32,
    /// Which directory of the file system is mounted.
    pub(crate) root: Vec<u8>,
    /// Where.
    pub(crate) point: Vec<u8>,
    /// `cgroup2`, `proc` and so on.
    pub(crate) kind: String,
    /// Options of the file system, which for `cgroup` name the controllers.
    pub(crate) options: String,
}

/// The lines that are well formed.
pub(crate) fn mounts(text: &[u8]) -> impl Iterator<Item = Mount> {
    text.split(|byte| *byte == b'\n').filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount> {
    // 36 35 98:0 /root /point rw,noatime optional:1 fields:2 - type source options
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let device = std::str::from_utf8(fields.nth(1)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = String::from_utf8(rest.next()?.to_vec()).ok()?;
    let options = String::from_utf8_lossy(rest.nth(1)?).into_owned();
    Some(Mount {
        id,
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        root,
        point,
        kind,
        options,
    })
}

/// The kernel writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        match tail {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] if *first == b'\\' => {
                plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = after;
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_with_and_without_optional_fields() {
        let text = b"31 23 0:28 / /sys/fs/cgroup/my\\040dir rw shared:5 master:1 - cgroup2 cgroup2 rw,nsdelegate\n\
            32 31 0:29 /docker/x /sys/fs/cgroup/cpu\xff rw,relatime - cgroup cgroup rw,cpu,cpuacct\n\nbad line\n";
        let mounts: Vec<_> = mounts(text).collect();
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].id, mounts[1].id), (31, 32));
        assert_eq!(mounts[0].point, b"/sys/fs/cgroup/my dir");
        assert_eq!((mounts[0].kind.as_str(), mounts[0].major, mounts[0].minor), ("cgroup2", 0, 28));
        assert_eq!(
            (mounts[1].root.as_slice(), mounts[1].options.as_str()),
            (&b"/docker/x"[..], "rw,cpu,cpuacct")
        );
    }
}
