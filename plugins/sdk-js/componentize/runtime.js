// The engine without clock and chance, so that the same sources give the same component.
//
// componentize-qjs starts the engine once and keeps a copy of its memory. What the engine took from
// clock and random numbers meanwhile (the seeds of its hash tables, that of Math.random) is in that
// copy, and no option leaves it out. But another engine can be given to it, and its own lies in the
// package as it is. So the engine is taken from there, and its imports of clock and random numbers
// are renamed to functions of the same type whose answer never changes: the clocks' resolution.

import { readFileSync } from "node:fs";

const RENAMED = [
  [
    "wasi:random/insecure-seed@0.2.9",
    "insecure-seed",
    "wasi:clocks/wall-clock@0.2.9",
    "resolution",
  ],
  ["wasi:clocks/wall-clock@0.2.0", "now", "wasi:clocks/wall-clock@0.2.0", "resolution"],
  ["wasi:clocks/monotonic-clock@0.2.0", "now", "wasi:clocks/monotonic-clock@0.2.0", "resolution"],
];

const MAGIC = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const IMPORTS = 2;
const LAST_SECTION = 13;

/**
 * The engine for the option `runtimeBytes`, or undefined if the package, which has been loaded,
 * does not hold it as we know it.
 */
export function timeless(packages) {
  const native = Object.keys(packages.cache).filter((file) => file.endsWith(".node"));
  const found = native.flatMap((file) => engines(readFileSync(file)));
  // One is built for speed and one for size.
  const [first, ...others] = found;
  return others.reduce((largest, next) => (next.length > largest.length ? next : largest), first);
}

/** The engines among the modules in a file that do not need asynchronous components, renamed. */
function engines(file) {
  const found = [];
  for (let at = file.indexOf(MAGIC); at >= 0; at = file.indexOf(MAGIC, at + 1)) {
    const sections = sectionsOf(file, at + MAGIC.length);
    const imports = sections.find(({ id }) => id === IMPORTS);
    const renamed = imports && !imports.content.includes("waitable") && rename(imports.content);
    if (renamed) found.push(written(sections, renamed));
  }
  return found;
}

/** The sections of a module, up to whatever comes after it. */
function sectionsOf(file, from) {
  const sections = [];
  for (let at = from; at < file.length && !file.subarray(at).subarray(0, 8).equals(MAGIC);) {
    const { value: length, end } = number(file, at + 1);
    if (file[at] > LAST_SECTION || length === 0 || end + length > file.length) break;
    sections.push({ id: file[at], content: file.subarray(end, end + length) });
    at = end + length;
  }
  return sections;
}

/** The imports under their new names, or undefined if one of them is not there. */
function rename(imports) {
  return RENAMED.reduce((content, [module, name, newModule, newName]) => {
    const old = Buffer.concat([text(module), text(name)]);
    const at = content?.indexOf(old) ?? -1;
    if (at < 0) return undefined;
    const after = content.subarray(at + old.length);
    return Buffer.concat([content.subarray(0, at), text(newModule), text(newName), after]);
  }, imports);
}

function written(sections, imports) {
  const parts = sections.flatMap(({ id, content }) => {
    const body = id === IMPORTS ? imports : content;
    return [Buffer.from([id]), leb128(body.length), body];
  });
  return Buffer.concat([MAGIC, ...parts]);
}

const text = (string) => Buffer.concat([leb128(Buffer.byteLength(string)), Buffer.from(string)]);

function leb128(value) {
  const bytes = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 127) | 128);
  }
}

function number(file, from) {
  let value = 0;
  for (let at = from; ; at += 1) {
    value += (file[at] & 127) * 2 ** (7 * (at - from));
    if (!(file[at] & 128)) return { value, end: at + 1 };
  }
}
