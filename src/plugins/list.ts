import type { Instance } from '../instances/instance.js';
import type { Entry } from '../instances/view.js';
import type { Plugin } from './host/contract.js';

const FILTERS: Readonly<Record<string, (instance: Instance) => boolean>> = {
  available: () => true,
  running: ({ state }) => state === 'on' || state === 'starting' || state === 'stopping',
  paused: ({ state }) => state === 'paused',
  stopped: ({ state }) => state === 'off' || state === 'suspended' || state === 'crashed',
  hosts: ({ machine }) => machine.type === 'host',
};

function* names(entries: Iterable<Entry>, accepts: (instance: Instance) => boolean): Generator<string> {
  for (const { name, instance } of entries) if (accepts(instance)) yield name;
}

export default {
  commands: [{
    word: 'list',
    usage: `list [${Object.keys(FILTERS).join('|')}]`,
    help: 'List the instances, or those in a state.',
    right: 'listing',
    run(request) {
      const [filter = 'available', ...rest] = request.args;
      const accepts = Object.hasOwn(FILTERS, filter) ? FILTERS[filter] : undefined;
      if (!accepts || rest.length > 0) return request.usage();
      const stale = request.staleness();
      if (stale.length > 0) request.remark(`stale: ${stale.join(', ')}`);
      const entries = request.visible();
      if (!Array.isArray(entries)) return request.body.lines(names(entries, accepts));
      request.body.unchanged(entries, filter, () => names(entries, accepts));
    },
  }],
} satisfies Plugin;
