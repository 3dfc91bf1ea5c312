import type { GatewaySettings } from '../config/config.js';
import { Deadline } from '../kit/deadline.js';
import { GATEWAY_CLOSE_TIMEOUT, GATEWAY_PREPARE_TIMEOUT } from '../kit/limits.js';
import type { Log } from '../kit/log.js';
import { prepareAll, type Change } from '../listening/change.js';
import type { GatewayCatalogue } from './catalogue.js';
import type { Gateway, GatewayHost, GatewayModule } from './contract.js';

interface Running {
  readonly settings: GatewaySettings;
  readonly module: GatewayModule;
  readonly gateway: Gateway;
}

type Options = Parameters<GatewayModule['open']>[0];

/** Of the gateways that run, those that the configuration which is being prepared changes. */
export interface Departures {
  /** those that it has no longer, and those whose table is another now: where they were, others may come */
  readonly moving: ReadonlySet<string>;
}

/** The gateways that run: opened, changed and closed as the configuration says. */
export class Gateways {
  #running: ReadonlyMap<string, Running> = new Map();
  /** made when there is a first gateway: its parts take a start some milliseconds */
  #hostFor: ((name: string) => GatewayHost) | undefined;
  readonly #loadHosts: (departures: Departures) => Promise<(name: string) => GatewayHost>;
  readonly #departures: { readonly moving: Set<string> } = { moving: new Set() };
  /** those that a reload has taken away and that have not ended yet, by name */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #log: Log;

  /** @param loadHosts yields what makes a gateway's host, by the gateway's name; what it is given changes with each change that is prepared */
  constructor(loadHosts: (departures: Departures) => Promise<(name: string) => GatewayHost>, log: Log) {
    this.#loadHosts = loadHosts;
    this.#log = log;
  }

