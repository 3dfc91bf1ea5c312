import { ArgoError } from '../../kit/errors.js';
import type { PowerState } from '../driver.js';
import { onAbort, within } from '../../kit/within.js';
import type { WmiLink } from '../wmi/link.js';
import { count, text } from '../wmi/values.js';
import { isVm, vmPath, type DialectFinder } from './dialect.js';
import { toPowerState } from './errors.js';

/** A virtual machine as a listing finds it. */
export interface VmEntry {
  /** its GUID, in the host's own spelling */
  readonly id: string;
  readonly name: string;
  readonly state: PowerState;
}

/** Questions up to which each is asked for itself; more are answered from one listing. */
const ASKED_SINGLY = 4;
/** For questions that were put together, ms. */
const QUESTIONS_LIMIT_MS = 30_000;

interface Question {
  readonly id: string;
  readonly signal: AbortSignal;
  answer(state: PowerState): void;
  fail(error: unknown): void;
}

/** Which machines there are, and in what states. */
export class VmInventory {
  #waiting: Question[] = [];
  #asking = false;
  readonly #link: WmiLink;
  readonly #dialects: DialectFinder;

  constructor(link: WmiLink, dialects: DialectFinder) {
    this.#link = link;
    this.#dialects = dialects;
  }

  /** All virtual machines; the host itself is among what the class yields, and left out. */
  list(signal: AbortSignal): Promise<VmEntry[]> {
    return this.#dialects.speak(async ({ namespace }) => {
      const rows = await this.#link.query(namespace, 'SELECT Name, ElementName, EnabledState FROM Msvm_ComputerSystem', signal);
      return rows.filter(isVm).map((row) => ({ id: text(row.Name), name: text(row.ElementName), state: toPowerState(count(row.EnabledState)) }));
    });
  }

  /**
   * The state of one machine, asked of the host after this call. What is asked while another question
   * is under way is put together, so that hundreds cost one query.
   * @throws ArgoError NO SUCH INSTANCE; as {@link WmiLink.get}; the signal's reason
   */
  state(id: string, signal: AbortSignal): Promise<PowerState> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const forget = onAbort(signal, (reason) => reject(reason as Error));
      const question: Question = {
        id, signal,
        answer: (state) => { forget(); resolve(state); },
        fail: (error) => { forget(); reject(error as Error); },
      };
      this.#waiting.push(question);
      if (!this.#asking) void this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    while (this.#waiting.length > 0) {
      const questions = this.#waiting.filter(({ signal }) => !signal.aborted);
      this.#waiting = [];
      if (questions.length <= ASKED_SINGLY) await Promise.all(questions.map((question) => this.#askSingly(question)));
      else await this.#askTogether(questions);
    }
    this.#asking = false;
  }

  async #askSingly({ id, signal, answer, fail }: Question): Promise<void> {
    await this.#dialects.speak((dialect) => this.#link.get(vmPath(dialect, id), signal))
      .then(({ EnabledState }) => answer(toPowerState(count(EnabledState))), fail);
  }

  async #askTogether(questions: readonly Question[]): Promise<void> {
    try {
      const found = new Map((await within(QUESTIONS_LIMIT_MS, [], (signal) => this.list(signal))).map(({ id, state }) => [id, state]));
      for (const { id, answer, fail } of questions) {
        const state = found.get(id);
        if (state === undefined) fail(new ArgoError('NO SUCH INSTANCE', 'the host no longer has it'));
        else answer(state);
      }
    } catch (error) {
      for (const { fail } of questions) fail(error);
    }
  }
}
