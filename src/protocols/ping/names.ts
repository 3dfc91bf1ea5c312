import { lookup as systemLookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { MOST_ADDRESSES, NAMES_KEPT, RESOLVE_TIMEOUT, RESOLVED_FOR } from './limits.js';
import { onAbort } from '../../kit/within.js';
import { CannotTell } from './outcome.js';

/** The addresses of a name, in the order in which they are to be tried. @throws Error with a code of getaddrinfo(3) */
export type Lookup = (name: string) => Promise<readonly string[]>;

const lookupBySystem: Lookup = async (name) => (await systemLookup(name, { all: true, verbatim: true })).map(({ address }) => address);

interface Entry {
  readonly addresses: Promise<readonly string[]>;
  /** by performance.now(); undefined while the question is under way */
  until: number | undefined;
}

/**
 * Finds the addresses of hosts. The system resolver cannot be told to give up, so each name is asked
 * for once at a time, however many wait for it: questions that nobody answers do not pile up.
 */
export class Names {
  readonly #entries = new Map<string, Entry>();
  readonly #lookup: Lookup;

  constructor(lookup: Lookup = lookupBySystem) {
    this.#lookup = lookup;
  }

  /** @throws CannotTell `unresolved`, or the signal's reason */
  async resolve(host: string, signal: AbortSignal): Promise<readonly string[]> {
    if (isIP(host)) return [host];
    const addresses = await this.#inTime(host, this.#ask(host), signal);
    if (addresses.length === 0) throw new CannotTell('unresolved', `${host} has no address`);
    return addresses.slice(0, MOST_ADDRESSES);
  }

  #ask(host: string): Promise<readonly string[]> {
    const known = this.#entries.get(host);
    if (known && (known.until === undefined || known.until > performance.now())) return known.addresses;
    const entry: Entry = { addresses: this.#lookup(host), until: undefined };
    this.#entries.delete(host);
    this.#entries.set(host, entry);
    if (this.#entries.size > NAMES_KEPT) this.#entries.delete(this.#entries.keys().next().value ?? '');
    entry.addresses.then(
      () => { entry.until = performance.now() + RESOLVED_FOR; },
      () => { if (this.#entries.get(host) === entry) this.#entries.delete(host); },
    );
    return entry.addresses;
  }

  #inTime(host: string, addresses: Promise<readonly string[]>, signal: AbortSignal): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const end = (act: () => void): void => {
        clearTimeout(timer);
        unwatch();
        act();
      };
      const timer = setTimeout(() => end(() => reject(new CannotTell('unresolved', `nobody told the address of ${host} in time`))), RESOLVE_TIMEOUT);
      const unwatch = onAbort(signal, (reason) => end(() => reject(reason as Error)));
      addresses.then((found) => end(() => resolve(found)), (error: unknown) => end(() => reject(explain(host, error))));
    });
  }
}

function explain(host: string, error: unknown): CannotTell {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const message = code === 'ENOTFOUND' ? `there is no host of the name ${host}` : `the address of ${host} could not be found out (${String(code)})`;
  return new CannotTell('unresolved', message, { cause: error });
}
