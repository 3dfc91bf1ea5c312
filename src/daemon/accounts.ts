import { existsSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { hashPassword } from '../auth/passwords.js';
import { newToken, tokenHash } from '../auth/tokens.js';
import type { Config, GrantSettings } from '../config/config.js';
import { ConfigError } from '../config/document.js';
import { replaceFile, withAccount, withoutAccount, withoutToken, withPassword, withToken } from '../config/edit.js';
import { readConfigFile } from '../config/file.js';
import { accountNames, parseConfig } from '../config/load.js';
import { ACCOUNT_NAME, TOKEN_NAME } from '../config/schema.js';
import { parseDuration } from '../config/values.js';
import { makeFolder } from '../kit/folders.js';
import { openLoaders } from './loaders.js';
import { defaultStateDir, findConfig, firstPasswordFile, OWN_ACCOUNT, ownAccountsFile } from './places.js';
import { readNewPassword } from './terminal.js';

/** What a plugin has to say while it is loaded is the server's business. */
const parse = (file: string, source: string): Promise<Config> => parseConfig(file, source, defaultStateDir(), openLoaders(() => undefined).catalogues);

const parseOrFaults = (file: string, source: string): Promise<Config | ConfigError> => parse(file, source).catch((error: unknown) => {
  if (error instanceof ConfigError) return error;
  throw error;
});

export interface TokenWish {
  readonly name: string;
  readonly instances: readonly string[];
  readonly commands: readonly string[];
  readonly expires: string | undefined;
}

function untilWords(expires: number | undefined): string {
  if (expires === undefined) return '';
  return ` ${expires > Date.now() ? 'until' : 'expired'} ${new Date(expires).toISOString()}`;
}

/** `argo-server account …`: changes of the accounts in the configuration file. */
export class AccountEditor {
  readonly #file: string;
  readonly #source: string;
  readonly #accounts: ReadonlySet<string>;
  /** the file as it stands, or what is wrong with it */
  readonly #before: Config | ConfigError;

  private constructor(file: string, source: string, before: Config | ConfigError) {
    this.#file = file;
    this.#source = source;
    this.#accounts = accountNames(file, source);
    this.#before = before;
  }

  /**
   * @param asked the configuration file, if one was named
   * @throws ConfigError where the file cannot be read, or is not TOML. Other faults do not matter: an account that
   * is not there, or a password in plain text, is one of them, and these commands are what mends it
   */
  static async open(asked: string | undefined): Promise<AccountEditor> {
    const file = findConfig(asked) ?? ownAccountsFile();
    const source = existsSync(file) || asked !== undefined ? readConfigFile(file) : '';
    return new AccountEditor(file, source, await parseOrFaults(file, source));
  }

  /** A line an account: its name, where it may come from, what it may do. @throws ConfigError */
  list(): string[] {
    if (this.#before instanceof ConfigError) throw this.#before;
    return [...this.#before.accounts.values()].map(({ name, from, grants }) => {
      const networks = from ? ` from ${from.map(({ address, prefix }) => `${address}/${prefix}`).join(' ')}` : '';
      const rights = grants.map(({ instances, commands }) => `${commands.join(',')} on ${instances.join(',')}`).join('; ');
      return `${name}${networks}: ${rights || 'no grants'}`;
    });
  }

  /** @throws Error */
  async add(name: string, grants: readonly GrantSettings[]): Promise<string> {
    if (!ACCOUNT_NAME.form.test(name)) throw new Error(`"${name}" cannot be used as an account's name: ${ACCOUNT_NAME.rule}`);
    if (this.#accounts.has(name)) throw new Error(`there is an account ${name} already; \`account passwd\` changes its password`);
    const rest = await this.#write(withAccount(this.#file, this.#source, name, await hashPassword(await readNewPassword()), grants));
    const hint = grants.length === 0 ? ` It may do nothing yet: add [[accounts.${name}.grants]] there.` : '';
    return `Account ${name} is in ${this.#file}.${hint}${rest}`;
  }

  /** @throws Error */
  async changePassword(name: string): Promise<string> {
    this.#require(name);
    const text = withPassword(this.#file, this.#source, name, await hashPassword(await readNewPassword()));
    if (text === undefined) throw new Error(`cannot find where ${this.#file} sets the password of ${name}; change it by hand`);
    return `The password of ${name} is changed in ${this.#file}.${await this.#writeWithoutFirst(name, text)}`;
  }

  /** @throws Error */
  async remove(name: string): Promise<string> {
    this.#require(name);
    const text = withoutAccount(this.#file, this.#source, name);
    if (text === undefined) throw new Error(`cannot find where ${this.#file} has ${name}; remove it by hand`);
    return `Account ${name} is no longer in ${this.#file}.${await this.#writeWithoutFirst(name, text)}`;
  }

  /**
   * @param expires a duration from now, such as `30d`
   * @returns the token, which is told nowhere else, and what is to be said of it
   * @throws Error
   */
  async addToken(account: string, { name, instances, commands, expires }: TokenWish): Promise<{ readonly token: string; readonly words: string }> {
    this.#require(account);
    if (!TOKEN_NAME.form.test(name)) throw new Error(`"${name}" cannot be used as a token's name: ${TOKEN_NAME.rule}`);
    const ms = expires === undefined ? undefined : parseDuration(expires);
    if (expires !== undefined && !(ms !== undefined && ms > 0)) throw new Error(`--expires: "${expires}" is no duration; write 12h or 30d`);
    const token = newToken();
    const text = withToken(this.#file, this.#source, account, {
      name,
      hash: tokenHash(token),
      expires: ms === undefined ? undefined : Date.now() + ms,
      instances,
      commands,
    });
    if (text === undefined) throw new Error(`${this.#file} has ${account}, or its tokens, in one line; write it as a table [accounts.${account}] first`);
    const rest = await this.#write(text);
    return { token, words: `Its hash is in ${this.#file}, as ${name} of ${account}; the token itself is shown this once. The server takes it after a reload.${rest}` };
  }

  /** A line a token: whose it is, its name, what it may do of what its account may, until when. @throws ConfigError */
  listTokens(account: string | undefined): string[] {
    if (this.#before instanceof ConfigError) throw this.#before;
    if (account !== undefined) this.#require(account);
    return [...this.#before.accounts.values()].filter(({ name }) => account === undefined || name === account).flatMap(({ name: owner, tokens = [] }) =>
      tokens.map(({ name, instances, commands, expires }) => `${owner} ${name}: ${commands.join(',')} on ${instances.join(',')}${untilWords(expires)}`));
  }

  /** @throws Error */
  async revokeToken(account: string, name: string): Promise<string> {
    this.#require(account);
    const text = withoutToken(this.#file, this.#source, account, name);
    if (text === undefined) throw new Error(`cannot find where ${this.#file} has a token ${name} of ${account}`);
    return `The token ${name} of ${account} is no longer in ${this.#file}. The server refuses it after a reload.${await this.#write(text)}`;
  }

  #require(name: string): void {
    if (!this.#accounts.has(name)) throw new Error(`there is no account ${name} in ${this.#file}`);
  }

  /** As {@link #write}; a first password of that account that was kept is good for nothing from then on. */
  async #writeWithoutFirst(name: string, text: string): Promise<string> {
    const rest = await this.#write(text);
    if (name === OWN_ACCOUNT && this.#file === ownAccountsFile()) rmSync(firstPasswordFile(), { force: true });
    return rest;
  }

  /**
   * Nothing is written that has faults which were not there before.
   * @returns a remark where others are left
   * @throws ConfigError
   */
  async #write(text: string): Promise<string> {
    const after = await parseOrFaults(this.#file, text);
    const left = after instanceof ConfigError ? after.faults : [];
    const known = new Set(this.#before instanceof ConfigError ? this.#before.faults.map(({ message }) => message) : []);
    const added = left.filter(({ message }) => !known.has(message));
    if (added.length > 0) throw new ConfigError(this.#file, added);
    makeFolder(dirname(this.#file));
    replaceFile(this.#file, text);
    return left.length === 0 ? '' : ' The file is not good yet: see `argo-server check`.';
  }
}
