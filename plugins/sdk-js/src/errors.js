// What host functions throw. Which kind it is, is a word of `wit/`; the messages are those of the
// other SDKs.

const FACT = {
  gone: () => "the process has exited",
  denied: () => "the kernel does not let the daemon read it",
  unsupported: () => "this host does not have it",
  "too-large": () => "it is larger than the limit",
  io: (text) => text,
};

const HTTP = {
  unreachable: (text) => `nobody answers: ${text}`,
  timeout: () => "no whole response in time",
  "too-large": () => "the response is larger than the limit",
  refused: (text) => `refused: ${text}`,
  malformed: (text) => `not HTTP: ${text}`,
};

const CACHE = {
  refused: (text) => `the cache refused it: ${text}`,
  "too-large": () => "the key or the value is too large for the cache",
};

class HostError extends Error {
  constructor(words, kind, text) {
    super((words[kind] ?? String)(text ?? kind));
    this.kind = kind;
  }
}

/** A fact that is not there. It is never a reason to guess. */
export class FactError extends HostError {
  constructor(kind, text) {
    super(FACT, kind, text);
    this.name = "FactError";
  }
}

/** A request without a response. */
export class HttpError extends HostError {
  constructor(kind, text) {
    super(HTTP, kind, text);
    this.name = "HttpError";
  }
}

/** Something that cannot be kept. */
export class CacheError extends HostError {
  constructor(kind, text) {
    super(CACHE, kind, text);
    this.name = "CacheError";
  }
}
