import type { Disk, Facts } from '../drivers/driver.js';
import { ArgoError } from '../kit/errors.js';
import { formatBytes, idWord } from '../kit/text.js';
import type { Context, Plugin, Target } from './host/contract.js';

const describeDisk = ({ target, type, format, size }: Disk): string =>
  [target, type, format, size === undefined ? undefined : formatBytes(size)].filter(Boolean).join(' ');

function describe(instance: Target, state: string, facts: Facts, tags: string | undefined): string[] {
  const lists: [string, string | undefined][] = [
    ['name', instance.name],
    ['full name', instance.fullName],
    ['id', idWord(instance.id)],
    ['provider', `${instance.provider} (${instance.providerType})`],
    ['type', instance.type],
    ['state', state],
    ['since', instance.since],
    ['stale', instance.stale],
    ['uuid', facts.uuid],
    ['cpus', facts.cpus?.toString()],
    ['memory', facts.memory === undefined ? undefined : `${facts.memory} ${formatBytes(facts.memory)}`],
    ['ips', facts.ips?.join(' ')],
    ['macs', facts.macs?.join(' ')],
    ['disks', facts.disks?.map(describeDisk).join(', ')],
    ['host', facts.host],
    ['persistent', facts.persistent === undefined ? undefined : facts.persistent ? 'yes' : 'no'],
    ['autostart', facts.autostart === undefined ? undefined : facts.autostart ? 'on' : 'off'],
    ...Object.entries(facts.more ?? {}),
    ['tags', tags],
    ['capabilities', instance.capabilities.join(', ')],
  ];
  return lists.filter(([, value]) => value !== undefined && value !== '').map(([key, value]) => `${key}: ${value}`);
}

/** What the registry knows is told also where the machine cannot be asked, and why it cannot. */
async function readFacts(request: Context, target: Target): Promise<Facts> {
  try {
    return await request.read(target, 'info');
  } catch (error) {
    if (error instanceof ArgoError && error.phrase === 'NOT SUPPORTED') return {};
    if (error instanceof ArgoError && error.phrase !== 'NOT ALLOWED') return { more: { error: error.message } };
    throw error;
  }
}

/** Those that somebody has set, the host's among them. Its other facts are told also where tags cannot be read. */
async function readTags(request: Context, target: Target): Promise<string | undefined> {
  try {
    return (await request.actor.tags.of(target)).filter(({ level }) => level !== 2).map(({ tag }) => tag).join(', ');
  } catch (error) {
    if (error instanceof ArgoError && error.phrase === 'FAILED') return `(${error.detail})`;
    if (error instanceof ArgoError && error.phrase === 'NOT SUPPORTED') return undefined;
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
      const [state, facts, tags] = await Promise.all([request.status(target), readFacts(request, target), readTags(request, target)]);
      return describe(request.actor.known(target), state, facts, tags);
    }),
  }],
} satisfies Plugin;
