import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import * as sdk from "../src/index.js";
import { attestor, FactError, HttpError, Report } from "../src/index.js";
import { attest } from "../src/testing.js";

const { ancestry, cache, cgroups, cmdline, environ, executable, files, http, namespaces, systemd } =
  sdk;

/** What `look` gives in a call about this process, or the error it throws. */
function seen(recorded, look, circumstances) {
  let found;
  const plugin = attestor({
    keys: [],
    attest() {
      try {
        found = look();
      } catch (error) {
        found = error;
      }
      return new Report();
    },
  });
  attest(plugin, recorded, circumstances);
  return found;
}

const ok = (value) => ({ ok: value });
const bytes = (text) => Uint8Array.from(Buffer.from(text));

test("every function of every interface is here, and typed", () => {
  const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  const folder = new URL("../../../wit/", import.meta.url);
  const others = ["attestor.wit", "types.wit", "world.wit"];
  const names = readdirSync(folder).filter(
    (file) => file.endsWith(".wit") && !others.includes(file),
  );
  assert.ok(names.length >= 13);
  for (const name of names.map((file) => file.slice(0, -".wit".length))) {
    const wit = readFileSync(new URL(`${name}.wit`, folder), "utf8");
    const types = readFileSync(new URL(`../src/interfaces/${name}.d.ts`, import.meta.url), "utf8");
    const functions = [...wit.matchAll(/^ {4}([a-z0-9-]+): func/gm)].map(([, func]) => camel(func));
    // `log.write` has a function for each level.
    for (const func of name === "log" ? ["debug", "info", "warn", "error"] : functions) {
      assert.equal(typeof sdk[name][func], "function", `${name}.${func}`);
      assert.match(types, new RegExp(`\\b(function|as) ${func}\\b`), `${name}.${func} has no type`);
    }
  }
});

test("facts are as they were recorded, under the names of JavaScript", () => {
  const recorded = {
    "process.credentials": ok({ uid: 33, gid: 33, groups: [33, 100] }),
    "process.privileges": ok({
      seccomp: 2,
      no_new_privs: true,
      inheritable: 0,
      permitted: 0,
      effective: 2 ** 40,
      bounding: 2 ** 41 - 1,
      ambient: 0,
    }),
    "process.start-time": ok(12345),
    "process.comm": ok({ base64: "/wA=" }),
    "cgroups.trusted": ok([
      { hierarchy: 0, controllers: [], prefix: "/a", delegated: false, mounted: true },
    ]),
    "namespaces.all": ok([{ kind: "mnt", inode: 4026531841, host: true }]),
    "executable.info": ok({
      path: "/a",
      device: 1,
      inode: 2,
      size: 3,
      deleted: false,
      same_on_host: true,
    }),
    "executable.doubts": ok(["memfd", "traced"]),
    "ancestry.parents": ok([{ uid: 0, gid: 0, comm: "sh", executable: null, start_time: 7 }]),
    "cmdline.arguments": ok(["a", { base64: "/w==" }]),
    "environ.variables": { HOME: ok("/root"), NONE: ok(null) },
    "files.host": { "/etc": { entries: ok([{ name: "passwd", kind: "file" }]) } },
    "files.workload": {
      "/a": { status: ok({ kind: "file", size: 1, mode: 420, uid: 0, gid: 0, modified: -5 }) },
    },
    "systemd.unit": ok({
      id: "a.service",
      fragment_path: "/a",
      active_state: "active",
      slice: null,
    }),
  };
  const fact = (look) => seen(recorded, look);
  assert.deepEqual(fact(sdk.process.credentials), { uid: 33, gid: 33, groups: [33, 100] });
  const { effective, noNewPrivs, bounding } = fact(sdk.process.privileges);
  assert.deepEqual([effective, noNewPrivs, bounding], [1n << 40n, true, (1n << 41n) - 1n]);
  assert.equal(fact(sdk.process.startTime), 12345);
  assert.deepEqual(fact(sdk.process.comm), Uint8Array.of(255, 0));
  assert.equal(fact(cgroups.trusted)[0].prefix, "/a");
  assert.equal(fact(namespaces.all)[0].inode, 4026531841);
  assert.equal(fact(executable.info).sameOnHost, true);
  assert.deepEqual(fact(executable.doubts), ["memfd", "traced"]);
  assert.deepEqual(fact(ancestry.parents), [
    { uid: 0, gid: 0, comm: bytes("sh"), executable: null, startTime: 7 },
  ]);
  assert.deepEqual(fact(cmdline.arguments), [bytes("a"), Uint8Array.of(255)]);
  assert.deepEqual(
    fact(() => environ.variable("HOME")),
    bytes("/root"),
  );
  assert.equal(
    fact(() => environ.variable("NONE")),
    null,
  );
  assert.deepEqual(
    fact(() => files.entries("host", "/etc")),
    [{ name: "passwd", kind: "file" }],
  );
  assert.equal(fact(() => files.status("workload", "/a")).modified, -5);
  assert.equal(fact(systemd.unit).fragmentPath, "/a");
});

