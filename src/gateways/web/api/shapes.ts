import * as v from 'valibot';
import { POWER_STATES } from '../../../drivers/driver.js';
import { EVENT_TYPES } from '../../../instances/events.js';
import { OPERATIONS, type OperationName, type PowerAction } from '../../../instances/operation-table.js';
import { AUDIT_ROWS, EVENTS_ANSWERED, ORDER_TARGETS } from '../../../kit/api-limits.js';
import { LONGEST_DEADLINE } from '../../../kit/limits.js';
import { WORKS, type WorkName } from '../../../instances/work-table.js';
import type { EventRow, Failure, OrderRow, PowerRequest, PreviewRow, ProviderRow, WorkRow } from '../messages.js';

/** What goes in and out below `/api`. Where the page knows it too, the compiler holds it to messages.ts. */

const operations = Object.keys(OPERATIONS) as OperationName[];
export const ACTIONS = operations.filter((name) => OPERATIONS[name].right === 'power') as PowerAction[];
const TASK_WORKS = (Object.keys(WORKS) as WorkName[]).filter((name) => 'task' in WORKS[name]);
export const READINGS = operations.filter((name) => 'cacheable' in OPERATIONS[name]);

const text = v.string('a text is expected');
const count = v.number();
const time = v.pipe(v.number(), v.description('Milliseconds since 1970, UTC'));
const maybeTime = v.nullable(time);
const maybeText = v.nullable(text);
const state = v.picklist(POWER_STATES);
const type = v.picklist(['vm', 'container', 'host']);
const action = v.picklist(ACTIONS, `one of ${ACTIONS.join(', ')} is expected`);

const milliseconds = v.pipe(v.number('a number of milliseconds is expected'), v.minValue(1, 'must be more than zero'), v.maxValue(LONGEST_DEADLINE, `must be at most ${LONGEST_DEADLINE}`));
const mode = v.union([v.picklist(['soft', 'hard']), v.strictObject({ softFor: milliseconds })], '"soft", "hard" or {"softFor": MILLISECONDS} is expected');
const targets = v.pipe(
  v.array(v.pipe(text, v.minLength(1, 'a name is expected'), v.maxLength(1024, 'is too long')), 'a list of names is expected'),
  v.minLength(1, 'at least one name is expected'), v.maxLength(ORDER_TARGETS, `at most ${ORDER_TARGETS} names can be`),
);

/** Parameters behind `?`, all of which come as texts. */
export const whole = (least: number, most: number) => v.pipe(
  v.string(), v.regex(/^\d{1,16}$/, 'a whole number is expected'), v.transform(Number), v.minValue(least, `must be at least ${least}`), v.maxValue(most, `must be at most ${most}`),
);
export const flag = v.pipe(v.picklist(['true', 'false'], 'true or false is expected'), v.transform((word) => word === 'true'));
/** Words with commas between them. */
export const words = v.pipe(text, v.minLength(1, 'is empty'), v.transform((list) => list.split(',').filter((word) => word !== '')), v.minLength(1, 'is empty'));
export const eventTypes = v.pipe(words, v.array(v.picklist(EVENT_TYPES, `each one of ${EVENT_TYPES.join(', ')} is expected`)));
export const readingNames = v.pipe(words, v.array(v.picklist(READINGS, `each one of ${READINGS.join(', ')} is expected`)));
export const maxAge = whole(0, LONGEST_DEADLINE);
export const eventLimit = whole(1, EVENTS_ANSWERED);
export const auditLimit = whole(1, AUDIT_ROWS);
export const anyTime = whole(0, Number.MAX_SAFE_INTEGER);
export const shortText = v.pipe(text, v.minLength(1, 'is empty'), v.maxLength(1024, 'is too long'));

const preview = { targets, action, mode: v.optional(mode) };
export const previewRequest = v.strictObject(preview);
const once = v.pipe(v.string('a key of your own is expected'), v.regex(/^[\w.:-]{8,128}$/, '8 to 128 letters, digits and _ . : - are expected'));
export const powerRequest = v.strictObject({ ...preview, once, wait: v.optional(v.union([v.boolean(), milliseconds], 'true, false or a number of milliseconds is expected')) }) satisfies v.GenericSchema<unknown, Omit<PowerRequest, 'mode' | 'wait'>>;
export const cancelRequest = v.strictObject({ undo: v.optional(v.boolean('true or false is expected'), false) });
export const autostartRequest = v.strictObject({ value: v.boolean('true or false is expected') });
/** Of what needs no body: `{}`. */
export const noBody = v.strictObject({});

