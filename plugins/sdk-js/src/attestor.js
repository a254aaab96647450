import { described } from "./arguments.js";
import { FactError, HttpError } from "./errors.js";
import { beginOf, placeOf } from "./host.js";
import { isOutcome, SettingsError } from "./outcomes.js";
import { Report, reporting } from "./report.js";

const DEFAULTS = { named: false, stable: false, single: false, secret: false };

/** Makes an attestor of its keys and its functions; what `attestor.js` exports by default. */
export function attestor(definition) {
  return new Attestor(definition);
}

/** What `attestor()` makes. */
export class Attestor {
  /** @hidden An error whose stack tells where the attestor was made. */
  made = new Error("made here");

  constructor({ keys, settings, validate, attest, ...others }) {
    const [other] = Object.keys(others);
    if (other !== undefined) throw new TypeError(`attestor has no field ${JSON.stringify(other)}`);
    requireFunction("attest", attest);
    if (validate !== undefined) requireFunction("validate", validate);
    if (!Array.isArray(keys)) {
      throw new TypeError(`keys is ${described(keys)}, it must be an array`);
    }
    this.keys = keys.map(checkedKey);
    this.settings = settings;
    this.definition = { validate, attest };
  }

  /** The manifest, in the words of `wit/`. */
  describe() {
    const schema = this.settings === undefined ? "" : JSON.stringify(this.settings);
    return { keys: this.keys, configSchema: schema };
  }

  /** What is wrong with these settings, a JSON text; undefined if nothing is. */
  validate(text) {
    try {
      this.#check(parsed(text));
      return undefined;
    } catch (error) {
      if (error instanceof SettingsError) return error.message.toWellFormed();
      return explained("validate", error);
    }
  }

  /** The report of one call, or the failure. */
  attest() {
    try {
      const report = reporting(this.keys, () => this.definition.attest());
      if (report instanceof Report) {
        return { report: { selectors: report.selectors, unknown: report.unknownKeys } };
      }
      return failed(this.#noReport(report));
    } catch (error) {
      return failure(error);
    }
  }

  #check(settings) {
    if (this.definition.validate !== undefined) this.definition.validate(settings);
    else if (this.settings === undefined && Object.keys(settings).length > 0) throw noSettings();
  }

  #noReport(value) {
    const { attest } = this.definition;
    const hint = value instanceof Promise ? "; every call here waits, so leave out async" : "";
    const at = beginOf(attest, this.made);
    const where = at === undefined ? "" : ` (${at})`;
    return `attest returned ${described(value)}, it must return a Report${hint}${where}`;
  }
}

const noSettings = () => new SettingsError("this plugin has no settings");

function parsed(text) {
  let settings;
  try {
    settings = JSON.parse(text);
  } catch {
    settings = undefined;
  }
  if (settings === null || typeof settings !== "object" || Array.isArray(settings)) {
    throw new SettingsError("settings are a JSON object");
  }
  return settings;
}

function failure(error) {
  if (isOutcome(error)) {
    const { tag, val } = error.failure;
    return { failure: { tag, val: typeof val === "string" ? val.toWellFormed() : val } };
  }
  // The one fact that everything depends on is missing: there is nothing to mend in the plugin.
  if (error instanceof FactError) return failed(error.message);
  if (error instanceof HttpError && ["unreachable", "timeout"].includes(error.kind)) {
    return { failure: { tag: "unavailable", val: error.message } };
  }
  return failed(explained("attest", error));
}

const failed = (reason) => ({ failure: { tag: "failed", val: reason.toWellFormed() } });

/** What somebody threw by mistake, with the author's own file and line. */
function explained(func, error) {
  if (!(error instanceof Error)) {
    return `${func} threw ${described(error)}, not an Error, so nobody knows where`;
  }
  const at = placeOf(error);
  return `${error.name}: ${error.message}${at === undefined ? "" : ` ${at}`}`;
}

function requireFunction(name, value) {
  if (typeof value === "function") return;
  throw new TypeError(`${name} is ${described(value)}, it must be a function`);
}

const KEY_FIELDS = {
  key: "string",
  meaning: "string",
  example: "string",
  named: "boolean",
  stable: "boolean",
  single: "boolean",
  secret: "boolean",
};

function checkedKey(key, at) {
  const { derivedFrom, ...rest } = { ...DEFAULTS, ...key };
  const wrong = (field) => typeof rest[field] !== KEY_FIELDS[field];
  const field = Object.keys({ ...KEY_FIELDS, ...rest }).find(wrong);
  if (field !== undefined) {
    const type = KEY_FIELDS[field];
    const must = type === undefined ? "there is no such field" : `it must be a ${type}`;
    throw new TypeError(`keys[${at}].${field} is ${described(rest[field])}, ${must}`);
  }
  if (!Array.isArray(derivedFrom) || derivedFrom.some((fact) => typeof fact !== "string")) {
    const saw = described(derivedFrom);
    throw new TypeError(`keys[${at}].derivedFrom is ${saw}, it must be an array of fact names`);
  }
  return { ...rest, derivedFrom };
}
