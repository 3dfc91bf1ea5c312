import { ArgoError } from '../../kit/errors.js';
import { within } from '../../kit/within.js';
import type { Properties } from '../../protocols/vim/properties.js';
import type { PowerState } from '../driver.js';
import { ask, type Context } from './context.js';
import { isConnectedHost } from './items.js';
import type { Item } from './inventory.js';

/** Whether a host is on: by what its manager says of it, and by what the network shows. */

/** For the manager's word: one that hangs must not keep anybody from asking the host itself, ms. */
const WORD_LIMIT = 2000;
/** For the network's: beyond the longest ping, ms. */
const NETWORK_LIMIT = 10_000;

const WORD_PATHS = ['runtime.connectionState', 'runtime.powerState', 'runtime.bootTime'];

/** What the manager says: undefined where it says nothing. */
type Word = Properties | undefined;

/** What is asked of one host. */
export interface HostSources {
  readonly context: Context;
  /** its object in the inventory, at the moment */
  find(): Item | undefined;
  /** ping, and the port of its service */
  network(signal: AbortSignal): Promise<'on' | 'off'>;
}

const bootOf = (properties: Properties): string => {
  const booted = properties.get('runtime.bootTime');
  return booted instanceof Date ? booted.toISOString() : String(booted);
};

export class HostState {
  /** the boot that we have ordered the end of: a manager goes on calling such a host connected for a minute */
  #ending: string | undefined;
  readonly #sources: HostSources;

  constructor(sources: HostSources) {
    this.#sources = sources;
  }

  /** It was told to go down, or may have been. */
  expectEnd(): void {
    const item = this.#sources.find();
    this.#ending = item && bootOf(item.properties);
  }

  /**
   * On where the manager is in touch with it or the network shows it; off only where all that can be
   * asked are silent.
   * @throws ArgoError UNREACHABLE where nobody can tell; the signal's reason
   */
  async read(signal: AbortSignal): Promise<PowerState> {
    const rest = new AbortController();
    const word = this.#word([signal, rest.signal]);
    const network = within(NETWORK_LIMIT, [signal, rest.signal], (limit) => this.#sources.network(limit)).catch((error: unknown) => error);
    try {
      // Whichever says first that it is on.
      const isOn = [word.then((said) => this.#isTouched(said) || never()), network.then((seen) => seen === 'on' || never())];
      if (await Promise.any(isOn).catch(() => false)) return 'on';
      signal.throwIfAborted();
      if (this.#isConnected(await word)) return 'unknown';
      const seen = await network;
      if (seen === 'off') return 'off';
      throw seen instanceof ArgoError ? seen : new ArgoError('UNREACHABLE', 'it cannot be told whether it is on', { cause: seen });
    } finally {
      rest.abort();
    }
  }

  async #word(signals: readonly AbortSignal[]): Promise<Word> {
    const { context, find } = this.#sources;
    const item = find();
    if (item === undefined) return undefined;
    const said = await within(WORD_LIMIT, signals, (limit) => ask(context, item.ref, WORD_PATHS, limit)).catch(() => undefined);
    if (said && (!isConnectedHost(said) || bootOf(said) !== this.#ending)) this.#ending = undefined;
    return said;
  }

  #isConnected(said: Word): boolean {
    return said !== undefined && isConnectedHost(said);
  }

  /** Connected, and not only because the manager has not yet noticed its end. */
  #isTouched(said: Word): boolean {
    return this.#isConnected(said) && this.#ending === undefined;
  }
}

function never(): never {
  throw new Error('not on');
}
