/** One selector key that an attestor can report. */
export interface Key {
  /** A lower-case word: `uid`, `label`. */
  key: string;
  /** What it means, in a sentence. */
  meaning: string;
  /** A value as an example. */
  example: string;
  /** The facts it is derived from: it is worth as much as the least of them. */
  derivedFrom: FactName[];
  /** Its selectors carry a name: `docker:label:tier:web` has the name `tier`. */
  named?: boolean;
  /** The value does not change while the process lives. */
  stable?: boolean;
  /** There is at most one selector of this key (and name). */
  single?: boolean;
  /** The value is a secret: it is shown as its length and a keyed hash. */
  secret?: boolean;
}

/** A fact that keys can be derived from. */
export type FactName =
  | "process.credentials"
  | "process.names"
  | "process.label"
  | "process.privileges"
  | "process.state"
  | "process.start-time"
  | "process.comm"
  | "cgroups.trusted"
  | "cgroups.claimed"
  | "namespaces.all"
  | "executable.info"
  | "executable.doubts"
  | "executable.sha256"
  | "ancestry.parents"
  | "cmdline.arguments"
  | "environ.variables"
  | "files.host"
  | "files.workload"
  | "http.response"
  | "systemd.unit";

/** What makes an attestor. */
export interface Definition {
  /** Every key it can ever report. */
  keys: Key[];
  /** JSON schema (draft 2020-12) of the settings, if it has any. */
  settings?: object;
  /** Throws a `SettingsError` about settings that it does not take. May call nothing but `log`. */
  validate?(settings: Record<string, unknown>): void;
  /**
   * Looks at the one process of this call. It throws `NotApplicable`, `Retry`, `Unavailable` or
   * `Failed` if it has no report. Nothing is kept between calls.
   */
  attest(): Report;
}

/** What `attestor` makes. */
export interface Attestor {
  readonly keys: readonly Key[];
}

/** Makes an attestor; `attestor.js` or `attestor.ts` exports it by default. */
export function attestor(definition: Definition): Attestor;

/** One selector; the daemon puts the plugin's configured name in front. */
export interface Selector {
  key: string;
  name: string | null;
  value: string;
}

/** A key about which nothing can be said. */
export interface UnknownKey {
  key: string;
  reason: string;
}

/**
 * What an attestor found out. A key that is left out does *not* hold if every fact it is derived
 * from was read in this call; for a fact that cannot be read, say `unknown`.
 */
export class Report {
  /**
   * Adds a selector. A value that the daemon would refuse (empty, over 4096 bytes, with control
   * characters) makes the key unknown instead.
   */
  selector(key: string, value: string): this;
  /** Adds a selector of a key with names, such as `label`. */
  named(key: string, name: string, value: string): this;
  /** Says that nothing can be said about a key, and why. */
  unknown(key: string, reason: Error | string): this;
  /** What holds, in the order it was added. */
  get selectors(): Selector[];
  /** What nothing can be said about. */
  get unknownKeys(): UnknownKey[];
}

/** Not this plugin's kind of process: none of its keys holds. Means no. */
export class NotApplicable extends Error {}

/** Ask again after so many milliseconds. */
export class Retry extends Error {
  constructor(milliseconds: number);
  readonly milliseconds: number;
}

/** Something the plugin needs is not there now. Means unknown. */
export class Unavailable extends Error {
  constructor(reason: string);
}

/** The plugin cannot tell. Means unknown. */
export class Failed extends Error {
  constructor(reason: string);
}

/** Settings that the plugin does not take; thrown by `validate`, for the operator. */
export class SettingsError extends Error {
  constructor(message: string);
}

/** A fact that is not there. It is never a reason to guess. */
export class FactError extends Error {
  constructor(kind: FactError["kind"], text?: string);
  readonly kind: "gone" | "denied" | "unsupported" | "too-large" | "io";
}

/** A request without a response. */
export class HttpError extends Error {
  constructor(kind: HttpError["kind"], text?: string);
  readonly kind: "unreachable" | "timeout" | "too-large" | "refused" | "malformed";
}

/** Something that cannot be kept. */
export class CacheError extends Error {
  constructor(kind: CacheError["kind"], text?: string);
  readonly kind: "refused" | "too-large";
}

/** The text that these bytes are, or null if they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | null;
/** The lines of a text, without those that are not UTF-8. */
export function lines(bytes: Uint8Array): string[];
/** A text as UTF-8. */
export function utf8Bytes(text: string): Uint8Array;

export * as ancestry from "./interfaces/ancestry.js";
export * as cache from "./interfaces/cache.js";
export * as cgroups from "./interfaces/cgroups.js";
export * as cmdline from "./interfaces/cmdline.js";
export * as config from "./interfaces/config.js";
export * as environ from "./interfaces/environ.js";
export * as executable from "./interfaces/executable.js";
export * as files from "./interfaces/files.js";
export * as http from "./interfaces/http.js";
export * as log from "./interfaces/log.js";
export * as namespaces from "./interfaces/namespaces.js";
export * as process from "./interfaces/process.js";
export * as systemd from "./interfaces/systemd.js";
