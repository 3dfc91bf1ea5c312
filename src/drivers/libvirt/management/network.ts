import * as v from 'valibot';
import { flag } from '../../../config/values.js';
import type { Log } from '../../../kit/log.js';
import type { HostCommands } from '../../management/host-commands.js';
import type { Network } from '../../management/network.js';
import { hostNetwork } from '../../management/network/host-network.js';

export const networkEntries = {
  /** whether routes and bridges of its host may be changed; they can be read all the same */
  'network-changes': v.optional(flag, false),
};

export type NetworkOptions = v.InferOutput<v.ObjectSchema<typeof networkEntries, undefined>>;

/** The network of a libvirt's host. */
export const networkOf = (commands: HostCommands, options: NetworkOptions, log: Log): Network => hostNetwork({
  commands, log,
  refusal: options['network-changes'] ? undefined : 'the host\'s network is not changed from here: its provider has no network-changes = true',
});
