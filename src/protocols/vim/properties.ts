import { setTimeout as sleep } from 'node:timers/promises';
import { Slices } from '../../kit/slices.js';
import { isAbort, within } from '../../kit/within.js';
import type { Each } from './answer.js';
import { isFault, VimFault, VimTransportError } from './errors.js';
import type { Login, VimSession } from './session.js';
import { typed, type Arguments } from './soap-client.js';
import { at, flagOf, isRef, listOf, textOf, typeOf, type Ref, type VimValue } from './value.js';

/** The PropertyCollector (vSphere API): what objects there are, and what they are like. */

/** The properties that the server told of one object, by their paths. */
export type Properties = ReadonlyMap<string, VimValue>;

/** Objects of one answer, where the server keeps to that. More at a time make longer pauses of the garbage collector. */
const PAGE = 50;
/** Pages of one reading, far more than a vCenter can fill: a server whose pages do not end is broken. */
export const MOST_PAGES = 10_000;
export const endlessPages = (): VimTransportError => new VimTransportError('the pages of what it has do not end', true);
/** Seconds that the server may keep a question about news; it tells what is new at once. */
const LONGEST_WAIT_S = 60;
/** For everything that is there already, which may come in one answer, ms; a listing has less. */
const ALL_LIMIT = 60_000;
/** Beyond {@link LONGEST_WAIT_S}, until the server counts as silent, ms. */
const WAIT_GRACE = 15_000;
/** For giving a standing question back, on which nothing depends, ms. */
const END_LIMIT = 2000;
/** An answer without news this early is a server that does not wait, ms. */
const SHORTEST_WAIT = 1000;

const propertySpec = (type: string, paths: readonly string[]): Arguments => ({ type, all: false, pathSet: paths });

/** A missing property is unknown; but a session that has ended may look like an object without any. */
function refuseEndedSession(missing: VimValue | undefined): void {
  for (const item of listOf(missing)) {
    if (typeOf(at(item, 'fault', 'fault')) === 'NotAuthenticated') throw new VimFault('NotAuthenticated', 'the session has ended');
  }
}

/**
 * Some properties of some objects, in one question. An object that is gone is absent from the answer
 * where the server allows that, and a fault where not.
 * @returns by the objects' names (vm-42)
 * @throws VimFault ManagedObjectNotFound, …
 */
export async function readProperties(
  session: VimSession, wanted: readonly { readonly ref: Ref; readonly paths: readonly string[] }[], signal: AbortSignal,
): Promise<Map<string, Properties>> {
  const specSet = wanted.map(({ ref, paths }) => ({ propSet: [propertySpec(ref.type, paths)], objectSet: [{ obj: ref, skip: false }] }));
  const found = await readSpecs(session, specSet, signal);
  return new Map([...found].map(([name, { properties }]) => [name, properties]));
}

/** An object with what was asked of it. */
export interface FoundObject {
  readonly ref: Ref;
  readonly properties: Properties;
}

async function readSpecs(session: VimSession, specSet: readonly Arguments[], signal: AbortSignal): Promise<Map<string, FoundObject>> {
  const login = await session.login(signal);
  try {
    return await readPages(session, specSet, signal);
  } catch (error) {
    if (!isFault(error, 'NotAuthenticated')) throw error;
    session.expire(login);
    return readPages(session, specSet, signal);
  }
}

async function readPages(session: VimSession, specSet: readonly Arguments[], signal: AbortSignal): Promise<Map<string, FoundObject>> {
  const found = new Map<string, FoundObject>();
  const slices = new Slices();
  const collector = (service: { propertyCollector: Ref }): Ref => service.propertyCollector;
  let page = await session.ask('RetrievePropertiesEx', collector, { specSet, options: { maxObjects: PAGE } }, signal);
  // An idle ESXi answers those whose session has ended with nothing at all.
  if (page === null) await session.serverTime(await session.login(signal), signal);
  for (let count = 1; page !== null; count += 1) {
    if (count > MOST_PAGES) throw endlessPages();
    for (const object of listOf(at(page, 'objects'))) {
      if (slices.isOverNow()) await slices.pause();
      refuseEndedSession(at(object, 'missingSet'));
      const ref = at(object, 'obj');
      if (!isRef(ref)) continue;
      const known = new Map(found.get(ref.value)?.properties);
      for (const property of listOf(at(object, 'propSet'))) known.set(textOf(at(property, 'name')) ?? '', at(property, 'val') ?? null);
      found.set(ref.value, { ref, properties: known });
    }
    const token = textOf(at(page, 'token'));
    if (token === undefined) break;
    page = await session.ask('ContinueRetrievePropertiesEx', collector, { token }, signal);
  }
  return found;
}

/** What has become of an object. */
export interface ObjectUpdate {
  readonly ref: Ref;
  readonly kind: 'enter' | 'modify' | 'leave';
  /** null: no longer set */
  readonly changes: Properties;
}

/** What is asked of objects, by their type, such as VirtualMachine. */
export type PathsByType = Readonly<Record<string, readonly string[]>>;

/** What is asked of all objects of a view. */
const viewSpec = (view: Ref, paths: PathsByType): Arguments => ({
  propSet: Object.entries(paths).map(([type, pathSet]) => propertySpec(type, pathSet)),
  objectSet: [{ obj: view, skip: true, selectSet: [typed('TraversalSpec', { name: 'view', type: 'ContainerView', path: 'view', skip: false })] }],
});

