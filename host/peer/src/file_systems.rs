//! Whose word the content of a file is, by the magic number of its file system (statfs(2)).

/// File systems whose content is what this kernel says it is.
const OWN: &[u64] = &[
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // xfs
    BTRFS,
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    OVERLAY,
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // erofs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
    0xca45_1a4e, // bcachefs
];

/// File systems of media and machines, where somebody else answers each read as they like, or not
/// at all.
const FOREIGN: &[u64] = &[
    0x6573_5546, // FUSE and virtiofs: rootless containers have their root on it
    0x0000_6969, // NFS
    0x0102_1997, // 9p
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x00c3_6400, // Ceph
    0x6173_7566, // aufs
    0x0000_9660, // ISO 9660
    0x1501_3346, // UDF
    0x0000_4d44, // FAT
    0x2011_bab0, // exFAT
    0x7366_746e, // NTFS
    0x0116_1970, // GFS2
    0x7461_636f, // OCFS2
    0x0bd0_0bd0, // Lustre
    0x0000_0187, // autofs: the way to one of these
];

/// Its subvolumes have devices of their own.
const BTRFS: u64 = 0x9123_683e;

/// A view of other file systems, which anybody may mount in a user namespace of their own.
pub(crate) const OVERLAY: u64 = 0x794c_7630;

/// Whether nobody but this kernel says what is in its files.
pub(crate) fn is_own(magic: u64) -> bool {
    OWN.contains(&magic)
}

/// Whether a file's device is another to statx(2) than to `/proc/<pid>/maps`.
pub(crate) const fn has_other_devices(magic: u64) -> bool {
    matches!(magic, BTRFS | OVERLAY)
}

/// Whether somebody else says what is in its files, and whose they are.
pub(crate) fn is_foreign(magic: u64) -> bool {
    FOREIGN.contains(&magic)
}

/// Whether its files were written by somebody, rather than made by this kernel for whoever reads
/// them, as those of `/proc` and `/sys` are.
pub(crate) fn keeps_files(magic: u64) -> bool {
    is_own(magic) || is_foreign(magic)
}
