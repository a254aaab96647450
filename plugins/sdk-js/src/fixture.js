// The host functions over a fixture, natively. They fail as the component's imports fail, with an
// error that has a payload.

/** What a fixture can say, besides its facts by name. */
const FIELDS = [
  "$schema",
  "about",
  "challenged",
  "process.credentials",
  "process.names",
  "process.label",
  "process.privileges",
  "process.state",
  "process.start-time",
  "process.comm",
  "cgroups.trusted",
  "cgroups.claimed",
  "namespaces.all",
  "executable.info",
  "executable.doubts",
  "executable.sha256",
  "ancestry.parents",
  "cmdline.arguments",
  "environ.variables",
  "files.host",
  "files.workload",
  "systemd.unit",
  "http.exchanges",
];

const MAX_KEY = 256;
const MAX_KEPT = 64 << 10;
const MAX_TTL_MS = 3_600_000;

/**
 * The interfaces, by name. `asks` says whether plugin.toml asks for something, and `seen` hears the
 * word of each error.
 */
export function interfaces(recorded, { settings = {}, wants, asks = () => true, seen = () => {} }) {
  const unknown = Object.keys(recorded).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined) throw new Error(`the fixture has an unknown field: ${unknown}`);

  const fail = (tag, val) => {
    seen(tag);
    throw Object.assign(new Error(tag), { payload: { tag, val } });
  };
  const asked = (word) => {
    if (asks(word)) return;
    const request = JSON.stringify(word);
    throw new Error(`plugin.toml does not ask for it; add to its requests: ${request}`);
  };
  const all = {
    ...facts(recorded, asked, fail),
    http: { send: (endpoint, request) => send(recorded, endpoint, request, asked, fail) },
    cache: cache(asked, fail),
    config: {
      settings: () => JSON.stringify(settings),
      wants: (key) => wants === undefined || wants.includes(key),
      remainingMs: () => 1000,
    },
    log: { write: (level, message) => console.error(`${level}: ${message}`) },
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => asks(name)));
}

function facts(recorded, asked, fail) {
  const read = (fact, convert = camel) => {
    if (fact === undefined || fact === null) return fail("unsupported");
    if ("ok" in fact) return convert(fact.ok);
    return typeof fact.err === "string" ? fail(fact.err) : fail("io", fact.err.io);
  };
  const fact = (name, convert) => () => read(recorded[name], convert);
  const file = (what, convert) => (root, path) => {
    asked(`files.${root}:${path}`);
    return read(recorded[`files.${root}`]?.[path]?.[what], convert);
  };
  const variable = (name) => {
    asked(`environ:${name}`);
    return read(recorded["environ.variables"]?.[name], blob);
  };
  const parent = (record) => ({ ...camel(record), comm: blob(record.comm) });
  return {
    process: {
      credentials: fact("process.credentials"),
      names: fact("process.names"),
      label: fact("process.label"),
      privileges: fact("process.privileges"),
      state: fact("process.state"),
      startTime: fact("process.start-time"),
      comm: fact("process.comm", blob),
    },
    cgroups: { trusted: fact("cgroups.trusted"), claimed: fact("cgroups.claimed") },
    namespaces: { all: fact("namespaces.all") },
    executable: {
      info: fact("executable.info"),
      doubts: fact("executable.doubts"),
      sha256: fact("executable.sha256"),
    },
    ancestry: { parents: fact("ancestry.parents", (list) => list.map(parent)) },
    cmdline: { arguments: fact("cmdline.arguments", (list) => list.map(blob)) },
    environ: { variable },
    files: { read: file("content", blob), entries: file("entries"), status: file("status") },
    systemd: { unit: fact("systemd.unit") },
  };
}

/** Records with names as in JavaScript. */
function camel(value) {
  if (Array.isArray(value)) return value.map(camel);
  if (value === null || typeof value !== "object") return value;
  const name = (field) => field.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(value).map(([field, of]) => [name(field), camel(of)]));
}

/** Bytes: a string if they are text, else `{"base64": "…"}`. */
function blob(value) {
  if (value === null) return null;
  const text = typeof value === "string";
  return Uint8Array.from(text ? Buffer.from(value) : Buffer.from(value.base64, "base64"));
}

/** Answers as the first exchange of the same endpoint, method, path and body. */
function send(recorded, endpoint, request, asked, fail) {
  asked(`http:${endpoint}`);
  const same = (exchange) =>
    exchange.endpoint === endpoint &&
    exchange.request.method === request.method &&
    exchange.request.path === request.path &&
    Buffer.from(blob(exchange.request.body ?? "")).equals(request.body);
  const outcome = (recorded["http.exchanges"] ?? []).find(same)?.outcome;
  if (outcome === undefined) {
    const { method, path } = request;
    return fail("refused", `the fixture has no answer of \`${endpoint}\` to ${method} ${path}`);
  }
  const { err } = outcome;
  if (err !== undefined) return fail(...(typeof err === "string" ? [err] : Object.entries(err)[0]));
  const { status, headers = [], body = "" } = outcome.ok;
  return { status, headers: headers.map(([name, value]) => ({ name, value })), body: blob(body) };
}

/** Keeps what is put, for as long as the fixture is looked at. */
function cache(asked, fail) {
  const kept = new Map();
  const place = (scope, key) => {
    asked(`cache:${scope}`);
    return Buffer.byteLength(key) > MAX_KEY ? fail("too-large") : `${scope}:${key}`;
  };
  return {
    get: (scope, key) => {
      const value = kept.get(place(scope, key));
      return value === undefined ? null : { value, ageMs: 0 };
    },
    put: (scope, key, value, ttlMs) => {
      const at = place(scope, key);
      if (value.length > MAX_KEPT) fail("too-large");
      if (ttlMs > MAX_TTL_MS) fail("refused", "nothing is kept for longer than an hour");
      kept.set(at, value);
    },
  };
}
