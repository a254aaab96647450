import assert from "node:assert/strict";
import { test } from "node:test";

import { lineMap, translated } from "../componentize/lines.js";
import { lookUp, parseLines } from "../src/lines.js";

// A bundle of four lines: one from outside the project, one of lines 3 and 4 of `attestor.js`, one
// that goes on in another file, and one of a package.
const MAP = {
  version: 3,
  sources: ["../../elsewhere/x.js", "../attestor.js", "../node_modules/p/i.js", "../lib/a,b.js"],
  mappings: "AAAA;ACEA,IACA;EAKA,QEAA;ADAA",
};

test("a place of the bundle is a line of the author's", () => {
  const lines = parseLines(lineMap(MAP, "/project"));
  const at = (line, column) => lookUp(lines, line, column);
  assert.deepEqual([at(2, 0), at(2, 3)], ["attestor.js:3", "attestor.js:3"]);
  assert.deepEqual([at(2, 4), at(2, 99)], ["attestor.js:4", "attestor.js:4"]);
  assert.deepEqual([at(3, 2), at(3, 10)], ["attestor.js:9", "lib/a,b.js:9"]);
  // The engine knows only the line.
  assert.equal(at(3, 0), "attestor.js:9");
  assert.deepEqual(
    [at(1, 0), at(4, 0), at(4, 50), at(99, 0)],
    [undefined, undefined, undefined, undefined],
  );
});

test("what the engine says about the bundle names the author's file", () => {
  const stack = "\n    at f (/build/bundle.js:4:1)\n    at <anonymous> (/build/bundle.js:2:5)\n";
  const said = `: Failed to finish JavaScript module evaluation: Error: no${stack}`;
  const text = lineMap(MAP, "/project");
  assert.match(translated(said, text, "attestor.js"), /^attestor.js:4: no\n/);
  assert.match(translated("no", text, "attestor.ts"), /^attestor.ts: no\n/);
});
