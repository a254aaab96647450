import { FactError } from "../errors.js";
import { call } from "../host.js";

/** Reads a fact. */
export function fact(name, func, ...args) {
  return call(name, func, args, (kind, text) => new FactError(kind, text));
}

/**
 * Whether a number of 64 bits is here as it was. The engine makes a double of it, which beyond 2^53
 * is another number, or a negative one.
 */
const exact = (value) => Number.isSafeInteger(value) && value >= 0;

/** The number, if it is exact. */
export function whole(value) {
  if (!exact(value)) throw new FactError("too-large");
  return value;
}

/** A record in which reading a number that is not exact throws, so that nobody compares it. */
export function guarded(record, ...fields) {
  for (const field of fields) {
    if (exact(record[field])) continue;
    const get = () => {
      throw new FactError("too-large");
    };
    Object.defineProperty(record, field, { get, enumerable: true });
  }
  return record;
}
