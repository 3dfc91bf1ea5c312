import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import * as v from 'valibot';
import type { TableFault } from '../../config/catalogue.js';
import { ArgoError } from '../../kit/errors.js';
import { readRegularFile } from '../../kit/regular-file.js';
import { MacError, parseMac } from '../../protocols/wol/mac.js';
import type { Log } from '../../kit/log.js';
import { hostAddress, type HostEntry } from './options.js';

/** A file with many hosts: its size in bytes, and that of a list that is worth reading. */
const FILE_SIZE = 16 * 1024 * 1024;

/** A place in a hosts file, both numbers counted from 1. */
export interface LinePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface HostsFile {
  readonly hosts: readonly HostEntry[];
  /** where each of them stands, by its name */
  readonly places: ReadonlyMap<string, LinePlace>;
  /** lines that cannot be understood: the hosts of the others are there all the same */
  readonly faults: readonly (LinePlace & { readonly message: string })[];
}

export const placeText = ({ file, line, column }: LinePlace): string => `${file}:${line}:${column}`;

/** Refuses a line. @param word of it, where it is that one that is wrong */
type Fail = (what: string, word?: string) => never;

class LineFault extends Error {
  constructor(message: string, readonly word: string | undefined) {
    super(message);
  }
}

/**
 * Reads a hosts file: a host a line, `NAME [ADDRESS] [MAC] [board=ADDRESS]`, with `#` before comments.
 * Without an address the name is the address.
 */
