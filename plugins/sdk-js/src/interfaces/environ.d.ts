/** The value of one variable, any bytes; null if the process has none. Fact `environ.variables`. */
export function variable(name: string): Uint8Array | null;
