/** How long something may be kept, and who finds it. */
export type Scope = "process" | "cgroup" | "plugin";

/** What was kept, with its age in milliseconds; null if nothing is there. */
export function get(scope: Scope, key: string): { value: Uint8Array; ageMs: number } | null;

/** Keeps something for so many milliseconds, at most an hour. A string is kept as UTF-8. */
export function put(scope: Scope, key: string, value: Uint8Array | string, ttlMs: number): void;
