import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { hashPassword } from '../auth/passwords.js';
import type { Config } from '../config/config.js';
import { replaceFile, withAccount } from '../config/edit.js';
import { readConfigFile } from '../config/file.js';
import { parseConfig } from '../config/load.js';
import { makeFolder } from '../kit/folders.js';
import { discover, type Finding } from './discovery.js';
import type { Loaders } from './loaders.js';
import { defaultStateDir, firstPasswordFile, OWN_ACCOUNT, ownAccountsFile } from './places.js';

/** A start without a configuration file: this machine's providers, one account, loopback only. */
export interface OwnConfig {
  readonly config: Config;
  readonly findings: readonly Finding[];
  /** the account admin was made just now */
  readonly isAccountNew: boolean;
}

/** A secret for who has started the server: as it is, where a person looks on; else where it is kept. */
export type Handed = { readonly shown: string } | { readonly file: string };

/** The link that logs in once, as {@link firstPasswordFile}. */
const linkFile = (): string => join(defaultStateDir(), 'page-link');
/** By the file descriptor: to ask for Node's stream makes it. */
const STDOUT = 1;

/** What is printed may end up in a log, unless a person looks on. */
const isWatched = (): boolean => isatty(STDOUT);

/**
 * Keeps a secret where this user alone can read it; one of an earlier start is replaced.
 * @throws Error of the file system
 */
function keep(secret: string, file: string): void {
  // made anew and put in its place: what is there would keep its mode, and a link would lead elsewhere
  const made = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(made, `${secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(made, file);
  } finally {
    rmSync(made, { force: true });
  }
}

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

/** Makes the account where there is none yet, with a random password that is kept until a start shows it. @returns whether it did */
async function ensureAccount(): Promise<boolean> {
  const file = ownAccountsFile();
  if (existsSync(file)) return false;
  const password = Array.from({ length: PASSWORD_LENGTH }, () => PASSWORD_CHARACTERS[randomInt(PASSWORD_CHARACTERS.length)]).join('');
  const note = '# Accounts of a start without a configuration file; `argo-server account` changes them.\n';
  makeFolder(dirname(file));
  const hash = await hashPassword(password);
  // before the account: one whose password nobody knows would stay
  keep(password, firstPasswordFile());
  replaceFile(file, withAccount(file, note, OWN_ACCOUNT, hash, [{ instances: ['*'], commands: ['*'] }]));
  return true;
}

/**
 * @param isAnyPort the line protocol is to have a port of the kernel's choice: the page then has one, too
 * @throws ConfigError, or Error where the state folder cannot be written
 */
export async function ownConfig({ catalogues }: Loaders, isAnyPort: boolean): Promise<OwnConfig> {
  pagePort ??= isAnyPort ? Promise.resolve(0) : findPagePort();
  const [isAccountNew, findings, port] = await Promise.all([ensureAccount(), discover(), pagePort]);
  const usable = findings.filter(({ instances }) => instances !== undefined);
  const isEmpty = usable.every(({ instances }) => instances === 0);
  const text = [readConfigFile(ownAccountsFile()), ...usable.map(providerTable), isEmpty ? DEMO_TABLE : '', pageTable(port)].join('\n');
  const config = await parseConfig(ownAccountsFile(), text, defaultStateDir(), catalogues);
  return { config: { ...config, file: undefined }, findings: isEmpty ? [...findings, DEMO] : findings, isAccountNew };
}

/** What only this machine can reach. */
const LOOPBACK = /^(127\.|\[::1\])/;

/** How the server can be reached, and by which password. */
export interface Ways {
  readonly address: string;
  /** the first one of the account admin, where it still has that; undefined where nobody is told any more */
  readonly password: Handed | undefined;
  /** the page's address, and a link that logs in there once, where that could be handed over; undefined where there is no page */
  readonly page: { readonly address: string; readonly link: Handed | undefined } | undefined;
}

/**
 * The first password, of this start or of one before that has not shown it: it may have failed, or had no person to show it to.
 * Only to be asked for when it is printed next, since what is shown is kept no longer.
 */
export function firstPassword(): Handed | undefined {
  const file = firstPasswordFile();
  if (!existsSync(file)) return undefined;
  if (!isWatched()) return { file };
  try {
    const shown = readFileSync(file, 'utf8').trim();
    rmSync(file);
    return { shown };
  } catch {
    return { file };
  }
}

/** @param code that logs in once */
export function pageAt(address: string, code: string): Ways['page'] {
  const link = `http://${address}/#login=${code}`;
  try {
    if (isWatched()) {
      rmSync(linkFile(), { force: true });
      return { address, link: { shown: link } };
    }
    keep(link, linkFile());
    return { address, link: { file: linkFile() } };
  } catch {
    // a disk that is full keeps nobody from logging in by password
    return { address, link: undefined };
  }
}

const passwordLine = (isNew: boolean, password: Handed | undefined): string => {
  const made = `The account ${OWN_ACCOUNT} was made${isNew ? '' : ' at an earlier start'}`;
  if (password === undefined) return `${made}; \`argo-server account passwd ${OWN_ACCOUNT}\` gives it a new password.`;
  if ('shown' in password) return `${made}. Its password is shown this once: ${password.shown}`;
  return `${made}. Its password is in ${password.file}, for this user alone; remove that file when you have read it.`;
};

const pageLines = ({ address, link }: NonNullable<Ways['page']>): string[] => (link !== undefined && 'shown' in link
  ? [`The page, with a link that logs ${OWN_ACCOUNT} in once, within an hour:`, '', `  ${link.shown}`]
  : [`The page is http://${address}/.${link === undefined ? '' : ` A link that logs ${OWN_ACCOUNT} in once, within an hour, is in ${link.file}.`}`]);

/** What a person reads who has just started the server for the first time. */
export function greeting({ findings, isAccountNew, config }: OwnConfig, version: string, { address, password, page }: Ways): string {
  const lines = [`argo-server ${version} listens on ${address}${LOOPBACK.test(address) ? ', for this machine only' : ''}. There is no configuration file, so it looked around:`, ''];
  for (const { name, title, instances, reason } of findings) {
    lines.push(reason === undefined ? `  ${name.padEnd(6)}${title}: ${instances} ${instances === 1 ? 'instance' : 'instances'}` : `  -     ${title}: no, ${reason}`);
  }
  const names = config.providers.has('demo') ? 'lj' : 'NAME';
  const [host, port] = [address.slice(0, address.lastIndexOf(':')), address.slice(address.lastIndexOf(':') + 1)];
  lines.push('', passwordLine(isAccountNew, password));
  if (page !== undefined) lines.push('', ...pageLines(page));
  lines.push('', 'A session to paste:', '', `  telnet ${host.replace(/[[\]]/g, '')} ${port}`, '  list',
    `  auth ${OWN_ACCOUNT} ${password !== undefined && 'shown' in password ? password.shown : 'PASSWORD'}`, `  status ${names}`, `  pause ${names}`, `  unpause ${names}`, '  exit', '');
  return `${lines.join('\n')}\n`;
}
