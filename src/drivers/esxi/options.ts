import * as v from 'valibot';
import { text } from '../../config/values.js';
import { listedHostEntries, sharedEntries } from '../host/options.js';
import { loginEntries, origin } from '../tls/options.js';

/** The keys of a `[providers.NAME]` table of type esxi. */

export const options = {
  url: origin,
  ...loginEntries,
  /** what vSphere does not say of its hosts; found there by name or address */
  hosts: v.optional(v.array(v.strictObject(listedHostEntries), 'a list is expected, such as [{ name = "esx1", mac = "52:54:00:aa:00:11" }]'), []),
  ...sharedEntries,
  /** what to answer to questions of virtual machines, by the question's id */
  answers: v.optional(v.record(v.string(), text), {}),
};

export type EsxiOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;
