/** Below which root: the daemon's own, or that of the process. */
export type Root = "host" | "workload";

/** What is in a directory. */
export interface DirectoryEntry {
  name: string;
  kind: "file" | "directory" | "symlink" | "other";
}

/** What the file system says about a file. */
export interface FileStatus {
  kind: "file" | "directory" | "other";
  /** Length in bytes. */
  size: number;
  /** Permission bits. */
  mode: number;
  /** Owner, as the daemon sees it. */
  uid: number;
  /** Group, as the daemon sees it. */
  gid: number;
  /** Last change of the content, in seconds since 1970. */
  modified: number;
}

/** The content of a file, or null if there is none. Fact `files.host` or `files.workload`. */
export function read(root: Root, path: string): Uint8Array | null;

/** What is in a directory, or null if there is no such directory. */
export function entries(root: Root, path: string): DirectoryEntry[] | null;

/** What the file system says about a file or directory, or null if there is none. */
export function status(root: Root, path: string): FileStatus | null;