/** A standing question about all objects of some types. It ends with its login. */
export class Watch {
  #version = '';
  readonly #session: VimSession;
  readonly #collector: Ref;
  readonly #view: Ref;
  readonly #paths: PathsByType;

  private constructor(
    session: VimSession, readonly login: Login, objects: { readonly collector: Ref; readonly view: Ref; readonly paths: PathsByType },
  ) {
    this.#session = session;
    this.#collector = objects.collector;
    this.#view = objects.view;
    this.#paths = objects.paths;
  }

  /** @param paths by type, such as VirtualMachine */
  static async open(session: VimSession, paths: PathsByType, signal: AbortSignal): Promise<Watch> {
    const login = await session.login(signal);
    const { viewManager, rootFolder, propertyCollector } = login.service;
    const create = async (...[method, self, args]: [Parameters<VimSession['callIn']>[1], Ref, Arguments]): Promise<Ref> => {
      const made = await session.callIn(login, method, self, args, signal);
      if (isRef(made)) return made;
      throw new VimFault('NotAuthenticated', `${method} has no answer`);
    };
    const made: Ref[] = [];
    try {
      const collector = await create('CreatePropertyCollector', propertyCollector, {});
      made.push(collector);
      const view = await create('CreateContainerView', viewManager, { container: rootFolder, type: Object.keys(paths), recursive: true });
      made.push(view);
      await create('CreateFilter', collector, { spec: viewSpec(view, paths), partialUpdates: false });
      return new Watch(session, login, { collector, view, paths });
    } catch (error) {
      void giveBack(session, login, made, error);
      throw error;
    }
  }

  /** Ends it at the server, which else keeps it as long as the session. Best effort. Never rejects. @param why it is of no more use */
  end(why: unknown): Promise<void> {
    return giveBack(this.#session, this.login, [this.#collector, this.#view], why);
  }

  /**
   * What is new since the last call; everything at first, in pages.
   * @param wait whether the server may keep the question until there is something
   * @param take told of each as it comes, also of those of an answer that ends in an error
   * @returns whether the next page is ready
   * @throws VimFault NotAuthenticated when the session has ended; VimTransportError, also where nothing
   *   comes in time; the signal's reason
   */
  async next(wait: boolean, signal: AbortSignal, take: (update: ObjectUpdate) => void): Promise<boolean> {
    const asked = performance.now();
    const options = { maxWaitSeconds: wait ? LONGEST_WAIT_S : 0, maxObjectUpdates: PAGE };
    const set = await within(wait ? LONGEST_WAIT_S * 1000 + WAIT_GRACE : ALL_LIMIT, [signal], async (limit) => {
      const news = await this.#session.askIn(this.login, 'WaitForUpdatesEx', this.#collector, { version: this.#version, options }, limit, eachUpdate(take));
      // Nothing new, or nobody who is logged in.
      if (news === null) await this.#session.serverTime(this.login, limit);
      return news;
    }).catch((error: unknown) => {
      signal.throwIfAborted();
      throw isAbort(error) ? new VimTransportError('the server does not answer', true) : error;
    });
    if (set === null) {
      if (wait) await pause(SHORTEST_WAIT - (performance.now() - asked), signal);
      return false;
    }
    for (const filter of listOf(at(set, 'filterSet'))) refuseEndedSession(at(filter, 'missingSet'));
    this.#version = textOf(at(set, 'version')) ?? this.#version;
    return flagOf(at(set, 'truncated'));
  }

  /**
   * All objects as they are now, read anew and not by what was told of changes.
   * @param paths what is asked of each, instead of what is followed
   */
  readAll(signal: AbortSignal, paths = this.#paths): Promise<Map<string, FoundObject>> {
    return readSpecs(this.#session, [viewSpec(this.#view, paths)], signal);
  }

  /** How many objects there are, by the view itself. */
  async count(signal: AbortSignal): Promise<number> {
    const read = await readProperties(this.#session, [{ ref: this.#view, paths: ['view'] }], signal);
    return listOf(read.get(this.#view.value)?.get('view')).length;
  }
}

/** What was made in a login; the filters of a collector go with it, and all of it with the login. Never rejects. */
async function giveBack(session: VimSession, login: Login, made: readonly Ref[], why: unknown): Promise<void> {
  if (isFault(why, 'NotAuthenticated')) return;
  await within(END_LIMIT, [], (limit) => Promise.all(made.map((ref) =>
    session.callIn(login, ref.type === 'PropertyCollector' ? 'DestroyPropertyCollector' : 'DestroyView', ref, {}, limit)))).catch(() => undefined);
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
};

const eachUpdate = (take: (update: ObjectUpdate) => void): Each => ({
  path: ['filterSet', 'objectSet'],
  take: (object) => {
    const update = toUpdate(object);
    if (update !== undefined) take(update);
  },
});

function toUpdate(object: VimValue): ObjectUpdate | undefined {
  const ref = at(object, 'obj');
  const kind = at(object, 'kind');
  if (!isRef(ref) || (kind !== 'enter' && kind !== 'modify' && kind !== 'leave')) return undefined;
  refuseEndedSession(at(object, 'missingSet'));
  const changes = new Map<string, VimValue>();
  for (const change of listOf(at(object, 'changeSet'))) {
    const isSet = at(change, 'op') === 'assign' || at(change, 'op') === 'add';
    changes.set(textOf(at(change, 'name')) ?? '', isSet ? at(change, 'val') ?? null : null);
  }
  return { ref, kind, changes };
}
