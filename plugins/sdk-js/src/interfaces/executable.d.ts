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

/** The digest of the file, 64 hexadecimal digits. Fact `executable.sha256`. */
export function sha256(): string;
