import { isIP } from 'node:net';
import * as v from 'valibot';
import { passwordEntries, readPassword } from '../../config/secret.js';
import { text, whole } from '../../config/values.js';
import { CIPHER_SUITES, ipmiLacks, LONGEST_PASSWORD, LONGEST_USER, PRIVILEGES } from '../../protocols/ipmi/ipmitool.js';
import { loginEntries, PLAIN_PASSWORD } from '../tls/options.js';

/** The key `power`: the management board that switches a host. */

export const IPMI_PORT = 623;

/** What a place may hold for the names of each host. */
const NAMES = /\{(name|address|board)\}/g;

const hasUnknownName = (value: string): boolean => /[{}]/.test(value.replace(NAMES, ''));

/** A place of one board, or of each host's by its names. */
const place = v.pipe(text, v.check((value) => !hasUnknownName(value), 'only {name}, {address} and {board} stand for something'));

const boardHost = v.pipe(place, v.regex(/^[a-z\d:{][\w.:%{}-]*$/i, 'a host name or an IP address is expected'));

const isRootUrl = (value: string): boolean => {
  const url = value.replace(NAMES, 'host.example');
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && /^\/?$/.test(new URL(url).pathname + new URL(url).search + new URL(url).hash);
};

const boardUrl = v.pipe(
  place,
  v.check(isRootUrl, 'a URL such as "https://bmc1.example" is expected, without a path'),
  v.check((value) => !isRootUrl(value) || new URL(value.replace(NAMES, 'host.example')).username === '', 'user and password do not belong into the URL'),
);

const bytesAtMost = (most: number, what: string) => v.check((value: string) => Buffer.byteLength(value) <= most, `IPMI has ${most} bytes for ${what}`);

const ipmiTable = v.strictObject({
  type: v.literal('ipmi'),
  host: v.optional(boardHost, '{board}'),
  port: v.optional(whole(1, 65_535), IPMI_PORT),
  user: v.pipe(text, bytesAtMost(LONGEST_USER, 'a user')),
  ...passwordEntries,
  privilege: v.optional(v.picklist(PRIVILEGES, '"user", "operator" or "administrator" is expected'), 'operator'),
  'cipher-suite': v.optional(v.picklist(CIPHER_SUITES, '3 or 17 is expected')),
});

const redfishTable = v.strictObject({
  type: v.literal('redfish'),
  url: v.optional(boardUrl, 'https://{board}'),
  ...loginEntries,
  /** its id, where the board has several */
  system: v.optional(text),
});

export type PowerTable = v.InferOutput<typeof ipmiTable> | v.InferOutput<typeof redfishTable>;

/** Why a board could not be used; undefined where it can. */
function faultOf(table: PowerTable): string | undefined {
  if (table.type === 'ipmi') {
    const lack = ipmiLacks();
    if (lack !== undefined) return lack;
  } else if (!table.insecure && table.url.startsWith('http:')) {
    return PLAIN_PASSWORD;
  }
  try {
    const password = readPassword(table)?.reveal();
    if (password === undefined) return 'a password, password-file or password-env is missing';
    return table.type === 'ipmi' && Buffer.byteLength(password) > LONGEST_PASSWORD ? `IPMI has ${LONGEST_PASSWORD} bytes for a password` : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const placeOf = (table: PowerTable): string => (table.type === 'ipmi' ? table.host : table.url);

/** For all hosts of a provider. */
export const powerTable = v.pipe(
  v.variant('type', [ipmiTable, redfishTable], '{ type = "ipmi", … } or { type = "redfish", … } is expected'),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? faultOf(dataset.value) : undefined;
    if (fault !== undefined) addIssue({ message: fault });
  }),
);

/** For one host, whose board has to be told. */
export const ownPowerTable = v.pipe(
  powerTable,
  v.check((table) => !placeOf(table).includes('{board}'), (issue) => `the board's ${(issue.input as PowerTable).type === 'ipmi' ? 'host' : 'url'} is missing`),
);

/** The names by which the place of a host's board may be given. */
export interface BoardNames {
  readonly name: string;
  readonly address: string;
  readonly board?: string | undefined;
}

/**
 * The board of one host, by what is said for all.
 * @returns undefined for a host of which no board is told
 */
export function powerOf(table: PowerTable, names: BoardNames): PowerTable | undefined {
  if (names.board === undefined && placeOf(table).includes('{board}')) return undefined;
  const fill = (inUrl: boolean) => (_: string, key: string): string => {
    const value = names[key as keyof BoardNames] ?? '';
    return inUrl && isIP(value) === 6 ? `[${value}]` : value;
  };
  return table.type === 'ipmi'
    ? { ...table, host: table.host.replace(NAMES, fill(false)) }
    : { ...table, url: table.url.replace(NAMES, fill(true)) };
}
