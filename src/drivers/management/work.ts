/** What goes with each piece of work. */
export interface WorkCall {
  /** aborted: the work ends soon, and takes away what it has half made. A task has half a minute for that, all else, and all at the end of the server, 3 seconds */
  readonly signal: AbortSignal;
  /** random, letters and digits and dashes: for the names of what is half made, so that what an earlier process left is known by it */
  readonly task: string;
  /** How far it is, from 0 to 1. May be called as often as one likes. */
  progress(part: number): void;
}

/** A method of an ability: one object of arguments in, one answer out. */
export type Work<Args extends object, Result> = (args: Args, call: WorkCall) => Promise<Result>;
/** Without arguments. */
export type None = Readonly<Record<never, never>>;
