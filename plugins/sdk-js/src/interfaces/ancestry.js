import { fact, guarded } from "./facts.js";

/** Nearest first, at most 16, without the process itself. Fact `ancestry.parents`. */
export function parents() {
  return fact("ancestry", "parents").map((parent) => guarded(parent, "startTime"));
}
