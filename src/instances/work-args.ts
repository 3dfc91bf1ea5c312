import { isIPv4 } from 'node:net';
import * as v from 'valibot';
import { HOST_FIGURES } from '../drivers/management/statistics.js';
import { ArgoError, SettingsFault } from '../kit/errors.js';
import { issueWords } from '../kit/schema-words.js';
import {
  ARGS_DEPTH, ARGS_ENTRIES, ARGS_TEXT, CPU_LIMIT_MOST, DISK_LEAST, DISK_MOST, MEMORY_LEAST, MEMORY_MOST, ROLLBACK_LEAST, ROLLBACK_MOST, VCPUS_MOST,
} from '../kit/work-limits.js';
import type { WorkArgs, WorkName } from './work-table.js';

/**
 * The arguments of work beyond power: one schema a piece of work. What passes here has its form; whether there is such an
 * image, template or bridge is the driver's to say. Everything that may become part of a path, of a command's words or
 * of XML is a name of letters that mean nothing there.
 */

/** Of a file, template or machine: no path, no option, nothing that a shell or XML would look at. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const name = (most: number) => v.pipe(
  v.string('a name is expected'),
  v.check((text) => text.length <= most && NAME.test(text) && !text.includes('..'), `a name of 1 to ${most} letters, digits and . _ - is expected, a letter or digit first, without ..`),
);
const fileName = name(128);
const machineName = name(64);
/** As Linux takes them: 15 bytes. */
const interfaceName = v.pipe(v.string('the name of an interface is expected'), v.regex(/^(?!.*\.\.)[A-Za-z][A-Za-z0-9_.-]{0,14}$/, 'the name of an interface is expected, such as eth0'));
/** Of a logical volume: /dev/GROUP/VOLUME, /dev/mapper/… */
const volumePath = v.pipe(
  v.string('a path is expected'),
  v.check((text) => text.length <= 255 && /^\/dev(?:\/[A-Za-z0-9+_][A-Za-z0-9+_.-]*){2,3}$/.test(text) && !text.includes('..'), 'the path of a volume is expected, such as /dev/GROUP/VOLUME'),
);
const hostName = v.pipe(
  v.string('a domain is expected'),
  v.check((text) => text.length <= 253 && text.split('.').every((label) => /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/.test(label)), 'a domain is expected, such as example.org'),
);
/** One line; it goes to chpasswd, which takes lines. */
const password = v.pipe(v.string('a password is expected'), v.check((text) => text.length >= 1 && text.length <= 256 && !/\p{Cc}|\p{Cs}/u.test(text), 'a password is one line of 1 to 256 characters'));

const whole = (least: number, most: number) => v.pipe(v.number('a number is expected'), v.integer('a whole number is expected'), v.minValue(least, `must be at least ${least}`), v.maxValue(most, `must be at most ${most}`));
const bytes = (least: bigint, most: bigint) => v.pipe(v.bigint('a number of bytes is expected'), v.minValue(least, `must be at least ${least} bytes`), v.maxValue(most, `must be at most ${most} bytes`));
const flag = v.boolean('true or false is expected');
const disk = bytes(DISK_LEAST, DISK_MOST);
const memory = bytes(MEMORY_LEAST, MEMORY_MOST);
const vcpus = whole(1, VCPUS_MOST);

const ipv4 = v.pipe(v.string('an IPv4 address is expected'), v.check((text) => isIPv4(text), 'an IPv4 address is expected, such as 192.168.1.5'));
const hostAddress = v.pipe(ipv4, v.check((text) => !/^(?:0|127|22[4-9]|23\d|24\d|25[0-5])\./.test(text), 'this address is none of a host'));
const prefix = whole(0, 32);

const asNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const isWithin = (address: string, bits: number): boolean => asNumber(address) % 2 ** (32 - bits) === 0;

