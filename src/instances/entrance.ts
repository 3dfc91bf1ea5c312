import { ArgoError } from '../kit/errors.js';
import { LONGEST_DEADLINE } from '../kit/limits.js';
import { PatternError, resolvePatterns, type Groups, type TagTest } from '../kit/patterns.js';
import { mapInSlices } from '../kit/slices.js';
import type { InstanceInfo, InstanceRef } from './info.js';
import { OPERATIONS, type OperationName, type PowerAction } from './operation-table.js';
import type { ReadingName } from './operations.js';
import { workRow, WORKS, type WorkName } from './work-table.js';
import type { Change, Milliseconds, PowerCall, PowerOrder, ReadCall, WorkRequest } from './order.js';
import type { TypedName } from './view.js';

/**
 * The gate's entrance. What a plugin or gateway hands in may have been written without types, may change
 * between two looks at it and may answer each look differently: everything is read once, here, and what
 * goes on inside is a plain copy.
 */

/** An instance as it was named, with the name by which an error may speak of it. */
export interface NamedRef extends InstanceRef {
  readonly name: string;
}

/** @throws ArgoError BAD REQUEST */
export function copyRef(on: InstanceRef): NamedRef {
  const { provider, id, fullName } = on as Partial<InstanceInfo>;
  if (typeof provider !== 'string' || typeof id !== 'string') throw wrong('an instance is named by its provider and id');
  return { provider, id, name: typeof fullName === 'string' ? fullName : `${provider}/#${id}` };
}

/** A name as it was typed, read once. @throws ArgoError BAD REQUEST */
export function copyName(word: string | TypedName): TypedName {
  const { text, quoted } = typeof word === 'string' ? { text: word, quoted: false } : word;
  return { text: checkText(text, 'a name'), quoted };
}

/** @throws ArgoError BAD REQUEST */
export function checkText(text: string, what: string): string {
  if (typeof text !== 'string') throw wrong(`${what} is a text`);
  return text;
}

/** @throws ArgoError BAD REQUEST */
function patternsOf(names: readonly string[], groups: Groups, tags: TagTest | undefined): ReturnType<typeof resolvePatterns> {
  try {
    return resolvePatterns(names, groups, tags);
  } catch (error) {
    throw error instanceof PatternError ? wrong(error.message) : error;
  }
}

/**
 * What names stand for, with groups and tags as they are when it is asked: a reload may change those, and somebody these.
 * @param groups the same object until a reload changes them
 * @param tags needed where a name is one of a tag
 * @throws ArgoError BAD REQUEST
 */
export function chosenBy(names: readonly string[], groups: () => Groups, tags: TagTest | undefined): () => ReturnType<typeof resolvePatterns> {
  let [known, patterns] = [groups(), patternsOf(names, groups(), tags)];
  return () => {
    if (known !== groups()) [known, patterns] = [groups(), patternsOf(names, groups(), tags)];
    return patterns;
  };
}

/** @throws ArgoError BAD REQUEST */
export function checkOperation(name: OperationName): OperationName {
  if (typeof name !== 'string' || !Object.hasOwn(OPERATIONS, name)) throw wrong('there is no such operation');
  return name;
}

/** @throws ArgoError BAD REQUEST where it is no operation, or one that is no reading: those have ways of their own */
export function checkReading<Name extends ReadingName>(name: Name): Name {
  if (!('cacheable' in OPERATIONS[checkOperation(name)])) throw wrong(`${name} is no reading`);
  return name;
}

/** @throws ArgoError BAD REQUEST */
export function copyOrder(order: PowerOrder): PowerOrder {
  const { action, mode, wait } = order;
  checkOperation(action);
  if (OPERATIONS[action].right !== 'power') throw wrong(`${action} is no power action`);
  return {
    action,
    mode: copyMode(mode, action),
    wait: typeof wait === 'boolean' ? wait : checkTime(wait, 'wait'),
  };
}

/** @throws ArgoError BAD REQUEST */
export function copyChange(change: Change): Change {
  const { operation, value } = change;
  if (typeof value !== 'boolean') throw wrong('the value must be true or false');
  return { operation: checkSetting(operation), value };
}

/** @throws ArgoError BAD REQUEST */
export function checkSetting(name: Change['operation']): Change['operation'] {
  if (name !== 'autostart') throw wrong('there is no such setting');
  return name;
}

function copyMode(mode: PowerOrder['mode'], action: PowerAction): PowerOrder['mode'] {
  if (mode === 'soft' || mode === 'hard') return mode;
  if (typeof mode !== 'object' || mode === null || action !== 'stop') throw wrong(`${action} has no such mode`);
  return { softFor: checkTime(mode.softFor, 'softFor') };
}

/** @throws ArgoError BAD REQUEST */
export function copyCall(call: ReadCall): ReadCall {
  const { signal, deadline, maxAge } = call;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrong('signal must be an AbortSignal');
  if (maxAge !== undefined && !(typeof maxAge === 'number' && maxAge >= 0)) throw wrong('maxAge must be a number of milliseconds');
  return { signal, deadline: deadline === undefined ? undefined : checkTime(deadline, 'deadline'), maxAge };
}

/** @throws ArgoError BAD REQUEST */
export function copyPowerCall(call: PowerCall): PowerCall {
  const { cancel } = call;
  if (cancel !== undefined && !(cancel instanceof AbortSignal)) throw wrong('cancel must be an AbortSignal');
  return { ...copyCall(call), cancel };
}

/** @param on what such work is done to @throws ArgoError BAD REQUEST where it is no work, or is done to something else */
export function checkWork<Name extends WorkName>(name: Name, on: 'instance' | 'provider'): Name {
  if (typeof name !== 'string' || !Object.hasOwn(WORKS, name)) throw wrong('there is no such work');
  if (workRow(name).on !== on) throw wrong(`${name} is not done to ${on === 'instance' ? 'an instance' : 'a provider'}`);
  return name;
}

/** @throws ArgoError BAD REQUEST */
export function copyWorkRequest(call: WorkRequest): WorkRequest {
  const { once, begun } = call;
  if (begun !== undefined && typeof begun !== 'function') throw wrong('begun must be a function');
  return { ...copyCall(call), ...(once === undefined ? {} : { once: checkText(once, 'once') }), ...(begun === undefined ? {} : { begun }) };
}

function checkTime(ms: Milliseconds, what: string): Milliseconds {
  if (typeof ms === 'number' && ms > 0 && ms <= LONGEST_DEADLINE) return ms;
  throw wrong(`${what} must be a number of milliseconds, more than none and at most ${LONGEST_DEADLINE}`);
}

const wrong = (what: string): ArgoError => new ArgoError('BAD REQUEST', what);

/** What was read of a machine, for one caller: several may get the same answer, and none may change another's. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const copy = Array.isArray(value) ? value.map(frozenCopy) : Object.fromEntries(Object.entries(value).map(([key, one]) => [key, frozenCopy<unknown>(one)]));
  return Object.freeze(copy) as T;
}

/** The same of what may be a long list, with turns for others in between: a large host says much of each of its machines. */
export const frozenList = async <T>(value: T): Promise<T> =>
  Array.isArray(value) ? (Object.freeze(await mapInSlices(value, frozenCopy)) as T) : frozenCopy(value);
