import type { Authenticator } from '../auth/authenticator.js';
import type { Config, TriggerSettings } from '../config/config.js';
import type { Events } from '../instances/events.js';
import type { Gate } from '../instances/gate.js';
import type { TriggerInfo } from '../instances/plans.js';
import { NAMES_SHOWN } from '../kit/limits.js';
import { resolvePatterns, type Groups } from '../kit/patterns.js';
import type { Log } from '../kit/log.js';
import type { Change } from '../listening/change.js';
import type { PlanEngine, Trigger } from '../plans/contract.js';
import type { Desk } from '../plans/desk.js';
import type { Engine } from '../plans/engine.js';
import type { TriggerModule } from '../plans/triggers/contract.js';
import type { TriggerCatalogue } from '../plans/triggers/catalogue.js';
import type { State } from '../store/state.js';

/** Of the daemon's parts, those that plans need. */
export interface PlansParts {
  readonly authenticator: Authenticator;
  readonly gate: Gate;
  readonly events: Events;
  readonly state: State;
  readonly log: Log;
  groups(): Groups;
  /** what the configuration says of the machines that carry this server */
  ownHost(): readonly string[];
  triggers(): Promise<TriggerCatalogue>;
}

/** What runs plans, and where they are asked for. */
interface Works {
  readonly engine: Engine;
  readonly desk: Desk;
}

/** A trigger that looks. */
interface Running {
  readonly settings: TriggerSettings;
  readonly trigger: Trigger;
  /** those that it begins */
  readonly plans: readonly string[];
}

const told = ({ settings: { name, type }, plans, trigger }: Running): TriggerInfo => ({ name, type, plans, words: trigger.describe() });

/** Plans and what begins them, as the configuration says. What they are made of is loaded when there is a first one. */
export class Plans {
  readonly #parts: PlansParts;
  #works: Works | undefined;
  #running: ReadonlyMap<string, Running> = new Map();
  /** ends with the last change that was taken on: the next one comes after it */
  #changing: Promise<void> = Promise.resolve();
  #isLeaving = false;
  #hasLooked = false;

  constructor(parts: PlansParts) {
    this.#parts = parts;
  }

  /** Where accounts ask for plans; undefined where none was ever configured. */
  get desk(): Desk | undefined {
    return this.#works?.desk;
  }

  /** What runs them; undefined where none was ever configured. */
  get engine(): PlanEngine | undefined {
    return this.#works?.engine;
  }

  /**
   * Loads what a configuration needs. To be committed when its accounts are in force and its providers are open.
   * @throws Error where that cannot be loaded; then nothing has changed
   */
  async prepare({ plans, triggers }: Config): Promise<Change> {
    const isFirst = this.#works === undefined;
    const works = this.#works ?? (plans.size > 0 || await this.#hasLeft() ? await this.#load() : undefined);
    const modules = await this.#modulesFor(triggers);
    return {
      commit: () => {
        if (works === undefined) return;
        this.#works = works;
        works.engine.configure(plans);
        this.#changing = this.#changing.then(async () => {
          // what an earlier process has left goes on before something new begins
          if (isFirst) await works.engine.start();
          await this.#takeOn(triggers, modules, works.engine);
        });
      },
      cancel: () => Promise.resolve(),
    };
  }

  /** Sends no further order: runs go on at the next start, triggers begin nothing, and who follows a run is let go. */
  drain(): void {
    this.#isLeaving = true;
    this.#works?.engine.drain();
    this.#works?.desk.close();
    this.#changing = this.#changing.then(() => this.#closeAll([...this.#running.values()]));
  }

  /** Waits until what is known of runs is written down. Never rejects. */
  async close(): Promise<void> {
    await this.#changing;
    await this.#works?.engine.close();
  }

  /** Whether an earlier process has left runs that have not ended: they go on, ask or end also where no plan is configured any more. Looked at once. */
  async #hasLeft(): Promise<boolean> {
    if (this.#hasLooked) return false;
    this.#hasLooked = true;
    const { state, log } = this.#parts;
    if (!state.isThere) return false;
    try {
      const left = (await state.plans().list()).filter(({ ended }) => ended === null);
      if (left.length > 0) log('warn', 'runs of plans have not ended, and no plan is configured', { runs: left.map(({ id, plan }) => `${id} ${plan}`).slice(0, NAMES_SHOWN).join(', '), count: left.length });
      return left.length > 0;
    } catch (error) {
      log('error', 'the journal of plans cannot be read', { reason: String(error) });
      return false;
    }
  }

  async #load(): Promise<Works> {
    const [{ Engine }, { Desk }, { readOwnHost }] = await Promise.all([import('../plans/engine.js'), import('../plans/desk.js'), import('../plans/own-host.js')]);
    const { authenticator, gate, events, state, log, ownHost, groups } = this.#parts;
    const engine = new Engine({
      journal: state.plans(), kv: state.keyValue('plans'), marks: state.endMarks(), accounts: authenticator, gate, log,
      tell: (news) => { events.add({ type: 'plan', ...news }); },
      ownHost: async () => ({ ...await readOwnHost(), patterns: resolvePatterns(ownHost(), groups()) }),
    });
    return { engine, desk: new Desk({ engine, gate, log, triggers: () => [...this.#running.values()].map(told) }) };
  }

  /** @throws Error where there is no such trigger, or a package that it needs is not there */
  async #modulesFor(triggers: ReadonlyMap<string, TriggerSettings>): Promise<ReadonlyMap<string, TriggerModule>> {
    if (triggers.size === 0) return new Map();
    const catalogue = await this.#parts.triggers();
    return new Map(await Promise.all([...triggers.values()].map(async ({ name, type }) => {
      const module = await catalogue.load(type);
      if (module === undefined) throw new Error(`trigger ${name}: there is no type ${type}`);
      return [name, module] as const;
    })));
  }

  /** Closes triggers that are gone or have changed, and opens those that are new; the others go on. */
  async #takeOn(wanted: ReadonlyMap<string, TriggerSettings>, modules: ReadonlyMap<string, TriggerModule>, engine: Engine): Promise<void> {
    const stays = ({ settings: { name, fingerprint } }: Running): boolean => wanted.get(name)?.fingerprint === fingerprint;
    await this.#closeAll([...this.#running.values()].filter((one) => !stays(one)));
    if (this.#isLeaving) return;
    const next = new Map<string, Running>();
    for (const [name, settings] of wanted) {
      const known = this.#running.get(name);
      if (known !== undefined && stays(known)) next.set(name, known);
      else {
        const module = modules.get(name)!;
        const plans = module.plans(settings.options as Parameters<TriggerModule['open']>[0]).map(({ plan }) => plan);
        next.set(name, { settings, plans: [...new Set(plans)], trigger: this.#open(settings, module, engine) });
      }
    }
    this.#running = next;
  }

  #open({ name, options }: TriggerSettings, module: TriggerModule, engine: Engine): Trigger {
    const { state, events, groups, log } = this.#parts;
    return module.open(options as Parameters<TriggerModule['open']>[0], {
      name, starter: engine, events, groups,
      kv: state.keyValue(`trigger ${name}`),
      log: (level, message, facts) => log(level, message, { trigger: name, ...facts }),
    });
  }

  async #closeAll(triggers: readonly Running[]): Promise<void> {
    await Promise.all(triggers.map(({ trigger }) => trigger.close()));
  }
}
