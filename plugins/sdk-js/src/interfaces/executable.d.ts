/**
 * What the link `exe` leads to. A number beyond 2^53 cannot be told from its neighbours here, and
 * reading that field throws a FactError.
 */
export interface Program {
  /** Path in the process's own mount namespace. */
  path: string;
  /** Device number of the file system. */
  device: number;
  /** Inode number. */
  inode: number;
  /** Length in bytes. */
  size: number;
  /** The file has no name any more. */
  deleted: boolean;
  /** The path leads to this same file in the daemon's mount namespace. */
  sameOnHost: boolean;
}

/** Fact `executable.info`. */
export function info(): Program;

/**
 * What speaks against taking the process for the program that the link names, by name. None is no
 * proof. Words may be added; these exist:
 *
 * - `deleted`: the file has no name any more;
 * - `exe_not_mapped`: nothing of the file is mapped, so the link was set to it;
 * - `foreign_mount`: the path leads to another file, or to none, in the daemon's mount namespace;
 * - `memfd`: the file is memory that never had a name;
 * - `nested_userns`: the process lives in a user namespace other than the daemon's;
 * - `traced`: another process traces it and can make it do anything.
 *
 * With `exe_not_mapped` and `nested_userns`, where the link may be a forgery, `info` and `sha256`
 * are withheld. Fact `executable.doubts`.
 */
export function doubts(): string[];

/** The digest of the file, 64 hexadecimal digits. Fact `executable.sha256`. */
export function sha256(): string;
