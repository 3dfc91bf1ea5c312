import type { RemoteProvider } from '../fleet/front/providers.js';
import { Provider } from '../instances/provider.js';
import type { Registry } from '../instances/registry.js';
import { PROVIDER_GRACE } from '../kit/limits.js';
import type { Log } from '../kit/log.js';

export interface RegisteredRemotesParts {
  readonly registry: Registry;
  readonly log: Log;
  /** whether the configuration has a provider of that name */
  isConfigured(name: string): boolean;
  /** A listing was taken in. @param ms how long that took */
  listed(provider: string, ms: number): void;
}

/** Providers of other sites in the registry, behind those of the configuration. Where both have a name, it is that of the configuration. */
export class RegisteredRemotes {
  readonly #parts: RegisteredRemotesParts;
  #wanted: readonly RemoteProvider[] = [];
  readonly #open = new Map<string, Provider>();
  /** names that are the configuration's, of which it was told */
  #refused: ReadonlySet<string> = new Set();
  /** those that are being closed */
  readonly #closing = new Set<Promise<void>>();
  #isClosed = false;

  constructor(parts: RegisteredRemotesParts) {
    this.#parts = parts;
  }

  /** Opens and closes what it takes for just these to be there. */
  arrange(wanted: readonly RemoteProvider[]): void {
    this.#wanted = wanted;
    this.review();
  }

  /** To be called when the configuration has other providers than before. */
  review(): void {
    if (this.#isClosed) return;
    const { registry, log, isConfigured } = this.#parts;
    const refused = new Set(this.#wanted.filter(({ name }) => isConfigured(name)).map(({ name }) => name));
    for (const name of refused) if (!this.#refused.has(name)) log('warn', 'provider of a site is not shown: one of the configuration has its name', { provider: name });
    this.#refused = refused;
    const wanted = new Map(this.#wanted.filter(({ name }) => !refused.has(name)).map((one) => [one.name, one]));
    for (const [name, provider] of this.#open) if (wanted.get(name)?.module !== provider.module) this.#close(provider, wanted.has(name));
    const opened: Provider[] = [];
    for (const one of wanted.values()) {
      if (this.#open.has(one.name)) continue;
      const provider = this.#make(one);
      this.#open.set(one.name, provider);
      opened.push(provider);
    }
    registry.arrange([...wanted.keys()].map((name) => this.#open.get(name)!));
    for (const provider of opened) void provider.refresh();
  }

  /** Closes all of them for good, and waits until that is over. Never rejects. @param grace milliseconds that what is under way on them may take */
  async close(grace: number): Promise<void> {
    this.#isClosed = true;
    for (const provider of this.#open.values()) this.#close(provider, false, grace);
    await Promise.all(this.#closing);
  }

  /** As {@link close}, where the server ends: nobody looks into the registry any more. */
  async end(): Promise<void> {
    this.#isClosed = true;
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all([...this.#closing, ...open.map((provider) => provider.close(0))]);
  }

  #make({ name, type, module }: RemoteProvider): Provider {
    const { registry, log, listed } = this.#parts;
    const settings = { name, type, options: {}, actionTimeout: undefined, pollInterval: undefined, concurrency: undefined, fingerprint: '' };
    return new Provider(settings, module, registry, log, listed);
  }

  /** Its instances are gone at once; what is under way on them may still end. */
  #close(provider: Provider, isReplaced: boolean, grace = PROVIDER_GRACE): void {
    this.#open.delete(provider.name);
    this.#parts.registry.remove(provider, isReplaced);
    const closing: Promise<void> = provider.close(grace).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
