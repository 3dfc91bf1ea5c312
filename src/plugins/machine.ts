import type { Hardware } from '../drivers/management/machine.js';
import type { NewMachine } from '../drivers/management/storage.js';
import { isForNextStart } from '../instances/work-words.js';
import type { Context, Plugin, Target, Verb } from './host/contract.js';
import { COUNT, hardwareLines, limitLines, settingsOf, SIZE, SWITCH, TEXT } from './management/words.js';
import { carryOut, change, CHANGES, CHANGES_FORM, LISTS, LISTS_FORM, tellOf } from './management/work.js';

const targetOf = (request: Context): Target => request.targets[0] ?? request.usage();

const hardwareFacts = (hardware: Hardware): readonly (readonly [string, string | undefined])[] => [
  ...hardwareLines(hardware, hardware.limits),
  ['address', hardware.address],
  ['nameserver', hardware.nameserver],
  ['search-domain', hardware.searchDomain],
  ['autostart', hardware.autostart === undefined ? undefined : hardware.autostart ? 'on' : 'off'],
];

const CHANGED = {
  vcpus: COUNT, memory: SIZE, cpuLimit: COUNT, disk: SIZE, address: TEXT, nameserver: TEXT, searchDomain: TEXT, autostart: SWITCH,
};

const HARDWARE: readonly Verb[] = [
  {
    word: 'show',
    usage: `hardware show NAME ${LISTS_FORM}`,
    help: 'Show what a machine has when it is started next, and may have.',
    right: 'read', on: 'instance', options: LISTS,
    async run(request) {
      if (request.args.length > 1) request.usage();
      const hardware = await carryOut(request, 'hardware.read', targetOf(request), {});
      await tellOf(request, hardware, hardwareFacts(hardware));
    },
  },
  {
    word: 'change',
    usage: `hardware change NAME [vcpus=N] [memory=SIZE] [cpu-limit=PERCENT] [disk=SIZE] [address=IP] [nameserver=IP] [search-domain=NAME] [autostart=on|off] ${CHANGES_FORM}`,
    help: 'Change what a machine has when it is started next.',
    right: 'configure', on: 'instance', options: CHANGES,
    async run(request) {
      const [, ...words] = request.args;
      if (words.length === 0) request.usage();
      const target = targetOf(request);
      const changed = settingsOf(request, words, CHANGED);
      const done = await change(request, 'hardware.change', target, changed);
      if (done && target.state !== 'off' && isForNextStart(changed)) request.remark('from its next start on');
    },
  },
];

const INSTALLED = { iso: TEXT, memory: SIZE, vcpus: COUNT, disk: SIZE, volume: TEXT, os: TEXT, osType: TEXT, apic: SWITCH, acpi: SWITCH };

/** @throws ArgoError USAGE where something is missing, or there are two disks */
function newMachine(request: Context, name: string, words: readonly string[]): NewMachine {
  const { iso, memory, vcpus, disk, volume, os = 'generic', osType = 'linux', apic = true, acpi = true } = settingsOf(request, words, INSTALLED);
  if (iso === undefined || memory === undefined || vcpus === undefined || (disk === undefined) === (volume === undefined)) request.usage();
  return { name, iso, memory, vcpus, disk: disk === undefined ? { volume: volume! } : { size: disk }, osVariant: os, osType, apic, acpi };
}

const MACHINE: readonly Verb[] = [
  {
    word: 'limits',
    usage: `machine limits PROVIDER ${LISTS_FORM}`,
    help: 'Show what machines of a provider may have.',
    right: 'read', on: 'provider', options: LISTS,
    async run(request) {
      const [provider = request.usage(), ...rest] = request.args;
      if (rest.length > 0) request.usage();
      const limits = await carryOut(request, 'machine.limits', provider, {});
      await tellOf(request, limits, limitLines(limits));
    },
  },
  {
    word: 'install',
    usage: `machine install PROVIDER NAME iso=IMAGE memory=SIZE vcpus=N disk=SIZE|volume=PATH [os=NAME] [os-type=TYPE] [apic=on|off] [acpi=on|off] ${CHANGES_FORM}`,
    help: 'Make a machine that installs itself from an ISO image, and start it.',
    right: 'configure', on: 'provider', options: CHANGES,
    async run(request) {
      const [provider = request.usage(), name = request.usage(), ...rest] = request.args;
      await change(request, 'machine.install', provider, newMachine(request, name, rest));
    },
  },
  {
    word: 'delete',
    usage: `machine delete PROVIDER/NAME --force [--disks] ${CHANGES_FORM}`,
    help: 'Take a machine away for good, which must be off; --disks: its disks, too.',
    right: 'configure', on: 'instance', options: [...CHANGES, 'force', 'disks'],
    async run(request) {
      const [name = '', ...rest] = request.args;
      const { force, dryRun, disks } = request.options;
      // what cannot be brought back is named in full, alone, and meant: a slip in a short name may hit another machine
      if (rest.length > 0 || !name.includes('/') || (!force && !dryRun)) request.usage();
      await change(request, 'machine.delete', targetOf(request), { disks });
    },
  },
];

/** The make-up of machines, and whether there are any. */
export default {
  commands: [
    { word: 'hardware', help: 'What a machine has.', verbs: HARDWARE },
    { word: 'machine', help: 'Machines as a whole: make one, take one away.', verbs: MACHINE },
    {
      word: 'migrate',
      usage: `migrate NAME PROVIDER ${CHANGES_FORM}`,
      help: 'Move a machine to the host of another provider.',
      right: 'configure',
      on: 'instance',
      options: CHANGES,
      async run(request) {
        const [, provider = request.usage(), ...rest] = request.args;
        if (rest.length > 0) request.usage();
        await change(request, 'machine.migrate', targetOf(request), { to: provider });
      },
    },
  ],
} satisfies Plugin;
