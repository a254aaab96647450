import { call } from "../host.js";

const write = (level, message) => call("log", "write", [level, String(message).toWellFormed()]);

/** A line for the author of the plugin. */
export function debug(message) {
  write("debug", message);
}

/** A line for the operator, when looking. */
export function info(message) {
  write("info", message);
}

/** Something that the operator should look at. */
export function warn(message) {
  write("warn", message);
}

/** The plugin cannot do its work. */
export function error(message) {
  write("error", message);
}
