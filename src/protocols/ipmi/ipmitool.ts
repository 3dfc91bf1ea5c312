import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { FairPlaces } from '../../kit/fair-places.js';
import { within } from '../../kit/within.js';
import { BoardError } from '../board/errors.js';
import { explainOutput } from './errors.js';

/** IPMI 2.0 over the network (RMCP+), by Debian's `ipmitool`: a process a command. */

const PROGRAM = 'ipmitool';
/** Where it is kept; used where our own environment names no folders. */
const FOLDERS = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Processes at a time, of all boards, each of which takes some MB and some ms of CPU: for orders, for looks at boards
 * that have answered, and at those that have not. A silent board holds its place for seconds, and there may be many.
 */
const PROCESSES = { orders: 8, looks: 12, doubtful: 12 };
/** Of one board, which has room for few sessions. */
const MOST_A_BOARD = { orders: 1, looks: 2 };
const MOST_WAITING = 16_384;
/** Bytes of a process's output. */
const OUTPUT_LIMIT = 64 * 1024;

/**
 * A look: seconds for the answer to a message the first time, one more each time; how often each is sent; and
 * milliseconds for all. A silent board costs the first message in both versions of IPMI: 6 s.
 */
const LOOK = { seconds: 1, sent: 2, limit: 8_000 };
/** An order: each message is sent once, since ipmitool would send an order anew whose answer is late. */
const ORDER = { seconds: 4, sent: 1, limit: 25_000 };
/** Sessions that are tried for one order: until it is open, nothing was sent, and packets get lost. */
const OPENINGS = 2;

/** Bytes (IPMI 2.0, 22.28 and 22.30). */
export const LONGEST_USER = 16;
export const LONGEST_PASSWORD = 20;

export const PRIVILEGES = ['user', 'operator', 'administrator'] as const;

/** Those of which the password is proven, packets are signed and encrypted: by SHA-1, and by SHA-256 (IPMI 2.0, table 22-20). */
export const CIPHER_SUITES = [3, 17] as const;

export interface IpmiAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly privilege: (typeof PRIVILEGES)[number];
  /** undefined: the best of those that the board offers, which costs it one more question a command */
  readonly cipherSuite: (typeof CIPHER_SUITES)[number] | undefined;
}

/** What a chassis can be told (IPMI 2.0, 28.3), in ipmitool's words. */
export type ChassisOrder = 'on' | 'off' | 'reset' | 'soft';

export interface CallOptions {
  readonly password: string;
  readonly signal: AbortSignal;
  /** one of a listing: people go first */
  readonly background?: boolean;
}

const placesFor = (places: number, held: number): FairPlaces => new FairPlaces({ places, waiting: MOST_WAITING, groups: [{ held }] });
const orders = placesFor(PROCESSES.orders, MOST_A_BOARD.orders);
const looks = placesFor(PROCESSES.looks, MOST_A_BOARD.looks);
const doubtfulLooks = placesFor(PROCESSES.doubtful, MOST_A_BOARD.looks);

/** Whether the last look at a board was answered; of those that have been looked at. */
const hasAnswered = new WeakMap<IpmiAccess, boolean>();

/** The full path of ipmitool; undefined where this machine has none. */
export function findIpmitool(): string | undefined {
  return (process.env.PATH ?? FOLDERS).split(delimiter).filter((folder) => folder !== '').map((folder) => join(folder, PROGRAM)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why IPMI cannot be spoken on this machine; undefined where it can. */
export const ipmiLacks = (): string | undefined => (findIpmitool() === undefined ? `type "ipmi" needs the program ${PROGRAM}: apt-get install ipmitool` : undefined);

/** Whether the machine is on, as its board says. @throws BoardError, ArgoError BUSY, the signal's reason */
export async function chassisPower(access: IpmiAccess, options: CallOptions): Promise<'on' | 'off'> {
  const places = hasAnswered.get(access) ?? options.background !== true ? looks : doubtfulLooks;
  try {
    const output = await run(access, ['status'], LOOK, places, options);
    const state = /^Chassis Power is (on|off)$/m.exec(output)?.[1];
    if (state === undefined) throw explainOutput(output, false);
    hasAnswered.set(access, true);
    return state as 'on' | 'off';
  } catch (error) {
    if (error instanceof BoardError) hasAnswered.set(access, error.fault !== 'silent');
    throw error;
  }
}

/**
 * Gives an order, once. Resolves when the board has taken it on.
 * @throws BoardError: `lost` where it may have been carried out; each other fault where it was not
 */
export async function chassisOrder(access: IpmiAccess, order: ChassisOrder, options: CallOptions): Promise<void> {
  for (let left = OPENINGS - 1; ; left -= 1) {
    const output = await run(access, [order], ORDER, orders, options);
    if (/^Chassis Power Control: /m.test(output)) return;
    const error = explainOutput(output, true);
    if (error.fault !== 'silent' || left === 0 || options.signal.aborted) throw error;
  }
}

interface Pace {
  readonly seconds: number;
  readonly sent: number;
  readonly limit: number;
}

/** @returns all that it printed */
async function run(
  access: IpmiAccess,
  command: readonly string[],
  pace: Pace,
  places: FairPlaces,
  { password, signal, background = false }: CallOptions,
): Promise<string> {
  if (Buffer.byteLength(password) > LONGEST_PASSWORD)
    throw new BoardError('login refused', `the password is longer than the ${LONGEST_PASSWORD} bytes that IPMI has for it`);
  const isOrder = pace === ORDER;
  const free = await places.take(signal, [`${access.host}:${access.port}`], isOrder || !background);
  try {
    const program = findIpmitool();
    if (program === undefined) throw new BoardError('no program', ipmiLacks() ?? '');
    return await within(pace.limit, [signal], (limit) =>
      outputOf(program, [...argumentsOf(access, pace), 'chassis', 'power', ...command], password, limit),
    );
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    if (isOrder) throw new BoardError('lost', 'the board did not answer in time');
    signal.throwIfAborted();
    throw new BoardError('silent', 'the board does not answer in time');
  } finally {
    free();
  }
}

/** Its process was ended before it had ended by itself. */
class Killed extends Error {}

/** -v makes it tell why a session could not be opened. The password comes by the environment, which only root and we can read. */
function argumentsOf({ host, port, user, privilege, cipherSuite }: IpmiAccess, { seconds, sent }: Pace): string[] {
  return [
    '-v', '-I', 'lanplus', '-H', host, '-p', String(port), '-U', user, '-E', '-L', privilege.toUpperCase(),
    '-N', String(seconds), '-R', String(sent), ...(cipherSuite === undefined ? [] : ['-C', String(cipherSuite)]),
  ];
}

function outputOf(program: string, args: readonly string[], password: string, signal: AbortSignal): Promise<string> {
  const options = {
    signal, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT, cwd: '/',
    // Nothing else of our environment: it may hold others' passwords.
    env: { PATH: FOLDERS, LC_ALL: 'C', IPMI_PASSWORD: password },
  } as const;
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code === 'string' && error.code === 'ENOENT') reject(new BoardError('no program', ipmiLacks() ?? `${program} is gone`));
      else if (error && (signal.aborted || error.signal !== undefined && error.signal !== null)) reject(new Killed());
      else resolve(`${stdout}\n${stderr}`);
    }).stdin?.end();
  });
}
