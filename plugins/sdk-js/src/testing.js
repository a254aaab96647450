// Tests without a build, under `node --test`.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { interfaces } from "./fixture.js";
import { within } from "./host.js";
import { requests } from "./requests.js";

export { requests };

/**
 * What an attestor makes of a recorded process: `{ outcome, selectors, unknown, reason }`, with the
 * selectors as `key:value` or `key:name:value`.
 */
export function attest(plugin, recorded, { settings, wants, asks } = {}) {
  let gone = false;
  const seen = (error) => {
    gone ||= error === "gone";
  };
  const host = { interfaces: interfaces(recorded, { settings, wants, asks, seen }), ...places };
  const { report, failure } = within(host, () => plugin.attest());
  // The daemon ends the request then, whatever the attestor makes of it.
  if (gone) return { outcome: "gone", selectors: [], unknown: [] };
  if (failure !== undefined) {
    return { outcome: failure.tag, selectors: [], unknown: [], reason: failure.val };
  }
  const word = ({ key, name, value }) => [key, ...(name === null ? [] : [name]), value].join(":");
  return {
    outcome: "reported",
    selectors: report.selectors.map(word).sort(),
    unknown: [...new Set(report.unknown.map(({ key }) => key))].sort(),
  };
}

/** What is wrong with these settings; undefined if nothing is. */
export function validate(plugin, settings) {
  const { log } = interfaces({}, {});
  const host = { interfaces: { log }, onlyLog: true, ...places };
  return within(host, () => plugin.validate(JSON.stringify(settings)));
}

/**
 * A test for each fixture of a project: `fixtures/NAME.json` is to give what
 * `fixtures/NAME.expected.json` says.
 */
export function checkFixtures(plugin, { project = process.cwd() } = {}) {
  const asks = requests(readFileSync(join(project, "plugin.toml"), "utf8"));
  const folder = join(project, "fixtures");
  const suffix = ".expected.json";
  const names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  assert.notEqual(names.length, 0, `${folder} has no expected report`);
  for (const name of names.map((file) => file.slice(0, -suffix.length)).sort()) {
    test(`fixture ${name}`, () => check(plugin, join(folder, name), asks));
  }
}

function check(plugin, path, asks) {
  const json = (file) => JSON.parse(readFileSync(file, "utf8"));
  const { settings, wants, ...expected } = json(`${path}.expected.json`);
  const found = attest(plugin, json(`${path}.json`), { settings, wants, asks });
  const { outcome, selectors = [], unknown = [], reason } = expected;
  const sorted = { outcome, selectors: selectors.toSorted(), unknown: unknown.toSorted() };
  const wanted = reason === undefined ? sorted : { ...sorted, reason };
  const { reason: said, ...rest } = found;
  assert.deepEqual(reason === undefined ? rest : found, wanted, said);
  assert.equal(validate(plugin, settings ?? {}), undefined);
}

const SDK = fileURLToPath(new URL(".", import.meta.url));

const FRAME = /(?:\(|at |async )(file:\/\/[^)\n]*|\/[^)\n]*):(\d+):\d+\)?$/gm;

/** The first frame of a stack that is in one of the author's own files. */
function frame(error) {
  for (const [, where, line] of error.stack.matchAll(FRAME)) {
    const file = where.startsWith("file:") ? fileURLToPath(where) : where;
    if (!file.startsWith(SDK) && !file.includes("/node_modules/")) return { file, line };
  }
  return undefined;
}

const shown = (file, line) => `${relative(process.cwd(), file)}:${line}`;

const places = {
  placeOf: (error) => {
    const found = frame(error);
    return found && shown(found.file, found.line);
  },
  // Node does not say where a function begins, but what it looks like.
  beginOf: (func, made) => {
    const found = frame(made);
    if (found === undefined) return undefined;
    const before = readFileSync(found.file, "utf8").split(String(func), 2);
    return shown(found.file, before.length < 2 ? found.line : before[0].split("\n").length);
  },
};
