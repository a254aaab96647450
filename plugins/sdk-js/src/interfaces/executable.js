import { fact, guarded } from "./facts.js";

/** What the link `exe` leads to. Fact `executable.info`. */
export function info() {
  return guarded(fact("executable", "info"), "device", "inode", "size");
}

/** What speaks against taking the process for that program. Fact `executable.doubts`. */
export function doubts() {
  return fact("executable", "doubts");
}

/** The digest of the file, 64 hexadecimal digits. Fact `executable.sha256`. */
export function sha256() {
  return fact("executable", "sha256");
}
