// Makes the engine of the component fit for attestors; imported before any code of the author's.
//
// The engine is started when the component is built, and everything outside of functions runs then;
// each call begins with a copy of that moment. So a clock or a random number would say the same in
// every call, and both are refused.

import { isThere } from "./host.js";
import * as log from "./interfaces/log.js";

function refuse(what) {
  return () => {
    throw new Error(`there is no ${what}: an attestor has neither clock nor random numbers`);
  };
}

const now = refuse("Date.now");
const OriginalDate = Date;
OriginalDate.now = now;
globalThis.Date = new Proxy(OriginalDate, {
  construct: (date, args) => (args.length === 0 ? now() : new date(...args)),
  apply: now,
});
Math.random = refuse("Math.random");
delete globalThis.performance;

function shown(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Uint8Array) return `Uint8Array(${value.length})`;
  try {
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  } catch {
    return String(value);
  }
}

/** Writes a line to the log; while the component is built there is none. */
const line =
  (write) =>
  (...values) => {
    if (isThere()) write(values.map(shown).join(" "));
  };

globalThis.console = {
  debug: line(log.debug),
  log: line(log.info),
  info: line(log.info),
  warn: line(log.warn),
  error: line(log.error),
};
