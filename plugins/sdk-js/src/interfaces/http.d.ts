/** What is asked. The daemon adds `host`, the token and the length. */
export interface Request {
  /** `GET` if left out. */
  method?: string;
  /** Path and query, from `/` on. */
  path: string;
  headers?: Record<string, string>;
  /** A string is sent as UTF-8. */
  body?: Uint8Array | string;
}

/** What came back, whatever its status. */
export interface Response {
  status: number;
  /** `content-type`, `etag` and `retry-after`, if they were there. */
  headers: Record<string, string>;
  body: Uint8Array;
  /** The body as text. */
  text(): string;
  /** The body as JSON. */
  json(): unknown;
}

/** Sends a request to an endpoint, by the operator's name for it. Fact `http.response`. */
export function send(endpoint: string, request: Request): Response;

/** Sends a GET. */
export function get(endpoint: string, path: string, headers?: Record<string, string>): Response;
