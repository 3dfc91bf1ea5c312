import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { Authenticator } from '../../src/auth/authenticator.js';
import type { Config, PlanSettings, StageSettings } from '../../src/config/config.js';
import { Gate } from '../../src/instances/gate.js';
import type { Actor } from '../../src/instances/actor.js';
import type { RunChange, RunInfo } from '../../src/instances/plans.js';
import { Registry } from '../../src/instances/registry.js';
import { TagBook } from '../../src/instances/tag-book.js';
import type { PlanFacts } from '../../src/instances/events.js';
import { Engine, type EngineParts } from '../../src/plans/engine.js';
import type { PlanJournal } from '../../src/store/plan-journal.js';
import { State } from '../../src/store/state.js';
import type { TagStore } from '../../src/store/tags.js';
import { RememberedAudit, STEVE_HASH } from '../server/core.js';
import { openProviders, parseConfig } from '../support/configuration.js';
import { until } from '../support/until.js';

export const WITHIN = 30_000;

const ACCOUNTS = `
[server]
listen = ["127.0.0.1:0"]
[accounts.ups]
password = "${STEVE_HASH}"
[[accounts.ups.grants]]
instances = ["*"]
commands = ["power", "read"]
`;

/** A stage with what the configuration fills in. */
export const stage = (name: string, action: StageSettings['action'], targets: readonly string[], rest: Partial<StageSettings> = {}): StageSettings => ({
  name, action, targets, after: [], parallel: 16, soft: undefined, then: 'force', pauseBefore: 0, pauseBetween: 0, settle: undefined,
  maxFailures: { count: 0 }, onFailure: action === 'start' ? 'abort' : 'continue', ...rest,
});

export const plan = (name: string, stages: readonly StageSettings[], rest: Partial<PlanSettings> = {}): PlanSettings => ({
  name, account: 'ups', stages, timeLimit: undefined, resume: 'continue', exclusive: undefined, whenBusy: 'wait', undo: undefined, fingerprint: '', ...rest,
});

export const cause = (source = 'account kim', at = Date.now()): { source: string; words: string; at: number } => ({ source, words: source, at });

export interface WorldOptions {
  /** TOML */
  readonly providers: string;
  readonly plans: readonly PlanSettings[];
  /** TOML, in place of an account that may do everything */
  readonly accounts?: string;
  readonly parts?: Partial<EngineParts>;
  /** left out: those of the state folder */
  readonly tags?: TagStore;
}

/** One life of the server's part that runs plans. */
export interface Life {
  readonly engine: Engine;
  readonly audit: RememberedAudit;
  readonly news: PlanFacts[];
  readonly logged: string[];
  readonly authenticator: Authenticator;
  readonly state: State;
  readonly gate: Gate;
  /** Full name and state of every machine. */
  states(): Record<string, string>;
  /** As `kill -9`: nothing of it is written or sent from now on. */
  kill(): void;
  ended(run: string): Promise<RunChange>;
}

/** A state folder and a registry with machines, which outlive the server. */
export class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'argo-plans-'));
  readonly #t: Test;
  readonly #options: WorldOptions;
  #config: Config | undefined;
  #registry: Registry | undefined;

  constructor(t: Test, options: WorldOptions) {
    this.#t = t;
    this.#options = options;
    t.teardown(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  get config(): Config {
    return this.#config!;
  }

  get registry(): Registry {
    return this.#registry!;
  }

  async #machines(): Promise<Registry> {
    if (this.#registry !== undefined) return this.#registry;
    this.#config = await parseConfig('argo-server.conf', `${this.#options.accounts ?? ACCOUNTS}${this.#options.providers}`, '/nonexistent');
    const registry = this.#registry = new Registry();
    const providers = await openProviders(this.#config, registry, () => undefined);
    this.#t.teardown(() => Promise.all(providers.map((provider) => provider.close(0))));
    registry.arrange(providers);
    await Promise.all(providers.map((provider) => provider.refresh()));
    return registry;
  }

  /** Begins a life; those before it should have ended or been killed. */
  async open(more: Partial<WorldOptions> = {}): Promise<Life> {
    const registry = await this.#machines();
    const { plans, parts } = { ...this.#options, ...more };
    const life = { isDead: false };
    const logged: string[] = [];
    const news: PlanFacts[] = [];
    const audit = new RememberedAudit();
    const authenticator = new Authenticator(this.config, { verify: () => Promise.resolve(true) });
    const state = new State(this.folder, () => undefined);
    const tags = new TagBook(this.#options.tags ?? state.tags(), () => undefined);
    const gate = new Gate({ registry, audit, log: () => undefined, actionTimeout: () => 10_000, groups: () => this.config.groups, tags });
    const engine = new Engine({
      journal: unlessDead(state.plans(), life), kv: state.keyValue('plans'), marks: state.endMarks(), accounts: authenticator,
      gate: { actor: (mandate) => deadly(gate.actor(mandate), life), get longestActionTimeout() { return gate.longestActionTimeout; } },
      log: (level, message, facts) => logged.push(`${level} ${message} ${JSON.stringify(facts)}`),
      tell: (one) => news.push(one),
      ownHost: () => Promise.resolve({ uuids: [], names: [] }),
      ...parts,
    });
    engine.configure(new Map(plans.map((one) => [one.name, one])));
    this.#t.teardown(async () => {
      await engine.close();
      await state.close();
    });
    await engine.start();
    return {
      engine, audit, news, logged, authenticator, state, gate,
      states: () => Object.fromEntries([...registry.all()].map(({ fullName, state: now }) => [fullName, now])),
      kill: () => { life.isDead = true; engine.drain(); },
      ended: async (run) => {
        await until(async () => (await engine.run(run))?.run.ended !== undefined, WITHIN, `the end of run ${run}`);
        return (await engine.run(run))!;
      },
    };
  }
}

const never = (): Promise<never> => new Promise(() => undefined);

function unlessDead(journal: PlanJournal, life: { readonly isDead: boolean }): PlanJournal {
  return Object.fromEntries(
    Object.entries(journal).map(([name, work]) => [
      name,
      (...args: unknown[]) => (life.isDead ? never() : (work as (...all: unknown[]) => unknown)(...args)),
    ]),
  ) as unknown as PlanJournal;
}

function deadly(actor: Actor, life: { readonly isDead: boolean }): Actor {
  return new Proxy(actor, {
    get: (of, name) => {
      if (name === 'power' && life.isDead) return never;
      const value: unknown = Reflect.get(of, name, of);
      return typeof value === 'function' ? value.bind(of) as unknown : value;
    },
  });
}

/** What the targets of a run came to, by full name. */
export const targetStates = ({ targets }: RunChange): Record<string, string> => Object.fromEntries(targets.map(({ instance, state }) => [instance, state]));

export const stageStates = ({ stages }: RunChange): Record<string, string> => Object.fromEntries(stages.map(({ name, state }) => [name, state]));

export type { RunInfo };
