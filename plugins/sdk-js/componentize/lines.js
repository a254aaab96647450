// From a source map to what `src/lines.js` reads, which is a fraction of it.

import { realpathSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { lookUp, parseLines } from "../src/lines.js";

/** What the bundle begins with, which nobody wrote. */
export const ENTRY = "build/entry.js";

const SDK = realpathSync(fileURLToPath(new URL("../src", import.meta.url))) + sep;

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The numbers of one segment: digits of five bits and a mark that more follow, the sign last. */
function numbers(segment) {
  const found = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = BASE64.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return found;
}

/** What a source map says, with lines counted from 1 and columns from 0. */
function* segments({ mappings, sources }) {
  let [source, from] = [0, 0];
  for (const [at, text] of mappings.split(";").entries()) {
    let column = 0;
    for (const segment of text.split(",").filter((segment) => segment !== "")) {
      const [columns, files = 0, lines = 0] = numbers(segment);
      column += columns;
      source += files;
      from += lines;
      yield { line: at + 1, column, source: sources[source], from: from + 1 };
    }
  }
}

/** The path of a source within the project, or undefined if the author did not write it. */
function own(source, project) {
  const file = join(project, "build", source);
  const path = relative(project, file);
  const foreign = path.startsWith("..") || path.includes("node_modules/") || file.startsWith(SDK);
  return foreign || path === ENTRY ? undefined : path;
}

/** Each place of the bundle at which another line of an author's file begins, as one string. */
export function lineMap(map, project) {
  const files = [];
  const places = [];
  let last;
  for (const { line, column, source, from } of segments(map)) {
    const path = own(source, project);
    if (path !== undefined && !files.includes(path)) files.push(path);
    const where = path === undefined ? "" : `${files.indexOf(path)}:${from}`;
    if (where !== last) places.push(`${line}:${column}=${where}`);
    last = where;
  }
  return `${files.map(encodeURIComponent).join(",")}|${places.join(";")}`;
}

/** What the engine says about the bundle, in the author's own places. */
export function translated(message, text, source) {
  const lines = parseLines(text);
  const stack = message.matchAll(/build\/bundle\.js:(\d+):(\d+)/g);
  const own = [...stack].map(([, line, column]) => lookUp(lines, Number(line), Number(column) - 1));
  const where = own.find((place) => place !== undefined) ?? source;
  const [what] = message
    .replace(/^.*JavaScript module: Error: |^.*evaluation: Error: /, "")
    .split("\n    at ");
  return `${where}: ${what}\nWhat stands outside of functions runs when the component is built.`;
}
