import type { Instance } from '../instances/instance.js';
import type { Entry } from '../instances/view.js';
import { idWord } from '../kit/text.js';
import type { Plugin } from './host/contract.js';

const FILTERS: Readonly<Record<string, (instance: Instance) => boolean>> = {
  available: () => true,
  running: ({ state }) => state === 'on' || state === 'starting' || state === 'stopping',
  paused: ({ state }) => state === 'paused',
  stopped: ({ state }) => state === 'off' || state === 'suspended' || state === 'crashed',
  hosts: ({ machine }) => machine.type === 'host',
};

/** Whatever a name holds, the id is what follows the last blank. */
function* lines(entries: Iterable<Entry>, accepts: (instance: Instance) => boolean, withIds: boolean): Generator<string> {
  for (const { name, instance } of entries) {
    if (accepts(instance)) yield withIds ? `${name} ${idWord(instance.id)}` : name;
  }
}

export default {
  commands: [{
    word: 'list',
    usage: `list [${Object.keys(FILTERS).join('|')}] [--ids]`,
    help: 'List the instances, or those in a state.',
    right: 'listing',
    options: ['ids'],
    run(request) {
      const [filter = 'available', ...rest] = request.args;
      const accepts = Object.hasOwn(FILTERS, filter) ? FILTERS[filter] : undefined;
      if (!accepts || rest.length > 0) return request.usage();
      const { ids = false } = request.options;
      const stale = request.staleness();
      if (stale.length > 0) request.remark(`stale: ${stale.join(', ')}`);
      const entries = request.visible();
      if (!Array.isArray(entries)) return request.body.lines(lines(entries, accepts, ids));
      request.body.unchanged(entries, ids ? `${filter} ids` : filter, () => lines(entries, accepts, ids));
    },
  }],
} satisfies Plugin;
