import * as v from 'valibot';
import { duration, positiveDuration, text } from '../../../config/values.js';
import type { TriggerModule } from '../contract.js';
import { CommandTrigger } from './trigger.js';

const options = {
  command: v.pipe(v.array(text, 'a list is expected: the program and its arguments'), v.minLength(1, 'a program is expected')),
  every: v.optional(v.pipe(duration, v.minValue(1000, 'must be at least "1s"')), '30s'),
  for: v.optional(duration, '0s'),
  timeout: v.optional(positiveDuration, '10s'),
  'min-interval': v.optional(duration, '1m'),
  plan: text,
};

/** Begins a plan when a command says that it is due: `type = "command"`. */
export default {
  options,
  faults: ({ command: [program = ''] }) => (program.startsWith('/') ? [] : [{ message: 'command: the program needs its full path', path: ['command', 0] }]),
  plans: ({ plan }) => [{ plan, path: ['plan'] }],
  open: ({ command, every, for: lasts, timeout, 'min-interval': minInterval, plan }, host) => new CommandTrigger({ command, every, lasts, timeout, minInterval, plan }, host),
} satisfies TriggerModule<typeof options>;
