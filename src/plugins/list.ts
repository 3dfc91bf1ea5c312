import type { MachineType, PowerState } from '../drivers/driver.js';
import type { Listing } from '../instances/listing.js';
import { idWord } from '../kit/text.js';
import type { Plugin } from './host/contract.js';

const FILTERS: Readonly<Record<string, (state: PowerState, type: MachineType) => boolean>> = {
  available: () => true,
  running: (state) => state === 'on' || state === 'starting' || state === 'stopping',
  paused: (state) => state === 'paused',
  stopped: (state) => state === 'off' || state === 'suspended' || state === 'crashed',
  hosts: (_state, type) => type === 'host',
};

/** Whatever a name holds, the id is what follows the last blank. */
function* withIds(listing: Listing, accepts: (state: PowerState, type: MachineType) => boolean): Generator<string> {
  for (const { name, instance } of listing) if (accepts(instance.state, instance.type)) yield `${name} ${idWord(instance.id)}`;
}

export default {
  commands: [{
    word: 'list',
    usage: `list [${Object.keys(FILTERS).join('|')}] [--ids]`,
    help: 'List the instances, or those in a state.',
    right: 'listing',
    options: ['ids'],
    words: Object.keys(FILTERS),
    repeatable: true,
    run(request) {
      const [filter = 'available', ...rest] = request.args;
      const accepts = Object.hasOwn(FILTERS, filter) ? FILTERS[filter] : undefined;
      if (!accepts || rest.length > 0) return request.usage();
      const { ids } = request.options;
      const stale = request.staleness();
      if (stale.length > 0) request.remark(`stale: ${stale.join(', ')}`);
      const listing = request.visible();
      const lines = () => (ids ? withIds(listing, accepts) : listing.names(accepts));
      if (!listing.isLasting) return request.body.lines(lines());
      request.body.unchanged(listing, ids ? `${filter} ids` : filter, lines);
    },
  }],
} satisfies Plugin;
