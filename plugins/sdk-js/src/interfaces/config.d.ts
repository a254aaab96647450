/** The plugin's own settings. */
export function settings(): Record<string, unknown>;

/** Whether anybody wants this key in this call; work for a key that nobody wants may be skipped. */
export function wants(key: string): boolean;

/** Milliseconds left of this call. */
export function remainingMs(): number;
