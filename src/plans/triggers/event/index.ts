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

const oneOf = <const Values extends readonly string[]>(values: Values) => v.pipe(text, v.picklist(values, `one of ${values.join(', ')} is expected`));

const options = {
  events: v.pipe(v.array(oneOf(EVENTS), `a list is expected, of ${EVENTS.join(', ')}`), v.minLength(1, 'an event is expected')),
  instances: v.optional(v.array(text, 'a list of patterns is expected, such as ["lab/*"]')),
  now: v.optional(oneOrMore(oneOf([...STATES, 'answers', 'silent']), 'a state')),
  outcome: v.optional(oneOrMore(oneOf(OUTCOMES), 'an outcome')),
  for: v.optional(duration, '0s'),
  'min-interval': v.optional(duration, '10m'),
  plan: text,
};

function faults({ events, instances = [], outcome, for: lasts }: TriggerOptions<typeof options>): readonly TableFault[] {
  const found: TableFault[] = [];
  instances.forEach((pattern, index) => {
    try {
      if (!pattern.startsWith('@')) new InstancePattern(pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      found.push({ message: `instances: ${error.message}`, path: ['instances', index] });
    }
  });
  if (outcome !== undefined && !events.includes('action')) found.push({ message: 'outcome: only an "action" has one', path: ['outcome'] });
  if (lasts > 0 && events.some((event) => !(LASTING as readonly string[]).includes(event))) found.push({ message: `for: only ${LASTING.join(' and ')} last`, path: ['for'] });
  return found;
}

/** Begins a plan when something happens: `type = "event"`. */
export default {
  options,
  faults,
  plans: ({ plan }) => [{ plan, path: ['plan'] }],
  open: ({ events, instances, now, outcome, for: lasts, 'min-interval': minInterval, plan }, host) =>
    new EventTrigger({ events, instances, now, outcome, lasts, minInterval, plan }, host),
} satisfies TriggerModule<typeof options>;
