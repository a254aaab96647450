import { fact } from "./facts.js";

/** The arguments that the process shows: any bytes. Fact `cmdline.arguments`. */
function readArguments() {
  return fact("cmdline", "arguments");
}

// A module cannot declare a function of this name.
export { readArguments as arguments };
