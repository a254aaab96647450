/** One namespace. */
export interface Namespace {
  /** `cgroup`, `ipc`, `mnt`, `net`, `pid`, `time`, `user` or `uts`. */
  kind: string;
  /** Its inode number, which names it until the next boot. */
  inode: number;
  /** It is the one that the daemon lives in. */
  host: boolean;
}

/** Fact `namespaces.all`. */
export function all(): Namespace[];
