// The engine ends the whole call, without a word, if an argument is not of the type in `wit/`. So
// each is looked at before.

/** How a value is called in a message: `the number 5`, `undefined`, `a Date`. */
export function described(value) {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "string") return `the string ${JSON.stringify(value)}`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object") return `a value of type ${value.constructor?.name ?? "Object"}`;
  return `the ${typeof value} ${String(value)}`;
}

/** Throws unless this is a string that UTF-8 can say. */
export function text(what, value) {
  if (typeof value !== "string") {
    throw new TypeError(`${what} is ${described(value)}, it must be a string`);
  }
  if (!value.isWellFormed()) throw new TypeError(`${what} is not valid text`);
  return value;
}

/** Throws unless this is one of some words. */
export function oneOf(what, words, value) {
  if (!words.includes(value)) {
    const list = words.map((word) => JSON.stringify(word)).join(" or ");
    throw new TypeError(`${what} is ${described(value)}, it must be ${list}`);
  }
  return value;
}

/** Throws unless these are bytes; text counts as its UTF-8. */
export function bytes(what, value, encode) {
  if (typeof value === "string") return encode(value);
  if (!(value instanceof Uint8Array)) {
    throw new TypeError(`${what} is ${described(value)}, it must be a string or a Uint8Array`);
  }
  return value;
}

/** Throws unless this is a whole number of 32 bits. */
export function u32(what, value) {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new TypeError(`${what} is ${described(value)}, it must be a whole number`);
  }
  return value;
}
