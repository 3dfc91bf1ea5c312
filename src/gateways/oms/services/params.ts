import { isIPv4 } from 'node:net';
import * as v from 'valibot';
import { OMS_HOSTS } from '../../../kit/oms-limits.js';
import { DISK_MOST, MEMORY_MOST } from '../../../kit/work-limits.js';

/** The kinds of parameters. What a name means is looked up afterwards, among what the account sees: none reaches a host as it was sent. */

/** Letters, digits and `._-`, from a letter or a digit on: neither a path, nor an option, nor anything that a shell or a terminal would see. */
const WORD = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

const word = (most: number, what: string) => v.pipe(
  v.string(`${what} is expected`), v.maxLength(most, `has more than ${most} characters`),
  v.regex(WORD, `${what} is expected: letters, digits and . _ -, from a letter or a digit on`),
  v.check((text) => !text.includes('..'), `${what} has no ".."`),
);

/** As a manager may have named a machine: not only what could be a new name. */
const KNOWN_NAME = /^[^\p{C}\p{Zl}\p{Zp}/"'\\]{1,128}$/u;

/** The id of a container of old was a number, and was sent as one. One that JSON cannot hold exactly would name another machine. */
const numberAsText = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.transform(String));

const NO_MACHINE = 'a name of a machine is expected';

export const hostName = v.pipe(v.string('a name of a host is expected'), v.regex(KNOWN_NAME, 'a name of a host is expected'));
export const machineName = v.union([numberAsText, v.pipe(v.string(), v.regex(KNOWN_NAME, NO_MACHINE))], NO_MACHINE);
export const newMachine = word(64, 'a name of a machine');
export const templateName = word(128, 'a name of a template');
export const imageFile = word(128, 'a name of a file');
export const interfaceName = v.pipe(v.string('a name of an interface is expected'), v.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,14}$/, 'a name of an interface is expected'));
/** What a client leaves empty. */
const empty = v.literal('');

export const address = v.pipe(v.string('an address is expected'), v.check(isIPv4, 'an address is expected, such as 192.168.1.10'));
export const addressOrNone = v.union([empty, address], 'an address or "" is expected');
/** 0.0.0.0: on the link itself */
export const gateway = v.pipe(address, v.transform((text) => (text === '0.0.0.0' ? undefined : text)));

/** Bits of a mask; undefined where it is none. */
function prefixOf(mask: string): number | undefined {
  if (!isIPv4(mask)) return undefined;
  const bits = mask.split('.').map((part) => Number(part).toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? bits.indexOf('0') === -1 ? 32 : bits.indexOf('0') : undefined;
}

/** `255.255.255.0` in the call, 24 in the program. */
export const netmask = v.pipe(v.string('a netmask is expected'), v.check((text) => prefixOf(text) !== undefined, 'a netmask is expected, such as 255.255.255.0'), v.transform((text) => prefixOf(text)!));
export const netmaskOrNone = v.union([v.pipe(empty, v.transform(() => undefined)), netmask], 'a netmask or "" is expected');
/** The mask of so many bits, as {@link netmask} reads it. */
export const maskOf = (prefix: number): string => [0, 8, 16, 24].map((from) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefix - from)))).join('.');

/** A whole number, as one or in digits. */
export const wholeText = (least: number, most: number) => v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,15}$/), v.transform(Number))], 'a whole number is expected'),
  v.integer('a whole number is expected'), v.minValue(least, `must be at least ${least}`), v.maxValue(most, `must be at most ${most}`),
);

export const port = wholeText(1, 65_535);

const MEGABYTE = 1024n ** 2n;
const GIGABYTE = 1024n ** 3n;

/** A size in MB, which none of the works behind refuses in bytes. @param most bytes */
const megabytesTo = (most: bigint) => v.pipe(wholeText(1, Number(most / MEGABYTE)), v.transform((count) => BigInt(count) * MEGABYTE));
export const diskMegabytes = megabytesTo(DISK_MOST);
export const memoryMegabytes = megabytesTo(MEMORY_MOST);
export const inMegabytes = (bytes: bigint): string => String(bytes / MEGABYTE);
export const gigabytesOrNone = v.union([v.pipe(empty, v.transform(() => undefined)), v.pipe(wholeText(1, Number(DISK_MOST / GIGABYTE)), v.transform((count) => BigInt(count) * GIGABYTE))], 'a size in GB or "" is expected');

/** `yes`, or nothing. */
export const yesOrNone = v.pipe(v.picklist(['yes', 'no', ''], '"yes" or "" is expected'), v.transform((text) => text === 'yes'));

/** Not `v.record`, which leaves out keys such as `prototype`: a setting that nobody knows is to be refused, not dropped. */
export const settings = v.custom<Readonly<Record<string, unknown>>>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'a dictionary of settings is expected');

export const hostNames = v.pipe(v.array(hostName, 'a list of hosts is expected'), v.minLength(1, 'names no host'), v.maxLength(OMS_HOSTS, `has more than ${OMS_HOSTS} hosts`));

export const userName = v.pipe(v.string('a name is expected'), v.maxLength(256, 'is too long'));
export const password = v.pipe(v.string('a password is expected'), v.maxLength(1024, 'is too long'));
