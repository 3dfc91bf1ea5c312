import type { FleetSettings } from '../config/config.js';
import { ConfigError, parseDocument } from '../config/document.js';
import { readFleetTable } from '../config/fleet.js';
import { readConfigFile } from '../config/file.js';
import { Reader } from '../config/reader.js';
import { readSecret, type SecretOptions } from '../config/secret.js';
import { checkBus } from '../fleet/admin/check.js';
import { connectOnce, refusingServers, type AdminConnection } from '../fleet/admin/connection.js';
import { initStore } from '../fleet/admin/init.js';
import { keyInFile } from '../fleet/admin/key-file.js';
import { ADMIN_NAME, permissionBlock, type Member } from '../fleet/admin/rights.js';
import type { LinkOptions } from '../fleet/bus-link.js';
import { isApart } from '../fleet/parts.js';
import { NkeySigner } from '../fleet/signer.js';
import { DEFAULT_CHOICES, type StoreChoices } from '../fleet/store-layout.js';
import { inboxPrefix } from '../fleet/subjects.js';
import { FLEET_COPIES } from '../kit/fleet-limits.js';
import { parseSize } from '../kit/text.js';
import { findConfig } from './places.js';

/** `argo-server fleet`: what prepares a fleet's bus, and looks whether it is as it should be. */

/** What is to be printed, and whether all is well. */
export interface FleetReport {
  readonly lines: readonly string[];
  /** what is no fault and is to be known */
  readonly warnings: readonly string[];
  readonly faults: readonly string[];
}

interface Table {
  readonly fleet: FleetSettings;
  readonly leases: readonly string[];
}

/** `[fleet]` of the configuration, whatever else is in the file: the key need not be there yet. @throws ConfigError, Error */
function readTable(config: string | undefined): Table {
  const file = findConfig(config);
  if (file === undefined) throw new Error('there is no configuration file; name one with --config');
  const document = parseDocument(file, readConfigFile(file));
  if (!Object.hasOwn(document.content as object, 'fleet')) throw new Error(`${file} has no table [fleet]: write it first, see docs/fleet.md`);
  const reader = new Reader(document);
  const fleet = readFleetTable(reader);
  const leases = Object.values(reader.table('providers')).flatMap((provider) => {
    const { lease } = (provider ?? {}) as { readonly lease?: unknown };
    return typeof lease === 'string' ? [lease] : [];
  });
  if (fleet === undefined || reader.faults.length > 0) throw new ConfigError(file, reader.faults);
  return { fleet, leases };
}

const memberOf = ({ fleet, leases }: Table): Member => ({ name: fleet.name, parts: [...fleet.roles], leases });
const ADMIN: Member = { name: ADMIN_NAME, parts: ['admin'], leases: [] };

/**
 * Makes a key where there is none, and shows what the bus has to know of it.
 * @param admin a file for the key of who administers the bus; undefined: the server's own, as the configuration names it
 */
export function fleetKey(config: string | undefined, admin: string | undefined): FleetReport {
  const table = admin === undefined ? readTable(config) : undefined;
  const file = admin ?? table?.fleet.nkey['nkey-file'];
  if (file === undefined) throw new Error('[fleet] names no nkey-file, in which the key could be');
  const { publicKey, isNew } = keyInFile(file);
  const member = table === undefined ? ADMIN : memberOf(table);
  return {
    lines: [
      `${publicKey}`, '', `# in nats-server.conf, ${isApart(member.parts) ? 'behind the account FLEET, as one beside it' : 'among the users of the account FLEET'}:`, permissionBlock(member, publicKey),
      ...(table === undefined ? [] : peerTables(member, publicKey)),
    ],
    warnings: isNew ? [`${file} was made, readable by this user alone; ${table === undefined ? 'keep it where no server runs' : 'if the server runs as another one, chown it'}`] : [], faults: [],
  };
}

