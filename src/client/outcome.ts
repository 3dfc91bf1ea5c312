import { splitReason } from './replies.js';
import type { Request } from './request.js';

/** What the process ends with. */
export const EXIT = { done: 0, failed: 1, usage: 2, denied: 3, partly: 4, interrupted: 130, brokenPipe: 141 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Which of several results is reported for a whole script, the worst last. */
const SEVERITY: readonly ExitCode[] = [EXIT.done, EXIT.partly, EXIT.failed, EXIT.denied, EXIT.usage, EXIT.interrupted, EXIT.brokenPipe];

const DENIED = new Set(['NOT ALLOWED', 'NOT AUTHENTICATED']);
const MISUSED = new Set(['USAGE', 'UNKNOWN COMMAND', 'BAD REQUEST', 'LINE TOO LONG']);

/** A phrase and what follows it; the server may have phrases that this client does not know. */
export interface Failure {
  readonly phrase: string;
  readonly detail: string;
}

/** What one line says about one target. */
export interface TargetLine {
  readonly name: string;
  /** what was read of it; undefined for `done` and for failures */
  readonly value?: string;
  readonly failure?: Failure;
}

export const worse = (one: ExitCode, other: ExitCode): ExitCode =>
  (SEVERITY.indexOf(other) > SEVERITY.indexOf(one) ? other : one);

/** The exit code for a single failure. */
export function exitCodeOf(phrase: string): ExitCode {
  if (DENIED.has(phrase)) return EXIT.denied;
  return MISUSED.has(phrase) ? EXIT.usage : EXIT.failed;
}

const REASON = /^[A-Z]{2,}(?: [A-Z]+)*(?:: |$)/;
/** What a power command would do: `unpause (it is paused)`, `nothing, it is on already`; behind it, which other action is at it. */
const PLANNED = /^[a-z][^:()]*[ (]it is [a-z]+(?:\)| already)/;

/**
 * Takes `NAME: done`, `NAME: REASON` or `NAME: VALUE` apart. Names may hold `: ` themselves. Where no
 * values come, which is for power commands, the first place after which `done`, a reason or what would be
 * done follows is the end of the name; else it is the first colon, for values hold colons and capitals too.
 * @param acts whether the command answers without values
 * @returns undefined for a line without a name
 */
export function parseTargetLine(line: string, acts: boolean): TargetLine | undefined {
  const first = line.indexOf(': ');
  if (first <= 0) return undefined;
  for (let at = first; at !== -1; at = acts ? line.indexOf(': ', at + 2) : -1) {
    const rest = line.slice(at + 2);
    if (rest === 'done') return { name: line.slice(0, at) };
    if (REASON.test(rest)) return { name: line.slice(0, at), failure: splitReason(rest) };
    if (acts && PLANNED.test(rest)) return { name: line.slice(0, at), value: rest };
  }
  return { name: line.slice(0, first), value: line.slice(first + 2) };
}

/** Counts how the targets of one request fared. */
export class Tally {
  readonly #ended = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  readonly #request: Request;

  constructor(request: Request) {
    this.#request = request;
  }

  /** A line of the body. */
  add(line: TargetLine): void {
    this.#ended.add(line.name);
    if (line.failure) this.#failures.set(line.name, line.failure);
  }

  /** targets of which something has been heard */
  get count(): number {
    return this.#ended.size;
  }

  get failed(): number {
    return this.#failures.size;
  }

  /** @param error what ended the reply, where it did not end well */
  exitCode(error: Failure | undefined): ExitCode {
    if (error === undefined && this.failed === 0) return EXIT.done;
    if (!this.#request.many || (error !== undefined && error.phrase !== 'FAILED')) return exitCodeOf(error?.phrase ?? 'FAILED');
    const [, failed, all] = /^(\d+) of (\d+)$/.exec(error?.detail ?? '') ?? [];
    if (failed === undefined ? this.failed < this.count : Number(failed) < Number(all)) return EXIT.partly;
    const denied = this.failed > 0 && [...this.#failures.values()].every(({ phrase }) => DENIED.has(phrase));
    return denied ? EXIT.denied : EXIT.failed;
  }
}
