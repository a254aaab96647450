import { fact } from "./facts.js";

/** Each hierarchy, with the path as far as only root made it. Fact `cgroups.trusted`. */
export function trusted() {
  return fact("cgroups", "trusted");
}

/** Each hierarchy with the whole path, as the process claims it. Fact `cgroups.claimed`. */
export function claimed() {
  return fact("cgroups", "claimed");
}
