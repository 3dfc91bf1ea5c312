import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { hashPassword } from '../auth/passwords.js';
import type { Config, GrantSettings } from '../config/config.js';
import { replaceFile, withAccount, withoutAccount, withPassword } from '../config/edit.js';
import { parseConfig, readConfigFile } from '../config/load.js';
import { ACCOUNT_NAME } from '../config/schema.js';
import { makeFolder } from '../kit/folders.js';
import { openLoaders } from './loaders.js';
import { defaultStateDir, findConfig, ownAccountsFile } from './places.js';
import { readNewPassword } from './terminal.js';

/** What a plugin has to say while it is loaded is the server's business. */
const parse = (file: string, source: string): Promise<Config> => parseConfig(file, source, defaultStateDir(), openLoaders(() => undefined).catalogues);

/** `argo-server account …`: changes of the accounts in the configuration file. */
export class AccountEditor {
  readonly #file: string;
  readonly #source: string;
  readonly #config: Config;

  private constructor(file: string, source: string, config: Config) {
    this.#file = file;
    this.#source = source;
    this.#config = config;
  }

  /**
   * @param asked the configuration file, if one was named
   * @throws ConfigError where the file is not good as it stands
   */
  static async open(asked: string | undefined): Promise<AccountEditor> {
    const file = findConfig(asked) ?? ownAccountsFile();
    const source = existsSync(file) || asked !== undefined ? readConfigFile(file) : '';
    return new AccountEditor(file, source, await parse(file, source));
  }

  /** A line an account: its name, where it may come from, what it may do. */
  list(): string[] {
    return [...this.#config.accounts.values()].map(({ name, from, grants }) => {
      const networks = from ? ` from ${from.map(({ address, prefix }) => `${address}/${prefix}`).join(' ')}` : '';
      const rights = grants.map(({ instances, commands }) => `${commands.join(',')} on ${instances.join(',')}`).join('; ');
      return `${name}${networks}: ${rights || 'no grants'}`;
    });
  }

  /** @throws Error */
  async add(name: string, grants: readonly GrantSettings[]): Promise<string> {
    if (!ACCOUNT_NAME.test(name)) throw new Error(`"${name}" cannot be used as an account's name`);
    if (this.#config.accounts.has(name)) throw new Error(`there is an account ${name} already; \`account passwd\` changes its password`);
    await this.#write(withAccount(this.#file, this.#source, name, await hashPassword(await readNewPassword()), grants));
    const hint = grants.length === 0 ? ` It may do nothing yet: add [[accounts.${name}.grants]] there.` : '';
    return `Account ${name} is in ${this.#file}.${hint}`;
  }

  /** @throws Error */
  async changePassword(name: string): Promise<string> {
    this.#require(name);
    const text = withPassword(this.#file, this.#source, name, await hashPassword(await readNewPassword()));
    if (text === undefined) throw new Error(`cannot find where ${this.#file} sets the password of ${name}; change it by hand`);
    await this.#write(text);
    return `The password of ${name} is changed in ${this.#file}.`;
  }

  /** @throws Error */
  async remove(name: string): Promise<string> {
    this.#require(name);
    const text = withoutAccount(this.#file, this.#source, name);
    if (text === undefined) throw new Error(`cannot find where ${this.#file} has ${name}; remove it by hand`);
    await this.#write(text);
    return `Account ${name} is no longer in ${this.#file}.`;
  }

  #require(name: string): void {
    if (!this.#config.accounts.has(name)) throw new Error(`there is no account ${name} in ${this.#file}`);
  }

  /** Nothing is written that could not be read again. */
  async #write(text: string): Promise<void> {
    await parse(this.#file, text);
    makeFolder(dirname(this.#file));
    replaceFile(this.#file, text);
  }
}
