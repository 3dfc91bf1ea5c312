import type { ImageFile, LogicalVolume, Template, VolumeGroup } from '../drivers/management/storage.js';
import { inOrder, quoted } from '../kit/text.js';
import type { Context, Plugin, Verb } from './host/contract.js';
import { bytes, COUNT, hardwareLines, settingsOf, SIZE, TEXT, valueOf } from './management/words.js';
import { carryOut, change, CHANGES, CHANGES_FORM, LISTS, LISTS_FORM, tell, tellOf } from './management/work.js';

const namedBy = (key: string, names: readonly string[]): string => (names.length === 0 ? '' : ` ${key}=${quoted(names.join(','))}`);

const imageLine = ({ name, kind, format, capacity, allocation, usedBy }: ImageFile): string =>
  `${quoted(name)} ${kind} ${format} ${bytes(capacity)} allocated=${allocation}${namedBy('used-by', usedBy)}`;

const groupLine = ({ name, size, free, logicalVolumes, physicalVolumes }: VolumeGroup): string =>
  `${quoted(name)} ${bytes(size)} free=${free} volumes=${logicalVolumes} disks=${physicalVolumes}`;

const volumeLine = ({ path, size, usedBy }: LogicalVolume): string => `${quoted(path)} ${bytes(size)}${namedBy('used-by', usedBy)}`;

/** The one word of a verb, where there is no more. */
function providerOf(request: Context): string {
  const [provider = request.usage(), ...rest] = request.args;
  return rest.length > 0 ? request.usage() : provider;
}

/** The two words of a verb. */
function pairOf(request: Context): readonly [string, string] {
  const [first = request.usage(), second = request.usage(), ...rest] = request.args;
  return rest.length > 0 ? request.usage() : [first, second];
}

/** A verb that lists what a provider has. */
const listing = (word: string, of: string, help: string, run: (request: Context, provider: string) => Promise<void>): Verb => ({
  word, help, usage: `${of} ${word} PROVIDER ${LISTS_FORM}`, right: 'read', on: 'provider', options: LISTS,
  run: (request) => run(request, providerOf(request)),
});

const IMAGE: readonly Verb[] = [
  listing('list', 'image', 'List the disk images and ISO images of a provider, and which machines have them.', async (request, provider) => {
    const images = await carryOut(request, 'image.list', provider, {});
    await tell(request, inOrder(images, ({ name }) => name), imageLine);
  }),
  {
    word: 'create',
    usage: `image create PROVIDER NAME SIZE [raw|qcow2] ${CHANGES_FORM}`,
    help: 'Make an empty disk image.',
    right: 'configure', on: 'provider', options: CHANGES, words: ['raw', 'qcow2'],
    async run(request) {
      const [provider = request.usage(), name = request.usage(), size = request.usage(), format = 'qcow2', ...rest] = request.args;
      if (rest.length > 0 || (format !== 'raw' && format !== 'qcow2')) return request.usage();
      await change(request, 'image.create', provider, { name, size: valueOf('size', size, SIZE), format });
    },
  },
  {
    word: 'delete',
    usage: `image delete PROVIDER NAME ${CHANGES_FORM}`,
    help: 'Delete an image that no machine has.',
    right: 'configure', on: 'provider', options: CHANGES,
    async run(request) {
      const [provider, name] = pairOf(request);
      await change(request, 'image.delete', provider, { name });
    },
  },
];

const templateFacts = ({ name, type, arch, vcpus, memory, size, disks, limits }: Template): readonly (readonly [string, string | undefined])[] => [
  ['name', name],
  ['type', type],
  ['arch', arch],
  ...hardwareLines({ vcpus, memory, disk: size }, limits),
  ...disks.map(({ file, format, capacity }): [string, string] => ['file', `${quoted(file)} ${format} ${bytes(capacity)}`]),
];

const DEPLOYED = { vcpus: COUNT, memory: SIZE, size: SIZE, bridge: TEXT, address: TEXT, nameserver: TEXT, searchDomain: TEXT };
const FROM_MACHINE = { vcpus: COUNT, memory: SIZE };

const TEMPLATE: readonly Verb[] = [
  listing('list', 'template', 'List the templates from which a provider makes machines.', async (request, provider) => {
    const templates = await carryOut(request, 'template.list', provider, {});
    await tell(request, inOrder(templates, ({ name }) => name), ({ name, type }) => `${quoted(name)} ${type}`);
  }),
  {
    word: 'show',
    usage: `template show PROVIDER TEMPLATE ${LISTS_FORM}`,
    help: 'Show what a machine made from a template gets, and may get.',
    right: 'read', on: 'provider', options: LISTS,
    async run(request) {
      const [provider, template] = pairOf(request);
      const found = await carryOut(request, 'template.describe', provider, { template });
      await tellOf(request, found, templateFacts(found));
    },
  },
  {
    word: 'deploy',
    usage: `template deploy PROVIDER TEMPLATE NAME [vcpus=N] [memory=SIZE] [disk=SIZE] [bridge=NAME] [address=IP] [nameserver=IP] [search-domain=NAME] ${CHANGES_FORM}`,
    help: 'Make a machine from a template; it is off.',
    right: 'configure', on: 'provider', options: CHANGES,
    async run(request) {
      const [provider = request.usage(), template = request.usage(), name = request.usage(), ...rest] = request.args;
      await change(request, 'template.deploy', provider, { template, name, settings: settingsOf(request, rest, DEPLOYED) });
    },
  },
  {
    word: 'create',
    usage: `template create NAME TEMPLATE [vcpus=N] [memory=SIZE] ${CHANGES_FORM}`,
    help: 'Make a template from a machine that is off.',
    right: 'configure', on: 'instance', options: CHANGES,
    async run(request) {
      const [target = request.usage()] = request.targets;
      const [, template = request.usage(), ...rest] = request.args;
      const args = { template, settings: settingsOf(request, rest, FROM_MACHINE) };
      if (await change(request, 'template.create', target, args)) return;
      const { disks } = await carryOut(request, 'template.preview', target, { template });
      await request.body.lines(disks.map(({ target: disk, file, capacity, path }) => `${disk} ${quoted(file)} ${bytes(capacity)} ${quoted(path)}`));
    },
  },
  {
    word: 'delete',
    usage: `template delete PROVIDER TEMPLATE ${CHANGES_FORM}`,
    help: 'Delete a template; machines made from it stay.',
    right: 'configure', on: 'provider', options: CHANGES,
    async run(request) {
      const [provider, template] = pairOf(request);
      await change(request, 'template.delete', provider, { template });
    },
  },
];

const VOLUME: readonly Verb[] = [
  listing('list', 'volume', 'List the logical volumes of a provider (LVM), and which machines have them.', async (request, provider) => {
    const volumes = await carryOut(request, 'volume.list', provider, {});
    await tell(request, inOrder(volumes, ({ path }) => path), volumeLine);
  }),
  listing('groups', 'volume', 'List the volume groups of a provider (LVM), and what is free in them.', async (request, provider) => {
    const groups = await carryOut(request, 'volume.groups', provider, {});
    await tell(request, inOrder(groups, ({ name }) => name), groupLine);
  }),
];

/** What machines are made from. */
export default {
  commands: [
    { word: 'image', help: 'Disk images and ISO images.', verbs: IMAGE },
    { word: 'template', help: 'Templates: what machines are made from.', verbs: TEMPLATE },
    { word: 'volume', help: 'Logical volumes.', verbs: VOLUME },
  ],
} satisfies Plugin;
