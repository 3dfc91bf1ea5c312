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
  stop: v.optional(v.strictObject({ plan: v.optional(text), for: v.optional(duration, '0s') })),
};

/** Begins a plan when a command says that it is due: `type = "command"`. */
export default {
  options,
  faults: ({ command: [program = ''], command }) => [
    ...(program.startsWith('/') ? [] : [{ message: 'command: the program needs its full path', path: ['command', 0] }]),
    ...command.flatMap((word, index) => (word.includes('\0') ? [{ message: 'command: no program can be told a NUL', path: ['command', index] }] : [])),
  ],
  plans: ({ plan, stop }) => [{ plan, path: ['plan'] }, ...(stop?.plan === undefined ? [] : [{ plan: stop.plan, path: ['stop', 'plan'] }])],
  open: ({ command, every, for: lasts, timeout, 'min-interval': minInterval, plan, stop }, host) =>
    new CommandTrigger({ command, every, lasts, timeout, minInterval, plan, stop: stop && { plan: stop.plan, lasts: stop.for } }, host),
} satisfies TriggerModule<typeof options>;
