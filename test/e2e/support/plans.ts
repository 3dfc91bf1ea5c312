import { spawnSync } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Daemon, type DaemonOptions, startDaemon } from '../../support/daemon.js';
import { ADMIN, logIn, LONG, PASSWORD } from '../../support/faults.js';
import type { LineClient } from '../../support/line-client.js';
import { fromRoot } from '../../support/paths.js';
import { until } from '../../support/until.js';

/** Runs of plans as an operator sees them: by `plan`, by `watch` and in the audit. */

/** For what a plan has to come to on a busy machine, ms. */
export const WITHIN = LONG;

/** `admin`, who may do everything, and `ups`, with which plans work and nobody logs in. */
export const ACCOUNTS = `${ADMIN}
[accounts.ups]
${/^password = .*$/m.exec(ADMIN)![0]}
from = []
grants = [{ instances = ["*"], commands = ["power", "read"] }]
`;

/** A line of `argo-server audit --json`. */
export interface Entry {
  readonly id: number;
  readonly account: string;
  readonly command: string;
  readonly instance: string;
  readonly outcome: string | null;
  readonly [fact: string]: unknown;
}

/** What `watch` tells, as it comes. */
class Story {
  readonly #socket: Socket;
  #text = '';

  constructor(t: Test, { port }: Daemon) {
    this.#socket = createConnection(port, '127.0.0.1');
    t.after(() => this.#socket.destroy());
    this.#socket.setEncoding('utf8').on('data', (chunk: string) => { this.#text += chunk; }).on('error', () => undefined);
    this.#socket.write(`auth admin ${PASSWORD}\nwatch\n`);
  }

  /** Its lines without cursor and time. */
  get lines(): string[] {
    return [...this.#text.matchAll(/^[0-9a-f]{6}-\d+ \d{4}-\S+Z (.*)\r?$/gm)].map(([, rest = '']) => rest.trimEnd());
  }

  /** Where a line like this stands, -1 where there is none. */
  at(line: RegExp): number {
    return this.lines.findIndex((one) => line.test(one));
  }

  async until(line: RegExp, withinMs = WITHIN): Promise<void> {
    await until(() => this.at(line) >= 0, withinMs, `${line} in what watch tells:\n${this.lines.join('\n')}\n`).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\nnow:\n${this.lines.join('\n')}`);
    });
  }
}

export interface Session {
  readonly daemon: Daemon;
  readonly client: LineClient;
  readonly story: Story;
  /** what a request comes to, as a person reads it */
  ask(request: string): Promise<string>;
}

/** A daemon on a folder that stays, one who asks it, and one who watches. */
export async function open(t: Test, options: DaemonOptions & { readonly folder: string }): Promise<Session> {
  const daemon = await startDaemon(options);
  t.after(() => daemon.stop());
  const story = new Story(t, daemon);
  const client = await logIn(daemon);
  t.after(() => client.destroy());
  return { daemon, client, story, ask: (request) => client.answer(request, WITHIN) };
}

/** Ends a daemon as a power cut of its host does. */
export async function killHard({ daemon }: Session): Promise<void> {
  daemon.signal('SIGKILL');
  await daemon.exited;
}

/** What the audit of a daemon's folder holds, oldest first. */
export function auditOf(folder: string): Entry[] {
  const { status, stdout, stderr } = spawnSync(process.execPath,
    [fromRoot('bin', 'argo-server.js'), 'audit', '--json', '--config', join(folder, 'argo-server.conf')], { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Error(`the audit cannot be read: ${stderr}`);
  return stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line) as Entry);
}

/** Targets and their states, by the lines of `plan status`. */
export const targetsOf = (status: string): ReadonlyMap<string, string> =>
  new Map([...status.matchAll(/^target \S+ (\S+) \S+ (\S+)/gm)].map(([, instance = '', state = '']) => [instance, state]));

/** Waits until a run has ended. @returns the lines of `plan status` */
export async function ended({ ask }: Pick<Session, 'ask'>, run: string): Promise<string> {
  let status = '';
  await until(async () => {
    status = await ask(`plan status ${run}`);
    return /^run \S+ \S+ (?:done|failed|cancelled|unknown)/.test(status);
  }, WITHIN, `the end of ${run}`).catch((error: unknown) => { throw new Error(`${(error as Error).message}\n${status}`); });
  return status;
}
