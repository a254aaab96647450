// One module of the author's files and the SDK, for an engine that has neither npm nor TypeScript.

import { builtinModules } from "node:module";
import { join } from "node:path";

import { ENTRY, lineMap } from "./lines.js";

/** Stands in the entry for what is known only when the bundle is made. */
const LINES = "@lines@";

const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

/** What the component starts with: it hands exactly the imports that the world has to the SDK. */
function entry(source, interfaces) {
  const imports = interfaces.map(
    (name) => `import * as ${camel(name)} from "witgate:attestor/${name}@0.1.0";\n`,
  );
  return `import { component } from "@witgate/sdk/component";
import plugin from "./${source}";
${imports.join("")}
export const attestor = component(plugin, { ${interfaces.map(camel).join(", ")} }, "${LINES}");
`;
}

/** An import of Node's own modules is answered with what an attestor has instead. */
const noNode = {
  name: "no-node",
  setup({ onResolve }) {
    onResolve({ filter: /^(node:|[a-z_/0-9]+$)/ }, ({ path }) => {
      if (!path.startsWith("node:") && !builtinModules.includes(path)) return undefined;
      const text = `an attestor has no module "${path}"; what it can see is in "@witgate/sdk"`;
      return { errors: [{ text }] };
    });
  },
};

/** The bundle, and where its lines were before. Throws what esbuild says, with file and line. */
export async function bundle(esbuild, { project, source, interfaces }) {
  const outfile = join(project, "build", "bundle.js");
  let built;
  try {
    built = await esbuild.build({
      stdin: { contents: entry(source, interfaces), resolveDir: project, sourcefile: ENTRY },
      absWorkingDir: project,
      outfile,
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["import"],
      target: "es2022",
      external: ["witgate:*"],
      sourcemap: "external",
      sourcesContent: false,
      logLevel: "silent",
      plugins: [noNode],
    });
  } catch (error) {
    throw new Error(await explained(esbuild, error));
  }
  const [map, code] = ["bundle.js.map", "bundle.js"].map(
    (name) => built.outputFiles.find(({ path }) => path.endsWith(name)).text,
  );
  const lines = lineMap(JSON.parse(map), project);
  return { code: code.replace(LINES, lines), lines };
}

async function explained(esbuild, error) {
  if (error.errors === undefined) return error.message;
  const messages = await esbuild.formatMessages(error.errors, { kind: "error", color: false });
  return messages.join("").trimEnd();
}
