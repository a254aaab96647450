// Where host functions come from: the component's imports, or a fixture.

let host = null;

/**
 * Runs something with a host: `interfaces`, the functions there are, by interface; and `placeOf`
 * and `beginOf`, which know the author's files.
 */
export function within(next, run) {
  const before = host;
  host = next;
  try {
    return run();
  } finally {
    host = before;
  }
}

/** Whether there is a host now. */
export function isThere() {
  return host !== null;
}

/** The first of the author's own lines in an error's stack: `attestor.js:16`, or undefined. */
export function placeOf(error) {
  return host?.placeOf(error);
}

/** Where a function of the author's begins; `made` is an error from where it was handed over. */
export function beginOf(func, made) {
  return host?.beginOf(func, made);
}

// A word that asks for something of an interface, where its own name does not.
const REQUESTS = {
  environ: "environ:NAME",
  files: "files.workload:/PATH",
  http: "http:NAME",
  cache: "cache:process",
};

/** Calls a host function. Its error is thrown as what `failed` makes of its kind and text. */
export function call(name, func, args = [], failed) {
  if (host === null) {
    throw new Error(
      `${name}.${func} works only within attest; code outside of functions runs when the ` +
        "component is built",
    );
  }
  const found = host.interfaces[name];
  if (found === undefined) throw new Error(unknown(name, func));
  try {
    return found[func](...args);
  } catch (error) {
    if (failed === undefined || error?.payload?.tag === undefined) throw error;
    throw failed(error.payload.tag, error.payload.val);
  }
}

function unknown(name, func) {
  if (host.onlyLog) return `${name}.${func} works only within attest`;
  const request = JSON.stringify(REQUESTS[name] ?? name);
  return `${name}: plugin.toml does not ask for it; add to its requests: ${request}`;
}
