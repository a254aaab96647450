// Bytes and text. The engine of the component has no TextDecoder, so this is used natively as well:
// what a test sees is what the daemon sees.

// A function takes only so many arguments.
const CHUNK = 4096;

/** One character for each byte. */
function latin1(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    // Three times as fast here as with `...`.
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  }
  return text;
}

const ASCII = /^[\0-\x7f]*$/;

function decoded(text) {
  if (ASCII.test(text)) return text;
  try {
    // `escape` writes each byte as %XX, and decodeURIComponent reads those as UTF-8, strictly.
    return decodeURIComponent(escape(text));
  } catch {
    return null;
  }
}

/** The text that these bytes are, or null if they are not UTF-8. */
export function utf8(bytes) {
  return decoded(latin1(bytes));
}

/** The lines of a text, without those that are not UTF-8. */
export function lines(bytes) {
  return latin1(bytes)
    .split("\n")
    .map(decoded)
    .filter((line) => line !== null);
}

/** A text as UTF-8. */
export function utf8Bytes(text) {
  const escaped = unescape(encodeURIComponent(text.toWellFormed()));
  return Uint8Array.from(escaped, (byte) => byte.charCodeAt(0));
}

/** How many bytes a text has as UTF-8. */
export function utf8Length(text) {
  let length = text.length;
  for (const character of text) {
    const point = character.codePointAt(0);
    length += point > 0xffff ? 2 : point > 0x7ff ? 2 : point > 0x7f ? 1 : 0;
  }
  return length;
}
