import type { FarCall, FarGate, FarOutcome } from '../drivers/far.js';
import type { PowerState } from '../drivers/driver.js';
import { Deadline, explainDeadline } from '../kit/deadline.js';
import { ArgoError, type Phrase } from '../kit/errors.js';
import { FLEET_RESULT_TIMEOUT } from '../kit/fleet-limits.js';
import { LONGEST_DEADLINE, READ_TIMEOUT } from '../kit/limits.js';
import type { Signals } from '../kit/signals.js';
import { isForced, type Change, type PowerOrder } from './order.js';
import { refuseSecond, wayOf } from './actions.js';
import type { Instance } from './instance.js';
import type { PowerRunParts, RunOutcome } from './power-run.js';
import { isDoing, type Doing } from './progress.js';
import type { SettingOutcome, SettingRunParts } from './setting-run.js';
import { Sight } from './sight.js';
import { ENDINGS, FRONT_ENDED, type Ending } from './turn.js';

/** By what the other gate says of an order that it was told to end that nothing was done. */
const NOTHING_DONE: ReadonlySet<Phrase> = new Set<Phrase>(['BUSY', 'UNREACHABLE', 'NOT ALLOWED']);
/** In what words it says that it was told to end: it does not always know why, one of an older version never. */
const TOLD_TO_END = [ENDINGS.cancelled(), ENDINGS.left(), ENDINGS.left(FRONT_ENDED)].map(({ event }) => `when ${event}`);

/** What a run at another gate works on. */
interface FarRunParts<O> {
  readonly instance: Instance;
  readonly signals?: Signals | undefined;
  /** asked once more before it goes out. @throws ArgoError NOT ALLOWED */
  permit(): void;
  /** What the other gate cannot know: what stands against it here. @throws ArgoError */
  check?(deadline: Deadline): Promise<void>;
  /** Has the other gate do it. */
  send(call: Pick<FarCall, 'signal' | 'doing'>): Promise<O>;
}

/**
 * An action on a machine behind another gate. The turn, the deadline and the verification are there; here it is begun once,
 * and ended early where nobody waits any longer. What came of it is the other gate's word, or nobody knows.
 */
export class FarRun<O> {
  doing: Doing = 'sending';
  readonly #parts: FarRunParts<O>;
  /** only ends it early: the other gate keeps the time, and who asks it gives up by itself */
  readonly #deadline: Deadline;
  #ending: Ending | undefined;
  /** the other gate has had long enough to say what it knows */
  #giveUp: ((ending: Ending) => void) | undefined;

  constructor(parts: FarRunParts<O>) {
    this.#parts = parts;
    this.#deadline = new Deadline(2 * LONGEST_DEADLINE, parts.signals);
  }

  /** @throws ArgoError with what is known */
  async run(): Promise<O> {
    const { instance, permit, check } = this.#parts;
    try {
      permit();
      await check?.(this.#deadline);
      if (this.#ending) throw this.#ending.unsent;
      return await this.#send();
    } catch (thrown) {
      throw explainDeadline(thrown, instance.name);
    } finally {
      this.#deadline.clear();
    }
  }

  /** Ends it early: the other gate is told, and says what is known. The first reason counts; a later one may hurry it. */
  end(ending: Ending): void {
    if (this.#ending && ending.look >= this.#ending.look) return;
    this.#ending = { ...ending, unsent: this.#ending?.unsent ?? ending.unsent };
    this.#deadline.abort(this.#ending.unsent);
    this.#giveUp?.(this.#ending);
  }

  async #send(): Promise<O> {
    const { instance, send } = this.#parts;
    const { owner, id } = instance;
    let sending: Promise<O> | undefined;
    owner.changed(id);
    try {
      return await owner.attend(this.#deadline, (signal) => {
        sending = send({ signal, doing: (words) => { this.doing = isDoing(words) ? words : 'working'; } });
        return sending;
      });
    } catch (thrown) {
      if (!sending) throw thrown;
      const told = this.#deadline.exceeded ? await this.#lastWord(sending) : { thrown };
      if (told && 'value' in told) return told.value;
      throw this.#meaning(told?.thrown, thrown);
    } finally {
      owner.changed(id);
    }
  }

  /** What it comes to, in the words for whoever waits. @param told undefined: the other gate has not said anything */
  #meaning(told: unknown, cause: unknown): ArgoError {
    const ending = this.#ending;
    if (!(told instanceof ArgoError)) return new Sight(this.#parts.instance).uncertain(ending, told ?? cause);
    // it was told to end by us: that is our reason, and not the other gate's
    if (ending && NOTHING_DONE.has(told.phrase)) return ending.unsent;
    if (!ending || told.phrase !== 'UNCERTAIN') return told;
    const words = TOLD_TO_END.reduce((detail, when) => detail.replace(when, `when ${ending.event}`), told.detail);
    return words === told.detail ? told : new ArgoError('UNCERTAIN', words, { cause: told });
  }

  /** What the other gate says when it was told to end: only that one knows. Undefined where it does not say in time. */
  #lastWord(sending: Promise<O>): Promise<{ readonly value: O } | { readonly thrown: unknown } | undefined> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      this.#giveUp = ({ look, isOfServer }) => {
        clearTimeout(timer);
        // the word has a way to go
        timer = setTimeout(resolve, isOfServer ? look : look + FLEET_RESULT_TIMEOUT, undefined);
      };
      if (this.#ending) this.#giveUp(this.#ending);
      else timer = setTimeout(resolve, FLEET_RESULT_TIMEOUT, undefined);
      void sending.then((value) => resolve({ value }), (thrown: unknown) => resolve({ thrown })).finally(() => clearTimeout(timer));
    });
  }
}

