import { bytes, oneOf, text, u32 } from "../arguments.js";
import { CacheError } from "../errors.js";
import { call } from "../host.js";
import { utf8Bytes } from "../text.js";

const SCOPES = ["process", "cgroup", "plugin"];

const failed = (kind, words) => new CacheError(kind, words);
const named = (scope, key) => [oneOf("the scope", SCOPES, scope), text("the key", key)];

/** What was kept, with its age in milliseconds; null if nothing is there. */
export function get(scope, key) {
  return call("cache", "get", named(scope, key), failed);
}

/** Keeps something for so many milliseconds, at most an hour. */
export function put(scope, key, value, ttlMs) {
  const kept = bytes("the value", value, utf8Bytes);
  call("cache", "put", [...named(scope, key), kept, u32("the time to live", ttlMs)], failed);
}
