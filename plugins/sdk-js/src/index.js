export { attestor } from "./attestor.js";
export { CacheError, FactError, HttpError } from "./errors.js";
export { Failed, NotApplicable, Retry, SettingsError, Unavailable } from "./outcomes.js";
export { Report } from "./report.js";
export { lines, utf8, utf8Bytes } from "./text.js";

export * as ancestry from "./interfaces/ancestry.js";
export * as cache from "./interfaces/cache.js";
export * as cgroups from "./interfaces/cgroups.js";
export * as cmdline from "./interfaces/cmdline.js";
export * as config from "./interfaces/config.js";
export * as environ from "./interfaces/environ.js";
export * as executable from "./interfaces/executable.js";
export * as files from "./interfaces/files.js";
export * as http from "./interfaces/http.js";
export * as log from "./interfaces/log.js";
export * as namespaces from "./interfaces/namespaces.js";
export * as process from "./interfaces/process.js";
export * as systemd from "./interfaces/systemd.js";