export interface FarPowerParts extends PowerRunParts {
  /** from where it is asked for, for the audit there */
  readonly from: string;
}

/** A power action at another gate. */
export function farPower(far: FarGate, parts: FarPowerParts): FarRun<RunOutcome> {
  const { instance, order, account, from, deadline, actionTimeout, registry, placeElsewhere } = parts;
  return new FarRun({
    instance,
    signals: parts.signals,
    permit: () => parts.permit(),
    check: (until) => checkSecond(instance, order, placeElsewhere, async () => {
      const state = await within(until, (look) => instance.owner.call(look, (signal) => instance.machine.status(signal), { account, urgency: 'order' }));
      registry.see(instance, state);
      return state;
    }),
    send: async (call) => {
      const outcome = await far.power(order, { account, from, deadline, actionTimeout, ...call });
      seeAfter(parts, outcome);
      const { result, before, after, verified } = outcome;
      return { result, before, after, verified };
    },
  });
}

/** A change of a setting at another gate. @param parts as of one here; `from` as of {@link farPower} */
export function farChange(far: FarGate, parts: SettingRunParts & { readonly from: string }): FarRun<SettingOutcome> {
  const { instance, change, account, from, deadline, signals } = parts;
  return new FarRun({
    instance, signals,
    permit: () => parts.permit(),
    send: async (call) => {
      const { result } = await far.change(change satisfies Change, { account, from, deadline, actionTimeout: deadline, ...call });
      return { result };
    },
  });
}

/**
 * Another provider, which the other gate does not know, may have the same machine on. The state is asked for where that is so, as
 * only a start is refused: one that is on already is not.
 * @throws ArgoError WRONG STATE, and what `read` throws
 */
export async function checkSecond(
  instance: Instance,
  order: PowerOrder,
  placeElsewhere: (() => string | undefined) | undefined,
  read: () => Promise<PowerState>,
): Promise<void> {
  if ((order.action !== 'start' && order.action !== 'resume') || isForced(order) || placeElsewhere?.() === undefined) return;
  refuseSecond(order, wayOf(order, instance.name, instance.machine, await read()), instance.name, placeElsewhere);
}

/** Notes the state in which the action has left the machine: whoever lists next sees it. */
function seeAfter({ registry, instance }: FarPowerParts, { after, isRecent }: FarOutcome): void {
  if (isRecent && after !== 'unknown') registry.see(instance, after);
}

/** A look that ends with the whole, or earlier. */
async function within<T>(whole: Deadline, work: (look: Deadline) => Promise<T>): Promise<T> {
  const look = new Deadline(READ_TIMEOUT);
  try {
    return await whole.run(() => work(look));
  } finally {
    if (whole.reason) look.abort(whole.reason);
    look.clear();
  }
}