export const failure = v.strictObject({ error: text, detail: text }) satisfies v.GenericSchema<Failure>;
export const instanceRow = v.strictObject({
  name: text, fullName: text, id: text, provider: text, type, state, since: time, stale: maybeText,
});
const stale = v.pipe(v.array(text), v.description('Why some may be missing: providers that do not answer, `kvm1 (reason)`, among those that the patterns reach'));
export const instances = v.strictObject({ instances: v.array(instanceRow), stale });
export const details = v.strictObject({
  ...instanceRow.entries, capabilities: v.array(text), operations: v.array(v.picklist(operations)),
  facts: v.pipe(v.record(v.string(), v.unknown()), v.description('What `info` tells: cpus, memory in bytes, ips, disks, …')),
});
export const readings = v.strictObject({ at: time, readings: v.record(v.string(), v.union([v.strictObject({ value: v.unknown() }), failure])) });
export const reading = v.strictObject({ at: time, value: v.unknown() });
export const previewRow = v.strictObject({ instance: text, state, words: text, effect: v.picklist(['order', 'nothing', 'refused']) }) satisfies v.GenericSchema<PreviewRow>;
export const previewAnswer = v.strictObject({ rows: v.array(previewRow), stale });
const taskTarget = v.strictObject({ instance: text, state: v.picklist(['waiting', 'sent', 'done', 'already', 'failed', 'uncertain', 'cancelled']), detail: text });
const anyTask = { id: text, account: text, state: v.picklist(['running', 'done', 'failed', 'cancelled', 'unknown']), began: time, ended: maybeTime };
export const orderTask = v.strictObject({ ...anyTask, kind: v.picklist(['order']), action: v.picklist(ACTIONS), mode, targets: v.array(taskTarget) }) satisfies v.GenericSchema<unknown, OrderRow>;
export const begunOrder = v.strictObject({ ...orderTask.entries, stale });
export const workTask = v.strictObject({
  ...anyTask, kind: v.picklist(['work']), operation: v.picklist(TASK_WORKS), subject: v.pipe(text, v.description('Full name of the instance, or name of the provider')), options: text,
  progress: v.pipe(count, v.description('From 0 to 1, as far as that is known')), detail: v.pipe(text, v.description('Of one that did not end well: the phrase with its detail')),
}) satisfies v.GenericSchema<unknown, WorkRow>;
export const task = v.union([orderTask, workTask]);
export const tasks = v.strictObject({ tasks: v.array(task) });
const progress = v.strictObject({ ended: count, failed: count, all: count });
export const run = v.strictObject({
  id: text, plan: text, state: v.picklist(['waiting', 'running', 'asking', 'done', 'failed', 'cancelled', 'unknown']), began: time, ended: maybeTime, deadline: maybeTime,
  cause: text, reason: maybeText, stages: v.strictObject({ ended: count, all: count }), targets: progress,
});
const plan = v.strictObject({ name: text, held: v.boolean(), run: v.nullable(run) });
const trigger = v.strictObject({ name: text, type: text, plans: v.array(text), words: text });
export const plans = v.strictObject({ plans: v.array(plan), triggers: v.array(trigger) });
export const steps = v.strictObject({
  steps: v.array(
    v.strictObject({ stage: text, instance: maybeText, state: v.nullable(state), words: text, refused: v.boolean() }),
  ),
});
export const oneRun = v.strictObject({ run });
export const cancelled = v.strictObject({ run, undo: v.nullable(run) });
export const runs = v.strictObject({ runs: v.array(run) });
export const wholeRun = v.strictObject({
  run,
  stages: v.array(v.strictObject({
    name: text, action: v.picklist(ACTIONS), state: v.picklist(['waiting', 'pausing', 'running', 'settling', 'done', 'failed', 'skipped', 'cancelled']),
    after: v.array(text), reason: maybeText, targets: progress,
  })),
  targets: v.array(v.strictObject({
    stage: text, instance: text, action: v.picklist(ACTIONS), state: v.picklist(['waiting', 'sent', 'done', 'already', 'failed', 'uncertain', 'skipped']), detail: text,
  })),
});
export const heldAnswer = v.strictObject({ plan: text, held: v.boolean() });
export const eventRow = v.strictObject({ cursor: text, at: time, type: v.pipe(text, v.description(`One of ${EVENT_TYPES.join(', ')}; while one follows also idle`)), facts: v.record(v.string(), v.unknown()) }) satisfies v.GenericSchema<EventRow>;
export const events = v.strictObject({ events: v.array(eventRow) });
export const provider = v.strictObject({ name: text, type: text, answers: v.boolean(), stale: maybeText }) satisfies v.GenericSchema<ProviderRow>;
export const providers = v.strictObject({ providers: v.array(provider) });
export const audit = v.strictObject({
  rows: v.array(v.strictObject({
    id: count, at: time, account: text, from: text, command: text, options: text, instance: text, outcome: v.nullable(text), ms: v.nullable(count),
  })),
  before: v.pipe(v.nullable(count), v.description('Where to go on; null where nothing is left')),
});
export const change = v.strictObject({ result: v.picklist(['done', 'already']), auditId: count });
export const anything = v.record(v.string(), v.unknown());

/** Those that the document names. */
export const NAMED: ReadonlyMap<v.GenericSchema, string> = new Map<v.GenericSchema, string>([
  [failure, 'Failure'], [instanceRow, 'Instance'], [details, 'InstanceDetails'], [previewRequest, 'PreviewRequest'], [powerRequest, 'PowerRequest'], [previewRow, 'PreviewRow'],
  [task, 'Task'], [orderTask, 'OrderTask'], [begunOrder, 'BegunOrder'], [workTask, 'WorkTask'], [run, 'Run'], [plan, 'Plan'], [trigger, 'Trigger'], [wholeRun, 'WholeRun'], [eventRow, 'Event'], [provider, 'Provider'],
]);
