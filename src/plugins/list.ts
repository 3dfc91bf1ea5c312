import type { MachineType, PowerState } from '../drivers/driver.js';
import type { Listing } from '../instances/listing.js';
import { idWord } from '../kit/text.js';
import type { Options } from '../kit/words.js';
import type { Plugin } from './host/contract.js';

const FILTERS: Readonly<Record<string, (state: PowerState, type: MachineType) => boolean>> = {
  available: () => true,
  running: (state) => state === 'on' || state === 'starting' || state === 'stopping',
  paused: (state) => state === 'paused',
  stopped: (state) => state === 'off' || state === 'suspended' || state === 'crashed',
  hosts: (_state, type) => type === 'host',
};

/** Whatever a name holds, the id is what follows the last blank. What is shown with its provider's name for want of a name of its own keeps that. */
function* withMore(listing: Listing, accepts: (state: PowerState, type: MachineType) => boolean, { ids, full }: Options): Generator<string> {
  for (const { name, instance } of listing) {
    if (!accepts(instance.state, instance.type)) continue;
    const shown = full && !name.startsWith(`${instance.provider}/`) ? instance.fullName : name;
    yield ids ? `${shown} ${idWord(instance.id)}` : shown;
  }
}

export default {
  commands: [{
    word: 'list',
    usage: `list [${Object.keys(FILTERS).join('|')}] [--ids] [--full]`,
    help: 'List the instances, or those in a state.',
    right: 'listing',
    options: ['ids', 'full'],
    words: Object.keys(FILTERS),
    repeatable: true,
    run(request) {
      const [filter = 'available', ...rest] = request.args;
      const accepts = Object.hasOwn(FILTERS, filter) ? FILTERS[filter] : undefined;
      if (!accepts || rest.length > 0) return request.usage();
      const { ids, full } = request.options;
      const stale = request.staleness();
      if (stale.length > 0) request.remark(`stale: ${stale.join(', ')}`);
      const listing = request.visible();
      const lines = () => (ids || full ? withMore(listing, accepts, request.options) : listing.names(accepts));
      if (!listing.isLasting) return request.body.lines(lines());
      request.body.unchanged(listing, `${filter}${ids ? ' ids' : ''}${full ? ' full' : ''}`, lines);
    },
  }],
} satisfies Plugin;
