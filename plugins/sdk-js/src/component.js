// What the component exports: an attestor in the words of `wit/`, over the component's imports.

import "./engine.js";

import { Attestor } from "./attestor.js";
import { within } from "./host.js";
import { lookUp, parseLines } from "./lines.js";

/** The exports for an attestor, the component's imports by interface, and its lines. */
export function component(plugin, imports, lines) {
  if (!(plugin instanceof Attestor)) {
    throw new TypeError("the default export must be what attestor({ … }) makes");
  }
  const places = {
    placeOf: (error) => placeOf(parseLines(lines), error),
    beginOf: (func) => lookUp(parseLines(lines), func.lineNumber, func.columnNumber - 1),
  };
  const onlyLog = { interfaces: { log: imports.log }, onlyLog: true, ...places };
  const all = { interfaces: imports, ...places };
  return {
    describe: () => within(onlyLog, () => plugin.describe()),
    validate: (text) => {
      const wrong = within(onlyLog, () => plugin.validate(text));
      if (wrong !== undefined) throw wrong;
    },
    attest: () => {
      const { report, failure } = within(all, () => plugin.attest());
      if (failure !== undefined) throw failure;
      return report;
    },
  };
}

function placeOf(lines, error) {
  for (const [, line, column] of error.stack.matchAll(/:(\d+):(\d+)\)?$/gm)) {
    const found = lookUp(lines, Number(line), Number(column) - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
