import { randomBytes } from 'node:crypto';
import { Service, type ServiceSource } from '../auth/service.js';
import type { PlanSettings } from '../config/config.js';
import type { Actor } from '../instances/actor.js';
import type { Gate } from '../instances/gate.js';
import type { PlanFacts } from '../instances/events.js';
import type { RunChange, RunInfo } from '../instances/plans.js';
import { ArgoError } from '../kit/errors.js';
import { PLAN_CANCEL_WAIT, PLAN_CLOSE_WAIT, PLAN_TEXT, PLAN_TIME_LEAST } from '../kit/plan-limits.js';
import type { Log } from '../kit/log.js';
import { notLonger } from '../kit/within.js';
import type { EndMarks } from '../store/end-marks.js';
import type { PlanJournal, WholeRun } from '../store/plan-journal.js';
import type { KeyValue } from '../store/state.js';
import { endedBy, endedByLater, isEnding, obstacleTo, stillEnding, type Active } from './active-runs.js';
import { MACHINE_CLOCK } from './clock.js';
import type { Begun, Cause, PlanEngine, StageTargets } from './contract.js';
import { Decisions } from './decisions.js';
import { Disk, notWritten } from './disk.js';
import { History, infoOfRow } from './history.js';
import { Holds } from './holds.js';
import { OwnHostTest, readOwnHost, type OwnHostReader } from './own-host.js';
import { endAtStart, PlanRun, type Ending } from './plan-run.js';
import { RunClock, type RunTime } from './run-clock.js';
import { RunRecord } from './run-record.js';
import { preview } from './targets.js';

export interface EngineParts {
  readonly journal: PlanJournal;
  /** which plans are held */
  readonly kv: KeyValue;
  readonly marks: EndMarks;
  readonly accounts: ServiceSource;
  readonly gate: Pick<Gate, 'actor' | 'longestActionTimeout'>;
  readonly log: Log;
  /** what those who watch are told */
  tell(news: PlanFacts): void;
  /** which machine runs this server; left out: the system is asked */
  readonly ownHost?: OwnHostReader;
  /** left out: the machine's */
  readonly clock?: RunTime;
}

