import { PROGRAM_END, PROGRAM_OUTPUT } from '../../../kit/plan-limits.js';
import { oneLine } from '../../../kit/text.js';
import type { Trigger } from '../../contract.js';
import { runProgram, type ProgramOutcome } from '../../program.js';
import { Beginning } from '../beginning.js';
import { MACHINE_CLOCK, type Clock } from '../../clock.js';
import { parseCondition, type ConditionWatch, type Facts, type Truth } from '../conditions.js';
import type { TriggerHost } from '../contract.js';
import { Memory } from '../memory.js';
import { TakingBack } from '../taking-back.js';

export interface CommandSettings {
  /** program and arguments */
  readonly command: readonly string[];
  /** milliseconds: between two beginnings of the command; how long it has to say yes; how long it may take; between two beginnings of the plan */
  readonly every: number;
  readonly lasts: number;
  readonly timeout: number;
  readonly minInterval: number;
  readonly plan: string;
  /** what becomes of it when the command has said no for so long; undefined: nothing */
  readonly stop?: { readonly plan: string | undefined; readonly lasts: number } | undefined;
}

interface Kept {
  readonly begun: boolean;
  /** something was begun that has not been taken back */
  readonly owes: boolean;
}

const saying = (truth: Truth): Facts => ({ is: () => truth, compare: () => undefined });

const NOT_DUE = 0;
const DUE = 1;

/** Begins a plan when a command says so: it ends with 1. With 0 it says no; with anything else, or not in time, it says nothing. */
export class CommandTrigger implements Trigger {
  readonly #settings: CommandSettings;
  readonly #host: TriggerHost;
  readonly #clock: Clock;
  readonly #memory: Memory<Kept>;
  readonly #watch: ConditionWatch;
  readonly #stopWatch: ConditionWatch | undefined;
  readonly #closing = new AbortController();
  #beginning: Beginning | undefined;
  #said: string | undefined;
  #cancel: () => void = () => undefined;
  #running: Promise<void>;

  constructor(settings: CommandSettings, host: TriggerHost) {
    this.#settings = settings;
    this.#host = host;
    this.#clock = host.clock ?? MACHINE_CLOCK;
    this.#memory = new Memory(host);
    const { every, timeout, lasts, stop } = settings;
    const watch = (ms: number): ConditionWatch => parseCondition(`said for ${ms}ms`, { words: ['said'], numbers: {} }).watch(every + timeout + PROGRAM_END);
    this.#watch = watch(lasts);
    this.#stopWatch = stop && watch(stop.lasts);
    this.#running = this.#begin();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancel();
    this.#beginning?.close();
    await this.#running;
  }

  describe(): string {
    return this.#said ?? 'not asked yet';
  }

  async #begin(): Promise<void> {
    const { plan, minInterval, stop } = this.#settings;
    const kept = await this.#memory.load();
    const save = (): Promise<void> => this.#memory.save({ begun: beginning.hasBegun, owes: takingBack.owes });
    const takingBack: TakingBack = new TakingBack({ host: this.#host, plan: stop?.plan, owes: kept?.owes === true, onChange: save });
    const beginning: Beginning = this.#beginning = new Beginning({
      host: this.#host, plan, minInterval, hasBegun: kept?.begun === true,
      ...(stop === undefined ? {} : { onBegin: () => takingBack.note() }),
      onChange: () => void save(),
    });
    await this.#look(beginning, takingBack);
  }

  async #look(beginning: Beginning, takingBack: TakingBack): Promise<void> {
    const { command, every, timeout } = this.#settings;
    const { signal } = this.#closing;
    if (signal.aborted) return;
    const began = this.#clock.elapsed();
    const outcome = await runProgram(command, { timeout, signal, env: { ARGO_TRIGGER: this.#host.name } });
    if (signal.aborted) return;
    const truth: Truth = outcome.code === DUE ? true : outcome.code === NOT_DUE ? false : undefined;
    this.#say(truth, outcome);
    const now = this.#clock.elapsed();
    beginning.tell(this.#watch.look(saying(truth), now), `${command[0]} says that it is due`);
    const isOver = this.#stopWatch?.look(saying(truth === undefined ? undefined : !truth), now);
    if (isOver === true) takingBack.over(`${command[0]} says that it is not due`);
    const wait = Math.max(0, every - (this.#clock.elapsed() - began));
    this.#cancel = this.#clock.after(wait, () => { this.#running = this.#look(beginning, takingBack); });
  }

  /** Each change once. */
  #say(truth: Truth, { code, reason, output }: ProgramOutcome): void {
    const { log } = this.#host;
    const said = truth === undefined ? `not known: ${reason || `it ended with ${code}`}` : truth ? 'due' : 'not due';
    log('debug', 'command has ended', { said, output: oneLine(output, PROGRAM_OUTPUT) });
    if (said === this.#said) return;
    this.#said = said;
    log(truth === false ? 'info' : 'warn', `the command says: ${said}`, { command: this.#settings.command[0] });
  }
}
