import { fact, whole } from "./facts.js";

/** Who the process is to the kernel. Fact `process.credentials`. */
export function credentials() {
  return fact("process", "credentials");
}

/** The names of the credentials on this host; null where there is none. Fact `process.names`. */
export function names() {
  return fact("process", "names");
}

/** The LSM label of the connecting socket. Fact `process.label`. */
export function label() {
  return fact("process", "label");
}

const SETS = ["inheritable", "permitted", "effective", "bounding", "ambient"];

/** What the process may still do, with sets as bits of a BigInt. Fact `process.privileges`. */
export function privileges() {
  const found = fact("process", "privileges");
  for (const set of SETS) found[set] = BigInt(whole(found[set]));
  return found;
}

/** The state letter of proc(5). Fact `process.state`. */
export function state() {
  return fact("process", "state");
}

/** Clock ticks from boot until the process began. Fact `process.start-time`. */
export function startTime() {
  return whole(fact("process", "startTime"));
}

/** The name that the process gives itself: any bytes, at most 15. Fact `process.comm`. */
export function comm() {
  return fact("process", "comm");
}
