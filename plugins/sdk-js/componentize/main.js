// Makes a component of an attestor: node main.js PROJECT SOURCE WIT COMPONENT
//
// PROJECT is the author's folder, where `componentize-qjs` and `esbuild` are looked for, SOURCE the
// file in it that exports the attestor, WIT a folder with a world `plugin` of the interfaces that
// the plugin has, and COMPONENT the file to write. What is wrong goes to standard error.

import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { bundle } from "./bundle.js";
import { translated } from "./lines.js";
import { timeless } from "./runtime.js";

const [folder, source, wit, out] = process.argv.slice(2);
const project = realpathSync(folder);
const packages = createRequire(join(project, "package.json"));

/** The interfaces that the world imports. */
function interfaces() {
  const world = readFileSync(join(wit, "world.wit"), "utf8");
  return [...world.matchAll(/^\s*import ([a-z-]+);$/gm)].map(([, name]) => name);
}

async function main() {
  const options = { project, source, interfaces: interfaces() };
  const { code, lines } = await bundle(packages("esbuild"), options);
  const bundled = join(project, "build", "bundle.js");
  writeFileSync(bundled, code);
  const { componentize } = packages("componentize-qjs");
  const runtime = timeless(packages);
  if (runtime === undefined) {
    console.error("warning: this version of componentize-qjs gives another digest each time");
  }
  try {
    const { component } = await componentize({
      witPath: wit,
      world: "plugin",
      jsSource: code,
      jsPath: bundled,
      moduleRoot: project,
      // Imports of WASI become traps. The daemon would have nothing behind them, and what imports
      // a clock cannot be remembered.
      stubWasi: true,
      ...(runtime === undefined ? { sync: true } : { runtimeBytes: runtime }),
    });
    writeFileSync(out, component);
  } catch (error) {
    throw new Error(translated(error.message, lines, source));
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
