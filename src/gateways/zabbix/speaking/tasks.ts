import { formatDuration } from '../../../kit/text.js';
import type { Log } from '../../../kit/log.js';
import { Places } from '../../../kit/places.js';
import { notLonger } from '../../../kit/within.js';
import { ZABBIX_COMMANDS, ZABBIX_COMMANDS_WAITING, ZABBIX_RESULT_TEXT, ZABBIX_RESULTS_SENT } from '../../../kit/zabbix-gateway-limits.js';
import type { DiagnosticQuestion, RemoteCommand, Task, TaskResult } from '../../../protocols/zabbix/messages.js';
import type { KeyValue, Once, OnceAnswer } from '../../../store/state.js';
import type { Incoming } from '../contract.js';
import { diagnosticsAnswer, type DiagnosticFigures } from './diagnostics.js';

interface TasksParts {
  readonly kv: KeyValue;
  readonly once: Once;
  readonly log: Log;
  readonly incoming: Pick<Incoming, 'run' | 'checkNow'>;
  /** the longest time between the server's order and its execution, milliseconds */
  commandAge(): number;
  figures(): DiagnosticFigures;
  /** There is a result to send. */
  changed(): void;
}

const RUNNING = 'running/';
const RESULT = 'result/';
const ONCE = 'task/';
/** Before the type of the result, of a command that waits for its turn. */
const WAITS = 'waits ';
const NOBODY_KNOWS = 'the proxy ended while this command ran: nobody knows whether it was done, look at the machine';
const NOT_ITS_TURN = 'not run: the proxy ended before it was its turn';

type Verdict = Pick<TaskResult, 'status' | 'info'>;
const failed = (info: string): Verdict => ({ status: -1, info });
/** Nothing begins that is not on the disk. What cannot be read there either may have begun earlier. */
const unnoted = (error: unknown): Verdict => failed(`not begun this time: that cannot be noted (${(error as Error).message})`);
/** A command that was begun before. */
type Begun = Extract<OnceAnswer, { readonly begun: false }>;
const knownOf = (known: Begun): Verdict => (known.ended ? JSON.parse(known.result) as Verdict : failed(NOBODY_KNOWS));
const resultTypeOf = ({ resultType = 3 }: RemoteCommand): 0 | 3 => resultType;

/**
 * What the server wants done. A command begins at most once, also over the end of the process: it is on the disk before
 * it begins, and so is its result until the server has it.
 */
export class Tasks {
  readonly #parts: TasksParts;
  readonly #places = new Places(ZABBIX_COMMANDS, ZABBIX_COMMANDS_WAITING);
  readonly #aborter = new AbortController();
  /** by their keys on the disk */
  readonly #results = new Map<string, TaskResult>();
  readonly #underWay = new Set<Promise<void>>();
  /** names of commands that run */
  readonly #running = new Set<string>();
  #isEnding = false;

  constructor(parts: TasksParts) {
    this.#parts = parts;
  }

  /** commands under way, and results that wait */
  get size(): number {
    return this.#underWay.size + this.#results.size;
  }

  /** Takes up what an earlier process has left. @throws StateError */
  async recover(): Promise<void> {
    for (const [key, value] of await this.#kept(RESULT)) this.#results.set(key, JSON.parse(value) as TaskResult);
    await Promise.all((await this.#kept(RUNNING)).map(async ([key, noted]) => {
      const name = key.slice(RUNNING.length);
      const [parent = ''] = name.split('/');
      // where the end came between the result and this, there is a result
      if (!this.#results.has(RESULT + name)) await this.#finish(name, { type: noted.endsWith('0') ? 0 : 3, parent_taskid: Number(parent), clock: seconds(), ...await this.#leftBehind(name, noted) });
      await this.#parts.kv.delete(key);
    }));
  }

  /** What is known of a command that an earlier process was not done with. It is not run any more. @throws StateError */
  async #leftBehind(name: string, noted: string): Promise<Verdict> {
    const { once } = this.#parts;
    const key = ONCE + name;
    const began = await once.begin(key);
    if (!began.begun) return knownOf(began);
    const verdict = failed(noted.startsWith(WAITS) ? NOT_ITS_TURN : NOBODY_KNOWS);
    await once.end(key, JSON.stringify(verdict));
    return verdict;
  }

  /** @param origin the server's address */
  take(tasks: readonly Task[], origin: string): void {
    for (const task of tasks) {
      if (task.kind === 'check now') this.#parts.incoming.checkNow(task.itemid);
      else this.#begin(task.kind === 'command' ? this.#command(task, origin) : this.#diagnostics(task));
    }
  }

