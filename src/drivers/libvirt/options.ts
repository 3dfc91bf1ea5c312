import * as v from 'valibot';
import { text } from '../../config/values.js';
import { parseLibvirtUri } from '../../protocols/libvirt/uri.js';
import { accessEntries } from '../ssh/options.js';

/** The keys of a `[providers.NAME]` table of type libvirt. */

const uri = v.pipe(text, v.rawCheck(({ dataset, addIssue }) => {
  if (!dataset.typed) return;
  try {
    parseLibvirtUri(dataset.value);
  } catch (error) {
    addIssue({ message: (error as Error).message });
  }
}));

export const options = {
  uri: v.optional(uri, 'qemu:///system'),
  /** for qemu+ssh:// */
  ...accessEntries,
};

export type LibvirtOptions = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;
