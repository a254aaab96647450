import { fact, guarded } from "./facts.js";

/** The namespaces that the process lives in. Fact `namespaces.all`. */
export function all() {
  return fact("namespaces", "all").map((namespace) => guarded(namespace, "inode"));
}
