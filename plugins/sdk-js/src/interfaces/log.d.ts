/** A line for the author of the plugin. */
export function debug(message: string): void;

/** A line for the operator, when looking. */
export function info(message: string): void;

/** Something that the operator should look at. */
export function warn(message: string): void;

/** The plugin cannot do its work. */
export function error(message: string): void;
