// What plugin.toml asks for, natively. The daemon reads the file as TOML; here the one array is
// enough, so that a test needs no TOML library.

const ALWAYS = ["process", "cgroups", "namespaces", "config", "log"];

/** Says of the text of a plugin.toml whether it asks for an interface, or for one word of it. */
export function requests(text) {
  const words = read(text);
  const covers = (granted, word) =>
    granted === word ||
    (granted.startsWith("files.") && granted.endsWith("/") && word.startsWith(granted));
  return (word) => {
    if (word.includes(":")) return words.some((granted) => covers(granted, word));
    return ALWAYS.includes(word) || words.some((granted) => granted.split(/[.:]/)[0] === word);
  };
}

function read(text) {
  const start = /^requests\s*=\s*\[/m.exec(text);
  if (start === null) return [];
  const words = [];
  const rest = text.slice(start.index + start[0].length);
  for (const [token, double, single] of rest.matchAll(/#.*|"([^"]*)"|'([^']*)'|\]/g)) {
    if (token === "]") break;
    if (!token.startsWith("#")) words.push(double ?? single);
  }
  return words;
}
