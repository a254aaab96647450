/** One unit. */
export interface Unit {
  /** `nginx.service`, `postgresql@16-main.service`. */
  id: string;
  /** Path of its unit file, if it has one. */
  fragmentPath: string | null;
  slice: string | null;
  /** `active`, `activating` and so on. */
  activeState: string;
  /** `running`, `exited` and so on. */
  subState: string;
  /** 32 hexadecimal digits, new with each start of the unit. */
  invocationId: string | null;
  /** `User=`, if it is set. */
  user: string | null;
}

/** The unit that the root-owned control group names, or null. Fact `systemd.unit`. */
export function unit(): Unit | null;
