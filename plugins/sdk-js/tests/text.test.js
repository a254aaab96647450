import assert from "node:assert/strict";
import { test } from "node:test";

import { lines, utf8, utf8Bytes } from "../src/index.js";
import { utf8Length } from "../src/text.js";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decoded(bytes) {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

// Where what may follow a byte changes.
const EDGES = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];

test("bytes are read as a strict decoder reads them", () => {
  for (let one = 0; one < 256; one += 1) {
    for (const two of EDGES) {
      for (const rest of [[], [0x80], [0xbf, 0x80], [0x80, 0x80, 0x41]]) {
        const bytes = Uint8Array.from([one, two, ...rest]);
        assert.equal(utf8(bytes), decoded(bytes), String(bytes));
      }
    }
  }
});

test("what is longer than one piece is whole", () => {
  const text = "ä€😀x".repeat(5000);
  assert.equal(utf8(utf8Bytes(text)), text);
  assert.equal(utf8Bytes(text).length, Buffer.byteLength(text));
});

test("a line that is not UTF-8 is left out, and no other", () => {
  const bytes = Buffer.concat([Buffer.from("a\n"), Buffer.from([0xff, 0x0a]), Buffer.from("ö\n")]);
  assert.deepEqual(lines(bytes), ["a", "ö", ""]);
  assert.deepEqual(lines(new Uint8Array()), [""]);
});

test("the length of a text is that of its bytes", () => {
  for (const text of ["", "a", "ä", "€", "😀", "\u07ff\u0800\uffff\u{10ffff}"]) {
    assert.equal(utf8Length(text), Buffer.byteLength(text), text);
  }
});
