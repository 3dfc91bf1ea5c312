import * as v from 'valibot';
import type { TableFault } from '../../../config/catalogue.js';
import { duration, text } from '../../../config/values.js';
import { POWER_STATES } from '../../../drivers/driver.js';
import { oneOrMore } from '../../../drivers/tls/options.js';
import { PHRASES } from '../../../kit/errors.js';
import { InstancePattern, PatternError } from '../../../kit/patterns.js';
import type { TriggerModule, TriggerOptions } from '../contract.js';
import { EVENTS, EventTrigger, LASTING } from './trigger.js';

/** What is not known begins nothing. */
const STATES = POWER_STATES.filter((state) => state !== 'unknown');
const OUTCOMES = ['begun', 'done', 'already so', ...Object.keys(PHRASES)];
const RUN_OUTCOMES: readonly string[] = ['begun', 'done', 'failed', 'cancelled', 'asking', 'unknown'];
const OF_PROVIDERS: readonly string[] = ['answers', 'silent'];
const WITH_STATES: readonly string[] = ['state', 'added', 'removed'];

const oneOf = <const Values extends readonly string[]>(values: Values) => v.pipe(text, v.picklist(values, `one of ${values.join(', ')} is expected`));

const options = {
  events: v.pipe(
    v.array(v.pipe(
      text,
      v.check((event) => event !== 'server', '"server" begins no plan: when the server begins it may not know its machines yet, and when it ends no plan runs'),
      oneOf(EVENTS),
    ), `a list is expected, of ${EVENTS.join(', ')}`),
    v.minLength(1, 'an event is expected'),
  ),
  instances: v.optional(v.pipe(v.array(text, 'a list of patterns is expected, such as ["lab/*"]'), v.minLength(1, 'a pattern is expected'))),
  'runs-of': v.optional(v.pipe(v.array(text, 'a list of plans is expected, such as ["power-cut"]'), v.minLength(1, 'a plan is expected'))),
  now: v.optional(oneOrMore(oneOf([...STATES, 'answers', 'silent']), 'a state')),
  outcome: v.optional(oneOrMore(oneOf([...new Set([...OUTCOMES, ...RUN_OUTCOMES])]), 'an outcome')),
  for: v.optional(duration, '0s'),
  'min-interval': v.optional(duration, '10m'),
  plan: text,
};

/** What would be waited for in vain. */
function inVain({ events, now = [], outcome = [], instances, 'runs-of': runsOf }: EventOptions): readonly TableFault[] {
  const found: TableFault[] = [];
  const has = (...types: readonly string[]): boolean => events.some((event) => types.includes(event));
  const fault = (key: string, message: string): void => { found.push({ message: `${key}: ${message}`, path: [key] }); };
  for (const word of now) {
    const ofProvider = OF_PROVIDERS.includes(word);
    if (!has(...ofProvider ? ['provider'] : WITH_STATES)) fault('now', `only ${ofProvider ? 'a "provider"' : '"state", "added" and "removed"'} can be "${word}"`);
  }
  for (const word of outcome) {
    if (!((has('action') && OUTCOMES.includes(word)) || (has('plan') && RUN_OUTCOMES.includes(word)))) fault('outcome', `only ${OUTCOMES.includes(word) ? 'an "action"' : 'a "plan"'} can be "${word}"`);
  }
  if (instances !== undefined && !has(...EVENTS.filter((event) => event !== 'plan'))) fault('instances', 'a "plan" is none of them: "runs-of" says which');
  if (has('plan') !== (runsOf !== undefined)) fault('runs-of', has('plan') ? 'it has to be said whose runs count' : 'only a "plan" has runs');
  return found;
}

function faults(given: EventOptions): readonly TableFault[] {
  const { events, instances = [], for: lasts } = given;
  const found: TableFault[] = [...inVain(given)];
  instances.forEach((pattern, index) => {
    try {
      if (!pattern.startsWith('@')) new InstancePattern(pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      found.push({ message: `instances: ${error.message}`, path: ['instances', index] });
    }
  });
  if (lasts > 0 && events.some((event) => !(LASTING as readonly string[]).includes(event))) found.push({ message: `for: only ${LASTING.join(' and ')} last`, path: ['for'] });
  return found;
}

type EventOptions = TriggerOptions<typeof options>;

/** Begins a plan when something happens: `type = "event"`. */
export default {
  options,
  faults,
  plans: ({ plan }) => [{ plan, path: ['plan'] }],
  hears: ({ 'runs-of': runsOf = [] }) => runsOf.map((plan, index) => ({ plan, path: ['runs-of', index] })),
  groups: ({ instances = [] }) => instances.flatMap((word, index) => (word.startsWith('@') ? [{ group: word.slice(1), path: ['instances', index] }] : [])),
  open: ({ events, instances, 'runs-of': runsOf, now, outcome, for: lasts, 'min-interval': minInterval, plan }, host) =>
    new EventTrigger({ events, instances, runsOf, now, outcome, lasts, minInterval, plan }, host),
} satisfies TriggerModule<typeof options>;
