import { bytes, text } from "../arguments.js";
import { HttpError } from "../errors.js";
import { call } from "../host.js";
import { utf8, utf8Bytes } from "../text.js";

/** What came back, whatever its status. */
class Response {
  constructor({ status, headers, body }) {
    this.status = status;
    this.headers = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
    this.body = body;
  }

  /** The body as text. */
  text() {
    const found = utf8(this.body);
    if (found === null) throw new HttpError("malformed", "the body is not UTF-8");
    return found;
  }

  /** The body as JSON. */
  json() {
    try {
      return JSON.parse(this.text());
    } catch (error) {
      if (error instanceof HttpError) throw error;
      throw new HttpError("malformed", `the body is not JSON: ${error.message}`);
    }
  }
}

const header = ([name, value]) => ({
  name: text("the name of a header", name).toLowerCase(),
  value: text(`the header ${name}`, value),
});

/** Sends a request to an endpoint, by the operator's name for it, and waits for the response. */
export function send(endpoint, { method = "GET", path, headers = {}, body = "" }) {
  const request = {
    method: text("the method", method),
    path: text("the path", path),
    headers: Object.entries(headers).map(header),
    body: bytes("the body", body, utf8Bytes),
  };
  const failed = (kind, words) => new HttpError(kind, words);
  return new Response(call("http", "send", [text("the endpoint", endpoint), request], failed));
}

/** Sends a GET. */
export function get(endpoint, path, headers = {}) {
  return send(endpoint, { path, headers });
}
