import * as v from 'valibot';
import type { Facts } from '../../../drivers/driver.js';
import type { Actor, Selected } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { OPERATIONS, type OperationName } from '../../../instances/operation-table.js';
import type { ReadingName } from '../../../instances/operations.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import { API_LISTS, API_LISTS_WAITING, READINGS_AGE } from '../../../kit/api-limits.js';
import { Places } from '../../../kit/places.js';
import { Slices } from '../../../kit/slices.js';
import { failureFor } from '../refusals.js';
import { plain } from './plain.js';
import { route, type Route } from './route.js';
import * as shapes from './shapes.js';

/** The routes about machines: what there is, what is known of one, its readings and settings. */

type Row = v.InferInput<typeof shapes.instanceRow>;
type List = v.InferInput<typeof shapes.instances>;

const rowOf = (name: string, { fullName, id, provider, type, state, since, stale }: InstanceInfo): Row =>
  ({ name, fullName, id, provider, type, state, since: Date.parse(since), stale: stale ?? null });

/** The instance of exactly this name. @throws ArgoError */
export async function named(actor: Actor, name: string): Promise<InstanceInfo> {
  const { instances: [instance] } = await actor.select([{ text: name, quoted: true }]);
  return instance!;
}

function* each(actor: Actor, selected: Selected | undefined): Generator<Row> {
  if (selected !== undefined) for (const instance of selected.instances) yield rowOf(actor.display(instance), instance);
  else for (const { name, instance } of actor.visible()) yield rowOf(name, instance);
}

/** Lists that are made at a time: each is in memory as a whole. */
const lists = new Places(API_LISTS, API_LISTS_WAITING);

async function list(actor: Actor, select: readonly string[] | undefined, signal: AbortSignal): Promise<List> {
  const leave = await lists.take(signal);
  try {
    return await listNow(actor, select);
  } finally {
    leave();
  }
}

async function listNow(actor: Actor, select: readonly string[] | undefined): Promise<List> {
  const selected = select && await actor.select(select);
  const instances: Row[] = [];
  const slices = new Slices();
  for (const row of each(actor, selected)) {
    instances.push(row);
    if (slices.isOver()) await slices.pause();
  }
  return { instances, stale: [...(selected ?? { stale: actor.staleness() }).stale] };
}

/** What the machine itself tells; where it cannot be asked, why. */
async function factsOf(actor: Actor, instance: InstanceInfo, signal: AbortSignal): Promise<Record<string, unknown>> {
  if (!actor.may('info', instance)) return {};
  try {
    const { more, ...facts }: Facts = await actor.read(instance, 'info', { signal, maxAge: READINGS_AGE });
    return plain({ ...facts, ...more }) as Record<string, unknown>;
  } catch (thrown) {
    signal.throwIfAborted();
    const { phrase, message } = toArgoError(thrown);
    return phrase === 'NOT SUPPORTED' ? {} : { error: message };
  }
}

async function readAll(actor: Actor, instance: InstanceInfo, names: readonly ReadingName[], call: { signal: AbortSignal; maxAge: number | undefined }): Promise<v.InferInput<typeof shapes.readings>['readings']> {
  const read = async (name: ReadingName): Promise<[string, { value: unknown } | { error: string; detail: string }]> => {
    try {
      return [name, { value: plain(await actor.read(instance, name, call)) }];
    } catch (thrown) {
      return [name, failureFor(thrown)];
    }
  };
  const readings = await Promise.all([...new Set(names)].map(read));
  call.signal.throwIfAborted();
  return Object.fromEntries(readings);
}

export const MACHINE_ROUTES: readonly Route[] = [
  route({
    method: 'GET', path: '/instances', summary: 'The instances that one may see, or those that names, globs, ranges and groups select', right: 'sight of them: any grant',
    query: { select: v.optional(shapes.words) }, answer: shapes.instances,
    run: ({ actor, query: { select }, signal }) => list(actor, select, signal),
  }),
  route({
    method: 'GET', path: '/instances/{name}', summary: 'What is known of an instance, and what one may do with it', right: 'sight of it; its facts need read',
    answer: shapes.details,
    run: async ({ actor, names: [name], signal }) => {
      const instance = await named(actor, name!);
      const facts = await factsOf(actor, instance, signal);
      const now = actor.known(instance);
      const operations = (Object.keys(OPERATIONS) as OperationName[]).filter((operation) => OPERATIONS[operation].on === 'instance' && actor.may(operation, instance));
      return { ...rowOf(actor.display(now), now), capabilities: [...now.capabilities], operations, facts };
    },
  }),
  route({
    method: 'GET', path: '/instances/{name}/readings', summary: 'Several readings of an instance, or why there is none', right: 'read',
    query: { names: shapes.readingNames, 'max-age': v.optional(shapes.maxAge) }, answer: shapes.readings,
    run: async ({ actor, names: [name], query, signal }) => {
      const readings = await readAll(actor, await named(actor, name!), query.names as ReadingName[], { signal, maxAge: query['max-age'] ?? READINGS_AGE });
      return { at: Date.now(), readings };
    },
  }),
  route({
    method: 'GET', path: '/instances/{name}/readings/{reading}', summary: 'One reading of an instance', right: 'read',
    query: { 'max-age': v.optional(shapes.maxAge) }, answer: shapes.reading,
    run: async ({ actor, names: [name, what], query, signal }) => {
      const reading = shapes.READINGS.find((one) => one === what) as ReadingName | undefined;
      if (reading === undefined) throw new ArgoError('BAD REQUEST', `there is no reading ${JSON.stringify(what)}; there are ${shapes.READINGS.join(', ')}`);
      const value = plain(await actor.read(await named(actor, name!), reading, { signal, maxAge: query['max-age'] }));
      return { at: Date.now(), value };
    },
  }),
  route({
    method: 'PUT', path: '/instances/{name}/autostart', summary: 'Says whether an instance is started together with its host', right: 'configure',
    body: shapes.autostartRequest, answer: shapes.change,
    run: async ({ actor, names: [name], body: { value } }) => actor.configure(await named(actor, name!), { operation: 'autostart', value }),
  }),
  route({
    method: 'GET', path: '/providers', summary: 'The providers of which one sees something', right: 'sight of an instance there', answer: shapes.providers,
    run: async ({ actor }) => ({
      providers: (await actor.overview()).providers.map(({ provider, type, answers, stale }) => ({ name: provider, type, answers, stale: stale ?? null })),
    }),
  }),
];
