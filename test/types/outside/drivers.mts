/**
 * Drivers as others write them: all that docs/drivers.md promises is used, and each `@ts-expect-error` is a mistake that the
 * types have to find. Nothing of this runs.
 */
import { Writable, type Duplex } from 'node:stream';
import {
  ArgoError,
  connectConsole,
  duration,
  endpoint,
  flag,
  passwordEntries,
  PHRASES,
  positiveDuration,
  readPassword,
  readSecret,
  secretEntries,
  SettingsFault,
  text,
  texts,
  v,
  whole,
} from 'argo-server/driver';
import type {
  Autostart,
  Bridge,
  BridgeSettings,
  ConsoleCall,
  ConsoleKind,
  Consoles,
  ConsoleSize,
  ConsoleStream,
  DeploySettings,
  Destination,
  Disk,
  Driver,
  DriverDefaults,
  DriverHost,
  DriverModule,
  Endpoint,
  Facts,
  FarCall,
  FarChange,
  FarGate,
  FarOrder,
  FarOutcome,
  Guard,
  GuestFigures,
  Hardware,
  HardwareAbility,
  HardwareChange,
  HOST_FIGURES,
  HostFigure,
  HostFigures,
  ImageFile,
  Images,
  Limits,
  Load,
  Log,
  LogicalVolume,
  Machine,
  MachineAbilities,
  Machines,
  MachineType,
  MigrationAbility,
  Network,
  NetworkChange,
  NewMachine,
  None,
  Phrase,
  PowerState,
  ProviderAbilities,
  Range,
  Readings,
  RemovalAbility,
  Route,
  RouteName,
  Sample,
  Secret,
  SecretOptions,
  Sighting,
  Sightings,
  Statistics,
  TableFault,
  Template,
  TemplateDisk,
  TemplatePreview,
  Templates,
  TemplatingAbility,
  TemplatingDisk,
  Use,
  VolumeGroup,
  Volumes,
  Work,
  WorkCall,
} from 'argo-server/driver';
import { exactly } from './exactly.mjs';

/** The keys of its table, of every kind. */
const options = {
  address: endpoint, label: text, outlets: texts, quiet: flag, retries: v.optional(whole(0, 10), 3), every: duration, patience: positiveDuration,
  'private-key-file': v.optional(text), ...passwordEntries, ...secretEntries('token'),
};
type Given = v.InferOutput<v.ObjectSchema<typeof options, undefined>>;

export function table(given: Given): void {
  exactly<Endpoint>()(given.address);
  exactly<string>()(given.label);
  exactly<string[]>()(given.outlets);
  exactly<boolean>()(given.quiet);
  for (const ms of [given.retries, given.every, given.patience]) exactly<number>()(ms);
  exactly<string | undefined>()(given['private-key-file']);
  exactly<Secret | undefined>()(given.password);
  exactly<string | undefined>()(given['password-file']);
  exactly<string | undefined>()(given['password-env']);
  exactly<Secret | undefined>()(readPassword(given));
  exactly<Secret | undefined>()(readSecret(given, 'token'));
  exactly<string>()(readPassword(given)?.reveal() ?? '');
  const tokens: SecretOptions<'token'> = given;
  exactly<Secret | undefined>()(readSecret(tokens, 'token'));
  // @ts-expect-error: a secret is no text: whoever sends it reveals it
  void given.password.length;
  // @ts-expect-error: the table has no such secret
  readSecret(given, 'pin');
  // @ts-expect-error: a key that there is not
  void given.adress;
}

const console: Consoles = {
  vnc: ({ signal }) => connectConsole({ host: '192.0.2.7', port: 5900 }, signal).then((stream) => ({ stream })),
  text: async ({ signal, size, force }: ConsoleCall): Promise<ConsoleStream> => {
    exactly<ConsoleSize | undefined>()(size);
    exactly<boolean | undefined>()(force);
    const stream: Duplex = await connectConsole({ path: '/run/console' }, signal);
    return { stream, resize: ({ columns, rows }) => stream.write(`${columns} ${rows}`) };
  },
  shell: () => Promise.reject(new ArgoError('NOT SUPPORTED', 'there is none after all')),
};
// @ts-expect-error: a kind of console that there is not
export const telnet: Consoles = { telnet: console.text };
// @ts-expect-error: a console is a stream both ways
export const deaf: Consoles = { text: async () => ({ stream: new Writable() }) };
export const kinds: readonly ConsoleKind[] = ['vnc', 'text', 'shell'];

