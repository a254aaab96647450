import assert from "node:assert/strict";
import { test } from "node:test";

import {
  attestor,
  config,
  Failed,
  FactError,
  HttpError,
  log,
  NotApplicable,
  process as subject,
  Report,
  Retry,
  SettingsError,
  Unavailable,
} from "../src/index.js";
import { attest, validate } from "../src/testing.js";

const KEY = { key: "uid", meaning: "m", example: "1", derivedFrom: ["process.credentials"] };

const ended = (run, recorded = {}, circumstances) =>
  attest(attestor({ keys: [KEY], attest: run }), recorded, circumstances);

const throws = (error) => () => {
  throw error;
};

test("what an attestor throws on purpose is the outcome", () => {
  const { outcome, reason } = ended(throws(new Unavailable("no socket")));
  assert.deepEqual([outcome, reason], ["unavailable", "no socket"]);
  assert.equal(ended(throws(new NotApplicable())).outcome, "not-applicable");
  assert.deepEqual(ended(throws(new Retry(50))), {
    outcome: "retry",
    selectors: [],
    unknown: [],
    reason: 50,
  });
  assert.equal(ended(throws(new Failed("no\ud800"))).reason, "no\ufffd");
  for (const wrong of [-1, 1.5, "5", 2 ** 32, NaN])
    assert.throws(() => new Retry(wrong), TypeError);
});

test("a host error that nobody catches is said in its own words", () => {
  const fact = ended(() => subject.credentials(), { "process.credentials": { err: "denied" } });
  assert.deepEqual([fact.outcome, fact.reason], ["failed", new FactError("denied").message]);
  assert.equal(ended(throws(new HttpError("timeout"))).outcome, "unavailable");
  assert.equal(ended(throws(new HttpError("unreachable", "x"))).reason, "nobody answers: x");
  assert.equal(ended(throws(new HttpError("refused", "x"))).outcome, "failed");
});

test("a process that is gone ends the request whatever the attestor makes of it", () => {
  const swallows = () => {
    try {
      subject.credentials();
    } catch {
      // Goes on.
    }
    return new Report().selector("uid", "0");
  };
  assert.equal(ended(swallows, { "process.credentials": { err: "gone" } }).outcome, "gone");
});

/** The line that this is called from, so many lines further down. */
function line(further = 0) {
  const [, , caller] = new Error().stack.split("\n");
  return Number(caller.split(":").at(-2)) + further;
}

test("a mistake names the author's file and line", () => {
  const at = (number) => `tests/attestor\\.test\\.js:${number}`;
  const [mistake, here] = [ended(() => null.missing), line()];
  assert.match(mistake.reason, new RegExp(`^TypeError: .*null.* ${at(here)}$`));
  const [type, there] = [ended(() => new Report().selector("uid", 5)), line()];
  assert.match(type.reason, new RegExp(`the number 5, it must be a string ${at(there)}$`));
  const begins = line(3);
  const plugin = attestor({
    keys: [],
    attest() {
      new Report();
    },
  });
  const { reason } = attest(plugin, {});
  assert.match(reason, new RegExp(`^attest returned undefined, .* Report \\(${at(begins)}\\)$`));
  assert.match(ended(async () => new Report()).reason, /Promise, .* leave out async/);
  assert.match(ended(throws("text")).reason, /^attest threw the string "text", not an Error/);
  assert.match(ended(() => ({ selectors: [] })).reason, /a value of type Object/);
});

test("what is wrong with a definition is said when it is made", () => {
  const message = (definition) => {
    try {
      attestor({ keys: [KEY], attest() {}, ...definition });
    } catch (error) {
      return error.message;
    }
    return undefined;
  };
  assert.equal(message({}), undefined);
  assert.match(message({ attest: undefined }), /attest is undefined, it must be a function/);
  assert.match(message({ validate: 5 }), /validate is the number 5/);
  assert.match(message({ keys: {} }), /keys is a value of type Object, it must be an array/);
  assert.match(message({ atest() {} }), /no field "atest"/);
  assert.match(
    message({ keys: [{ ...KEY, meaning: undefined }] }),
    /keys\[0\].meaning is undefined/,
  );
  assert.match(
    message({ keys: [{ ...KEY, single: "yes" }] }),
    /keys\[0\].single .* must be a boolean/,
  );
  assert.match(
    message({ keys: [KEY, { ...KEY, stabel: true }] }),
    /keys\[1\].stabel .* no such field/,
  );
  assert.match(message({ keys: [{ ...KEY, derivedFrom: "x" }] }), /derivedFrom .* an array/);
});

test("the manifest is in the words of the interface", () => {
  const plugin = attestor({
    keys: [{ ...KEY, single: true }],
    settings: { type: "object" },
    attest() {},
  });
  const manifest = plugin.describe();
  assert.deepEqual(manifest.keys, [
    { ...KEY, named: false, stable: false, single: true, secret: false },
  ]);
  assert.deepEqual(JSON.parse(manifest.configSchema), { type: "object" });
  assert.equal(attestor({ keys: [], attest() {} }).describe().configSchema, "");
});

test("settings are checked", () => {
  const plain = attestor({ keys: [], attest() {} });
  assert.equal(plain.validate(" { } "), undefined);
  assert.equal(plain.validate('{"a":1}'), "this plugin has no settings");
  for (const wrong of ["", "{", "[]", "null", "5"]) {
    assert.equal(plain.validate(wrong), "settings are a JSON object", wrong);
  }
  const checking = attestor({
    keys: [],
    attest() {},
    validate({ level }) {
      if (level === "call") subject.comm();
      log.info(`level ${level.trim()}`);
      if (level !== "high") throw new SettingsError(`level is ${level}, it must be high`);
    },
  });
  assert.equal(validate(checking, { level: "high" }), undefined);
  assert.equal(validate(checking, { level: "low" }), "level is low, it must be high");
  assert.match(validate(checking, {}), /^TypeError: .*attestor.test.js:\d+$/);
  assert.match(validate(checking, { level: "call" }), /process.comm works only within attest/);
});

test("settings and wants are those of the call", () => {
  const run = () => {
    const { level } = config.settings();
    return new Report().selector("uid", `${level} ${config.wants("uid")} ${config.wants("gid")}`);
  };
  const found = ended(run, {}, { settings: { level: 3 }, wants: ["uid"] });
  assert.deepEqual(found.selectors, ["uid:3 true false"]);
});

test("outside of a call there are no facts", () => {
  assert.throws(() => subject.credentials(), /process.credentials works only within attest/);
});
