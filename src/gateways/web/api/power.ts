import type * as v from 'valibot';
import type { Actor, Selected } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import type { PowerOrder } from '../../../instances/order.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import { ORDER_TARGETS, PREVIEW_TIMEOUT } from '../../../kit/api-limits.js';
import { isPattern } from '../../../kit/patterns.js';
import { splitWords } from '../../../kit/words.js';
import type { TypedName } from '../../../instances/view.js';
import type { PreviewRow } from '../messages.js';
import { route, type Route } from './route.js';
import * as shapes from './shapes.js';
import { orderAnswer } from './tasks.js';

/** The routes about power: what an order would do, and orders for many. How they go on is told with all tasks. */

/** A target in the quotes of the line protocol, in which it means itself alone; undefined where it is not one. */
function inItsQuotes(text: string): string | undefined {
  if (!text.startsWith('"')) return undefined;
  try {
    const [word, second] = splitWords(text);
    return second === undefined && word?.quoted === true ? word.text : undefined;
  } catch {
    return undefined;
  }
}

/** The pattern of all machines, which one may be called. */
const ALL = '*';

/**
 * A target as it is meant. A machine may be called what would be a pattern: its exact name then means that machine, and
 * stands for no others where several have it; but for `*`, which is refused then. One that may be gone by now is to be sent in quotes, as the page does.
 */
async function meant(actor: Actor, text: string): Promise<TypedName> {
  const quotedName = inItsQuotes(text);
  if (quotedName === undefined && !isPattern(text)) return { text, quoted: false };
  const isName = await actor.select([{ text, quoted: true }]).then(() => true, (thrown: unknown) => toArgoError(thrown).phrase === 'AMBIGUOUS');
  // whoever sends it means all of them nearly always: to switch that one alone would be told as done
  if (isName && text === ALL) throw new ArgoError('AMBIGUOUS', `a machine is called ${ALL}: "${ALL}" in quotes is that machine, ${ALL}${ALL} is all of them`);
  return !isName && quotedName !== undefined ? { text: quotedName, quoted: true } : { text, quoted: isName };
}

/** @throws ArgoError */
async function chosen(actor: Actor, targets: readonly string[]): Promise<Selected> {
  const words = [];
  for (const text of targets) words.push(await meant(actor, text));
  const selected = await actor.select(words);
  const { length } = selected.instances;
  if (length > ORDER_TARGETS) throw new ArgoError('BAD REQUEST', `${length} targets are selected; ${ORDER_TARGETS} can be`);
  return selected;
}

async function preview(actor: Actor, targets: readonly string[], order: PowerOrder, signal: AbortSignal): Promise<v.InferInput<typeof shapes.previewAnswer>> {
  const { instances, stale } = await chosen(actor, targets);
  const rows = new Map<string, PreviewRow>();
  const row = async (on: InstanceInfo): Promise<void> => {
    try {
      const words = await actor.plan(on, order, { signal, deadline: PREVIEW_TIMEOUT });
      rows.set(on.fullName, { instance: on.fullName, state: actor.known(on).state, words, effect: words.startsWith('nothing') ? 'nothing' : 'order' });
    } catch (thrown) {
      rows.set(on.fullName, { instance: on.fullName, state: on.state, words: toArgoError(thrown).message, effect: 'refused' });
    }
  };
  const ends = actor.each(instances, row)[Symbol.asyncIterator]();
  while ((await ends.next()).done !== true) if (signal.aborted) throw signal.reason;
  return { rows: instances.flatMap(({ fullName }) => rows.get(fullName) ?? []), stale: [...stale] };
}

export const POWER_ROUTES: readonly Route[] = [
  route({
    method: 'POST', path: '/power/preview', summary: 'What an order would do to each of its targets; nothing is sent', right: 'power, on each target: others are refused in their rows',
    body: shapes.previewRequest, answer: shapes.previewAnswer,
    run: async ({ actor, body: { targets, action, mode = 'soft' }, signal }) => preview(actor, targets, { action, mode, wait: false }, signal),
  }),
  route({
    method: 'POST', path: '/power', summary: 'Begins an order for one or many, once for each key', right: 'power, on each target: others fail by themselves',
    body: shapes.powerRequest, status: 202, answer: shapes.begunOrder,
    run: async ({ actor, body: { targets, action, mode = 'soft', once, wait = true } }) => {
      const { instances, stale } = await chosen(actor, targets);
      return { ...orderAnswer(await actor.orders.begin(instances, { action, mode, wait }, once)), stale: [...stale] };
    },
  }),
];
