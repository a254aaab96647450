/** The arguments that the process shows: any bytes. Fact `cmdline.arguments`. */
declare function readArguments(): Uint8Array[];

export { readArguments as arguments };
