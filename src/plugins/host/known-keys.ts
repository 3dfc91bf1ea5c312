import type { DriverDefaults, DriverModule } from '../../drivers/driver.js';
import { nearest } from '../../kit/nearest.js';
import type { Command, Verb } from './contract.js';

/** The keys that there are in what a plugin brings. */
const KEYS = {
  command: Object.keys({
    word: 0, aliases: 0, usage: 0, help: 0, right: 0, alsoBy: 0, on: 0, options: 0, words: 0, rawWords: 0, unlisted: 0, repeatable: 0, run: 0,
  } satisfies Record<keyof Command, 0>),
  'command with verbs': ['word', 'aliases', 'help', 'verbs'],
  verb: Object.keys({ word: 0, usage: 0, help: 0, right: 0, on: 0, options: 0, words: 0, run: 0 } satisfies Record<keyof Verb, 0>),
  driver: Object.keys({ kind: 0, options: 0, defaults: 0, check: 0, open: 0 } satisfies Record<keyof DriverModule, 0>),
  // of GatewayModule, which lies above plugins
  gateway: ['options', 'open', 'faults', 'makesCertificate', 'ownFaults'],
  defaults: Object.keys({ actionTimeout: 0, pollInterval: 0, concurrency: 0 } satisfies Record<keyof DriverDefaults, 0>),
} as const;

/**
 * What is wrong with the keys of something that a plugin brings: its author would wait in vain for what a misspelt one does, or one
 * of a newer server.
 * @param whose what has them, as its author knows it: `the command cycle`
 */
export function keyFault(value: object, kind: keyof typeof KEYS, whose: string): string | undefined {
  const known: readonly string[] = KEYS[kind];
  const strange = Object.keys(value).find((key) => !known.includes(key));
  if (strange === undefined) return undefined;
  const near = nearest(strange, known);
  return `${whose} has ${strange}, which this argo-server does not know${near === undefined ? '' : `; is ${near} meant?`}`;
}
