import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { ArgoError, toArgoError, type Phrase } from '../../../kit/errors.js';
import { SILENCE_KEPT } from '../../../kit/zabbix-collecting-limits.js';
import type { ConfiguredHost } from '../../../protocols/zabbix/configuration.js';

/** Which instance is meant, and whether anything is known of it. */

type Names = Pick<ConfiguredHost, 'host' | 'name'>;

/** Of several reasons the one that helps most comes first; others are as good as each other. */
const TELLING: readonly Phrase[] = ['AMBIGUOUS', 'UNREACHABLE'];

/** A technical name has no slash: `demo lj` stands for `demo/lj`, too. */
const withSlash = (host: string): string => host.replace(' ', '/');

/** What a host's names may mean, best first; what stands together is as good as each other. */
const namesOf = ({ host, name }: Names): readonly (readonly string[])[] => [[...new Set([host, withSlash(host)])], [name]];

/**
 * The instance that a host stands for: by its technical name, by its visible name, or where a parameter names another one.
 * @param named by a parameter; empty or left out: by the host's names
 * @throws ArgoError as the actor's `select` for a plain name; AMBIGUOUS where `demo lj` is an instance, and `demo/lj` another
 */
export async function instanceFor(actor: Actor, host: Names, named = ''): Promise<InstanceInfo> {
  const errors: ArgoError[] = [];
  for (const texts of named === '' ? namesOf(host) : [[named]]) {
    const found = new Map<string, InstanceInfo>();
    for (const text of texts) {
      try {
        // in quotes: a host that is called web* is not all of them
        const { instances: [instance] } = await actor.select([{ text, quoted: true }]);
        if (instance) found.set(instance.fullName, instance);
      } catch (thrown) {
        errors.push(toArgoError(thrown));
      }
    }
    if (found.size > 1) throw new ArgoError('AMBIGUOUS', [...found.keys()].join(', '));
    const [instance] = found.values();
    if (instance) return instance;
  }
  throw errors.find(({ phrase }) => TELLING.includes(phrase)) ?? errors[0] ?? new ArgoError('NO SUCH INSTANCE', named);
}

/** The instances of one moment by host and parameter: many items are about the same one. */
export class Looks {
  readonly #found = new Map<string, Promise<InstanceInfo>>();

  constructor(readonly actor: Actor) {}

  /** @throws as {@link instanceFor} */
  instance(host: ConfiguredHost, named = ''): Promise<InstanceInfo> {
    const key = `${host.hostid} ${named}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      found = instanceFor(this.actor, host, named);
      this.#found.set(key, found);
    }
    return found;
  }
}

/** Providers that do not answer: what is known of their instances may be out of date. */
export class Silence {
  #silent: ReadonlySet<string> = new Set();
  #since = -Infinity;
  #looking: Promise<void> | undefined;

  /**
   * One whose provider answers, but does not know all, is taken as it is known.
   * @throws ArgoError UNREACHABLE where its provider does not answer
   */
  async requireCurrent(actor: Actor, { provider, stale }: InstanceInfo): Promise<void> {
    if (stale === undefined) return;
    if (performance.now() - this.#since > SILENCE_KEPT) await (this.#looking ??= this.#look(actor).finally(() => { this.#looking = undefined; }));
    if (this.#silent.has(provider)) throw new ArgoError('UNREACHABLE', `${provider}: ${stale.replace(/^UNREACHABLE: /, '')}`);
  }

  async #look(actor: Actor): Promise<void> {
    const { providers } = await actor.overview();
    this.#silent = new Set(providers.filter(({ answers }) => !answers).map(({ provider }) => provider));
    this.#since = performance.now();
  }
}
