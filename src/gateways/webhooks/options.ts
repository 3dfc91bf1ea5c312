import * as v from 'valibot';
import type { TableFault } from '../../config/catalogue.js';
import { instancePattern } from '../../config/schema.js';
import { readSecret, secretEntries } from '../../config/secret.js';
import { flag, positiveDuration, text } from '../../config/values.js';
import { tlsTrust, trustEntries } from '../../drivers/tls/options.js';
import { EVENT_TYPES } from '../../instances/events.js';
import { ArgoError } from '../../kit/errors.js';
import { readKeys } from './keys.js';

/** The keys of a webhook's table. */

/** Messages never repeat it: its path or query may be what the receiver knows us by. */
const url = v.pipe(
  text,
  v.check((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), 'a URL such as "https://example.net/argo" is expected'),
  v.check((value) => !URL.canParse(value) || (new URL(value).username === '' && new URL(value).password === ''), 'user and password do not belong into the URL'),
  v.check((value) => !URL.canParse(value) || new URL(value).hash === '', 'what stands behind # is never sent: leave it out'),
  v.transform((value) => new URL(value)),
);

const type = v.picklist(EVENT_TYPES, `not a type of events; there are ${EVENT_TYPES.join(', ')}`);

export const options = {
  url,
  ...secretEntries('secret'),
  events: v.optional(v.pipe(v.array(type, 'a list of types is expected, such as ["state", "action"]'), v.minLength(1, 'an empty list would send nothing: leave the key out for all'))),
  instances: v.optional(v.pipe(v.array(instancePattern, 'a list of patterns is expected, such as ["web*"]'), v.minLength(1, 'an empty list would send nothing: leave the key out for all'))),
  account: v.optional(text),
  timeout: v.optional(positiveDuration, '5s'),
  'give-up-after': v.optional(positiveDuration, '3d'),
  order: v.optional(flag, true),
  ...trustEntries,
};

export type WebhookOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

/** What of a table cannot work, for `argo-server check`. */
export function faultsOf(given: WebhookOptions): TableFault[] {
  const faults: TableFault[] = [];
  try {
    if (isReadable(given)) readKeys(given);
  } catch (error) {
    faults.push({ message: (error as Error).message, path: keyOfSecret(given) });
  }
  try {
    tlsTrust(given);
  } catch (error) {
    faults.push({ message: error instanceof ArgoError ? error.detail : (error as Error).message, path: ['ca-file'] });
  }
  return faults;
}

/** One that cannot be read is told of wherever the table is read. */
function isReadable(given: WebhookOptions): boolean {
  try {
    readSecret(given, 'secret');
    return true;
  } catch {
    return false;
  }
}

const keyOfSecret = (given: WebhookOptions): string[] => [(['secret', 'secret-file', 'secret-env'] as const).find((key) => given[key] !== undefined) ?? 'secret'];
