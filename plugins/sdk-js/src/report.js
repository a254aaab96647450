import { described, text } from "./arguments.js";
import { utf8Length } from "./text.js";

/** Longest name of a selector, in bytes. */
const MAX_NAME = 256;
/** Longest value of a selector, in bytes. */
const MAX_VALUE = 4096;

const PLAIN = /^[ -~]*$/;
// Control characters, what turns the direction of text, and halves of a character.
const HIDDEN = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/u;

/** Whether the daemon would take this for a selector's name or value. */
function showable(value, max) {
  if (value === "") return false;
  if (PLAIN.test(value)) return value.length <= max;
  return utf8Length(value) <= max && !HIDDEN.test(value);
}

let reported = null;

/** Runs `attest` of an attestor with these keys, so that a report knows which there are. */
export function reporting(keys, run) {
  reported = keys;
  try {
    return run();
  } finally {
    reported = null;
  }
}

function known(key, named) {
  text("the key", key);
  if (reported === null) return;
  const found = reported.find((there) => there.key === key);
  if (found === undefined) {
    const all = reported.map((there) => there.key).join(", ");
    throw new TypeError(`${JSON.stringify(key)} is not among the attestor's keys: ${all}`);
  }
  if (named !== undefined && found.named !== named) {
    const hint = named ? "has no names: use report.selector" : "has names: use report.named";
    throw new TypeError(`the key ${JSON.stringify(key)} ${hint}`);
  }
}

function requireString(what, value) {
  if (typeof value === "string") return;
  throw new TypeError(`${what} is ${described(value)}, it must be a string`);
}

/** What an attestor found out. */
export class Report {
  #selectors = [];
  #unknown = [];

  /**
   * Adds a selector. The daemon refuses a whole report over one value that is empty, has more than
   * 4096 bytes or holds a control character, so a value like that makes the key unknown instead.
   */
  selector(key, value) {
    known(key, false);
    return this.#add(key, null, value);
  }

  /** Adds a selector of a key with names, such as `label`. */
  named(key, name, value) {
    known(key, true);
    requireString(`the name of ${JSON.stringify(key)}`, name);
    return this.#add(key, name, value);
  }

  /** Says that nothing can be said about a key, and why: an error, or a sentence. */
  unknown(key, reason) {
    known(key);
    const why = reason instanceof Error ? reason.message : reason;
    if (typeof why !== "string") {
      throw new TypeError(`the reason is ${described(why)}, it must be an Error or a string`);
    }
    this.#unknown.push({ key, reason: why.toWellFormed() });
    return this;
  }

  /** What holds, in the order it was added. */
  get selectors() {
    return [...this.#selectors];
  }

  /** What nothing can be said about. */
  get unknownKeys() {
    return [...this.#unknown];
  }

  #add(key, name, value) {
    requireString(`the value of ${JSON.stringify(key)}`, value);
    if (showable(value, MAX_VALUE) && (name === null || showable(name, MAX_NAME))) {
      this.#selectors.push({ key, name, value });
      return this;
    }
    return this.unknown(key, "its value is empty, too long or holds control characters");
  }
}
