import * as v from 'valibot';
import { listedHostEntries, manyHostsEntries } from '../host/options.js';
import { wmiEntries } from '../wmi/options.js';

/** The keys of a `[providers.NAME]` table of type windows. */

export const options = {
  ...wmiEntries,
  ...manyHostsEntries(v.strictObject({
    ...listedHostEntries,
    /** of this host's certificate */
    fingerprint: wmiEntries.fingerprint,
  })),
};

export type WindowsOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;
