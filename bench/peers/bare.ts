import type { ChildProcess } from 'node:child_process';
import { answered, pidOf, start, stop } from '../process.js';
import { fromRoot } from '../root.js';
import { freePort } from '../../test/support/ports.js';

export interface Server {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  /** processes that it needs beside itself; they end with it */
  readonly helpers?: readonly ChildProcess[];
}

/** Ends servers and what they need. */
export async function stopServers(...servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.flatMap(({ child, helpers = [] }) => [child, ...helpers]).map(stop));
}

/** The end of an Argo reply. */
export const ARGO_END = /^(300|400)( .*)?\r?\n$/m;

/** Starts the bare Node line server. @param request that it is tried with, and what the reply ends with */
export async function startBare(mode: 'line' | 'chunk', reply: string, request = 'nop\n', end = ARGO_END): Promise<Server> {
  const port = await freePort();
  const child = start(process.execPath, [fromRoot('dist', 'bench', 'peers', 'bare-server.js'), String(port), mode],
    { env: { ...process.env, BARE_REPLY: reply } });
  await answered(child, port, request, end);
  return { child, pid: pidOf(child), port };
}
