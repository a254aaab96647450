// Every interface, and every mistake: the settings say which.

import {
  ancestry,
  attestor,
  cache,
  cgroups,
  cmdline,
  config,
  environ,
  executable,
  Failed,
  files,
  http,
  log,
  namespaces,
  NotApplicable,
  process,
  Report,
  Retry,
  systemd,
  Unavailable,
  utf8,
} from "@witgate/sdk";

import { half } from "./lib/division.js";

const FACTS = {
  ancestry: ancestry.parents,
  arguments: cmdline.arguments,
  "cgroups-claimed": cgroups.claimed,
  "cgroups-trusted": cgroups.trusted,
  comm: process.comm,
  credentials: process.credentials,
  doubts: executable.doubts,
  entries: () => files.entries("host", "/etc/apt"),
  environ: () => [environ.variable("HOME"), environ.variable("NOT_SET")],
  executable: executable.info,
  http: () => http.get("docker", "/containers/1/json").json().Image,
  label: process.label,
  names: process.names,
  namespaces: namespaces.all,
  "no-entries": () => files.entries("host", "/etc/none"),
  posted: () =>
    http.send("docker", {
      method: "POST",
      path: "/x",
      headers: { Accept: "a/b" },
      body: Uint8Array.of(255),
    }),
  privileges: process.privileges,
  read: () => files.read("workload", "/etc/hostname"),
  sha256: executable.sha256,
  "start-time": process.startTime,
  state: process.state,
  status: () => files.status("host", "/etc/hosts"),
  systemd: systemd.unit,
};

/** A value as JSON; bytes as their text, or as numbers. */
function shown(value) {
  return JSON.stringify(value, (_, part) => {
    if (typeof part === "bigint") return `${part}n`;
    return part instanceof Uint8Array ? (utf8(part) ?? [...part]) : part;
  });
}

/** What a function gives, or the error that it throws. */
function seen(look) {
  try {
    return shown(look());
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const DO = {
  facts() {
    const report = new Report();
    for (const [name, fact] of Object.entries(FACTS)) report.named("seen", name, seen(fact));
    return report;
  },

  rest() {
    process.credentials();
    log.debug("half a character: \ud800");
    console.warn("so", { many: [1] });
    cache.put("process", "key", Uint8Array.of(0, 255), 1000);
    const report = new Report()
      .named("seen", "hit", seen(() => cache.get("process", "key")))
      .named("seen", "miss", seen(() => cache.get("plugin", "key")));
    process.comm();
    return report
      .named("seen", "refused", seen(() => cache.put("plugin", "key", "", 1000)))
      .named("seen", "too-large", seen(() => cache.put("process", "k".repeat(257), "", 1000)))
      .named("seen", "wants", shown([config.wants("seen"), config.wants("other")]))
      .named("seen", "remaining", shown(config.remainingMs() > 0));
  },

  exception() {
    throw new RangeError("far");
  },

  engineException() {
    return null.missing;
  },

  inAnotherFile() {
    half(1);
    return new Report();
  },

  inTheLibrary() {
    JSON.parse("{");
    return new Report();
  },

  inACallback() {
    const report = new Report();
    ["a", "b"].forEach((name) => {
      report.named("seen", name, name === "b" ? undefined : name);
    });
    return report;
  },

  noReturn() {
    new Report();
  },

  wrongReturn() {
    return { seen: "x" };
  },

  async promise() {
    return new Report();
  },

  notAnError() {
    throw "text";
  },

  valueIsANumber() {
    return new Report().named("seen", "uid", 33);
  },

  undeclaredKey() {
    return new Report().named("sene", "name", "x");
  },

  nameLeftOut() {
    return new Report().selector("seen", "x");
  },

  nameTooMuch() {
    return new Report().named("other", "name", "x");
  },

  halfCharacter() {
    process.credentials();
    return new Report().named("seen", "half", "\ud800");
  },

  unknownRoot() {
    return new Report().named("seen", "read", shown(files.read("root", "/etc/hostname")));
  },

  bytesForAPath() {
    return new Report().named("seen", "read", shown(files.read("workload", Uint8Array.of(47))));
  },

  noSuchFunction() {
    return new Report().named("seen", "uid", process.userId());
  },

  clock() {
    return new Report().named("seen", "now", String(Date.now()));
  },

  chance() {
    return new Report().named("seen", "chance", String(Math.random()));
  },

  longMessage() {
    throw new Error("x".repeat(1_000_000));
  },

  noEnd() {
    return DO.noEnd() + 1;
  },

  pathNotRequested() {
    return new Report().named("seen", "shadow", shown(files.read("workload", "/etc/shadow")));
  },

  factError() {
    return new Report().named("seen", "label", process.label());
  },

  unreachable() {
    return new Report().named("seen", "http", shown(http.get("docker", "/none")));
  },

  notApplicable() {
    throw new NotApplicable();
  },

  retry() {
    throw new Retry(250);
  },

  unavailable() {
    throw new Unavailable("the runtime starts");
  },

  failed() {
    throw new Failed("two hierarchies disagree \udc80");
  },
};

const key = (name, derivedFrom, more) => ({
  key: name,
  meaning: "what was seen",
  example: "x",
  derivedFrom: [derivedFrom],
  ...more,
});

export default attestor({
  keys: [
    key("seen", "process.credentials", { named: true, stable: true }),
    key("other", "files.host", { secret: true }),
  ],
  settings: { type: "object", properties: { do: { type: "string" } } },

  validate() {},

  attest() {
    return DO[config.settings().do]();
  },
});
