import type { Attestor } from "./index.js";

/** A recorded process: the content of `fixtures/NAME.json`. */
export type Recorded = Record<string, unknown>;

/** How a call ended. */
export interface Found {
  /** `reported`, `not-applicable`, `unavailable`, `failed`, `retry` or `gone`. */
  outcome: string;
  /** Each as `key:value` or `key:name:value`, sorted. */
  selectors: string[];
  /** The keys about which nothing could be said, sorted. */
  unknown: string[];
  /** What the attestor says about a failure. */
  reason?: string | number;
}

/** What there is besides the facts. */
export interface Circumstances {
  /** The plugin's settings; `{}` if left out. */
  settings?: Record<string, unknown>;
  /** The keys that are wanted; all if left out. */
  wants?: string[];
  /** Whether plugin.toml asks for an interface, or for a word of it; everything if left out. */
  asks?(word: string): boolean;
}

/** What an attestor makes of a recorded process. */
export function attest(plugin: Attestor, recorded: Recorded, circumstances?: Circumstances): Found;

/** What is wrong with these settings; undefined if nothing is. */
export function validate(plugin: Attestor, settings: Record<string, unknown>): string | undefined;

/** What the text of a plugin.toml asks for. */
export function requests(text: string): (word: string) => boolean;

/**
 * A test for each fixture of a project: `fixtures/NAME.json` is to give what
 * `fixtures/NAME.expected.json` says. The project is the current folder if none is named.
 */
export function checkFixtures(plugin: Attestor, options?: { project?: string }): void;
