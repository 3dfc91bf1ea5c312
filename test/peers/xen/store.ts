import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fromRoot } from '../../support/paths.js';
import { lacks } from '../../support/peers.js';
import { runProgram } from '../../support/programs.js';
import { until } from '../../support/until.js';
import { lacksXen, xenFolder } from './start.js';

/** Xen's own xenstored, over a hypervisor that is none, with its clients xenstore-read and xenconsole. */

const WAIT_MS = 60_000;

/** Why it cannot be had here, for the `skip` option of a test. */
export const lacksStore = (): string | false => lacksXen() || lacks('python3', 'xenstore-read', 'xenstore-exists', 'xenstore-write', 'xenstore-rm');

export interface XenStore {
  /** the clients, each by a script that leads it here */
  readonly xenstoreRead: string;
  readonly xenconsole: string;
  write(path: string, value: string): Promise<void>;
  /** With all below it. */
  remove(path: string): Promise<void>;
  /** Gives a domain a terminal with a guest at it, as xenconsoled does. */
  addTerminal(domid: number): Promise<ChildProcess>;
  stop(): Promise<void>;
}

/** @param folder for what it needs, of the caller */
export async function startStore(folder: string): Promise<XenStore> {
  const run = join(folder, 'store');
  const library = join(folder, 'hypervisor.so');
  await mkdir(run);
  await must('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, fromRoot('test', 'peers', 'xen', 'hypervisor.c'), '-ldl']);
  const bin = await xenFolder();
  const place = { XENSTORED_RUNDIR: run, XENSTORED_PATH: join(run, 'socket') };
  const env = { ...process.env, ...place };
  const daemon = spawn(join(bin, 'xenstored'), ['-N'], { env: { ...env, LD_PRELOAD: library }, stdio: 'ignore' });
  await until(async () => (await runProgram('xenstore-exists', ['/'], { env })).code === 0, WAIT_MS, 'xenstored to answer');
  const guests: ChildProcess[] = [];
  const script = async (name: string, program: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, `#!/bin/sh\n${Object.entries(place).map(([key, value]) => `export ${key}='${value}'\n`).join('')}exec '${program}' "$@"\n`);
    await chmod(path, 0o755);
    return path;
  };
  const store: XenStore = {
    xenstoreRead: await script('xenstore-read', '/usr/bin/xenstore-read'),
    xenconsole: await script('xenconsole', join(bin, 'xenconsole')),
    write: (path, value) => must('xenstore-write', ['-R', path, value], env),
    remove: (path) => must('xenstore-rm', [path], env),
    addTerminal: async (domid) => {
      const guest = spawn('python3', [fromRoot('test', 'peers', 'xen', 'guest.py')], { stdio: ['ignore', 'pipe', 'inherit'] });
      guests.push(guest);
      const [name] = await once(guest.stdout, 'data') as [Buffer];
      await store.write(`/local/domain/${domid}/console/tty`, name.toString().trim());
      return guest;
    },
    stop: async () => {
      for (const process of [...guests, daemon]) {
        if (process.exitCode !== null || process.signalCode !== null) continue;
        process.kill('SIGKILL');
        await once(process, 'exit');
      }
      await rm(run, { recursive: true, force: true });
    },
  };
  return store;
}

async function must(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
  const { code, stderr } = await runProgram(program, args, env === undefined ? {} : { env });
  if (code !== 0) throw new Error(`${program}: ${stderr}`);
}
