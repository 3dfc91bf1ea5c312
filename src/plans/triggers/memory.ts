import type { TriggerHost } from './contract.js';

const KEY = 'state';

/** What a trigger keeps over a restart: one object, written as a whole. That it cannot be kept stops nothing; it is logged, once. */
export class Memory<Kept extends object> {
  readonly #host: TriggerHost;
  #newest: Promise<void> = Promise.resolve();
  #fails = false;

  constructor(host: TriggerHost) {
    this.#host = host;
  }

  /** @returns undefined where there is nothing, or nothing that can be read */
  async load(): Promise<Partial<Kept> | undefined> {
    try {
      const text = await this.#host.kv.get(KEY);
      const value: unknown = text === undefined ? undefined : JSON.parse(text);
      return typeof value === 'object' && value !== null ? value : undefined;
    } catch (error) {
      this.#host.log('warn', 'what the trigger knew before cannot be read', { cause: error });
      return undefined;
    }
  }

  /** One after the other. Resolves when it is on the disk, or was logged not to be. */
  save(kept: Kept): Promise<void> {
    const text = JSON.stringify(kept);
    return this.#newest = this.#newest.then(async () => {
      try {
        await this.#host.kv.set(KEY, text);
        this.#fails = false;
      } catch (error) {
        if (!this.#fails) this.#host.log('warn', 'what the trigger knows cannot be kept: after a restart it may begin its plan anew', { cause: error });
        this.#fails = true;
      }
    });
  }
}