/** What others write of this one. */
function peerTables({ name, parts }: Member, publicKey: string): string[] {
  return parts.flatMap((part) => {
    const [where, table] = part === 'front' ? ['at each site that is to obey it', 'fronts'] : ['at fronts that are to know it by its key', 'sites'];
    const grants = part === 'front' ? ['grants = [{ instances = ["*"], commands = ["read", "power"] }]'] : [];
    return [`# in argo-server.conf ${where}:`, `[[fleet.${table}]]`, `name = "${name}"`, `public-key = "${publicKey}"`, ...grants, ''];
  });
}

/** Connects as the server itself, or as who administers the bus, by the key in a file. */
async function connected<Result>(
  { fleet, leases }: Table,
  adminKey: string | undefined,
  work: (admin: AdminConnection, member: Member, options: LinkOptions) => Promise<Result>,
): Promise<Result> {
  const member = adminKey === undefined ? memberOf({ fleet, leases }) : ADMIN;
  const signer = signerOf(adminKey === undefined ? fleet.nkey : { 'nkey-file': adminKey });
  const options: LinkOptions = {
    servers: fleet.servers,
    caFile: fleet.caFile,
    signer,
    name: `argo-server fleet ${member.name}`,
    inboxPrefix: inboxPrefix(member.name),
    isApart: isApart(member.parts),
  };
  const admin = await connectOnce(options);
  try {
    return await work(admin, member, options);
  } finally {
    await admin.close();
  }
}

function signerOf(options: SecretOptions<'nkey'>): NkeySigner {
  const seed = readSecret(options, 'nkey');
  if (seed === undefined) throw new Error('[fleet] names no key; `argo-server fleet key` makes one');
  try {
    return new NkeySigner(seed.reveal());
  } catch (error) {
    const { 'nkey-file': file } = options;
    throw file === undefined ? error : new Error(`${file}: ${(error as Error).message}`, { cause: error });
  }
}

export interface InitOptions {
  readonly config: string | undefined;
  /** the file with the key of who administers the bus */
  readonly admin: string;
  readonly replicas: number;
  readonly eventsSize: string | undefined;
  readonly auditSize: string | undefined;
  /** whether what is there with other settings is to be changed */
  readonly change: boolean;
}

/** Makes the buckets and streams. */
export async function fleetInit(options: InitOptions): Promise<FleetReport> {
  const choices = choicesOf(options);
  const made = await connected(readTable(options.config), options.admin, (admin) => initStore(admin, choices, options.change));
  return {
    lines: made.filter(({ isGood }) => isGood).map(({ words }) => words), warnings: [],
    faults: made.filter(({ isGood }) => !isGood).map(({ words }) => words),
  };
}

function choicesOf({ replicas, eventsSize, auditSize }: InitOptions): StoreChoices {
  if (!FLEET_COPIES.includes(replicas)) throw new Error(`--replicas: one of ${FLEET_COPIES.join(', ')} is expected`);
  return { replicas, eventsSize: sizeOf('--events-size', eventsSize, DEFAULT_CHOICES.eventsSize), auditSize: sizeOf('--audit-size', auditSize, DEFAULT_CHOICES.auditSize) };
}

function sizeOf(option: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const bytes = Number(parseSize(text) ?? 0);
  if (bytes <= 0 || !Number.isSafeInteger(bytes)) throw new Error(`${option}: a size is expected, such as 1GiB`);
  return bytes;
}

/** Looks at the bus as the server itself, or as who administers it. */
export async function fleetCheck(config: string | undefined, adminKey: string | undefined): Promise<FleetReport> {
  const table = readTable(config);
  const { place, found, refusing } = await connected(table, adminKey, async (admin, member, options) => ({
    place: `connected to ${admin.connection.getServer()} (nats-server ${admin.connection.info?.version}) as ${adminKey === undefined ? member.name : 'who administers the bus'}, ${options.signer.publicKey}`,
    refusing: await refusingServers(options),
    found: await checkBus(admin, member, adminKey === undefined ? table.fleet.sites : undefined),
  }));
  const words = (level: string): string[] => found.filter((one) => one.level === level).map((one) => one.words);
  return { lines: [place, ...words('good')], warnings: [...refusing, ...words('note')], faults: words('fault') };
}
