import { fact } from "./facts.js";

/** The unit that the root-owned control group names, or null. Fact `systemd.unit`. */
export function unit() {
  return fact("systemd", "unit");
}
