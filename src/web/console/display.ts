/** A key, or several at once, that a keyboard may lack or a browser keep for itself. */
export interface SpareKey {
  readonly label: string;
  press(): void;
}

/** What a display tells of itself. */
export interface DisplayUser {
  /** the machine is there */
  opened(): void;
  /** what comes cannot be shown */
  failed(): void;
  /** the machine has put this into its clipboard */
  clipboard(text: string): void;
  changed(): void;
}

/** What shows a console, and sends what is typed. It has its socket for itself, and does not outlive it. */
export interface Display {
  readonly keys: readonly SpareKey[];
  focus(): void;
  /** Sends a text as if it were typed. @returns characters that may not arrive as they are @throws the signal's reason */
  type(text: string, signal: AbortSignal): Promise<string>;
  /** Lets go of the socket; the last that was shown may stay. */
  close(): void;
  /** Is gone. */
  remove(): void;
}
