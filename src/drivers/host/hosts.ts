import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import * as v from 'valibot';
import { ArgoError } from '../../kit/errors.js';
import { MacError, parseMac } from '../../protocols/wol/mac.js';
import type { Log } from '../../kit/log.js';
import { hostAddress, type HostEntry } from './options.js';

/** A file with many hosts: its size in bytes, and that of a list that is worth reading. */
const FILE_SIZE = 16 * 1024 * 1024;

/**
 * Reads a hosts file: a host a line, `NAME [ADDRESS] [MAC] [board=ADDRESS]`, with `#` before comments.
 * Without an address the name is the address.
 * @throws ArgoError FAILED with the line where it cannot be understood
 */
export function parseHostsFile(file: string, source: string): HostEntry[] {
  const hosts = new Map<string, HostEntry>();
  source.split(/\r?\n/).forEach((line, index) => {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    if (words[0] === '') return;
    const fail = (what: string): never => { throw new ArgoError('FAILED', `${file} line ${index + 1}: ${what}`); };
    const entry = parseWithBoard(words, fail);
    if (hosts.has(entry.name)) fail(`there are two hosts of the name "${entry.name}"`);
    hosts.set(entry.name, entry);
  });
  return [...hosts.values()];
}

/** Where the host's management board is, may stand anywhere behind its name. */
const BOARD = 'board=';

function parseWithBoard([name = '', ...words]: readonly string[], fail: (what: string) => never): HostEntry {
  const [board, ...more] = words.filter((word) => word.startsWith(BOARD)).map((word) => word.slice(BOARD.length));
  if (more.length > 0) fail('one board is expected');
  const entry = parseLine([name, ...words.filter((word) => !word.startsWith(BOARD))], fail);
  return board === undefined ? entry : { ...entry, board: checkAddress(board, fail) };
}

function parseLine([name = '', ...words]: readonly string[], fail: (what: string) => never): HostEntry {
  const [first, second, ...more] = words;
  if (more.length > 0) fail('a name, an address and a MAC address are expected');
  if (first === undefined) return { name, address: checkAddress(name, fail) };
  if (second !== undefined) return { name, address: checkAddress(first, fail), mac: checkMac(second, fail) };
  return isMac(first) ? { name, address: checkAddress(name, fail), mac: checkMac(first, fail) } : { name, address: checkAddress(first, fail) };
}

/** A word that is meant for a MAC address rather than for a host. */
const isMac = (word: string): boolean => isIP(word) === 0 && /^(?:[\da-f]{1,4}[:-]){2,}[\da-f]{1,4}$|^(?:[\da-f]{4}\.){2}[\da-f]{4}$|^[\da-f]{12}$/i.test(word);

const checkAddress = (word: string, fail: (what: string) => never): string =>
  (v.is(hostAddress, word) ? word : fail(`"${word}" is neither a host name nor an IP address`));

function checkMac(word: string, fail: (what: string) => never): string {
  try {
    return parseMac(word);
  } catch (error) {
    return fail(error instanceof MacError ? `"${word}": ${error.message}` : String(error));
  }
}

/** The hosts of a provider: those of its table and those of its file, which is read again when it changes. */
export class HostList<Entry extends HostEntry> {
  #stamp = '';
  #fromFile: readonly HostEntry[] = [];
  #complaint: string | undefined;
  readonly #given: readonly Entry[];
  readonly #file: string | undefined;
  readonly #log: Log;

  constructor(given: readonly Entry[], file: string | undefined, log: Log) {
    this.#given = given;
    this.#file = file;
    this.#log = log;
  }

  /**
   * Where the file has become unreadable, what it said before holds on, with a warning.
   * @throws ArgoError FAILED where it could never be read
   */
  read(): readonly (Entry | HostEntry)[] {
    if (this.#file === undefined) return this.#given;
    try {
      this.#refresh(this.#file);
      this.#complaint = undefined;
    } catch (error) {
      const problem = error instanceof ArgoError ? error : new ArgoError('FAILED', `${this.#file} cannot be read`, { cause: error });
      if (this.#stamp === '') throw problem;
      if (this.#complaint !== problem.detail) this.#log('warn', 'the hosts file is not used as it is now', { reason: problem.detail });
      this.#complaint = problem.detail;
    }
    const names = new Set(this.#given.map(({ name }) => name));
    return [...this.#given, ...this.#fromFile.filter(({ name }) => !names.has(name))];
  }

  #refresh(file: string): void {
    const { mtimeMs, size, ino } = statSync(file);
    const stamp = `${mtimeMs} ${size} ${ino}`;
    if (stamp === this.#stamp) return;
    if (size > FILE_SIZE) throw new ArgoError('FAILED', `${file} is too large for a list of hosts`);
    this.#fromFile = parseHostsFile(file, readFileSync(file, 'utf8'));
    this.#stamp = stamp;
    warnOfSharedMacs([...this.#given, ...this.#fromFile], this.#log);
  }
}

/** Tells of MAC addresses that several hosts have: a magic packet for one would wake another. */
export function warnOfSharedMacs(hosts: readonly HostEntry[], log: Log): void {
  const names = new Map<string, string[]>();
  for (const { name, mac } of hosts) {
    if (mac === undefined) continue;
    names.set(mac, [...(names.get(mac) ?? []), name]);
  }
  for (const [mac, bearers] of names) {
    if (bearers.length > 1) log('warn', 'several hosts have the same MAC address: a start of one may wake another', { mac, hosts: bearers });
  }
}