export function parseHostsFile(file: string, source: string): HostsFile {
  const hosts = new Map<string, HostEntry>();
  const places = new Map<string, LinePlace>();
  const faults: (LinePlace & { message: string })[] = [];
  const fail: Fail = (what, word) => { throw new LineFault(what, word); };
  source.split(/\r?\n/).forEach((line, index) => {
    const words = line.replace(/#.*/, '').trim().split(/\s+/);
    const [name = ''] = words;
    if (name === '') return;
    const place = (word: string): LinePlace => ({ file, line: index + 1, column: line.indexOf(word) + 1 });
    try {
      const entry = parseWithBoard(words, fail);
      if (hosts.has(entry.name)) fail(`there are two hosts of the name "${entry.name}"`);
      hosts.set(entry.name, entry);
      places.set(entry.name, place(name));
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      faults.push({ ...place(error.word ?? name), message: error.message });
    }
  });
  return { hosts: [...hosts.values()], places, faults };
}

/** Where the host's management board is, may stand anywhere behind its name. */
const BOARD = 'board=';

function parseWithBoard([name = '', ...words]: readonly string[], fail: Fail): HostEntry {
  const [board, ...more] = words.filter((word) => word.startsWith(BOARD)).map((word) => word.slice(BOARD.length));
  if (more.length > 0) fail('one board is expected', `${BOARD}${more[0]}`);
  if (board === '') fail('an address is expected after board=', BOARD);
  const entry = parseLine([name, ...words.filter((word) => !word.startsWith(BOARD))], fail);
  return board === undefined ? entry : { ...entry, board: checkAddress(board, fail) };
}

function parseLine([name = '', ...words]: readonly string[], fail: Fail): HostEntry {
  const [first, second, ...more] = words;
  if (more.length > 0) fail('a name, an address and a MAC address are expected', more[0]);
  if (first === undefined) return { name, address: checkAddress(name, fail) };
  if (second !== undefined) return { name, address: checkAddress(first, fail), mac: checkMac(second, fail) };
  return isMac(first) ? { name, address: checkAddress(name, fail), mac: checkMac(first, fail) } : { name, address: checkAddress(first, fail) };
}

/** A word that is meant for a MAC address rather than for a host. */
const isMac = (word: string): boolean => isIP(word) === 0 && /^(?:[\da-f]{1,4}[:-]){2,}[\da-f]{1,4}$|^(?:[\da-f]{4}\.){2}[\da-f]{4}$|^[\da-f]{12}$/i.test(word);

const checkAddress = (word: string, fail: Fail): string =>
  (v.is(hostAddress, word) ? word : fail(`"${word}" is neither a host name nor an IP address`, word));

function checkMac(word: string, fail: Fail): string {
  try {
    return parseMac(word);
  } catch (error) {
    return fail(error instanceof MacError ? `"${word}": ${error.message}` : String(error), word);
  }
}

/** @throws ArgoError FAILED where it cannot be read */
function readHostsFile(file: string): HostsFile {
  try {
    return parseHostsFile(file, readRegularFile(file, FILE_SIZE).toString());
  } catch (error) {
    throw new ArgoError('FAILED', (error as Error).message, { cause: error });
  }
}

/** What the options of a provider of many hosts say of them. */
export interface ListedHosts<Entry extends HostEntry> {
  readonly hosts: readonly Entry[];
  readonly 'hosts-file'?: string | undefined;
  /** the table for all their management boards */
  readonly power?: object | undefined;
}

/**
 * What a driver has against the address of a provider that is one host.
 * @param refuse throws an ArgoError for an address that it cannot use
 */
export function faultsOfAddress(refuse: () => void): TableFault[] {
  try {
    refuse();
    return [];
  } catch (error) {
    if (!(error instanceof ArgoError)) throw error;
    return [{ message: error.detail, path: ['address'] }];
  }
}

/**
 * What is wrong with the hosts of a provider beyond its table: in its hosts file, or in the eyes of its driver.
 * @param refuse throws an ArgoError for a host that there cannot be
 */
export function faultsOfHosts<Entry extends HostEntry>(
  options: ListedHosts<Entry>,
  refuse: (entry: Entry | HostEntry) => void = () => undefined,
): TableFault[] {
  const reasonOf = (entry: Entry | HostEntry): string | undefined => {
    if (entry.board !== undefined && entry.power === undefined && options.power === undefined)
      return `${entry.name}: its board is used only where the provider has the key power`;
    try {
      refuse(entry);
      return undefined;
    } catch (error) {
      if (!(error instanceof ArgoError)) throw error;
      return `${entry.name}: ${error.detail}`;
    }
  };
  const faults: TableFault[] = options.hosts.flatMap((entry, index) => {
    const message = reasonOf(entry);
    return message === undefined ? [] : [{ message, path: ['hosts', index] }];
  });
  if (options['hosts-file'] === undefined) return faults;
  try {
    const file = readHostsFile(options['hosts-file']);
    const refused = file.hosts.flatMap((entry) => {
      const [message, place] = [reasonOf(entry), file.places.get(entry.name)];
      return message === undefined || place === undefined ? [] : [{ ...place, message }];
    });
    const inFile = [...file.faults, ...refused].sort((one, other) => one.line - other.line);
    return [
      ...faults,
      ...inFile.map(({ file: name, line, column, message }) => ({ message, file: name, position: { line, column } })),
    ];
  } catch (error) {
    if (!(error instanceof ArgoError)) throw error;
    return [...faults, { message: error.detail, path: ['hosts-file'] }];
  }
}

/** The hosts of a provider: those of its table and those of its file, which is read again when it changes. */
export class HostList<Entry extends HostEntry> {
  #stamp = '';
  #file: HostsFile = { hosts: [], places: new Map(), faults: [] };
  #complaint: string | undefined;
  readonly #options: ListedHosts<Entry>;
  readonly #log: Log;

  constructor(options: ListedHosts<Entry>, log: Log) {
    this.#options = options;
    this.#log = log;
    warnOfSharedMacs(options.hosts, log);
  }

  /**
   * Where the file has become unreadable, what it said before holds on, with a warning. A line that cannot be
   * understood is left out, with a warning.
   * @throws ArgoError FAILED where it could never be read
   */
  read(): readonly (Entry | HostEntry)[] {
    const { hosts, 'hosts-file': file } = this.#options;
    if (file === undefined) return hosts;
    try {
      this.#refresh(file);
      this.#complaint = undefined;
    } catch (error) {
      if (!(error instanceof ArgoError) || this.#stamp === '') throw error;
      if (this.#complaint !== error.detail) this.#log('warn', 'the hosts file is not used as it is now', { reason: error.detail });
      this.#complaint = error.detail;
    }
    const names = new Set(hosts.map(({ name }) => name));
    return [...hosts, ...this.#file.hosts.filter(({ name }) => !names.has(name))];
  }

  /** Where a host stands in the file: `FILE:LINE:COLUMN`. */
  placeOf(entry: HostEntry): string | undefined {
    const place = (this.#options.hosts as readonly HostEntry[]).includes(entry) ? undefined : this.#file.places.get(entry.name);
    return place && placeText(place);
  }

  #refresh(file: string): void {
    const stamp = stampOf(file);
    if (stamp !== '' && stamp === this.#stamp) return;
    const before = new Set(this.#file.faults.map(faultText));
    this.#file = readHostsFile(file);
    this.#stamp = stamp;
    for (const fault of this.#file.faults) {
      if (!before.has(faultText(fault))) this.#log('warn', 'a host is left out', { line: placeText(fault), reason: fault.message });
    }
    warnOfSharedMacs([...this.#options.hosts, ...this.#file.hosts], this.#log);
  }
}

const faultText = (fault: LinePlace & { message: string }): string => `${placeText(fault)} ${fault.message}`;

/** Changes when the file does; empty where it cannot be seen. */
function stampOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

/** Tells of MAC addresses that several hosts have: a magic packet for one would wake another. */
function warnOfSharedMacs(hosts: readonly HostEntry[], log: Log): void {
  const names = new Map<string, string[]>();
  for (const { name, mac } of hosts) {
    if (mac === undefined) continue;
    names.set(mac, [...(names.get(mac) ?? []), name]);
  }
  for (const [mac, bearers] of names) {
    if (bearers.length > 1) log('warn', 'several hosts have the same MAC address: a start of one may wake another', { mac, hosts: bearers });
  }
}
