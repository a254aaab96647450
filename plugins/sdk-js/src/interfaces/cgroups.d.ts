/** One hierarchy, and the part of the path that only root could have made. */
export interface TrustedEntry {
  /** Hierarchy number; 0 is the unified (v2) hierarchy. */
  hierarchy: number;
  /** Controllers, or `name=systemd`; empty for v2. */
  controllers: string[];
  /** The longest prefix that nobody but root could have made. */
  prefix: string;
  /** The path goes on below `prefix`. */
  delegated: boolean;
  /** The hierarchy is mounted on this host; if it is not, the entry says nothing. */
  mounted: boolean;
}

/** One line of proc(5) `cgroup`. */
export interface ClaimedEntry {
  /** Hierarchy number; 0 is the unified (v2) hierarchy. */
  hierarchy: number;
  /** Controllers, or `name=systemd`; empty for v2. */
  controllers: string[];
  /** The whole path. */
  path: string;
}

/** Fact `cgroups.trusted`. */
export function trusted(): TrustedEntry[];

/** Fact `cgroups.claimed`. */
export function claimed(): ClaimedEntry[];
