import type { PowerState } from '../../drivers/driver.js';
import type { EventRow } from '../../gateways/web/messages.js';

/** An event as a line for people. */
export interface EventLine {
  readonly cursor: string;
  readonly at: number;
  /** full name, where it is about a machine */
  readonly instance: string | undefined;
  /** of one that changed its state: the new one */
  readonly state: PowerState | undefined;
  readonly words: string;
  /** said less loudly */
  readonly more: string;
  readonly isBad: boolean;
}

const STATES: ReadonlySet<string> = new Set<PowerState>(['on', 'off', 'paused', 'suspended', 'starting', 'stopping', 'crashed', 'unknown']);
const GOOD: ReadonlySet<string> = new Set(['begun', 'done', 'already so', 'running', 'waiting', 'sent', 'settling', 'pausing', 'skipped']);

const text = (value: unknown): string => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '');
const seconds = (ms: unknown): string => (typeof ms === 'number' ? `after ${(ms / 1000).toFixed(1)} s` : '');
const joined = (...parts: string[]): string => parts.filter((part) => part !== '').join(' ');

type Told = Omit<EventLine, 'cursor' | 'at' | 'instance'>;

function told(type: string, facts: EventRow['facts']): Told | undefined {
  const plain = { state: undefined, more: '', isBad: false };
  switch (type) {
    case 'state': {
      const state = text(facts['now']);
      const before = text(facts['before']);
      return { ...plain, state: STATES.has(state) ? state as PowerState : undefined, words: state, more: before === '' ? '' : `was ${before}`, isBad: state === 'crashed' };
    }
    case 'added': return { ...plain, words: 'has appeared' };
    case 'removed': return { ...plain, words: 'is gone' };
    case 'action': {
      const outcome = text(facts['outcome']);
      const isBad = outcome !== '' && !GOOD.has(outcome);
      const account = text(facts['account']);
      const by = account === '' || account === '-' ? '' : `by ${account}`;
      return { ...plain, words: `${joined(text(facts['command']), text(facts['options']))}${isBad ? ':' : ''} ${outcome}`, more: joined(by, seconds(facts['ms'])), isBad };
    }
    case 'provider': {
      const state = text(facts['now']);
      return { ...plain, words: joined('provider', text(facts['provider']), state), more: text(facts['reason']), isBad: state === 'silent' };
    }
    case 'plan': {
      const state = text(facts['outcome']);
      return { ...plain, words: joined('plan', text(facts['plan']), text(facts['stage']), state), more: text(facts['reason']), isBad: state === 'failed' };
    }
    case 'server': return { ...plain, words: joined('the server', text(facts['now'])) };
    default: return undefined;
  }
}

/** @returns undefined for one that tells people nothing, as of a type that is not known here */
export function eventLine({ cursor, at, type, facts }: EventRow): EventLine | undefined {
  const line = told(type, facts);
  if (line === undefined) return undefined;
  const instance = text(facts['instance']);
  // what is done to a provider as a whole names no machine that could be shown
  if (instance !== '' && !instance.includes('/')) return { cursor, at, instance: undefined, ...line, words: `provider ${instance}: ${line.words}` };
  return { cursor, at, instance: instance === '' ? undefined : instance, ...line };
}