/** `0.0.0.0` with no bits is the default route. */
const routeEntries = {
  destination: v.pipe(
    v.string('a network is expected'),
    v.check((text) => text === 'default' || isIPv4(text), 'a network is expected, such as 192.168.3.0, or default'),
    v.transform((text) => (text === '0.0.0.0' ? 'default' : text)),
  ),
  prefix,
  gateway: v.exactOptional(hostAddress),
  interface: interfaceName,
};
/** A mask that is none is told of as such. */
const isNetwork = ({ destination, prefix: bits }: { readonly destination: string; readonly prefix: number }): boolean =>
  !(bits >= 0 && bits <= 32) || (destination === 'default' ? bits === 0 : bits > 0 && isWithin(destination, bits));
const NO_NETWORK = 'the destination has bits beyond its mask';

const guard = { rollback: whole(ROLLBACK_LEAST, ROLLBACK_MOST), force: flag };
const route = v.pipe(v.strictObject(routeEntries), v.forward(v.check((one) => isNetwork(one), NO_NETWORK), ['destination']));
const guardedRoute = v.pipe(v.strictObject({ ...routeEntries, ...guard }), v.forward(v.check((one) => isNetwork(one), NO_NETWORK), ['destination']));
const bridge = v.pipe(
  v.strictObject({
    name: interfaceName,
    address: v.exactOptional(hostAddress),
    prefix: v.exactOptional(whole(1, 32)),
    gateway: v.exactOptional(hostAddress),
    ...guard,
  }),
  v.check(({ address, prefix: bits }) => (address === undefined) === (bits === undefined), 'address and prefix go together'),
  v.check(({ address, gateway }) => gateway === undefined || address !== undefined, 'a gateway needs an address'),
);
const bridgeMember = v.strictObject({ bridge: interfaceName, member: interfaceName, ...guard });

const none = v.strictObject({});
/** An empty list has no unknown keys either. */
const isObject = v.check((value) => !Array.isArray(value), 'an object is expected');
const addressing = { address: v.exactOptional(hostAddress), nameserver: v.exactOptional(hostAddress), searchDomain: v.exactOptional(hostName) };
const deploySettings = v.pipe(
  v.unknown(),
  isObject,
  v.strictObject({
    vcpus: v.exactOptional(vcpus),
    memory: v.exactOptional(memory),
    bridge: v.exactOptional(interfaceName),
    size: v.exactOptional(disk),
    ...addressing,
    password: v.exactOptional(password),
  }),
);
const templateSettings = v.pipe(v.unknown(), isObject, v.strictObject({ vcpus: v.exactOptional(vcpus), memory: v.exactOptional(memory) }));
const hardwareChange = v.pipe(
  v.strictObject({
    vcpus: v.exactOptional(vcpus),
    memory: v.exactOptional(memory),
    cpuLimit: v.exactOptional(whole(1, CPU_LIMIT_MOST)),
    disk: v.exactOptional(disk),
    ...addressing,
    autostart: v.exactOptional(flag),
    password: v.exactOptional(password),
  }),
  v.check((change) => Object.keys(change).length > 0, 'nothing is to be changed'),
);
const newMachine = v.strictObject({
  name: machineName, osVariant: machineName, osType: machineName, iso: fileName,
  disk: v.union([v.strictObject({ size: disk }), v.strictObject({ volume: volumePath })], 'either a size or a volume is expected'),
  memory, vcpus, apic: flag, acpi: flag,
});
/** In the order of the table and each once, so that who asks the same shares an answer. */
const figures = v.pipe(
  v.array(v.picklist(HOST_FIGURES, `one of ${HOST_FIGURES.join(', ')} is expected`), 'a list is expected'),
  v.minLength(1, 'none is asked for'),
  v.transform((wanted) => HOST_FIGURES.filter((one) => wanted.includes(one))),
);

