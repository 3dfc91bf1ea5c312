/** What the audit holds of one action. */
export interface AuditEntry {
  readonly account: string;
  /** address and port of the client */
  readonly from: string;
  /** the command word */
  readonly command: string;
  /** full name of the instance */
  readonly instance: string;
  /** options that changed what was done, as typed: `--force --timeout=60` */
  readonly options: string;
}

/** How an action ended: `done`, `already so`, or a phrase with its detail. */
export type Outcome = string;

/** Where actions are recorded. */
export interface AuditLog {
  /**
   * Records that an action begins, before anything is sent.
   * @returns its number
   * @throws ArgoError AUDIT UNAVAILABLE: then the action must not be taken
   */
  begin(entry: AuditEntry): Promise<number>;
  /**
   * Records how it ended and after how many milliseconds. Resolves when that is written, or could not be
   * and will be tried again: an action is answered only then. Never rejects.
   */
  end(id: number, outcome: Outcome, ms: number): Promise<void>;
}

/** What has come into the audit: that an action begins, or how it ended. */
export type AuditNews = { readonly id: number; /** ISO 8601, UTC */ readonly at: string } & (
  AuditEntry | { readonly outcome: Outcome; /** milliseconds */ readonly ms: number }
);

/** One action, as it is shown. */
export interface AuditRow extends AuditEntry {
  readonly id: number;
  /** ISO 8601, UTC */
  readonly at: string;
  /** null: under way, or cut off by the end of the server */
  readonly outcome: Outcome | null;
  /** milliseconds */
  readonly ms: number | null;
}
