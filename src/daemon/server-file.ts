import { accessSync, constants, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Catalogues } from '../config/catalogue.js';
import type { Config } from '../config/config.js';
import { replaceFile, withoutProvider, withProvider, type ProviderKeys } from '../config/edit.js';
import { readConfigFile } from '../config/file.js';
import { parseConfig } from '../config/load.js';
import type { ServerConfiguration } from '../enrolment/desk.js';
import { defaultStateDir } from './places.js';

export interface ServerFileParts {
  /** as the server goes by it now */
  config(): Config;
  readonly catalogues: Catalogues;
  /** Has the server read its file again. @throws Error where it refuses that */
  reload(): Promise<void>;
}

/** The file of the server that runs, with providers that come and go by enrolment. Whatever else is in it stays as it is. */
export class ServerFile implements ServerConfiguration {
  readonly #parts: ServerFileParts;

  constructor(parts: ServerFileParts) {
    this.#parts = parts;
  }

  has(provider: string): boolean {
    return this.#parts.config().providers.has(provider);
  }

  async check(provider: string): Promise<void> {
    const file = this.#file;
    const { providers } = await this.#parse(readConfigFile(file));
    if (providers.has(provider)) throw new Error(`there is a provider ${provider} in ${file} already`);
    const target = realpathSync(file);
    accessSync(target, constants.W_OK);
    // another file takes its place
    accessSync(dirname(target), constants.W_OK);
  }

  async add(provider: string, keys: ProviderKeys, remark: string): Promise<void> {
    const file = this.#file;
    const before = readConfigFile(file);
    const text = withProvider(file, before, provider, keys, remark);
    if (text === undefined) throw new Error(`${file} has all its providers in one line; write them as tables [providers.NAME] first`);
    await this.#change(before, text);
  }

  async remove(provider: string): Promise<void> {
    const before = readConfigFile(this.#file);
    const text = withoutProvider(this.#file, before, provider);
    if (text !== undefined) await this.#change(before, text);
  }

  /** A file that the server refuses is put back: it would not start with it. */
  async #change(before: string, text: string): Promise<void> {
    const file = this.#file;
    await this.#parse(text);
    // somebody may have saved it while it was looked through
    if (readConfigFile(file) !== before) throw new Error(`${file} was changed by somebody else at the same moment`);
    replaceFile(file, text);
    try {
      await this.#parts.reload();
    } catch (error) {
      if (readConfigFile(file) === text) replaceFile(file, before);
      throw error;
    }
  }

  async #parse(text: string): Promise<Config> {
    return parseConfig(this.#file, text, defaultStateDir(), this.#parts.catalogues);
  }

  get #file(): string {
    const { file } = this.#parts.config();
    if (file === undefined) throw new Error('there is no configuration file');
    return file;
  }
}
