import { createHash } from 'node:crypto';
import * as v from 'valibot';
import type { Catalogue } from './catalogue.js';
import type { AccountSettings, GatewaySettings } from './config.js';
import { fingerprint } from './fingerprint.js';
import { groupFault } from './group-words.js';
import { GATEWAY_NAME, noAccount } from './schema.js';
import { readSecret, secretKey, secretNames, type SecretOptions } from './secret.js';

/**
 * The tables `[[webhooks]]`. Each is a gateway of the type `webhooks` with a name that no table
 * `[gateways.NAME]` can have: {@link WEBHOOK_PREFIX} and the webhook's own.
 */

export const WEBHOOK_TYPE = 'webhooks';
export const WEBHOOK_PREFIX = 'webhooks/';

type Path = readonly (string | number)[];

/** What reads tables and notes what is wrong with them. */
interface TableReader {
  fault(path: Path, message: string): void;
  parse<Schema extends v.GenericSchema>(schema: Schema, value: unknown, path: Path): v.InferOutput<Schema> | undefined;
}

/** What else a webhook may name. */
export interface WebhookSurroundings {
  readonly accounts: ReadonlyMap<string, AccountSettings>;
  readonly groups: ReadonlyMap<string, unknown>;
  /** the tables `[gateways.NAME]` */
  readonly gateways: ReadonlyMap<string, GatewaySettings>;
}

interface Common {
  readonly name?: string;
  readonly url?: URL;
  readonly account?: string;
  readonly instances?: readonly string[];
}

const name = v.optional(v.pipe(v.string('text in quotes is expected'), v.regex(GATEWAY_NAME.form, `cannot be used as a name: ${GATEWAY_NAME.rule}`)));

/**
 * @param content the whole file
 * @param load yields the gateways that there are; asked where there is a webhook
 */
export async function readWebhooks(
  reader: TableReader,
  content: unknown,
  load: () => Promise<Catalogue>,
  surroundings: WebhookSurroundings,
): Promise<ReadonlyMap<string, GatewaySettings>> {
  const { webhooks: value } = content as { readonly webhooks?: unknown };
  for (const one of surroundings.gateways.values())
    if (one.type === WEBHOOK_TYPE) checkGroups(reader, ['gateways', one.name], one.options, surroundings);
  const found = new Map<string, GatewaySettings>();
  if (value === undefined) return found;
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'object')) {
    reader.fault(['webhooks'], 'webhooks must be tables: [[webhooks]]');
    return found;
  }
  const catalogue = await load();
  const entries = { ...(await catalogue.options(WEBHOOK_TYPE)), name };
  for (const [index, table] of (value as unknown[]).entries()) {
    const path = ['webhooks', index];
    const options = reader.parse(v.strictObject(entries), table, path) as Common | undefined;
    if (options === undefined) continue;
    checkSecrets(reader, path, entries, options);
    checkNames(reader, path, options, surroundings);
    for (const { message, path: inner = [] } of (await catalogue.faults?.(WEBHOOK_TYPE, options)) ?? [])
      reader.fault([...path, ...inner], message);
    const called = options.name ?? nameOf(options.url!);
    const whole = `${WEBHOOK_PREFIX}${called}`;
    if (found.has(whole)) reader.fault(path, `there is another webhook ${called}: give each a name`);
    else if (surroundings.gateways.get(called)?.type === WEBHOOK_TYPE)
      reader.fault(path, `the gateway ${called} is a webhook, too: give each a name`);
    found.set(whole, { name: whole, type: WEBHOOK_TYPE, options, fingerprint: fingerprint(table) });
  }
  return found;
}

/** A name that stays the same while the URL does, and tells its host only: the rest may be secret. */
const nameOf = (url: URL): string => `${url.hostname.replace(/[^A-Za-z0-9.-]/g, '').slice(0, 40) || 'host'}-${createHash('sha256').update(url.href).digest('hex').slice(0, 8)}`;

function checkSecrets(reader: TableReader, path: Path, entries: v.ObjectEntries, options: object): void {
  for (const secret of secretNames(entries)) {
    try {
      readSecret(options as SecretOptions<string>, secret);
    } catch (error) {
      reader.fault([...path, secretKey(options, secret)], (error as Error).message);
    }
  }
}

function checkNames(reader: TableReader, path: Path, options: Common, surroundings: WebhookSurroundings): void {
  const { account } = options;
  if (account !== undefined && !surroundings.accounts.has(account)) reader.fault([...path, 'account'], noAccount(account));
  checkGroups(reader, path, options, surroundings);
}

function checkGroups(reader: TableReader, path: Path, { instances = [] }: Common, { groups }: WebhookSurroundings): void {
  instances.forEach((word, index) => {
    const fault = groupFault(word, groups);
    if (fault !== undefined) reader.fault([...path, 'instances', index], fault);
  });
}
