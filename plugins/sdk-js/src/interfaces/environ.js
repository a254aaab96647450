import { text } from "../arguments.js";
import { fact } from "./facts.js";

/** The value of one variable, any bytes; null if the process has none. Fact `environ.variables`. */
export function variable(name) {
  return fact("environ", "variable", text("the name of the variable", name));
}
