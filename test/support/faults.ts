import bcrypt from 'bcrypt';
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import type { Test } from 'tap';
import type { Daemon } from './daemon.js';
import { connect, LineClient } from './line-client.js';

/** What the tests of faults have in common: one account that may do everything, and looks at the process. */

export const PASSWORD = 'correct-horse';
/** A test that waits for many replies on a busy machine, ms. */
export const LONG = 120_000;
/** Up to the end of a reply, as it came. */
export const RAW_REPLY = /^(300|400)( .*)?\r?\n/m;
export const NOP = '200 OK\n300 DONE\n';

/** The account `admin`, as TOML. */
export const ADMIN = `[accounts.admin]
password = "${bcrypt.hashSync(PASSWORD, 12)}"
[[accounts.admin.grants]]
instances = ["*"]
commands = ["*"]
`;

/** A connection that is logged in as `admin`. */
export async function logIn(daemon: Daemon): Promise<LineClient> {
  const client = await connect(daemon.port);
  const reply = await client.ask(`auth admin ${PASSWORD}`, LONG);
  if (reply.code !== 300) throw new Error(`login failed: ${reply.comment}`);
  return client;
}

/** A connection from another address of this machine, such as 127.0.0.2. */
export function connectFrom(address: string, port: number): Promise<LineClient> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ port, host: '127.0.0.1', localAddress: address, noDelay: true, allowHalfOpen: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(LineClient.over(socket));
    });
  });
}

/** The daemon serves a newcomer, and its log holds no fault of its own. */
export async function goesOn(t: Test, daemon: Daemon, message: string): Promise<void> {
  const newcomer = await connect(daemon.port);
  newcomer.line('nop');
  t.equal(await newcomer.expect(RAW_REPLY), NOP, message);
  newcomer.destroy();
  t.notMatch(daemon.stderr(), /INTERNAL ERROR|unhandled|uncaught|"level":(50|60|"error"|"fatal")/i, 'no fault in the log');
}

/** Resident memory of the daemon, MB of 10^6 bytes; from proc_pid_status(5). */
export function residentMegabytes(daemon: Daemon): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) * 1024 / 1e6;
}

/** Files and sockets that the daemon has open. */
export const descriptors = (daemon: Daemon): number => readdirSync(`/proc/${daemon.pid}/fd`).length;

/** Writes a file until nothing more fits. */
export function fillDisk(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 4096; size >= 1;) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch {
        size >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
}