const autostart: Autostart = { read: async () => undefined, set: async (isOn, signal) => { exactly<boolean>()(isOn); signal.throwIfAborted(); } };

const far: FarGate = {
  place: 'site berlin',
  power: async (order: FarOrder, { account, from, deadline, actionTimeout, signal, doing }: FarCall): Promise<FarOutcome> => {
    doing?.(`${order.action} for ${account} ${from} ${deadline ?? actionTimeout} ${String(signal.aborted)}`);
    return { result: 'done', before: 'on', after: 'off', verified: true, isRecent: true };
  },
  change: async ({ operation, value }: FarChange) => ({ result: operation === 'autostart' && value ? 'done' : 'already' }),
  plan: async () => 'would ask it to stop',
};

/** The abilities of a machine. */
const vcpus: Range<number> = { min: 1, max: 8 };
const limits: Limits = { vcpus, memory: { min: 1n, max: 8n }, cpuLimit: { min: 1, max: 100 }, disk: { min: 1n, max: 9n } };
const hardware: Hardware = { vcpus: 1, memory: 1n, limits };
const templatingDisk: TemplatingDisk = { target: 'vda', path: '/d', file: 'd', capacity: 1n, allocation: 1n };
const preview: TemplatePreview = { template: 't', arch: 'x86_64', vcpus: 1, memory: 1n, interfaces: [{ type: 'bridge', bridge: 'br0', mac: '' }], disks: [templatingDisk], folder: '/' };
const all: {
  readonly hardware: HardwareAbility;
  readonly templating: TemplatingAbility;
  readonly removal: RemovalAbility;
  readonly migration: MigrationAbility;
} = {
  hardware: {
    read: async () => hardware,
    change: async (change: HardwareChange) => {
      if (change.password === '') throw new SettingsFault({ password: 'must not be empty' });
    },
  },
  templating: {
    preview: async ({ template }) => ({ ...preview, template }),
    create: async ({ settings }, { progress }) => progress(settings.vcpus === undefined ? 0.5 : 1),
  },
  removal: { delete: async ({ disks }) => exactly<boolean>()(disks) },
  migration: {
    to: async ({ destination }, { signal }) => {
      await destination.state?.('1', signal);
    },
  },
};
const abilities: MachineAbilities = all;

/** A machine that has everything. */
export const machine: Machine = {
  id: '1',
  name: 'lj',
  type: 'vm',
  status: async () => 'on',
  start: async (signal) => signal.throwIfAborted(),
  shutdown: async () => undefined,
  powerOff: async () => undefined,
  reboot: async () => undefined,
  reset: async () => undefined,
  pause: async () => undefined,
  unpause: async () => undefined,
  suspend: async () => undefined,
  resume: async () => undefined,
  bootMark: async () => 'a boot',
  bootMarkLasts: true,
  complaint: 'no fuse',
  mayMissShutdown: true,
  isOffWhenGone: true,
  checkOrder: async () => undefined,
  autostart,
  console,
  far,
  abilities,
  info: async (): Promise<Facts> => ({
    uuid: '1',
    cpus: 1,
    memory: 1n,
    ips: ['192.0.2.9'],
    macs: [],
    disks: [],
    host: 'kvm1',
    persistent: true,
    autostart: false,
    more: { colour: 'red' },
  }),
  ip: async () => ['192.0.2.9'],
  mac: async () => [],
  uptime: async () => 17,
  rx: async () => 1n,
  tx: async () => 1n,
  load: async (): Promise<Load> => ({ averages: [1, 2, 3] }),
  disk: async (): Promise<readonly Disk[]> => [{ target: 'vda', type: 'file', format: 'raw', size: 1n, source: '/d' }],
};
/** One that has only what every machine has. */
const bare: Machine = { id: '2', name: 'builder', type: 'host', status: async () => 'unknown' };
export const share: Load = { cpuPercent: 12 };
export const types: readonly MachineType[] = ['vm', 'container', 'host'];

