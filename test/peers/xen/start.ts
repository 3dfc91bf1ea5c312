import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromRoot } from '../../support/paths.js';
import { lacks } from '../../support/peers.js';

const run = promisify(execFile);

/** Names of the scratch folders, so that those of a run that crashed can be found. */
const PREFIX = 'argo-xen-';
const HEADER = '/usr/include/libxl.h';
const DOM0_UUID = '00000000-0000-0000-0000-000000000000';

/** Why the simulated Xen host cannot be had here, for the `skip` option of a test. */
export function lacksXen(): string | false {
  const missing = lacks('cc', 'xl');
  if (missing || process.env.CI === 'true') return missing;
  return !existsSync(HEADER) && 'needs libxen-dev';
}

/** A line of the simulation's `faults`: CALL NAME|* WHAT [ARGUMENT], as simulation.h has it. */
export type Fault = readonly [call: string, name: string, what: 'hang' | 'deaf' | 'delay' | 'noise' | 'fail' | 'ignore', argument?: number];

/** A domain that was not created through xl, so that no monitor watches it. */
export interface Seeded {
  readonly domid: number;
  readonly name: string;
  /** letters: p paused, s shut down, d dying, I ignores requests, D has PV drivers, Z has lost its name */
  readonly flags?: string;
  /** libxl's number: 0 power-off, 1 reboot, 2 suspend, 3 crash, 4 watchdog */
  readonly reason?: number;
}

/** The real xl of this machine over a simulated hypervisor. */
export interface XenHost {
  readonly folder: string;
  readonly xl: string;
  readonly configDir: string;
  readonly saveDir: string;
  readonly procNetDev: string;
  /** Writes /etc/xen's NAME.cfg of this host. */
  configure(file: string, text: string): Promise<string>;
  faults(...faults: readonly Fault[]): Promise<void>;
  seed(...domains: readonly Seeded[]): Promise<void>;
  /** The number that the next domain gets. */
  numberFrom(domid: number): Promise<void>;
  /** Runs xl as a person would. */
  type(...args: readonly string[]): Promise<string>;
  /** What no client may ever do: touch domain 0, name a domain. */
  violations(): Promise<string[]>;
  stop(): Promise<void>;
}

/** Builds the simulation and starts a host with domain 0 alone. */
export async function startXen(): Promise<XenHost> {
  await sweep();
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  const [configDir, saveDir, world, procNetDev, xl] = ['etc', 'saves', 'world', 'net-dev', 'xl'].map((part) => join(folder, part)) as [string, string, string, string, string];
  await Promise.all([mkdir(configDir), mkdir(world)]);
  const library = join(folder, 'simulation.so');
  await run('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, ...['world.c', 'libxl.c'].map((file) => fromRoot('test', 'peers', 'xen', file))]);
  await writeFile(join(world, 'owner'), `${process.pid}\n`);
  await writeFile(procNetDev, '');
  await writeFile(xl, `#!/bin/sh\nexport XEN_SIMULATION='${world}' LD_PRELOAD='${library}'\nexec '${join(await xenFolder(), 'xl')}' "$@"\n`);
  await chmod(xl, 0o755);
  const append = async (lines: string): Promise<void> => writeFile(join(world, 'domains'), lines, { flag: 'a' });
  await append(line({ domid: 0, name: 'Domain-0' }, DOM0_UUID));
  return {
    folder, xl, configDir, saveDir, procNetDev,
    configure: async (file, text) => {
      await writeFile(join(configDir, file), text);
      return join(configDir, file);
    },
    faults: (...faults) => writeFile(join(world, 'faults'), faults.map((fault) => `${fault.join(' ')}\n`).join('')),
    seed: (...domains) => append(domains.map((domain) => line(domain, uuidOf(domain.domid))).join('')),
    numberFrom: (domid) => writeFile(join(world, 'next-domid'), `${domid}\n`),
    type: async (...args) => (await run(xl, [...args])).stdout,
    violations: async () => lines(await readFile(join(world, 'violations'), 'utf8').catch(() => '')),
    stop: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** The programs themselves: what is in PATH are Debian's wrappers, which insist on a hypervisor. */
export async function xenFolder(): Promise<string> {
  const versions = (await readdir('/usr/lib')).filter((name) => /^xen-\d/.test(name)).sort();
  const path = versions.map((version) => `/usr/lib/${version}/bin`).findLast((folder) => existsSync(join(folder, 'xl')));
  if (!path) throw new Error('xl is not installed: apt-get install xen-utils-4.17 libxen-dev');
  return path;
}

/** Removes what a crashed run left; the daemons of its xl end by themselves when their test is gone. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const owner = Number(await readFile(join(tmpdir(), name, 'world', 'owner'), 'utf8').catch(() => '0'));
    if (owner === 0 || isAlive(owner)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** As world.c reads it. */
function line({ domid, name, flags = '', reason = -1 }: Seeded, uuid: string): string {
  const [type, memory, vcpus, started] = [2, 256, 1, Math.floor(Date.now() / 1000) - 90_061];
  return [domid, `-${flags}`, type, reason, 0, memory, vcpus, 12_700_000_000, started, uuid, name].join('\t') + '\n';
}

function uuidOf(domid: number): string {
  return DOM0_UUID.slice(0, -4) + String(domid).padStart(4, '0');
}

function lines(text: string): string[] {
  return text.split('\n').filter((part) => part !== '');
}
