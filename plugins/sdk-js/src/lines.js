// Where a line of the bundle was before. A bundle says so in one string, which costs nothing until
// something goes wrong: the author's files, and then places in the bundle in ascending order, from
// each of which on the text comes from this line of that file, or from no file of the author's.
//
//     attestor.js,lib/parse.js|12:0=0:1;13:2=0:2;40:0=

/** Reads the string. */
export function parseLines(text) {
  const [files, places] = text.split("|");
  const names = files.split(",").map(decodeURIComponent);
  return places.split(";").map((place) => {
    const [at, from] = place.split("=");
    const [line, column] = at.split(":").map(Number);
    if (from === "") return { line, column, where: undefined };
    const [file, source] = from.split(":").map(Number);
    return { line, column, where: `${names[file]}:${source}` };
  });
}

/** What is at this place of the bundle: `attestor.js:16`, or undefined. */
export function lookUp(lines, line, column) {
  // The engine says column 0 where it knows only the line, so the first place of a line begins it.
  const first = lines.findIndex((place) => place.line >= line);
  const begins = (place, at) => place.line === line && (at === first || place.column <= column);
  const last = lines.findLastIndex((place, at) => place.line < line || begins(place, at));
  return lines[last]?.where;
}
