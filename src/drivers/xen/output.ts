import { ArgoError } from '../../kit/errors.js';
import { onAbort, within } from '../../kit/within.js';
import type { XenProgram } from './program.js';
import { type DiskSpec, type Vif, withoutPadding } from './cfg.js';

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
 * The guests of an `xl list -v`: without domain 0, without those that have ended and are not cleared away yet.
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
    rows.push({ name: withoutPadding(name), domid: Number(domid), memory: Number(memory), vcpus: Number(vcpus), flags, seconds: Number(seconds), uuid });
  }
  const whole = header?.startsWith('Name ') && began.trim() === '' && rows.some(({ domid }) => domid === 0);
  if (!whole) throw new ArgoError('FAILED', 'the output of xl list is not understood', { cause: new Error(text.slice(0, 2000)) });
  return rows.filter(({ domid, name }) => domid !== 0 && name !== '' && name !== NAMELESS);
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
  readonly #xl: XenProgram;

  constructor(xl: XenProgram) {
    this.#xl = xl;
  }

  /** @throws ArgoError as {@link XenProgram.run}; `UNREACHABLE` when the signal comes first */
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
      const forget = onAbort(signal, () => {
        shared.waiters -= 1;
        if (shared.waiters === 0) this.#abandon(shared);
        reject(new ArgoError('UNREACHABLE', 'xl list did not end before the deadline'));
      });
      shared.rows.finally(forget).then(resolve, reject);
    });
  }

  #abandon(shared: Shared): void {
    if (this.#next === shared) this.#next = undefined;
    shared.controller.abort();
  }
}

/** What `xl list -l DOMID` knows of a running domain. */
export interface Details {
  readonly type?: string;
  readonly vifs: readonly Vif[];
  readonly disks: readonly DiskSpec[];
}

/**
 * Reads the JSON of `xl list -l`. Fields that are not as expected are left out: xl prints libxl's
 * internal structure, which grows with each version.
 * @returns undefined when the domain is not in it: xl skips, without a word, what it cannot read
 */
export function parseDetails(text: string, domid: number): Details | undefined {
  const parsed = jsonOf(text);
  const domains = Array.isArray(parsed) ? parsed : [parsed];
  const domain = domains.map(fields).find((candidate) => candidate.domid === domid);
  if (!domain) return undefined;
  const config = fields(domain.config);
  const type = textOf(fields(config.c_info).type);
  return {
    ...(type && { type }),
    vifs: listOf(config.nics).map((nic) => {
      const mac = textOf(nic.mac);
      const ifname = textOf(nic.ifname);
      return {
        ...(mac && { mac }),
        ...(ifname && { ifname }),
        ips: (textOf(nic.ip) ?? '').split(/\s+/).filter((ip) => ip !== ''),
      };
    }),
    disks: listOf(config.disks).map((disk) => {
      const format = textOf(disk.format);
      const script = textOf(disk.script);
      return { vdev: textOf(disk.vdev) ?? '', path: textOf(disk.pdev_path) ?? '', ...(format && { format }), ...(script && { script }) };
    }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