  /**
   * Prepares what has changed; a gateway whose table and module are the same is not touched.
   * @throws Error that names the gateway which cannot take its table on; then nothing has changed
   */
  async prepare(wanted: ReadonlyMap<string, GatewaySettings>, catalogue: GatewayCatalogue): Promise<Change> {
    const next = new Map<string, Running>();
    const opened: Running[] = [];
    this.#noteDepartures(wanted);
    const changes = await prepareAll([...wanted.values()].map((settings) => async () => {
      const known = this.#running.get(settings.name);
      const module = await catalogue.load(settings.type);
      if (module === undefined) throw new Error(`gateway ${settings.name}: there is no type ${settings.type}`);
      const stays = known?.module === module;
      if (stays && known.settings.fingerprint === settings.fingerprint) {
        next.set(settings.name, known);
        return { commit: () => undefined, cancel: () => Promise.resolve() };
      }
      this.#hostFor ??= await this.#loadHosts(this.#departures);
      // one that was taken away still tidies up what it has kept under this name
      if (known === undefined) await this.#ending.get(settings.name);
      const one = stays ? { ...known, settings } : this.#open(settings, module, this.#hostFor);
      if (!stays) opened.push(one);
      next.set(settings.name, one);
      return this.#prepareOne(one);
    })).catch(async (error: unknown) => {
      await this.#closeAll(opened);
      throw error;
    });
    return {
      commit: () => {
        const left = new Set([...next.values()].map(({ gateway }) => gateway));
        const gone = [...this.#running.values()].filter(({ gateway }) => !left.has(gateway));
        this.#running = next;
        changes.commit();
        gone.forEach((one) => this.#leave(one));
      },
      cancel: async () => {
        await changes.cancel();
        await this.#closeAll(opened);
      },
    };
  }

  /** Where clients of a gateway can connect; nowhere where there is none of that name. */
  addresses(name: string): readonly string[] {
    return this.#running.get(name)?.gateway.addresses?.() ?? [];
  }

  /** Lets requests under way end, and closes all. Never rejects. @param ms how long they may take */
  async stop(ms: number): Promise<void> {
    const all = [...this.#running.values()];
    this.#running = new Map();
    await Promise.all([this.#end(all, ms), ...this.#ending.values()]);
  }

  #leave(one: Running): void {
    const { name } = one.settings;
    const end = this.#end([one], GATEWAY_CLOSE_TIMEOUT).finally(() => {
      if (this.#ending.get(name) === end) this.#ending.delete(name);
    });
    this.#ending.set(name, end);
  }

  #noteDepartures(wanted: ReadonlyMap<string, GatewaySettings>): void {
    const { moving } = this.#departures;
    moving.clear();
    for (const [name, { settings: { fingerprint } }] of this.#running) {
      if (wanted.get(name)?.fingerprint !== fingerprint) moving.add(name);
    }
  }

  #open(settings: GatewaySettings, module: GatewayModule, hostFor: (name: string) => GatewayHost): Running {
    try {
      return { settings, module, gateway: requireGateway(module.open(settings.options as Options, hostFor(settings.name))) };
    } catch (error) {
      throw explained(settings.name, error);
    }
  }

  async #prepareOne({ settings, gateway }: Running): Promise<Change> {
    try {
      const preparing = Promise.resolve(gateway.prepare(settings.options));
      const { commit, cancel } = await within(GATEWAY_PREPARE_TIMEOUT, () => preparing.then(requireChange)).catch((error: unknown) => {
        // one that comes too late must not stay prepared
        void preparing.then(requireChange).then((late) => this.#cancel(settings.name, late.cancel), () => undefined);
        throw error;
      });
      return {
        commit: () => {
          try {
            commit();
          } catch (error) {
            this.#log('error', 'gateway did not take its table on', { gateway: settings.name, cause: error });
          }
        },
        cancel: () => this.#cancel(settings.name, cancel),
      };
    } catch (error) {
      throw explained(settings.name, error);
    }
  }

  async #cancel(name: string, cancel: Change['cancel']): Promise<void> {
    await within(GATEWAY_CLOSE_TIMEOUT, cancel).catch((error: unknown) => this.#log('warn', 'gateway did not undo what it had prepared', { gateway: name, reason: String(error) }));
  }

  async #end(all: readonly Running[], ms: number): Promise<void> {
    await Promise.all(all.map(async ({ settings: { name }, gateway }) => {
      const deadline = new Deadline(ms);
      await deadline.run(() => gateway.drain(deadline)).catch((error: unknown) => this.#log('warn', 'gateway did not drain', { gateway: name, reason: String(error) }));
      deadline.clear();
    }));
    await this.#closeAll(all);
  }

  async #closeAll(all: readonly Running[]): Promise<void> {
    await Promise.all(all.map(({ settings: { name }, gateway }) => within(GATEWAY_CLOSE_TIMEOUT, () => gateway.close())
      .catch((error: unknown) => this.#log('warn', 'gateway did not close well', { gateway: name, reason: String(error) }))));
  }
}

async function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const deadline = new Deadline(ms);
  try {
    return await deadline.run(async () => work());
  } finally {
    deadline.clear();
  }
}

/** What a module of `plugin-path` gives may be something else. @throws TypeError */
function requireGateway(opened: unknown): Gateway {
  const gateway = (opened ?? {}) as Partial<Gateway>;
  const missing = (['prepare', 'drain', 'close'] as const).find((key) => typeof gateway[key] !== 'function');
  if (missing === undefined) return gateway as Gateway;
  throw new TypeError(`its open gives nothing with ${missing}${opened instanceof Promise ? ', but a promise' : ''}`);
}

/** @throws TypeError */
function requireChange(prepared: unknown): Change {
  const { commit, cancel } = (prepared ?? {}) as Partial<Change>;
  if (typeof commit === 'function' && typeof cancel === 'function') return prepared as Change;
  throw new TypeError('its prepare gives nothing with commit and cancel');
}

/** Errors of listeners keep their code and place, so that the start can say what to do. */
function explained(gateway: string, error: unknown): Error {
  const { message = String(error), code, address, port } = (error ?? {}) as NodeJS.ErrnoException & { address?: string; port?: number };
  return Object.assign(new Error(`gateway ${gateway}: ${message}`, { cause: error }), { code, address, port, gateway });
}
