/** Who the process is to the kernel, as captured by the socket when the process connected. */
export interface Credentials {
  /** Effective user id. */
  uid: number;
  /** Effective group id. */
  gid: number;
  /** Supplementary group ids, ascending. */
  groups: number[];
}

/** The credentials' names in this host's user and group database; null where it has none. */
export interface Names {
  user: string | null;
  group: string | null;
  /** Of the supplementary groups, in the same order. */
  groups: (string | null)[];
}

/** What the process may still do. Sets of capabilities are bit masks by capability number. */
export interface Privileges {
  /** 0 none, 1 strict, 2 filter. */
  seccomp: number;
  noNewPrivs: boolean;
  inheritable: bigint;
  permitted: bigint;
  effective: bigint;
  bounding: bigint;
  ambient: bigint;
}

/** Fact `process.credentials`. */
export function credentials(): Credentials;

/** Fact `process.names`. */
export function names(): Names;

/** The LSM label of the connecting socket. Fact `process.label`. */
export function label(): string;

/** Fact `process.privileges`. */
export function privileges(): Privileges;

/** The state letter of proc(5). Fact `process.state`. */
export function state(): string;

/** Clock ticks from boot until the process began. Fact `process.start-time`. */
export function startTime(): number;

/** The name that the process gives itself: any bytes, at most 15. Fact `process.comm`. */
export function comm(): Uint8Array;
