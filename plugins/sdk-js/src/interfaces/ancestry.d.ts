/** One ancestor. */
export interface Ancestor {
  /** Effective user id. */
  uid: number;
  /** Effective group id. */
  gid: number;
  /** The name it gives itself; any bytes, at most 15. */
  comm: Uint8Array;
  /** Path of its executable, if it can be read. */
  executable: string | null;
  /** Clock ticks from boot until it began. */
  startTime: number;
}

/** Nearest first, at most 16, without the process itself. Fact `ancestry.parents`. */
export function parents(): Ancestor[];
