import { POWER_STATES, type Driver, type Readings } from './driver.js';

/** What the answers of a driver of `plugin-path` have to be: see checked.ts. */

type Test = (value: unknown) => boolean;

export const isText: Test = (value) => typeof value === 'string';
export const isObject: Test = (value) => typeof value === 'object' && value !== null;
const isFlag: Test = (value) => typeof value === 'boolean';
const isNumber: Test = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isBytes: Test = (value) => typeof value === 'bigint' && value >= 0n;
const isMethod: Test = (value) => typeof value === 'function';
const isNothing: Test = (value) => value === undefined;
const isListOf = (test: Test): Test => (value) => Array.isArray(value) && value.every(test);
const isOneOf = (...words: readonly string[]): Test => (value) => words.includes(value as string);
const isEither = (...tests: readonly Test[]): Test => (value) => tests.some((test) => test(value));
const isMaybe = (test: Test): Test => isEither(isNothing, test);

type Form = Readonly<Record<string, Test>>;

/** An object with these members, of which `maybe` may be left out. Others do no harm. */
const isForm = (members: Form, maybe: Form = {}): Test => {
  const all = [...Object.entries(members), ...Object.entries(maybe).map(([name, test]) => [name, isMaybe(test)] as const)];
  return (value) => isObject(value) && all.every(([name, test]) => test((value as Readonly<Record<string, unknown>>)[name]));
};

const isTexts = isListOf(isText);
const isReport: Test = (value) => isObject(value) && isTexts(Object.values(value as object));
const isRangeOf = (test: Test): Test => isForm({ min: test, max: test });
const isLimits = isForm({ vcpus: isRangeOf(isNumber), memory: isRangeOf(isBytes) }, { cpuLimit: isRangeOf(isNumber), disk: isRangeOf(isBytes) });
const isLoad = isEither(
  (value) => isForm({ averages: isListOf(isNumber) })(value) && (value as { averages: unknown[] }).averages.length === 3,
  isForm({ averages: isNothing, cpuPercent: isNumber }),
);
const isDisks = isListOf(isForm({ target: isText, type: isText }, { format: isText, size: isBytes, source: isText }));
const isInfo = isForm({}, {
  uuid: isText, cpus: isNumber, memory: isBytes, ips: isTexts, macs: isTexts, disks: isDisks, host: isText, persistent: isFlag, autostart: isFlag,
  more: isReport,
});

/** What an answer has to be, in words and by a test. */
type Answer = readonly [words: string, isRight: Test];
/** By the names of members or methods. */
export type Answers = Readonly<Record<string, Answer>>;

/** Of a machine. */
export const ANSWERS: Readonly<Record<keyof Readings | 'bootMark', Answer>> = {
  status: ['a state', isOneOf(...POWER_STATES)],
  info: ['an object of facts as the contract has them', isInfo],
  ip: ['a list of texts', isTexts],
  mac: ['a list of texts', isTexts],
  uptime: ['a number of seconds', isNumber],
  rx: ['a BigInt', isBytes],
  tx: ['a BigInt', isBytes],
  load: ['{ averages: [1, 2, 3] } or { cpuPercent: 1 }', isLoad],
  disk: ['a list of { target, type }', isDisks],
  bootMark: ['a text', isText],
};

const isUse: Form = { total: isBytes, used: isBytes };
const NETWORK_CHANGE: Answer = ['{ keptBy }', isForm({}, { keptBy: isText })];

const of = (what: string, test: Test): Answer => [`${what} as the contract has it`, test];