// @ts-expect-error: no state that can be asked for
export const stateless: Machine = { id: '1', name: 'lj', type: 'vm' };
// @ts-expect-error: a type that there is not
export const toaster: Machine = { ...bare, type: 'toaster' };
// @ts-expect-error: a state that there is not
export const dreaming: Machine = { ...bare, status: async () => 'dreaming' };
// @ts-expect-error: a state is asked of the machine, and that takes time
export const instant: Machine = { ...bare, status: () => 'on' };
// @ts-expect-error: bytes are BigInts
export const bytes: Machine = { ...bare, rx: async () => 1024 };
// @ts-expect-error: a machine has no such step
export const flying: Machine = { ...bare, fly: async () => undefined };
// @ts-expect-error: three load averages, or none
export const average: Load = { averages: [1, 2] };
// @ts-expect-error: an autostart that cannot be read back
export const blind: Autostart = { set: async () => undefined };
// @ts-expect-error: an id stays
machine.id = '3';

/** The abilities of a host, each with all of its methods. */
const image: ImageFile = { name: 'd', kind: 'disk', format: 'raw', capacity: 1n, allocation: 1n, usedBy: [] };
const templateDisk: TemplateDisk = { file: 'd', format: 'raw', capacity: 1n };
const template: Template = { name: 't', type: 'container', arch: 'x86_64', vcpus: 1, memory: 1n, limits, disks: [templateDisk], size: 1n };
const group: VolumeGroup = { name: 'vg', uuid: '', size: 1n, free: 1n, extent: 1n, logicalVolumes: 1, physicalVolumes: 1, report: {} };
const volume: LogicalVolume = { name: 'lv', group: 'vg', path: '/dev/vg/lv', uuid: '', size: 1n, usedBy: [], report: {} };
const route: Route = { destination: 'default', prefix: 0, interface: 'eth0', metric: 0 };
const bridge: Bridge = { name: 'br0', members: ['eth0'], addresses: [], isUp: true };
const kept: NetworkChange = { keptBy: undefined };
const memory: Use = { total: 2n, used: 1n };
export type EveryFigure = (typeof HOST_FIGURES)[number];
const guest: GuestFigures = { id: '1', cpuTime: 1n, rx: 1n };
const groups: {
  readonly images: Images;
  readonly templates: Templates;
  readonly machines: Machines;
  readonly volumes: Volumes;
  readonly network: Network;
  readonly statistics: Statistics;
} = {
  images: {
    list: async () => [image],
    create: async ({ size }) => exactly<bigint>()(size),
    delete: async ({ name }) => exactly<string>()(name),
  },
  templates: {
    list: async () => [{ name: 't', type: 'vm' }],
    describe: async () => template,
    delete: async () => undefined,
    deploy: async ({ settings }, { task, progress, signal }) => {
      exactly<DeploySettings>()(settings);
      exactly<string>()(task);
      progress(0.5);
      signal.throwIfAborted();
    },
  },
  machines: { limits: async () => limits, install: async (made: NewMachine) => diskOf(made.disk) },
  volumes: { groups: async () => [group], list: async () => [volume] },
  network: {
    routes: async () => [route],
    addRoute: async (added: RouteName & Guard) => ({ keptBy: added.force ? undefined : 'netplan' }),
    replaceRoute: async ({ old }) => ({ keptBy: old.gateway }),
    deleteRoute: async () => kept,
    gateway: async () => undefined,
    setGateway: async () => kept,
    bridges: async () => [bridge],
    addBridge: async (settings: BridgeSettings) => ({ keptBy: settings.name }),
    changeBridge: async () => kept,
    deleteBridge: async () => kept,
    addMember: async () => kept,
    deleteMember: async () => kept,
  },
  statistics: {
    host: async ({ figures }): Promise<HostFigures> => {
      exactly<readonly HostFigure[]>()(figures);
      return { uptime: 1, memory };
    },
    guests: async () => [guest],
  },
};
const host: ProviderAbilities = groups;
function diskOf(disk: NewMachine['disk']): void {
  exactly<bigint | string>()('size' in disk ? disk.size : disk.volume);
}
export const work: Work<None, string> = async (_none, call: WorkCall) => call.task;

