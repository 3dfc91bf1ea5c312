import * as v from 'valibot';
import { listedHostEntries, sharedEntries } from '../host/options.js';
import { loginEntries, oneOrMore, origin } from '../tls/options.js';

/** The keys of a `[providers.NAME]` table of type xenserver. */

export const options = {
  /** the pool's hosts, or some of them, or one */
  url: oneOrMore(origin, 'a URL'),
  ...loginEntries,
  /** what the pool does not say of its hosts; found there by name or address */
  hosts: v.optional(v.array(v.strictObject(listedHostEntries), 'a list is expected, such as [{ name = "xen1", mac = "52:54:00:aa:00:11" }]'), []),
  ...sharedEntries,
};

export type XenServerOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;