/** The runs of plans: begins them, lets them go on after a restart, and says what they do. */
export class Engine implements PlanEngine {
  readonly #parts: EngineParts;
  readonly #clock: RunTime;
  readonly #disk = new Disk();
  readonly #holds: Holds;
  readonly #decisions: Decisions;
  #plans: ReadonlyMap<string, PlanSettings> = new Map();
  /** by plan, in the order of their beginning: of each plan one at most */
  readonly #active = new Map<string, Active>();
  /** plans whose run is being written down, so that none begins twice at one moment */
  readonly #beginning = new Map<string, Promise<Begun>>();
  readonly #history = new History();
  #loaded: Promise<void> | undefined;
  #isLeaving = false;
  readonly #closing = new AbortController();

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? MACHINE_CLOCK;
    const [disk, closing] = [this.#disk, this.#closing.signal];
    this.#holds = new Holds({ kv: parts.kv, disk, closing });
    this.#decisions = new Decisions({ journal: parts.journal, marks: parts.marks, log: parts.log, clock: this.#clock, disk, closing });
    this.#disk.watch({
      failed: (words) => this.#orders(`AUDIT UNAVAILABLE: orders wait until the disk can be written: ${words}`),
      works: () => this.#orders(undefined),
    });
  }

  /**
   * Takes on what the configuration says now. A run under way keeps the settings with which it began, also where
   * its plan is gone from the configuration; one whose account is gone ends.
   */
  configure(plans: ReadonlyMap<string, PlanSettings>): void {
    this.#plans = plans;
    for (const active of this.#active.values()) {
      if (!this.#hasAccount(active.record.plan)) this.#endLater(active, 'failed', 'NOT ALLOWED: its account was taken away');
    }
  }

  /** Lets go on what an earlier process has left, by what each plan's `resume` says. Never rejects: what fails is logged, and tried again when a run begins. */
  async start(): Promise<void> {
    await this.#load().catch((thrown: unknown) => this.#parts.log('error', 'the journal of plans cannot be read', { reason: String(thrown) }));
  }

  /** No further order is sent: what is cut off goes on at the next start. */
  drain(): void {
    this.#isLeaving = true;
    for (const { work } of this.#active.values()) work?.leave();
  }

  /** Waits until what was under way is written down; to be called when the gate has ended it. Never rejects. */
  async close(): Promise<void> {
    this.drain();
    const done = [...this.#active.values()].flatMap(({ work }) => (work === undefined ? [] : [work.done]));
    await notLonger(PLAN_CLOSE_WAIT, Promise.all(done));
    this.#closing.abort();
    for (const { work } of this.#active.values()) work?.close();
  }

  plan(name: string): PlanSettings | undefined {
    return this.#plans.get(name);
  }

  plans(): readonly PlanSettings[] {
    return [...this.#plans.values()];
  }

  actor({ account }: PlanSettings, origin: string): Actor {
    return this.#parts.gate.actor({ identity: new Service(account, this.#parts.accounts), through: undefined, origin });
  }

  async targets(plan: PlanSettings): Promise<readonly StageTargets[]> {
    const actor = this.actor(plan, `plan:${plan.name}`);
    const own = await OwnHostTest.find(this.#parts.ownHost ?? readOwnHost, actor);
    return preview(plan, { actor, own, owed: () => this.#parts.journal.owed() }).catch((thrown: unknown) => { throw notWritten(thrown); });
  }

  async begin(name: string, cause: Cause): Promise<Begun> {
    await this.#load();
    const under = this.#beginning.get(name);
    if (under !== undefined) return under.then((begun) => (begun.result === 'begun' ? { result: 'runs', run: begun.run } : begun));
    const beginning = this.#begin(name, cause).catch((thrown: unknown) => { throw notWritten(thrown); }).finally(() => this.#beginning.delete(name));
    this.#beginning.set(name, beginning);
    return beginning;
  }

  async causeGone(source: string, words: string, then: string | undefined): Promise<void> {
    await this.#load();
    await Promise.allSettled(this.#beginning.values());
    const gone = [...this.#active.values()].filter(({ record }) => record.cause.source === source);
    await Promise.all(gone.map((active) => this.#endActive(active, 'cancelled', words)));
    // what it has switched off is known only when nothing of it is under way
    const ending = gone.find((active) => [...this.#active.values()].includes(active));
    if (ending !== undefined) throw stillEnding(ending);
    const owed = (await this.#parts.journal.owed()).filter((one) => one.source === source);
    const planOf = (name: string): PlanSettings | undefined => this.#plans.get(name) ?? gone.find(({ record }) => record.plan.name === name)?.record.plan;
    const undo = then === undefined ? owed.map(({ plan }) => planOf(plan)?.undo) : [then];
    // of another source: that the cause is gone once more is no reason to cancel what mends its damage
    if (owed.length > 0) await this.#beginAll(undo, { source: `end of ${source}`, words, at: this.#clock.wall() });
  }

  underWay(): readonly RunInfo[] {
    return [...this.#active.values()].map(({ record }) => record.info());
  }

  async runs(): Promise<readonly RunInfo[]> {
    await this.#load();
    return [...this.#history.values(), ...this.underWay()]
      .sort((one, other) => other.began.getTime() - one.began.getTime());
  }

  async run(id: string): Promise<RunChange | undefined> {
    await this.#load();
    const active = this.#find(id);
    if (active !== undefined) return active.record.whole();
    const whole = await this.#parts.journal.get(id).catch((thrown: unknown) => { throw notWritten(thrown); });
    return whole && RunRecord.of(whole).whole();
  }

  async*changes(id: string, signal: AbortSignal): AsyncGenerator<RunChange> {
    const active = this.#find(id);
    if (active !== undefined) yield* active.record.changes(signal);
  }

  async cancel(id: string, words: string): Promise<RunInfo> {
    await this.#load();
    const active = this.#require(id);
    if (!await this.#endActive(active, 'cancelled', words)) throw new ArgoError('WRONG STATE', `run ${id} has come to its end`);
    return active.record.info();
  }

  async resume(id: string): Promise<RunInfo> {
    await this.#load();
    const active = this.#require(id);
    const { record, time: { left } } = active;
    if (record.state !== 'asking' || active.work !== undefined) throw new ArgoError('WRONG STATE', `run ${id} is ${record.state}`);
    await this.#decisions.goOn(active).catch((thrown: unknown) => { throw notWritten(thrown); });
    // somebody has ended it meanwhile, and that holds
    if (active.work !== undefined) throw new ArgoError('WRONG STATE', `run ${id} was ended`);
    // nobody is to pay with machines switched off hard for the time in which an answer was awaited
    active.time = new RunClock(this.#clock, record.plan.timeLimit && Math.max(left ?? 0, record.plan.timeLimit * PLAN_TIME_LEAST));
    record.setRun('waiting', undefined);
    this.#beginWaiting();
    return record.info();
  }

  isHeld(plan: string): boolean {
    return this.#holds.has(plan);
  }

  async hold(plan: string): Promise<void> {
    await this.#load();
    await this.#holds.set(plan, true).catch((thrown: unknown) => { throw notWritten(thrown); });
  }

  async release(plan: string): Promise<void> {
    await this.#load();
    await this.#holds.set(plan, false).catch((thrown: unknown) => { throw notWritten(thrown); });
  }

  #hasAccount({ account }: PlanSettings): boolean {
    return this.#parts.accounts.account(account) !== undefined;
  }

  #find(id: string): Active | undefined {
    return [...this.#active.values()].find(({ record }) => record.id === id);
  }

  /** @throws ArgoError WRONG STATE */
  #require(id: string): Active {
    const active = this.#find(id);
    if (active === undefined) throw new ArgoError('WRONG STATE', `run ${id} has ended`);
    return active;
  }

  async #begin(name: string, cause: Cause): Promise<Begun> {
    const last = this.#active.get(name);
    // what is ended is no run that somebody could count on
    if (last !== undefined && isEnding(last)) await notLonger(PLAN_CANCEL_WAIT, last.work!.done);
    if (this.#isLeaving) throw new ArgoError('SHUTTING DOWN');
    const plan = this.#plans.get(name);
    if (plan === undefined) throw new ArgoError('WRONG STATE', `there is no plan ${name}`);
    if (await this.#holds.keeps(name)) return { result: 'held' };
    const before = this.#active.get(name);
    if (before !== undefined && isEnding(before)) throw stillEnding(before);
    if (before !== undefined && before.record.state !== 'asking') return { result: 'runs', run: before.record.id };
    if (!this.#hasAccount(plan)) throw new ArgoError('NOT ALLOWED', `there is no account ${plan.account}, which plan ${name} works with`);
    const active = await this.#decisions.about(before, () => this.#writeDown(plan, { ...cause, words: cause.words.slice(0, PLAN_TEXT) }));
    // whoever begins it now has answered whether it is to go on
    if (before !== undefined) await this.#endActive(before, 'unknown', 'it was cut off by a restart, and begun anew');
    // what that has switched off is known only when nothing of it is under way
    if (before?.work !== undefined) await notLonger(PLAN_CANCEL_WAIT, before.work.done);
    this.#active.set(name, active);
    this.#tell(active.record, 'begun', cause.words);
    for (const other of endedBy(active, this.#active.values())) this.#endLater(other, 'cancelled', `plan ${name} was begun`);
    this.#beginWaiting();
    return { result: 'begun', run: active.record.id };
  }

  /** @throws StateError */
  async #writeDown(plan: PlanSettings, cause: Cause): Promise<Active> {
    const now = this.#clock.wall();
    const time = new RunClock(this.#clock, RunClock.atBegin(this.#clock, plan.timeLimit, cause.at));
    const record = new RunRecord({ id: randomBytes(4).toString('hex'), plan, cause, state: 'waiting', began: now });
    record.deadline = time.deadline;
    const { id } = record;
    await this.#parts.journal.begin({ id, plan: plan.name, state: 'waiting', reason: undefined, cause, began: now, settings: JSON.stringify(plan), stages: plan.stages.length, left: time.left })
      .catch((thrown: unknown) => {
        // it may have been written all the same: what nobody was told of must not begin at the next start
        const note = { state: 'unknown', reason: 'it could not be written down in time', ended: now, left: undefined, now };
        this.#disk.write(() => this.#parts.journal.noteRun(id, note), this.#closing.signal).catch(() => undefined);
        throw thrown;
      });
    return { record, work: undefined, time, isDecided: false, isDoubtful: false };
  }

  /** Begins what waits and may begin. */
  #beginWaiting(): void {
    if (this.#isLeaving) return;
    const earlier: Active[] = [];
    for (const active of this.#active.values()) {
      const { record } = active;
      if (record.state === 'asking') continue;
      const obstacle = active.work === undefined ? obstacleTo(active, this.#active.values(), earlier) : undefined;
      if (obstacle !== undefined) record.setRun('waiting', `waits for the end of run ${obstacle.record.id} of plan ${obstacle.record.plan.name}`);
      else if (active.work === undefined) this.#beginWork(active);
      earlier.push(active);
    }
  }

  #beginWork(active: Active): void {
    active.record.setRun('running', undefined);
    this.#workOn(active).begin();
  }

  #workOn(active: Active): PlanRun {
    const { journal, log, gate, ownHost = readOwnHost } = this.#parts;
    const { record } = active;
    const { plan, id } = record;
    const work = new PlanRun({
      record, journal, log, ownHost, clock: this.#clock, disk: this.#disk, time: active.time,
      actor: () => this.actor(plan, `plan:${plan.name}#${id}`),
      longestAction: () => gate.longestActionTimeout,
      owed: () => this.#parts.journal.owed(),
      tell: (stage, outcome) => this.#tell(record, outcome, outcome === 'begun' ? undefined : stage.reason, stage.settings.name),
      ended: () => this.#workEnded(active),
    });
    active.work = work;
    return work;
  }

  #workEnded({ record }: Active): void {
    if (this.#active.get(record.plan.name)?.record === record) this.#active.delete(record.plan.name);
    this.#decisions.forget(record.id);
    this.#history.add(record.info());
    this.#tell(record, record.state, record.reason);
    this.#parts.log(record.state === 'done' ? 'info' : 'warn', 'run of a plan has ended', { plan: record.plan.name, run: record.id, outcome: record.state, reason: record.reason });
    this.#beginWaiting();
  }

  #endLater(active: Active, state: Ending['state'], words: string): void {
    this.#endActive(active, state, words).catch((thrown: unknown) => {
      this.#parts.log('error', 'the end of a run could not be written down', { run: active.record.id, reason: String(thrown) });
    });
  }

  /** @returns false where it has come to its end by itself, which is being written */
  #endActive(active: Active, state: Ending['state'], words: string): Promise<boolean> {
    const isNew = active.work === undefined;
    return this.#decisions.end(active, active.work ?? this.#workOn(active), isNew, { state, words });
  }

  async #beginAll(plans: readonly (string | undefined)[], cause: Cause): Promise<void> {
    const held: string[] = [];
    for (const plan of new Set(plans)) {
      if (plan !== undefined && this.#plans.has(plan) && (await this.begin(plan, cause)).result === 'held') held.push(plan);
    }
    // not as if it were done: whoever asked asks again
    if (held.length > 0) throw new ArgoError('WRONG STATE', `${held.join(', ')} is held`);
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#read().catch((thrown: unknown) => {
      this.#loaded = undefined;
      throw notWritten(thrown);
    });
    return this.#loaded;
  }

  async #read(): Promise<void> {
    const { journal, log } = this.#parts;
    await this.#holds.load();
    const rows = await journal.list();
    for (const row of [...rows].reverse()) if (row.ended !== null) this.#history.add(infoOfRow(row));
    const open = (await Promise.all(rows.filter(({ ended }) => ended === null).map(({ id }) => journal.get(id)))).filter((whole) => whole !== undefined);
    await this.#decisions.load(new Set(open.map(({ run: { id } }) => id)));
    // newest first: of a plan that has several the last one counts
    for (const whole of open) {
      try {
        await this.#takeUp(whole);
      } catch (thrown) {
        log('error', 'a run of a plan cannot go on', { plan: whole.run.plan, run: whole.run.id, reason: String(thrown) });
      }
    }
    // whoever came first is first again
    const oldest = [...this.#active.values()].reverse();
    this.#active.clear();
    for (const active of oldest) this.#active.set(active.record.plan.name, active);
    for (const [ended, by] of endedByLater(oldest)) this.#endLater(ended, 'cancelled', `plan ${by.record.plan.name} was begun`);
    this.#beginWaiting();
  }

  /** Decides what becomes of a run that an earlier process has left. */
  async #takeUp(whole: WholeRun): Promise<void> {
    const record = RunRecord.of(whole);
    const { left, doubtful } = RunClock.atResume(this.#clock, whole.run);
    const active: Active = { record, work: undefined, time: new RunClock(this.#clock, left), isDecided: false, isDoubtful: false };
    const log = (outcome: string): void => this.#parts.log('warn', 'run of a plan was cut off', { plan: record.plan.name, run: record.id, outcome });
    const isSecond = this.#active.has(record.plan.name);
    if (!isSecond) this.#active.set(record.plan.name, active);
    const ending = endAtStart(record, { isSecond, hasAccount: this.#hasAccount(record.plan), wasEnded: this.#decisions.wasEnded(record.id) });
    if (ending !== undefined) {
      log(ending.words);
      await this.#endActive(active, ending.state, ending.words);
    } else if (record.state === 'asking' || record.plan.resume === 'ask' || doubtful) {
      const words = doubtful ? 'it was cut off, and too much time has passed since by the clock' : 'it was cut off by a restart';
      log('asks');
      record.setRun('asking', `${words}: resume or cancel it`);
      await this.#decisions.noteAsking(active);
      this.#tell(record, 'asking', record.reason);
    } else {
      log('goes on');
      record.setRun('waiting', undefined);
    }
  }

  #tell({ id, plan }: RunRecord, outcome: string, reason: string | undefined, stage?: string): void {
    this.#parts.tell({ plan: plan.name, run: id, outcome, ...(stage === undefined ? {} : { stage }), ...(reason === undefined ? {} : { reason }) });
  }

  /** What becomes of all orders. @param trouble undefined: they go on */
  #orders(trouble: string | undefined): void {
    this.#parts.log(trouble === undefined ? 'info' : 'error', trouble === undefined ? 'orders of plans go on' : 'orders of plans wait', trouble === undefined ? {} : { reason: trouble });
    for (const { record, work } of this.#active.values()) {
      if (work === undefined) continue;
      // of one that ends no order waits
      if (work.ending !== undefined) {
        if (trouble !== undefined) this.#decisions.endWaits(record, work.ending);
        continue;
      }
      record.setRun('running', trouble);
      this.#tell(record, trouble === undefined ? 'orders go on' : 'orders wait', trouble);
    }
  }
}