test("a fact that is not there says why", () => {
  const kind = (recorded) => {
    const error = seen(recorded, sdk.process.label);
    assert.ok(error instanceof FactError, String(error));
    return [error.kind, error.message];
  };
  for (const word of ["gone", "denied", "unsupported", "too-large"]) {
    assert.equal(kind({ "process.label": { err: word } })[0], word);
  }
  assert.deepEqual(kind({ "process.label": { err: { io: "EIO" } } }), ["io", "EIO"]);
  assert.equal(kind({})[0], "unsupported");
  assert.match(seen({}, () => files.read("workload", "/none")).kind, /unsupported/);
  const plugin = attestor({ keys: [], attest: () => new Report() });
  assert.throws(() => attest(plugin, { "process.pid": ok(1) }), /unknown field: process.pid/);
});

test("a number that is not exact is not given to anybody", () => {
  const info = {
    path: "/a",
    device: -1,
    inode: 2 ** 53,
    size: 3,
    deleted: false,
    same_on_host: true,
  };
  const found = seen({ "executable.info": ok(info) }, executable.info);
  assert.deepEqual([found.path, found.size], ["/a", 3]);
  for (const field of ["inode", "device"]) assert.throws(() => found[field], FactError);
  assert.equal(
    seen({ "process.start-time": ok(2 ** 60) }, sdk.process.startTime).kind,
    "too-large",
  );
});

test("an argument of the wrong type is refused before the engine ends the call", () => {
  const wrong = [
    () => files.read("wrkload", "/a"),
    () => files.read("workload", 5),
    () => files.read("workload"),
    () => files.read("workload", "\ud800"),
    () => environ.variable(undefined),
    () => cache.get("proces", "k"),
    () => cache.put("process", "k", 5, 1),
    () => cache.put("process", "k", "v", -1),
    () => cache.put("process", "k", "v", 1.5),
    () => http.get(5, "/"),
    () => http.send("docker", { path: "/", headers: { a: 5 } }),
    () => http.send("docker", { path: "/", body: {} }),
    () => sdk.config.wants(5),
  ];
  for (const look of wrong) assert.ok(seen({}, look) instanceof TypeError, String(look));
});

test("requests are answered as they were recorded", () => {
  const request = { method: "GET", path: "/v1/a" };
  const outcome = ok({ status: 200, headers: [["content-type", "a/b"]], body: '{"a":1}' });
  const recorded = {
    "http.exchanges": [
      { endpoint: "docker", request, outcome },
      {
        endpoint: "docker",
        request: { ...request, body: "x" },
        outcome: { err: { unreachable: "y" } },
      },
      { endpoint: "docker", request: { ...request, path: "/t" }, outcome: { err: "timeout" } },
    ],
  };
  const response = seen(recorded, () => http.get("docker", "/v1/a"));
  assert.deepEqual([response.status, response.headers], [200, { "content-type": "a/b" }]);
  assert.deepEqual(response.json(), { a: 1 });
  const error = (look) => {
    const found = seen(recorded, look);
    assert.ok(found instanceof HttpError, String(found));
    return `${found.kind}: ${found.message}`;
  };
  const sent = { path: "/v1/a", body: "x" };
  assert.equal(
    error(() => http.send("docker", sent)),
    "unreachable: nobody answers: y",
  );
  assert.match(
    error(() => http.get("docker", "/t")),
    /^timeout/,
  );
  assert.match(
    error(() => http.get("other", "/v1/a")),
    /no answer of `other` to GET \/v1\/a/,
  );
});

test("a response that is no text or no JSON is malformed", () => {
  const exchange = (path, body) => ({
    endpoint: "e",
    request: { method: "GET", path },
    outcome: ok({ status: 200, body }),
  });
  const recorded = { "http.exchanges": [exchange("/b", { base64: "/w==" }), exchange("/j", "{")] };
  assert.equal(seen(recorded, () => http.get("e", "/b").text()).kind, "malformed");
  assert.equal(seen(recorded, () => http.get("e", "/j").json()).kind, "malformed");
});

test("the cache gives what was put, within its limits", () => {
  const found = seen({}, () => {
    cache.put("process", "k", "väl", 1000);
    return [cache.get("process", "k").value, cache.get("cgroup", "k"), cache.get("process", "x")];
  });
  assert.deepEqual(found, [bytes("väl"), null, null]);
  const kind = (look) => seen({}, look).kind;
  assert.equal(
    kind(() => cache.get("process", "k".repeat(257))),
    "too-large",
  );
  assert.equal(
    kind(() => cache.put("process", "k", new Uint8Array(65537), 1)),
    "too-large",
  );
  assert.equal(
    kind(() => cache.put("process", "k", "v", 3_600_001)),
    "refused",
  );
});
