import type { Disk, Facts, Machine } from '../drivers/driver.js';
import { ArgoError } from '../kit/errors.js';
import { supportedActions } from '../instances/actions.js';
import type { Instance } from '../instances/instance.js';
import { formatBytes, idWord } from '../kit/text.js';
import type { Context, Plugin, Target } from './host/contract.js';

/** The readings that a machine may have, by their commands. */
const READINGS = ['ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk'] as const;

const capabilities = (machine: Machine): string =>
  [...supportedActions(machine), ...READINGS.filter((name) => machine[name] !== undefined)].join(', ');

const describeDisk = ({ target, type, format, size }: Disk): string =>
  [target, type, format, size === undefined ? undefined : formatBytes(size)].filter(Boolean).join(' ');

function describe(instance: Instance, state: string, facts: Facts): string[] {
  const { machine, owner } = instance;
  const lists: [string, string | undefined][] = [
    ['name', instance.name],
    ['full name', instance.fullName],
    ['id', idWord(instance.id)],
    ['provider', `${owner.name} (${owner.settings.type})`],
    ['type', machine.type],
    ['state', state],
    ['since', instance.since.toISOString()],
    ['stale', owner.staleReason],
    ['uuid', facts.uuid],
    ['cpus', facts.cpus?.toString()],
    ['memory', facts.memory === undefined ? undefined : `${facts.memory} ${formatBytes(facts.memory)}`],
    ['ips', facts.ips?.join(' ')],
    ['macs', facts.macs?.join(' ')],
    ['disks', facts.disks?.map(describeDisk).join(', ')],
    ['host', facts.host],
    ...Object.entries(facts.more ?? {}),
    ['capabilities', capabilities(machine)],
  ];
  return lists.filter(([, value]) => value !== undefined && value !== '').map(([key, value]) => `${key}: ${value}`);
}

/** What the registry knows is told also where the machine cannot be asked, and why it cannot. */
async function readFacts(request: Context, target: Target): Promise<Facts> {
  if (!target.machine.info) return {};
  try {
    return await request.read(target, 'info');
  } catch (error) {
    if (error instanceof ArgoError && error.phrase !== 'NOT ALLOWED') return { more: { error: error.message } };
    throw error;
  }
}

export default {
  commands: [{
    word: 'info',
    usage: 'info NAME... [--timeout=SECONDS]',
    help: 'Show what is known of an instance.',
    right: 'read',
    on: 'instances',
    options: ['timeout'],
    run: (request) => request.each(async (target) => {
      const [state, facts] = await Promise.all([request.status(target), readFacts(request, target)]);
      return describe(target, state, facts);
    }),
  }],
} satisfies Plugin;
