import * as v from 'valibot';
import type { Catalogue, Catalogues } from './catalogue.js';
import { circles } from './circles.js';
import type { AccountSettings, GatewaySettings, ProviderSettings, ServerSettings, TriggerSettings } from './config.js';
import { fingerprint } from './fingerprint.js';
import { groupFault } from './group-words.js';
import type { Groups } from '../kit/patterns.js';
import type { NameForm, Reader } from './reader.js';
import { GATEWAY_NAME, gatewayEntries, noAccount, PROVIDER_NAME, providerEntries, TRIGGER_NAME, triggerEntries } from './schema.js';
import { readSecret, secretKey, secretNames, type SecretOptions } from './secret.js';
import type { Endpoint } from './values.js';

/** Where TLS is to be spoken there must be a certificate. */
export function checkTls(reader: Reader, path: readonly string[], table: Readonly<Record<string, unknown>>): void {
  const { 'tls-listen': places, 'tls-cert': cert, 'tls-key': key } = table;
  if (Array.isArray(places) && places.length > 0 && (cert === undefined || key === undefined)) {
    reader.fault([...path, 'tls-listen'], 'tls-listen needs tls-cert and tls-key');
  }
}

/** A kind of table of which each names a type, and the type brings keys of its own. */
interface TypedTables {
  readonly table: 'providers' | 'gateways' | 'triggers';
  /** what a type is, for people */
  readonly noun: string;
  readonly name: NameForm;
  /** the keys that all of them take */
  readonly entries: v.ObjectEntries;
}

const PROVIDERS: TypedTables = { table: 'providers', noun: 'driver', name: PROVIDER_NAME, entries: providerEntries };
const GATEWAYS: TypedTables = { table: 'gateways', noun: 'gateway', name: GATEWAY_NAME, entries: gatewayEntries };
const TRIGGERS: TypedTables = { table: 'triggers', noun: 'trigger', name: TRIGGER_NAME, entries: triggerEntries };

/** One such table, checked: its name, its type, what its keys yielded, and what tells it from its successor. */
type TypedTable = Pick<GatewaySettings, 'name' | 'type' | 'fingerprint'> & { readonly options: Record<string, unknown> };

async function readTyped(reader: Reader, { table, noun, name: names, entries }: TypedTables, catalogue: Catalogue): Promise<TypedTable[]> {
  const found: TypedTable[] = [];
  for (const [name, value] of reader.names(table, names)) {
    const path = [table, name];
    const type = (value as { type?: unknown } | undefined)?.type;
    if (typeof type !== 'string') {
      reader.fault(path, `${table}.${name} needs a type: one of ${catalogue.types().join(', ')}`);
      continue;
    }
    const own = await catalogue.options(type);
    if (own === undefined) {
      reader.fault([...path, 'type'], `there is no ${noun} for type "${type}"; there are ${catalogue.types().join(', ')}`);
      continue;
    }
    const options = reader.parse(v.strictObject({ ...own, ...entries }), value, path) as Record<string, unknown> | undefined;
    if (options === undefined) continue;
    for (const secret of secretNames(own)) {
      try {
        readSecret(options as SecretOptions<string>, secret);
      } catch (error) {
        reader.fault([...path, secretKey(options, secret)], (error as Error).message);
      }
    }
    for (const fault of await catalogue.faults?.(type, options) ?? []) {
      reader.faults.push(fault.file === undefined ? { message: fault.message, position: reader.positionOf([...path, ...fault.path ?? []]) } : fault);
    }
    found.push({ name, type, options, fingerprint: fingerprint(value) });
  }
  return found;
}

export async function readProviders(reader: Reader, catalogue: Catalogue): Promise<Map<string, ProviderSettings>> {
  const tables = await readTyped(reader, PROVIDERS, catalogue);
  return new Map(tables.map((table) => {
    const common = table.options as v.InferOutput<v.ObjectSchema<typeof providerEntries, undefined>>;
    const { lease } = common;
    return [table.name, { ...table, actionTimeout: common['action-timeout'], pollInterval: common['poll-interval'], concurrency: common.concurrency, ...(lease !== undefined && { lease }) }];
  }));
}

const isEmpty = (places: unknown): boolean => Array.isArray(places) && places.length === 0;

