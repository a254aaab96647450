import assert from "node:assert/strict";
import { test } from "node:test";

import { attestor, cmdline, files, Report } from "../src/index.js";
import { attest, requests } from "../src/testing.js";

const TOML = `
name = "a" # requests = ["cmdline"]
requests = [
  "executable", # "cmdline"
  'files.workload:/etc/[a]',
  "files.host:/var/lib/",
  "environ:HOME", "cache:process",
]
description = "http:docker"
`;

test("what is asked for is read from plugin.toml", () => {
  const asks = requests(TOML);
  const asked = [
    "process",
    "log",
    "executable",
    "files",
    "environ",
    "cache",
    "files.workload:/etc/[a]",
    "files.host:/var/lib/a/b",
    "environ:HOME",
  ];
  const others = [
    "cmdline",
    "http",
    "http:docker",
    "files.host:/etc/[a]",
    "files.host:/var/library",
    "files.workload:/etc/[a]/b",
    "environ:HOM",
    "cache:plugin",
  ];
  for (const word of asked) assert.ok(asks(word), word);
  for (const word of others) assert.ok(!asks(word), word);
  assert.ok(!requests('name = "a"')("files"));
});

test("what is not asked for is an error that says what to add", () => {
  const reason = (look) => {
    const plugin = attestor({ keys: [], attest: () => look() ?? new Report() });
    return attest(plugin, {}, { asks: requests(TOML) }).reason;
  };
  assert.match(
    reason(() => cmdline.arguments()),
    /^Error: cmdline: plugin.toml .*: "cmdline" /,
  );
  const file = reason(() => files.read("host", "/etc/passwd"));
  assert.match(file, /add to its requests: "files.host:\/etc\/passwd" .*requests.test.js:\d+$/);
});
