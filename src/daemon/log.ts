import type { Log } from '../kit/log.js';
import { isoNow } from '../kit/text.js';
import { LogOutput } from './log-output.js';
import { inSources } from './stack.js';

/** The file descriptor of standard error. */
const STDERR = 2;

/** From all that is told to what is told to nobody; a line of a lower level than the configured one is not written. */
const LEVELS = ['debug', 'info', 'warn', 'error'];

/** Keys whose values never reach the log, wherever they stand. */
const SECRET_KEYS = new Set(['password', 'passwordHash', 'sudo-password', 'private-key', 'privateKey', 'secret', 'token']);

/** Causes of causes that are told. */
const CAUSES = 5;

export interface Logger {
  readonly log: Log;
  setLevel(level: string): void;
  /** Writes what is left, before the process ends. */
  flush(): void;
}

/** JSON lines on standard error, which nobody waits for. */
export function createLogger(level: string): Logger {
  const output = new LogOutput(STDERR);
  let least = LEVELS.indexOf(level);
  return {
    log: (lineLevel, message, facts) => {
      if (LEVELS.indexOf(lineLevel) >= least) output.append(`${formatLine(lineLevel, message, facts)}\n`);
    },
    setLevel: (newLevel) => {
      least = LEVELS.indexOf(newLevel);
    },
    flush: () => output.flush(),
  };
}

/** One line of the log, without its end. */
export function formatLine(level: string, message: string, facts: Record<string, unknown> = {}): string {
  const start = `{"level":${JSON.stringify(level)},"time":"${isoNow()}"`;
  const end = `"msg":${JSON.stringify(message)}}`;
  try {
    // put together of texts: to copy the facts into an object with level and time costs three times as much
    const inner = JSON.stringify(facts, isPlain(facts) ? undefined : printable).slice(1, -1);
    return inner === '' ? `${start},${end}` : `${start},${inner},${end}`;
  } catch {
    return `${start},${end.slice(0, -1)},"facts":"cannot be printed"}`;
  }
}

/** Whether it is nothing but texts, numbers and the like under keys that are no secrets. */
function isPlain(facts: Record<string, unknown>): boolean {
  for (const key in facts) {
    const value = facts[key];
    if (SECRET_KEYS.has(key) || typeof value === 'bigint' || (typeof value === 'object' && value !== null)) return false;
  }
  return true;
}

/** A value as it may be printed: no secrets, and errors with what led to them. */
function printable(key: string, value: unknown): unknown {
  if (SECRET_KEYS.has(key)) return '[Redacted]';
  if (typeof value === 'bigint') return String(value);
  return value instanceof Error ? describeError(value, CAUSES) : value;
}

function describeError(error: Error, causes: number): Record<string, unknown> {
  const { code } = error as NodeJS.ErrnoException;
  const cause = error.cause instanceof Error && causes > 0 ? describeError(error.cause, causes - 1) : undefined;
  return { type: error.name, message: error.message, code, stack: inSources(error.stack), cause };
}