/** A gateway cannot listen where the line protocol or another one of its kind does. Port 0 is another one each time. */
function checkPlaces(reader: Reader, gateways: readonly TypedTable[], server: ServerSettings, makesCertificate: (type: string) => boolean): void {
  const nameOf = ({ host, port }: Endpoint): string => `${host} ${port}`;
  const taken = new Set([...server.listen, ...server.tlsListen].filter(({ port }) => port !== 0).map(nameOf));
  // those of one type would stand in each other's way; others may share an address, each below a path of its own
  const byPlace = new Map<string, string>();
  for (const { name, type, options } of gateways) {
    if (!makesCertificate(type)) checkTls(reader, ['gateways', name], options);
    if (isEmpty(options.listen) && isEmpty(options['tls-listen'])) reader.fault(['gateways', name], 'listen and tls-listen are both empty');
    for (const key of ['listen', 'tls-listen']) {
      const places = options[key];
      if (!Array.isArray(places)) continue;
      (places as Endpoint[]).forEach((place, index) => {
        if (taken.has(nameOf(place))) reader.fault(['gateways', name, key, index], 'the line protocol listens there');
        const mine = `${type} ${nameOf(place)} ${String(options.path)}`;
        const other = place.port === 0 ? undefined : byPlace.get(mine);
        if (other !== undefined && other !== name) reader.fault(['gateways', name, key, index], `the gateway ${other} is there already`);
        byPlace.set(mine, name);
      });
    }
  }
}

/** What a gateway's own `account` names must be there, and whom it takes users of this host for: it would work on nobody's behalf. */
function checkAccounts(reader: Reader, gateways: readonly TypedTable[], accounts: ReadonlyMap<string, AccountSettings>): void {
  for (const { name, options: { account, 'local-users': users = {} } } of gateways) {
    if (typeof account === 'string' && !accounts.has(account)) reader.fault(['gateways', name, 'account'], noAccount(account));
    if (typeof users !== 'object' || users === null) continue;
    for (const [user, one] of Object.entries(users)) if (typeof one === 'string' && !accounts.has(one)) reader.fault(['gateways', name, 'local-users', user], noAccount(one));
  }
}

const byName = <One extends { readonly name: string }>(all: readonly One[]): Map<string, One> => new Map(all.map((one) => [one.name, one]));

/** The gateways; no catalogue is opened where there is none. */
export async function readGateways(
  reader: Reader,
  catalogues: Catalogues,
  accounts: ReadonlyMap<string, AccountSettings>,
  server: ServerSettings | undefined,
): Promise<Map<string, GatewaySettings>> {
  if (Object.keys(reader.table('gateways')).length === 0) return new Map();
  const catalogue = await catalogues.gateways(server?.pluginPath ?? []);
  const gateways = await readTyped(reader, GATEWAYS, catalogue);
  checkAccounts(reader, gateways, accounts);
  const makers = new Set<string>();
  for (const { type } of gateways) if (await catalogue.makesCertificate(type)) makers.add(type);
  if (server) checkPlaces(reader, gateways, server, (type) => makers.has(type));
  return byName(gateways);
}

/** The triggers, each plan that they name checked to be one of them; no catalogue is opened where there is none. */
export async function readTriggers(reader: Reader, catalogues: Catalogues, plans: ReadonlySet<string>, groups: Groups): Promise<Map<string, TriggerSettings>> {
  if (Object.keys(reader.table('triggers')).length === 0) return new Map();
  const catalogue = await catalogues.triggers();
  const triggers = await readTyped(reader, TRIGGERS, catalogue);
  const links: PlanLink[] = [];
  for (const { name, type, options } of triggers) {
    const [begun, heard] = [await catalogue.plans(type, options), await catalogue.hears(type, options)];
    for (const { plan, path } of [...begun, ...heard]) {
      if (!plans.has(plan)) reader.fault(['triggers', name, ...path], `there is no plan ${plan}`);
    }
    for (const { group, path } of await catalogue.groups(type, options)) {
      const fault = groupFault(`@${group}`, groups);
      if (fault !== undefined) reader.fault(['triggers', name, ...path], fault);
    }
    for (const { plan, path } of heard) links.push({ from: plan, to: begun.map((one) => one.plan), path: ['triggers', name, ...path] });
  }
  checkLinks(reader, links);
  return byName(triggers);
}

/** What a run of one plan makes triggers begin. */
interface PlanLink {
  readonly from: string;
  readonly to: readonly string[];
  /** of the key that says so */
  readonly path: readonly (string | number)[];
}

/** Plans that begin each other by their own events would never end. */
function checkLinks(reader: Reader, links: readonly PlanLink[]): void {
  const next = (plan: string): string[] => links.filter(({ from }) => from === plan).flatMap(({ to }) => to);
  for (const way of circles(new Set(links.map(({ from }) => from)), next)) {
    const { path } = links.find(({ from, to }) => from === way[0] && to.includes(way[1]!))!;
    reader.fault(path, way.length === 2 ? `the plan ${way[0]} would begin itself, without end` : `these plans would begin each other, without end: ${way.join(', then ')}`);
  }
}
