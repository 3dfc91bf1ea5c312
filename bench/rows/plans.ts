import { performance } from 'node:perf_hooks';
import { Account } from '../../src/auth/account.js';
import type { PlanSettings, StageSettings } from '../../src/config/config.js';
import sim from '../../src/drivers/sim/index.js';
import { Gate } from '../../src/instances/gate.js';
import { Provider } from '../../src/instances/provider.js';
import { Registry } from '../../src/instances/registry.js';
import { Engine } from '../../src/plans/engine.js';
import { Audit } from '../../src/store/audit.js';
import type { PlanJournal } from '../../src/store/plan-journal.js';
import { State } from '../../src/store/state.js';
import { scratchFolder } from '../process.js';
import { below, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { summarise } from '../stats.js';

/** Plans on simulated machines, in this process: journal and audit are on the disk. */

const stage = (name: string, targets: readonly string[], after: readonly string[], rest: Partial<StageSettings> = {}): StageSettings => ({
  name, action: 'stop', targets, after, parallel: 100, soft: 90_000, then: 'force', pauseBefore: 0, pauseBetween: 0, settle: undefined,
  maxFailures: { count: 0 }, onFailure: 'continue', ...rest,
});

const plan = (name: string, stages: readonly StageSettings[]): PlanSettings => ({
  name, account: 'bench', stages, timeLimit: undefined, resume: 'continue', exclusive: undefined, whenBusy: 'wait', undo: undefined, fingerprint: '',
});

interface World {
  readonly engine: Engine;
  readonly folder: string;
  close(): Promise<void>;
}

/** A gate over so many machines, and an engine on it. @param watch may stand before the journal */
async function open(count: number, plans: readonly PlanSettings[], folder = scratchFolder('plans'), watch = (journal: PlanJournal): PlanJournal => journal): Promise<World> {
  const registry = new Registry();
  const settings = { name: 'sim', type: 'sim', options: { instances: [], count, latency: 0, faults: {} }, actionTimeout: undefined, pollInterval: undefined, concurrency: undefined, fingerprint: '' };
  const provider = new Provider(settings, sim as never, registry, () => undefined);
  registry.arrange([provider]);
  await provider.refresh();
  const audit = new Audit(folder, () => undefined, 'full');
  const gate = new Gate({ registry, audit, log: () => undefined, actionTimeout: () => 120_000, groups: () => new Map() as never });
  const account = new Account({ name: 'bench', passwordHash: '', from: undefined, grants: [{ instances: ['*'], commands: ['*'] }] }, new Map() as never);
  const state = new State(folder, () => undefined);
  const engine = new Engine({
    journal: watch(state.plans()), kv: state.keyValue('plans'), marks: state.endMarks(), accounts: { account: () => account, watching: new Set() }, gate,
    log: () => undefined, tell: () => undefined, ownHost: () => Promise.resolve({ uuids: [], names: [] }),
  });
  engine.configure(new Map(plans.map((one) => [one.name, one])));
  const began = performance.now();
  await engine.start();
  started = performance.now() - began;
  return {
    engine, folder,
    close: async () => {
      engine.drain();
      await engine.close();
      await Promise.all([provider.close(0), audit.close(), state.close()]);
    },
  };
}

/** Milliseconds that the engine that was opened last took to decide what goes on. */
let started = 0;

async function runToEnd({ engine }: World, name: string): Promise<number> {
  const began = performance.now();
  const begun = await engine.begin(name, { source: 'bench', words: 'bench', at: Date.now() });
  if (begun.result !== 'begun') throw new Error(`the plan did not begin: ${begun.result}`);
  for await (const { run } of engine.changes(begun.run, AbortSignal.timeout(300_000))) if (run.ended !== undefined) break;
  const ended = await engine.run(begun.run);
  if (ended?.run.state !== 'done') throw new Error(`the run ended as ${ended?.run.state}: ${ended?.run.reason}`);
  return performance.now() - began;
}

/** A dry run: what each stage selects, and what would be done to each. */
async function dryRun(): Promise<number> {
  const all = plan('all', [stage('one', ['vm0*'], []), stage('two', ['vm1*'], ['one'])]);
  const world = await open(10_000, [all]);
  try {
    const began = performance.now();
    const stages = await world.engine.targets(all);
    const actor = world.engine.actor(all, 'bench');
    let words = 0;
    for (const { targets } of stages) {
      for await (const { value } of actor.each(targets, (on) => actor.plan(on, { action: 'stop', mode: 'soft', wait: true }))) if (value !== undefined) words += 1;
    }
    if (words !== 10_000) throw new Error(`only ${words} of 10,000 were told`);
    return performance.now() - began;
  } finally {
    await world.close();
  }
}

async function stops(): Promise<number> {
  const stages = Array.from({ length: 10 }, (_, index) => stage(`s${index}`, [`vm00[${String(index * 100 + 1).padStart(3, '0')}-${String(index * 100 + 100).padStart(3, '0')}]`], index === 0 ? [] : [`s${index - 1}`]));
  stages[9] = stage('s9', ['vm00[901-999]', 'vm01000'], ['s8']);
  const world = await open(1000, [plan('all', stages)]);
  try {
    return await runToEnd(world, 'all');
  } finally {
    await world.close();
  }
}

/** @returns milliseconds, and entries of the journal a target, each of which waits for the disk */
async function many(): Promise<{ ms: number; entries: number }> {
  let entries = 0;
  const counted = (journal: PlanJournal): PlanJournal => ({
    ...journal,
    sent: (...args) => { entries += 1; return journal.sent(...args); },
    settled: (...args) => { entries += 1; return journal.settled(...args); },
  });
  const world = await open(10_000, [plan('all', [stage('all', ['*'], [])])], undefined, counted);
  try {
    return { ms: await runToEnd(world, 'all'), entries: entries / 10_000 };
  } finally {
    await world.close();
  }
}

/** A server that left a run of 10,000 targets: until the next one has decided. */
async function resume(): Promise<number> {
  const all = plan('all', [stage('all', ['*'], [], { parallel: 1, pauseBetween: 50 })]);
  const world = await open(10_000, [all]);
  const begun = await world.engine.begin('all', { source: 'bench', words: 'bench', at: Date.now() });
  const ends = performance.now() + 30_000;
  while (begun.result === 'begun' && performance.now() < ends && ((await world.engine.run(begun.run))?.run.targets.ended ?? 0) < 3) await new Promise((resolve) => { setTimeout(resolve, 20); });
  await world.close();
  const next = await open(10_000, [all], world.folder);
  const decided = started;
  const [run] = await next.engine.runs();
  await next.close();
  if (run?.state !== 'running') throw new Error(`the run did not go on: ${run?.state}`);
  return decided;
}

const repeat = async <T>(times: number, work: () => Promise<T>): Promise<T[]> => {
  const all: T[] = [];
  for (let count = 0; count < times; count += 1) all.push(await work());
  return all;
};

export const plans: Scenario = async function* ({ rounds }): AsyncGenerator<Row> {
  const row = (what: string, runs: number[], limit: number): Row => {
    const ours = summarise(runs);
    return { what, unit: 'ms', ours, target: below(ours.median, limit, ' ms') };
  };
  yield row('plan: dry run of 10,000 targets', await repeat(rounds, dryRun), 2000);
  yield row('plan: 1,000 stops in stages of 100', await repeat(rounds, stops), 2000);
  const runs = await repeat(Math.min(3, rounds), many);
  yield row('plan: 10,000 stops in one stage', runs.map(({ ms }) => ms), 60_000);
  const entries = summarise(runs.map((run) => run.entries));
  yield { what: 'plan: journal entries a target', unit: '×', ours: entries, target: { text: '≤ 2', met: entries.max <= 2 } };
  yield row('plan: a run of 10,000 targets was cut off, until it is decided', await repeat(rounds, resume), 500);
};
