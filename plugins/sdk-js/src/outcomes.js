// What an attestor throws when it has no report.

class Outcome extends Error {
  constructor(message) {
    super(message);
    this.name = new.target.name;
  }
}

/** Not this plugin's kind of process: none of its keys holds. Means no. */
export class NotApplicable extends Outcome {
  get failure() {
    return { tag: "not-applicable" };
  }
}

/** Ask again after so many milliseconds. */
export class Retry extends Outcome {
  constructor(milliseconds) {
    super(`ask again after ${milliseconds} ms`);
    if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > 0xffffffff) {
      throw new TypeError("Retry takes a whole number of milliseconds");
    }
    this.milliseconds = milliseconds;
  }

  get failure() {
    return { tag: "retry", val: this.milliseconds };
  }
}

/** Something the plugin needs is not there now. Means unknown. */
export class Unavailable extends Outcome {
  get failure() {
    return { tag: "unavailable", val: this.message };
  }
}

/** The plugin cannot tell. Means unknown. */
export class Failed extends Outcome {
  get failure() {
    return { tag: "failed", val: this.message };
  }
}

/** Settings that the plugin does not take; thrown by `validate`, for the operator. */
export class SettingsError extends Error {}

/** Whether this was thrown to end a call in a way that the interface has a word for. */
export const isOutcome = (thrown) => thrown instanceof Outcome;
