import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '../config/edit.js';
import { makeFolder } from '../kit/folders.js';
import { knownHostsLine } from '../protocols/ssh/host-keys.js';
import { makeKeyPair } from '../protocols/ssh/key-pair.js';
import { keyOf, type HostRecord } from './records.js';

const OWN_MODE = 0o600;

/** The server's own pair of keys, and the keys of the hosts that were approved: files of the state folder, for this user alone. */
export class OwnKeys {
  readonly #folder: string;

  constructor(stateDir: string) {
    this.#folder = join(stateDir, 'enrolment');
  }

  get privateKeyFile(): string {
    return join(this.#folder, 'id_ed25519');
  }

  /** A file for each host: a provider is opened anew where its files have changed, and others are none of its business. */
  knownHostsFile(name: string): string {
    return join(this.#hostsFolder, name);
  }

  /** The public key in one line; the pair is made where there is none. @throws Error of the file system */
  async publicKey(): Promise<string> {
    const file = `${this.privateKeyFile}.pub`;
    if (!existsSync(this.privateKeyFile) || !existsSync(file)) {
      makeFolder(this.#folder);
      const pair = await makeKeyPair('argo-server');
      // the public one first: a pair of which only that is there is made anew
      replaceFile(file, `${pair.publicKey}\n`, OWN_MODE);
      replaceFile(this.privateKeyFile, pair.privateKey, OWN_MODE);
    }
    return readFileSync(file, 'utf8').trim();
  }

  /** @throws Error of the file system */
  privateKey(): string {
    return readFileSync(this.privateKeyFile, 'utf8');
  }

  /** Notes a host's key, in place of the one that its name had. @throws Error of the file system */
  pin(record: HostRecord): void {
    makeFolder(this.#hostsFolder);
    replaceFile(this.knownHostsFile(record.name), `${lineOf(record)}\n`, OWN_MODE);
  }

  /** @throws Error of the file system */
  unpin(name: string): void {
    rmSync(this.knownHostsFile(name), { force: true });
  }

  get #hostsFolder(): string {
    return join(this.#folder, 'known_hosts');
  }
}

/** A host's key as a line of known_hosts. */
export const lineOf = (record: HostRecord): string => knownHostsLine(record.host, record.port, keyOf(record));
