import * as v from 'valibot';
import { flag } from '../../config/values.js';
import { singleHostEntries } from '../host/options.js';
import { wmiEntries } from '../wmi/options.js';

/** The keys of a `[providers.NAME]` table of type hyperv. */

export const options = {
  ...singleHostEntries,
  ...wmiEntries,
  /** whether guests close programs that hold unsaved work, and shut down although they are locked */
  'close-programs': v.optional(flag, false),
};

export type HyperVOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;
