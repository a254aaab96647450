// What stands outside of functions runs once, when the component is built, and is the same in every
// call. Nothing is kept between calls, and there is no clock.

import { attestor, files, type Key, lines, NotApplicable, Report } from "@witgate/sdk";

const key = (name: string, meaning: string, example: string): Key => ({
  key: name,
  meaning,
  example,
  derivedFrom: ["files.workload"],
  single: true,
});

export default attestor({
  keys: [
    key("id", "the operating system, as os-release(5) names it", "debian"),
    key("version", "its version", "12"),
    key("variant", "its variant", "server"),
  ],

  attest() {
    const content =
      files.read("workload", "/etc/os-release") ?? files.read("workload", "/usr/lib/os-release");
    if (content === null) throw new NotApplicable();

    const release = parse(content);
    const report = new Report().selector("id", release.get("ID") ?? "linux");
    const version = release.get("VERSION_ID");
    if (version !== undefined) report.selector("version", version);
    const variant = release.get("VARIANT_ID");
    if (variant !== undefined) report.selector("variant", variant);
    return report;
  },
});

/** The assignments of os-release(5), by name; of several, the last one wins. */
export function parse(content: Uint8Array): Map<string, string> {
  const release = new Map<string, string>();
  for (const line of lines(content)) {
    const at = line.indexOf("=");
    if (at < 0 || line.startsWith("#")) continue;
    release.set(line.slice(0, at), unquoted(line.slice(at + 1).trim()));
  }
  return release;
}

/** A value without its quotes; between double ones, a backslash escapes. */
function unquoted(value: string): string {
  const [, double, single] = /^(?:"(.*)"|'(.*)')$/s.exec(value) ?? [];
  return double?.replace(/\\(["\\$`])/g, "$1") ?? single ?? value;
}