/** Of abilities, by group and method. What makes, changes or removes something answers nothing. */
export const ABILITY_ANSWERS: Readonly<Record<string, Answers>> = {
  images: {
    list: of('a list of images', isListOf(isForm({
      name: isText, kind: isOneOf('disk', 'iso'), format: isText, capacity: isBytes, allocation: isBytes, usedBy: isTexts,
    }))),
  },
  templates: {
    list: of('a list of templates', isListOf(isForm({ name: isText, type: isOneOf('vm', 'container') }))),
    describe: of('a template', isForm({
      name: isText, type: isOneOf('vm', 'container'), arch: isText, vcpus: isNumber, memory: isBytes, limits: isLimits,
      disks: isListOf(isForm({ file: isText, format: isText, capacity: isBytes })),
    }, { size: isBytes })),
  },
  machines: { limits: of('an object of limits', isLimits) },
  volumes: {
    groups: of('a list of volume groups', isListOf(isForm({
      name: isText, uuid: isText, size: isBytes, free: isBytes, extent: isBytes, logicalVolumes: isNumber, physicalVolumes: isNumber, report: isReport,
    }))),
    list: of('a list of volumes', isListOf(isForm({ name: isText, group: isText, path: isText, uuid: isText, size: isBytes, usedBy: isTexts, report: isReport }))),
  },
  network: {
    routes: of('a list of routes', isListOf(isForm({ destination: isText, prefix: isNumber, interface: isText, metric: isNumber }, { gateway: isText, protocol: isText }))),
    gateway: ['an address, or undefined', isMaybe(isText)],
    bridges: of('a list of bridges', isListOf(isForm({ name: isText, members: isTexts, addresses: isTexts, isUp: isFlag }))),
    addRoute: NETWORK_CHANGE, replaceRoute: NETWORK_CHANGE, deleteRoute: NETWORK_CHANGE, setGateway: NETWORK_CHANGE, addBridge: NETWORK_CHANGE,
    changeBridge: NETWORK_CHANGE, deleteBridge: NETWORK_CHANGE, addMember: NETWORK_CHANGE, deleteMember: NETWORK_CHANGE,
  },
  statistics: {
    host: of('an object of figures', isForm({}, {
      cpu: isForm({ percent: isNumber }, { model: isText, mhz: isNumber, cache: isText }), memory: isForm(isUse),
      df: isListOf(isForm({ ...isUse, mount: isText, device: isText, free: isBytes })), uptime: isNumber, kernel: isText, release: isText,
      network: isForm({ interface: isText, address: isText }), bandwidth: isForm({ received: isNumber, sent: isNumber }, { maximum: isNumber }),
      swap: isListOf(isForm({ ...isUse, path: isText })), iowait: isNumber,
    })),
    guests: of('a list of figures', isListOf(isForm({ id: isText }, {
      vcpus: isNumber, cpuTime: isBytes, cpuPercent: isNumber, memory: isBytes, maxMemory: isBytes, usedMemory: isBytes, rx: isBytes, tx: isBytes,
      disks: isListOf(isForm({ target: isText }, { capacity: isBytes, allocation: isBytes })),
    }))),
  },
  hardware: {
    read: of('an object', isForm({ vcpus: isNumber, memory: isBytes, limits: isLimits }, {
      cpuLimit: isNumber, disk: isBytes, address: isText, nameserver: isText, searchDomain: isText, autostart: isFlag,
    })),
  },
  templating: {
    preview: of('an object', isForm({
      template: isText, arch: isText, vcpus: isNumber, memory: isBytes, folder: isText,
      interfaces: isListOf(isForm({ type: isText, bridge: isText, mac: isText })),
      disks: isListOf(isForm({ target: isText, path: isText, file: isText, capacity: isBytes, allocation: isBytes })),
    })),
  },
};

/** The methods of a machine; all but `status` may be left out. */
export const MACHINE_METHODS: ReadonlySet<string | symbol> = new Set([
  ...Object.keys(ANSWERS), 'checkOrder', 'start', 'shutdown', 'powerOff', 'reboot', 'reset', 'pause', 'unpause', 'suspend', 'resume',
] satisfies string[]);

/** Those of a driver that may be left out. */
export const DRIVER_METHODS = ['sample', 'dmesg', 'destination'] as const satisfies readonly (keyof Driver)[];

/** A method that is not there may be null as well. */
const isMethodOrNull: Test = (value) => value === null || isMethod(value);
const isStream = isForm({ pipe: isMethod, write: isMethod, destroy: isMethod });
const CONSOLE: Answer = ['{ stream }, a Duplex', isForm({ stream: isStream }, { resize: isMethodOrNull })];

/** What the methods of members answer. */
export const MEMBER_ANSWERS: Readonly<Record<string, Answers>> = {
  autostart: { read: ['true, false or undefined', isMaybe(isFlag)] },
  console: { vnc: CONSOLE, text: CONSOLE, shell: CONSOLE },
};

export const DESTINATION = { destination: ['{ provider, access }', isForm({ provider: isText, access: isReport }, { state: isMethod })] } as const;

/** Members of a machine that are no methods, and may be left out. */
export const MACHINE_MEMBERS: Answers = {
  mayMissShutdown: ['true or false', isFlag],
  isOffWhenGone: ['true or false', isFlag],
  bootMarkLasts: ['true or false', isFlag],
  complaint: ['a text', isText],
  autostart: ['{ read, set }', isForm({ read: isMethod, set: isMethod })],
  console: ['an object of functions', isForm({}, { vnc: isMethodOrNull, text: isMethodOrNull, shell: isMethodOrNull })],
  abilities: ['an object of groups of methods', isObject],
  far: ['an object', isObject],
};

/** The same of a driver. */
export const DRIVER_MEMBERS: Answers = {
  place: ['a text', isText],
  farPlace: ['a text', isText],
  abilities: ['an object of groups of methods', isObject],
};