// @ts-expect-error: an ability that there is not
export const kitchen: ProviderAbilities = { kitchen: {} };
// @ts-expect-error: a method that it has not
export const burner: ProviderAbilities = { images: { burn: async () => undefined } };
// @ts-expect-error: what an image has is whole
export const half: ProviderAbilities = { images: { list: async () => [{ name: 'd' }] } };
// @ts-expect-error: disks are in bytes, as BigInts
export const small: Partial<Limits> = { disk: { min: 1, max: 2 } };
// @ts-expect-error: both a new disk and a volume
export const twoDisks: NewMachine['disk'] = { size: 1n, volume: 7 };

/** The whole driver. */
export const module = {
  kind: 'driver',
  options,
  defaults: { actionTimeout: 60_000, pollInterval: 10_000, concurrency: 1 },
  check: ({ 'private-key-file': file }) => (file === undefined ? [{ message: 'no key', path: ['private-key-file'] }] : [{ message: 'no key', file, position: { line: 1, column: 1 } }]),
  open: (given, gate) => open(given, gate),
} satisfies DriverModule<typeof options>;

function open(given: Given, gate: DriverHost): Driver {
  exactly<string>()(gate.name);
  exactly<Log>()(gate.log);
  gate.log('info', 'opened', { label: given.label });
  gate.changed('1', 'stopping');
  gate.relist();
  gate.lost('cut off');
  // @ts-expect-error: a level that there is not
  gate.log('shout', 'opened');
  // @ts-expect-error: a state that there is not
  gate.changed('1', 'dreaming');
  // @ts-expect-error: why it is gone has to be said
  gate.lost();
  const sighting: Sighting = { machine, state: 'on' };
  const destination: Destination = { provider: gate.name, access: { uri: 'qemu:///system' }, state: async () => 'on' };
  return {
    list: async (): Promise<Sightings> => Object.assign([sighting, { machine: bare, state: 'unknown' as const }], { incomplete: 'one of two hosts is silent', isSilent: true }),
    sample: async () => new Map<string, Sample>([['1', { uptime: 17, rx: 1n, ip: undefined }]]),
    dmesg: async (signal) => { signal.throwIfAborted(); return 'a log'; },
    abilities: host, place: 'kvm1', destination: () => destination, close: async (signal) => signal.throwIfAborted(),
  };
}

const least: Driver = { list: async () => [], close: async () => undefined };
// @ts-expect-error: no end
export const endless: Driver = { list: least.list };
// @ts-expect-error: a listing says in which state each is
export const silent: Driver = { ...least, list: async () => [machine] };
// @ts-expect-error: bytes are BigInts
export const counted: Sample = { rx: 17 };
// @ts-expect-error: a default that there is not
export const colour: DriverDefaults = { colour: 'red' };
// @ts-expect-error: times are milliseconds
export const poll: DriverDefaults = { pollInterval: '30s' };
// @ts-expect-error: the other kinds are other modules
export const gateway: DriverModule = { kind: 'gateway', options: {}, open: () => least };
// @ts-expect-error: no keys, which have to be said
export const keyless: DriverModule = { open: () => least };
// @ts-expect-error: a provider is opened at once, and connects later
export const patient: DriverModule = { options: {}, open: async () => least };
// @ts-expect-error: its table has no such key
export const wrongKey: DriverModule<{ label: typeof text }> = { options: { label: text }, open: ({ lable }) => (void lable, least) };
// @ts-expect-error: a fault says what is wrong
export const fault: TableFault = { path: ['label'] };

export const readings = (given: Readings): void => exactly<bigint>()(given.tx);
export const states: readonly PowerState[] = ['on', 'off', 'paused', 'suspended', 'starting', 'stopping', 'crashed', 'unknown'];
export const phrases: readonly Phrase[] = Object.keys(PHRASES) as Phrase[];
// @ts-expect-error: a phrase that there is not
export const phrase = new ArgoError('OUT OF PAPER', 'fetch some');
