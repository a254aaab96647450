import { oneOf, text } from "../arguments.js";
import { fact, guarded } from "./facts.js";

const ROOTS = ["host", "workload"];

const below = (root, path) => [oneOf("the root", ROOTS, root), text("the path", path)];

/** The content of a file, or null if there is none. Fact `files.host` or `files.workload`. */
export function read(root, path) {
  return fact("files", "read", ...below(root, path));
}

/** What is in a directory, or null if there is no such directory. */
export function entries(root, path) {
  return fact("files", "entries", ...below(root, path));
}

/** What the file system says about a file or directory, or null if there is none. */
export function status(root, path) {
  const found = fact("files", "status", ...below(root, path));
  return found === null ? null : guarded(found, "size");
}
