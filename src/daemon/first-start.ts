import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { hashPassword } from '../auth/passwords.js';
import type { Config } from '../config/config.js';
import { replaceFile, withAccount } from '../config/edit.js';
import { parseConfig, readConfigFile } from '../config/load.js';
import { makeFolder } from '../kit/folders.js';
import { discover, type Finding } from './discovery.js';
import type { Loaders } from './loaders.js';
import { defaultStateDir, ownAccountsFile } from './places.js';

/** A start without a configuration file: this machine's providers, one account, loopback only. */
export interface OwnConfig {
  readonly config: Config;
  readonly findings: readonly Finding[];
  /** of the account admin, where it was made just now: the only time that it is known */
  readonly newPassword: string | undefined;
}

export const ACCOUNT = 'admin';
const PASSWORD_LENGTH = 20;
/** without characters that look like others */
const PASSWORD_CHARACTERS = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** Machines to look at where there are no others. */
export const DEMO: Finding = {
  name: 'demo',
  title: 'simulated machines',
  table: { type: 'sim' },
  instances: 4,
};
const DEMO_TABLE = `[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "test", state = "off" }, "dev"]
`;

/** The page of a start without a configuration. */
export const PAGE_GATEWAY = 'page';
const PAGE_HOST = '127.0.0.1';
const PAGE_PORT = 8080;

/** The page's port, found once: after a reload it is ours, and no longer free. */
let pagePort: Promise<number> | undefined;

/** From now on the page has a port of the kernel's choice: somebody was quicker to take the one that was free. */
export function leavePagePort(): void {
  pagePort = Promise.resolve(0);
}

/** @returns 0, for one of the kernel's choice, where the usual one is taken */
async function findPagePort(): Promise<number> {
  const server = createServer();
  try {
    await once(server.listen(PAGE_PORT, PAGE_HOST), 'listening');
    return PAGE_PORT;
  } catch {
    return 0;
  } finally {
    server.close();
  }
}

const pageTable = (port: number): string => `[gateways.${PAGE_GATEWAY}]
type = "web"
listen = ["${PAGE_HOST}:${port}"]
`;

const providerTable = ({ name, table }: Finding): string =>
  `[providers.${name}]\n${Object.entries(table).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('')}`;

/** Makes the account with a random password where there is none yet. @returns the password if so */
async function ensureAccount(): Promise<string | undefined> {
  const file = ownAccountsFile();
  if (existsSync(file)) return undefined;
  const password = Array.from({ length: PASSWORD_LENGTH }, () => PASSWORD_CHARACTERS[randomInt(PASSWORD_CHARACTERS.length)]).join('');
  const note = '# Accounts of a start without a configuration file; `argo-server account` changes them.\n';
  makeFolder(dirname(file));
  replaceFile(file, withAccount(file, note, ACCOUNT, await hashPassword(password), [{ instances: ['*'], commands: ['*'] }]));
  return password;
}

/**
 * @param isAnyPort the line protocol is to have a port of the kernel's choice: the page then has one, too
 * @throws ConfigError, or Error where the state folder cannot be written
 */
export async function ownConfig({ catalogues }: Loaders, isAnyPort: boolean): Promise<OwnConfig> {
  pagePort ??= isAnyPort ? Promise.resolve(0) : findPagePort();
  const [newPassword, findings, port] = await Promise.all([ensureAccount(), discover(), pagePort]);
  const usable = findings.filter(({ instances }) => instances !== undefined);
  const isEmpty = usable.every(({ instances }) => instances === 0);
  const text = [readConfigFile(ownAccountsFile()), ...usable.map(providerTable), isEmpty ? DEMO_TABLE : '', pageTable(port)].join('\n');
  const config = await parseConfig(ownAccountsFile(), text, defaultStateDir(), catalogues);
  return { config: { ...config, file: undefined }, findings: isEmpty ? [...findings, DEMO] : findings, newPassword };
}

/** What only this machine can reach. */
const LOOPBACK = /^(127\.|\[::1\])/;

/** Where the server can be reached. */
export interface Places {
  readonly address: string;
  /** the page's address, and a code that logs in there once; undefined where there is no page */
  readonly page: { readonly address: string; readonly code: string } | undefined;
}

/** What a person reads who has just started the server for the first time. */
export function greeting({ findings, newPassword, config }: OwnConfig, version: string, { address, page }: Places): string {
  const lines = [`argo-server ${version} listens on ${address}${LOOPBACK.test(address) ? ', for this machine only' : ''}. There is no configuration file, so it looked around:`, ''];
  for (const { name, title, instances, reason } of findings) {
    lines.push(reason === undefined ? `  ${name.padEnd(6)}${title}: ${instances} ${instances === 1 ? 'instance' : 'instances'}` : `  -     ${title}: no, ${reason}`);
  }
  const names = config.providers.has('demo') ? 'lj' : 'NAME';
  const [host, port] = [address.slice(0, address.lastIndexOf(':')), address.slice(address.lastIndexOf(':') + 1)];
  lines.push('', newPassword === undefined
    ? `The account ${ACCOUNT} was made at an earlier start; \`argo-server account passwd ${ACCOUNT}\` gives it a new password.`
    : `The account ${ACCOUNT} was made. Its password is shown this once: ${newPassword}`);
  if (page !== undefined) lines.push('', `The page, with a link that logs ${ACCOUNT} in once, within an hour:`, '', `  http://${page.address}/#login=${page.code}`);
  lines.push('', 'A session to paste:', '', `  telnet ${host.replace(/[[\]]/g, '')} ${port}`, '  list',
    `  auth ${ACCOUNT} ${newPassword ?? 'PASSWORD'}`, `  status ${names}`, `  pause ${names}`, `  unpause ${names}`, '  exit', '');
  return `${lines.join('\n')}\n`;
}