const ARGS = {
  'image.list': none,
  'image.create': v.strictObject({ name: fileName, size: disk, format: v.picklist(['raw', 'qcow2'], 'raw or qcow2 is expected') }),
  'image.delete': v.strictObject({ name: fileName }),
  'template.list': none,
  'template.describe': v.strictObject({ template: fileName }),
  'template.deploy': v.strictObject({ template: fileName, name: machineName, settings: deploySettings }),
  'template.delete': v.strictObject({ template: fileName }),
  'template.preview': v.strictObject({ template: fileName }),
  'template.create': v.strictObject({ template: fileName, settings: templateSettings }),
  'machine.limits': none,
  'machine.install': newMachine,
  'machine.delete': v.strictObject({ disks: flag }),
  'machine.migrate': v.strictObject({ to: v.pipe(v.string('the name of a provider is expected'), v.check((text) => text.length > 0, 'the name of a provider is expected')) }),
  'hardware.read': none,
  'hardware.change': hardwareChange,
  'volume.groups': none,
  'volume.list': none,
  'route.list': none,
  'route.add': guardedRoute,
  'route.replace': v.strictObject({ old: route, new: route, ...guard }),
  'route.delete': guardedRoute,
  'gateway.read': v.strictObject({ interface: interfaceName }),
  'gateway.set': v.strictObject({ gateway: hostAddress, interface: interfaceName, ...guard }),
  'bridge.list': none,
  'bridge.add': bridge,
  'bridge.change': bridge,
  'bridge.delete': v.strictObject({ name: interfaceName, ...guard }),
  'bridge.add-member': bridgeMember,
  'bridge.delete-member': bridgeMember,
  'stats.host': v.strictObject({ figures }),
  'stats.guests': none,
} satisfies { readonly [Name in WorkName]: v.GenericSchema<unknown, WorkArgs<Name>> };

/**
 * Arguments as they were when they came, checked: whoever handed them in may change them afterwards, or have them answer each look differently.
 * @throws SettingsFault by the names of what is wrong; ArgoError BAD REQUEST where they are no arguments at all
 */
export function copyArgs<Name extends WorkName>(work: Name, args: WorkArgs<Name>): WorkArgs<Name> {
  const copy = plainCopy(args, ARGS_DEPTH);
  if (typeof copy !== 'object' || Array.isArray(copy)) throw new ArgoError('BAD REQUEST', 'arguments are an object');
  const result = v.safeParse(ARGS[work] as v.GenericSchema, copy);
  if (result.success) return freeze(result.output) as WorkArgs<Name>;
  const faults = new Map<string, string>();
  for (const issue of result.issues) if (!faults.has(pathOf(issue))) faults.set(pathOf(issue), issueWords(issue, 'there is no such argument'));
  throw new SettingsFault(Object.fromEntries(faults));
}

/** What is within `settings` is named as it is called there: whoever typed it knows no more. */
const pathOf = ({ path }: v.BaseIssue<unknown>): string => (path ?? []).map(({ key }) => String(key)).join('.').replace(/^settings\./, '').slice(0, ARGS_TEXT) || 'arguments';

/**
 * Each property is read once. What is left out and what is undefined are the same.
 * @throws ArgoError BAD REQUEST for what is no plain data, or too much
 */
function plainCopy(value: unknown, depth: number): unknown {
  if (typeof value === 'string' && value.length > ARGS_TEXT) throw new ArgoError('BAD REQUEST', `a text in the arguments is longer than ${ARGS_TEXT} characters`);
  if (typeof value !== 'object' || value === null) {
    if (value === null || typeof value === 'function' || typeof value === 'symbol') throw new ArgoError('BAD REQUEST', 'arguments are texts, numbers, true and false');
    return value;
  }
  if (depth === 0) throw new ArgoError('BAD REQUEST', 'arguments are nested too deeply');
  const isList = Array.isArray(value);
  if (!isList && ![Object.prototype, null].includes(Object.getPrototypeOf(value) as null)) throw new ArgoError('BAD REQUEST', 'arguments are plain objects');
  const keys = isList ? Array.from({ length: Math.min(value.length, ARGS_ENTRIES + 1) }, (_, index) => String(index)) : Object.keys(value);
  if (keys.length > ARGS_ENTRIES) throw new ArgoError('BAD REQUEST', 'there are too many arguments');
  const entries = keys.map((key): [string, unknown] => [key, plainCopy((value as Record<string, unknown>)[key], depth - 1)]);
  if (isList) return entries.map(([, one]) => one);
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, one] of entries) if (one !== undefined) copy[key] = one;
  return copy;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}
