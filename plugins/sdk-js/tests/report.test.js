import assert from "node:assert/strict";
import { test } from "node:test";

import { attestor, FactError, Report } from "../src/index.js";
import { attest } from "../src/testing.js";

const key = (name, more) => ({ key: name, meaning: "m", example: "e", derivedFrom: [], ...more });

test("a value that the daemon would refuse costs its own key", () => {
  const long = "x".repeat(4097);
  const bad = [
    "",
    "a\nb",
    "\u001b[0m",
    "a\u202eb",
    "\u2066",
    "\u200f",
    "\u0085",
    "\ud800",
    long,
    "ä".repeat(2049),
  ];
  for (const value of bad) {
    const report = new Report().selector("uid", "7").selector("user", value);
    assert.deepEqual(
      report.selectors,
      [{ key: "uid", name: null, value: "7" }],
      JSON.stringify(value),
    );
    assert.deepEqual(
      report.unknownKeys.map(({ key }) => key),
      ["user"],
    );
  }
  const report = new Report().named("label", "a\tb", "c").named("label", "x".repeat(257), "c");
  assert.deepEqual([report.selectors.length, report.unknownKeys.length], [0, 2]);
});

test("a value that the daemon takes is a selector", () => {
  const good = ["x", "x".repeat(4096), "ä".repeat(2048), "ünïcöde 😀", "\u202f", "a b"];
  for (const value of good) {
    const report = new Report().selector("k", value).named("n", "x".repeat(256), value);
    assert.deepEqual(
      report.selectors.map((selector) => selector.value),
      [value, value],
    );
  }
});

test("a wrong type says what it is and what it must be", () => {
  const message = (run) => {
    const error = thrown(run);
    assert.ok(error instanceof TypeError, String(error));
    return error.message;
  };
  const report = new Report();
  assert.equal(
    message(() => report.selector("uid", 1000)),
    'the value of "uid" is the number 1000, it must be a string',
  );
  assert.match(
    message(() => report.selector("uid", undefined)),
    /is undefined/,
  );
  assert.match(
    message(() => report.selector("uid", null)),
    /is null/,
  );
  assert.match(
    message(() => report.selector("uid", ["a"])),
    /a value of type Array/,
  );
  assert.match(
    message(() => report.selector(7, "a")),
    /the key is the number 7/,
  );
  assert.match(
    message(() => report.named("label", 7, "a")),
    /the name of "label" is the number 7/,
  );
  assert.match(
    message(() => report.unknown("uid", 7)),
    /the reason is the number 7/,
  );
  assert.deepEqual([report.selectors, report.unknownKeys], [[], []]);
});

test("a reason is an error or a sentence", () => {
  const report = new Report().unknown("a", new FactError("denied")).unknown("b", "b\ud800");
  assert.deepEqual(report.unknownKeys, [
    { key: "a", reason: "the kernel does not let the daemon read it" },
    { key: "b", reason: "b\ufffd" },
  ]);
});

test("within attest, keys are those of the attestor", () => {
  const reason = (run) => {
    const keys = [key("uid"), key("label", { named: true })];
    return attest(attestor({ keys, attest: () => run(new Report()) }), {}).reason;
  };
  assert.match(
    reason((report) => report.selector("gid", "0")),
    /"gid" is not among .*: uid, label /,
  );
  assert.match(
    reason((report) => report.unknown("gid", "?")),
    /"gid" is not among/,
  );
  assert.match(
    reason((report) => report.named("uid", "a", "b")),
    /"uid" has no names: use report.selector/,
  );
  assert.match(
    reason((report) => report.selector("label", "b")),
    /"label" has names: use report.named/,
  );
});

function thrown(run) {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
