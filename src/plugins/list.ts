import type { MachineType, PowerState } from '../drivers/driver.js';
import type { Plugin } from './host/contract.js';

const FILTERS: Readonly<Record<string, (state: PowerState, type: MachineType) => boolean>> = {
  available: () => true,
  running: (state) => state === 'on' || state === 'starting' || state === 'stopping',
  paused: (state) => state === 'paused',
  stopped: (state) => state === 'off' || state === 'suspended' || state === 'crashed',
  hosts: (_state, type) => type === 'host',
};

export default {
  commands: [{
    word: 'list',
    usage: `list [${Object.keys(FILTERS).join('|')}]`,
    help: 'List the instances, or those in a state.',
    right: 'listing',
    words: Object.keys(FILTERS),
    run(request) {
      const [filter = 'available', ...rest] = request.args;
      const accepts = Object.hasOwn(FILTERS, filter) ? FILTERS[filter] : undefined;
      if (!accepts || rest.length > 0) return request.usage();
      const stale = request.staleness();
      if (stale.length > 0) request.remark(`stale: ${stale.join(', ')}`);
      const listing = request.visible();
      if (!listing.isLasting) return request.body.lines(listing.names(accepts));
      request.body.unchanged(listing, filter, () => listing.names(accepts));
    },
  }],
} satisfies Plugin;