  /** What goes in the next message; it stays until {@link done} is told. */
  next(): readonly TaskResult[] {
    return [...this.#results.values()].slice(0, ZABBIX_RESULTS_SENT);
  }

  /** The server has these. */
  done(results: readonly TaskResult[]): void {
    const sent = new Set(results);
    for (const [key, result] of this.#results) {
      if (!sent.has(result)) continue;
      this.#results.delete(key);
      // told again after a restart where that fails: the server drops a second result
      this.#parts.kv.delete(key).catch(() => undefined);
    }
  }

  /** Takes no more, and lets what runs end. @param ms how long */
  async drain(ms: number): Promise<void> {
    this.#isEnding = true;
    await notLonger(ms, Promise.all(this.#underWay));
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    this.#aborter.abort(new Error('the gateway is closed'));
    await Promise.all(this.#underWay);
  }

  #begin(work: Promise<void>): void {
    const guarded = work.catch((error: unknown) => this.#parts.log('error', 'a task of Zabbix came to nothing', { reason: (error as Error).message }))
      .finally(() => this.#underWay.delete(guarded));
    this.#underWay.add(guarded);
  }

  async #command(command: RemoteCommand, origin: string): Promise<void> {
    const { parentTaskId, clock } = command;
    const name = `${parentTaskId}/${clock}`;
    const verdict = await this.#once(command, name, origin);
    if (verdict === undefined) return;
    this.#running.delete(name);
    await this.#finish(name, { type: resultTypeOf(command), parent_taskid: parentTaskId, clock: seconds(), ...verdict });
    await this.#parts.kv.delete(RUNNING + name).catch(() => undefined);
  }

  /** @returns undefined where its result is there already, or comes from whoever runs it now */
  async #once(command: RemoteCommand, name: string, origin: string): Promise<Verdict | undefined> {
    const { once, kv } = this.#parts;
    const isNext = this.#places.taken < ZABBIX_COMMANDS;
    const place = this.#places.take(this.#aborter.signal).catch(() => undefined);
    // the server has handed it over, and would wait in vain
    if (!isNext) kv.set(RUNNING + name, `${WAITS}${resultTypeOf(command)}`).catch(() => undefined);
    const leave = await place;
    try {
      if (this.#running.has(name)) return undefined;
      const key = ONCE + name;
      const began = await once.begin(key);
      // one that was run, or refused, stays so: it may be too old by now, or not any more
      if (!began.begun) return this.#again(began, name);
      this.#running.add(name);
      const verdict = await this.#run(command, name, origin, leave !== undefined);
      await once.end(key, JSON.stringify(this.#short(verdict))).catch(() => false);
      return verdict;
    } catch (error) {
      return unnoted(error);
    } finally {
      leave?.();
    }
  }

  async #run(command: RemoteCommand, name: string, origin: string, hasPlace: boolean): Promise<Verdict> {
    const { kv, incoming, log } = this.#parts;
    const refusal = this.#isEnding ? 'not run: the proxy is about to end' : hasPlace ? this.#tooOld(command) : 'not run: the proxy has too much to do';
    if (refusal !== undefined) {
      log('warn', 'a command of Zabbix was not run', { task: command.parentTaskId, reason: refusal });
      return failed(refusal);
    }
    try {
      await kv.set(RUNNING + name, String(resultTypeOf(command)));
    } catch (error) {
      return unnoted(error);
    }
    return incoming.run(command, origin, this.#aborter.signal);
  }

  /** The server gives out a task that it gave out before: the answer was lost, here or there. */
  #again(known: Begun, name: string): Verdict | undefined {
    return !known.ended && (this.#running.has(name) || this.#results.has(RESULT + name)) ? undefined : knownOf(known);
  }

  #tooOld({ clock, ttl }: RemoteCommand): string | undefined {
    const age = seconds() - clock;
    const most = Math.floor(this.#parts.commandAge() / 1000);
    if (ttl > 0 && age > ttl) return `not run: it was meant for ${ttl} s, and is ${age} s old`;
    if (age > most) return `not run: it is ${age} s old, and at most ${formatDuration(most * 1000)} are allowed here (command-age); or the clocks differ`;
    if (-age > most) return `not run: by the clock here it is of a time that is ${-age} s ahead, so its age is not known`;
    return undefined;
  }

  async #diagnostics({ parentTaskId, data }: DiagnosticQuestion): Promise<void> {
    const answer = diagnosticsAnswer(data, this.#parts.figures());
    await this.#finish(`${parentTaskId}/${seconds()}`, { type: 8, parent_taskid: parentTaskId, clock: seconds(), ...answer });
  }

  async #finish(name: string, result: TaskResult): Promise<void> {
    const short = { ...result, ...this.#short(result) };
    this.#results.set(RESULT + name, short);
    // where the disk is full it is sent all the same, as long as the process lives
    await this.#parts.kv.set(RESULT + name, JSON.stringify(short)).catch(() => undefined);
    this.#parts.changed();
  }

  #short({ status, info }: Verdict): Verdict {
    return { status, info: info.length > ZABBIX_RESULT_TEXT ? `${info.slice(0, ZABBIX_RESULT_TEXT)} …` : info };
  }

  async #kept(prefix: string): Promise<[string, string][]> {
    const all: [string, string][] = [];
    for (let after = ''; ;) {
      const page = await this.#parts.kv.list(prefix, after);
      if (page.length === 0) return all;
      all.push(...page.map(({ key, value }): [string, string] => [key, value]));
      after = page.at(-1)!.key;
    }
  }
}

const seconds = (): number => Math.floor(Date.now() / 1000);
