import type { Actor } from '../../instances/actor.js';
import { ArgoError } from '../../kit/errors.js';
import { FLEET_ASKS, FLEET_ASKS_PER_FRONT, FLEET_CLOCK_SKEW, FLEET_MESSAGE } from '../../kit/fleet-limits.js';
import { Tally } from '../../kit/tally.js';
import { formatDuration } from '../../kit/text.js';
import type { BusMessage } from '../contract.js';
import { askMessage, type AskMessage } from '../messages.js';
import { askSubject } from '../subjects.js';
import { writeValue } from '../values.js';
import type { Clocks } from './clocks.js';
import { failure, type Answer, type Door } from './door.js';
import type { Machines } from './machines.js';

export interface AsksParts {
  /** the site's name */
  readonly site: string;
  readonly door: Door;
  readonly machines: Machines;
  readonly clocks: Clocks;
}

/** What a log may take of an answer, as it is written there: the rest is left to what else stands in it. */
const LOG_ROOM = FLEET_MESSAGE - 4096;

/** The questions of fronts: readings, and what an order would do. They change nothing, so none is written down. */
export class Asks {
  readonly #parts: AsksParts;
  readonly #underWay = new Tally();
  #all = 0;

  constructor(parts: AsksParts) {
    this.#parts = parts;
  }

  /** A message at the subject of questions. */
  take(asked: BusMessage): void {
    const { door, site } = this.#parts;
    door.admit<AskMessage>(asked, askSubject(site), askMessage, (question, to) => {
      const { id, principal: { front } } = question;
      void this.#answer(question).catch(failure).then((answer) => door.answer([to], { id, front }, answer));
    });
  }

  async #answer(question: AskMessage): Promise<Answer> {
    const { machines, site, clocks } = this.#parts;
    const { front } = question.principal;
    const late = clocks.now() - question.sendBy;
    const ahead = question.at - clocks.now();
    if (late > 0 || ahead > FLEET_CLOCK_SKEW) throw new ArgoError('UNREACHABLE', `it came to site ${site} ${late > 0 ? `${formatDuration(late)} too late` : `${formatDuration(ahead)} before it was written`}, or the clocks differ`);
    if (this.#all >= FLEET_ASKS || this.#underWay.of(front) >= FLEET_ASKS_PER_FRONT) throw new ArgoError('BUSY', `site ${site} has too many questions under way`);
    this.#all += 1;
    this.#underWay.add(front);
    try {
      return { state: 'value', value: await machines.as(question.principal, (actor) => this.#read(actor, question)) };
    } finally {
      this.#all -= 1;
      this.#underWay.take(front);
    }
  }

  /** @throws ArgoError */
  async #read(actor: Actor, question: AskMessage): Promise<unknown> {
    const { machines } = this.#parts;
    const { ask, order, deadline } = question;
    if (ask === 'dmesg') return lastOf(await actor.dmesg(question.provider, { deadline }));
    const on = machines.find(actor, question);
    if (ask === 'bootMark') return writeValue(await actor.bootMark(on, { deadline }));
    if (ask === 'autostart') return writeValue(await actor.setting(on, 'autostart', { deadline }));
    if (ask !== 'plan') return writeValue(await actor.read(on, ask, { deadline }));
    if (order === undefined) throw new ArgoError('BAD REQUEST', 'the order is missing of which is asked what it would do');
    return actor.plan(on, { action: order.do, mode: order.mode, wait: order.wait }, { deadline });
  }
}

/** The last lines of a log, as many as an answer takes; it says so where that is not all. */
function lastOf(log: string): string {
  if (sizeOf(log) <= LOG_ROOM) return log;
  const lines = log.split('\n');
  let from = lines.length;
  for (let room = LOG_ROOM - 128; from > 0; from -= 1) {
    room -= sizeOf(lines[from - 1]!);
    if (room < 0) break;
  }
  return [`(the first ${from} lines are left out: the bus takes no more)`, ...lines.slice(from)].join('\n');
}

/** Bytes of a text in JSON. */
const sizeOf = (text: string): number => Buffer.byteLength(JSON.stringify(text));
