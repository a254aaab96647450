/// The file behind one line of proc(5) `maps`; none for memory that is no file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MappedFile {
    /// Major and minor number of the device, as the file system's root has it.
    pub(crate) device: (u32, u32),
    pub(crate) inode: u64,
}

/// Reads a line as far as the inode: the name behind it is the workload's text.
pub(crate) fn mapped_file(line: &[u8]) -> Option<MappedFile> {
    // 5581c0a00000-5581c0a24000 r--p 00000000 fe:01 1311 /usr/bin/dash
    let mut fields = line.split(|byte| *byte == b' ').map(|field| str::from_utf8(field).ok());
    let (major, minor) = fields.nth(3)??.split_once(':')?;
    let inode = fields.next()??.parse().ok()?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    (inode != 0).then_some(MappedFile { device: (number(major)?, number(minor)?), inode })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_file_by_device_and_inode() {
        let line =
            b"5581c0a00000-5581c0a24000 r--p 00000000 fe:1f 1311                 /usr/bin/a b";
        let file = MappedFile { device: (0xfe, 0x1f), inode: 1311 };
        assert_eq!(mapped_file(line), Some(file));
        for none in [
            &b"7ffd9c1a2000-7ffd9c1c3000 rw-p 00000000 00:00 0                          [stack]"[..],
            b"7ffd9c1a2000-7ffd9c1c3000 rw-p 00000000 fe:01 -1 x",
            b"7ffd9c1a2000-7ffd9c1c3000 rw-p 00000000 fe 1 x",
            b"\xff \xff \xff \xff \xff",
            b"",
        ] {
            assert_eq!(mapped_file(none), None);
        }
    }
}
