import { text } from "../arguments.js";
import { call } from "../host.js";

/** The plugin's own settings. */
export function settings() {
  return JSON.parse(call("config", "settings"));
}

/** Whether anybody wants this key in this call; work for a key that nobody wants may be skipped. */
export function wants(key) {
  return call("config", "wants", [text("the key", key)]);
}

/** Milliseconds left of this call. */
export function remainingMs() {
  return call("config", "remainingMs");
}
