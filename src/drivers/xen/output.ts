import { ArgoError } from '../../kit/errors.js';
import type { PowerState } from '../driver.js';
import { within } from '../../kit/within.js';
import type { Xl } from './xl.js';

/** Milliseconds: a healthy xl lists hundreds of domains in less than one second. */
const LISTING_LIMIT = 15_000;

/** One line of `xl list -v`. */
export interface Row {
  readonly name: string;
  readonly domid: number;
  /** MiB */
  readonly memory: number;
  readonly vcpus: number;
  /** xl's six letters: running, blocked, paused, shut down, why, dying */
  readonly flags: string;
  /** CPU time used so far, to a tenth of a second */
  readonly seconds: number;
  readonly uuid: string;
}

/** The name's column is not delimited, so the line is matched from the right. */
const ROW = /^(.*)\s+(\d+)\s+(\d+)\s+(\d+)\s+([-rbpsdcwS?]{6})\s+([\d.]+)\s+([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\s+\S+\s+\S+\s*$/s;
/** What xl prints for a domain that has lost its name: a dead one whose memory is still held by someone. */
const NAMELESS = '(null)';
/** A safeguard for names with line breaks: more than this is not a name. Characters. */
const MAX_NAME = 4096;

/**
 * The guests of an `xl list -v`: without domain 0, without the dead that only wait for their burial.
 * @throws ArgoError `FAILED` when this is not a whole listing, so that nothing passes for absent
 */
export function parseListing(text: string): Row[] {
  const [header, ...lines] = text.split('\n');
  const rows: Row[] = [];
  let began = '';
  for (const line of lines) {
    const [, name, domid, memory, vcpus, flags, seconds, uuid] = ROW.exec(began + line) ?? [];
    if (name === undefined || flags === undefined || uuid === undefined) {
      began = `${began}${line}\n`;
      if (began.length > MAX_NAME) break;
      continue;
    }
    began = '';
    rows.push({ name: name.trimEnd(), domid: Number(domid), memory: Number(memory), vcpus: Number(vcpus), flags, seconds: Number(seconds), uuid });
  }
  const whole = header?.startsWith('Name ') && began.trim() === '' && rows.some(({ domid }) => domid === 0);
  if (!whole) throw new ArgoError('FAILED', 'the output of xl list is not understood', { cause: new Error(text.slice(0, 2000)) });
  return rows.filter(({ domid, name }) => domid !== 0 && name !== '' && name !== NAMELESS);
}

/** Why a domain has shut down (the fifth letter), and what it then is until its monitor has cleared it away. */
const AFTER_SHUTDOWN: Readonly<Record<string, PowerState>> = {
  '-': 'stopping', r: 'stopping', s: 'stopping', c: 'crashed', w: 'crashed', S: 'starting',
};

/**
 * The state behind xl's six letters. No letter at all means that no CPU runs it at this moment, which
 * is how a busy host shows a running guest: `on`.
 */
export function stateOf(flags: string): PowerState {
  const [, , paused, shutdown, reason = '', dying] = flags;
  if (dying === 'd') return 'stopping';
  if (shutdown === 's') return AFTER_SHUTDOWN[reason] ?? 'unknown';
  return paused === 'p' ? 'paused' : 'on';
}

/**
 * Seconds in the uptime column of `xl uptime DOMID`: `1 day,  1:01:01`.
 * @throws ArgoError `FAILED` when it is not there
 */
export function parseUptime(text: string, domid: number): number {
  for (const line of text.split('\n').slice(1)) {
    const match = /\s(\d+)\s+(?:(\d+) days?,\s+)?(\d+):(\d\d):(\d\d)\s*$/.exec(line);
    if (!match || Number(match[1]) !== domid) continue;
    const [days, hours, minutes, seconds] = match.slice(2).map((part) => Number(part ?? 0));
    return (((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0);
  }
  throw new ArgoError('FAILED', 'xl does not tell its uptime');
}

/** One `xl list` that several callers wait for. */
interface Shared {
  readonly rows: Promise<Row[]>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * The guests as they are now. Callers at the same time share processes: one that comes while a
 * listing runs waits for the next, because the running one may be older than what the caller did.
 */
export class Listing {
  #running: Shared | undefined;
  #next: Shared | undefined;
  readonly #xl: Xl;

  constructor(xl: Xl) {
    this.#xl = xl;
  }

  /** @throws ArgoError as {@link Xl.run}; `UNREACHABLE` when the signal comes first */
  read(signal: AbortSignal): Promise<readonly Row[]> {
    if (signal.aborted) return Promise.reject(new ArgoError('UNREACHABLE', 'there was no time left to list the domains'));
    const shared = this.#running ? (this.#next ??= this.#after(this.#running)) : (this.#running = this.#begin(Promise.resolve()));
    return this.#join(shared, signal);
  }

  #after(current: Shared): Shared {
    return this.#begin(current.rows.then(() => undefined, () => undefined));
  }

  #begin(turn: Promise<void>): Shared {
    const controller = new AbortController();
    const rows = turn.then(() => within(LISTING_LIMIT, [controller.signal], async (signal) => {
      const { stdout } = await this.#xl.run(['list', '-v'], { signal });
      return parseListing(stdout);
    }));
    const shared: Shared = { rows, controller, waiters: 0 };
    const ended = (): void => {
      if (this.#running !== shared) return;
      this.#running = this.#next;
      this.#next = undefined;
    };
    rows.then(ended, ended);
    return shared;
  }

  #join(shared: Shared, signal: AbortSignal): Promise<readonly Row[]> {
    shared.waiters += 1;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        shared.waiters -= 1;
        if (shared.waiters === 0) this.#abandon(shared);
        reject(new ArgoError('UNREACHABLE', 'xl list did not end before the deadline'));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      const done = (): void => signal.removeEventListener('abort', onAbort);
      shared.rows.then((rows) => { done(); resolve(rows); }, (error: unknown) => { done(); reject(error); });
    });
  }

  #abandon(shared: Shared): void {
    if (this.#next === shared) this.#next = undefined;
    shared.controller.abort();
  }
}
