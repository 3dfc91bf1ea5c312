import * as v from 'valibot';
import { text } from '../../../config/values.js';
import type { TriggerModule } from '../contract.js';
import { cronFault, isTimeZone, ownTimeZone } from './calendar.js';
import { Schedule } from './schedule.js';

const options = {
  /** minute, hour, day, month, weekday */
  cron: text,
  'time-zone': v.optional(v.pipe(text, v.check(isTimeZone, 'there is no such time zone; write one such as "Europe/Berlin"'))),
  missed: v.optional(v.picklist(['skip', 'run'], 'one of "skip", "run" is expected'), 'skip'),
  plan: text,
};

/** Begins a plan at certain times: `type = "schedule"`. */
export default {
  options,
  faults({ cron, 'time-zone': zone = ownTimeZone() }) {
    const fault = cronFault(cron, zone, Date.now());
    return fault === undefined ? [] : [{ message: `cron: ${fault}`, path: ['cron'] }];
  },
  plans: ({ plan }) => [{ plan, path: ['plan'] }],
  open: ({ cron, 'time-zone': zone = ownTimeZone(), missed, plan }, host) => new Schedule({ cron: cron.trim(), zone, missed, plan }, host),
} satisfies TriggerModule<typeof options>;
