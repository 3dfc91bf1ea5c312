import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { startLibvirt } from '../../test/peers/libvirt.js';
import { lacksVcsim, startVcsim } from '../../test/peers/vcsim.js';
import { XapiPeer } from '../../test/peers/xapi.js';
import { which } from '../../test/support/peers.js';
import { startOurs } from '../ours.js';
import { stopServers, type Server } from '../peers/bare.js';
import { ask, stop } from '../process.js';
import { below, type Row } from '../report.js';
import type { Scenario, Settings } from '../scenario.js';
import { summarise, type Summary } from '../stats.js';
import { RawCalls, VM } from '../vim-calls.js';
import { Watcher } from '../watcher.js';
import { lacksLibvirt } from './libvirt.js';

/**
 * From a change that somebody else makes until the line at one who watches: of what libvirt, vCenter and
 * XenAPI push. The clock runs from when the change is asked for, so the making of it is part of the figure.
 */

const GUEST = 'bench';
const LIMIT = 50;
/** By which vcsim itself is late: it gathers changes for so long (govmomi, simulator/property_collector.go). ms */
const VCSIM_GATHERS = 250;
/** Changes of a run: enough for a p99. */
const CHANGES = 100;
const LISTED_WITHIN = 60_000;

/** The time of which all but one in a hundred are shorter. */
const p99 = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1]!;

interface Switch {
  /** Makes the change. @param turn counts from 0 */
  change(turn: number): void | Promise<unknown>;
  /** the line that tells of it */
  told(turn: number): RegExp;
}

/** ms from each change until its line; at most CHANGES a round. */
async function delays(watcher: Watcher, { change, told }: Switch, turns: { next: number }): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < CHANGES; i += 1) {
    const turn = turns.next;
    turns.next += 1;
    const line = watcher.next(told(turn));
    const began = performance.now();
    const changing = change(turn);
    times.push(await line - began);
    await changing;
  }
  return times;
}

async function startOver(provider: string, name: string): Promise<Server> {
  const server = await startOurs(provider);
  const deadline = Date.now() + LISTED_WITHIN;
  while (!(await ask(server.port, 'list\n', /^(300|400).*\n/m)).includes(name)) {
    if (Date.now() > deadline) throw new Error(`the daemon does not list ${name}`);
  }
  return server;
}

/** The p99 of each round. */
async function measured(settings: Settings, provider: string, name: string, one: Switch): Promise<Summary> {
  const server = await startOver(provider, name);
  const watcher = await Watcher.open(server, 'watch --types=state');
  const turns = { next: 0 };
  try {
    const rounds: number[] = [];
    for (let round = 0; round < settings.rounds; round += 1) rounds.push(p99(await delays(watcher, one, turns)));
    return summarise(rounds);
  } finally {
    watcher.close();
    await stopServers(server);
  }
}

const rowOf = (what: string, figure: Summary, { peer, limit = LIMIT }: { peer?: Row['peer']; limit?: number } = {}): Row =>
  ({ what: `${what}: from a change to the line of it, p99`, unit: 'ms', ours: figure, ...(peer && { peer }), target: below(figure.median, limit, ' ms') });

/** A program that prints a line for each event, and when its last line came. */
class Printer {
  readonly child: ChildProcess;
  at = NaN;

  constructor(program: string, args: readonly string[]) {
    this.child = spawn('stdbuf', ['-oL', program, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: this.child.stdout! }).on('line', () => { this.at = performance.now(); });
  }
}

/** Beside virsh's own line of the same event. */
async function* libvirtRow(settings: Settings): AsyncGenerator<Row> {
  const lacking = lacksLibvirt();
  if (lacking !== undefined) return void (yield { what: 'libvirt: from a change to the line of it', unit: 'ms', note: lacking });
  const peer = await startLibvirt();
  const shell = spawn('virsh', ['-q', '-c', peer.uri('qemu')], { stdio: ['pipe', 'ignore', 'ignore'] });
  // one that has ended is missed at the next line
  shell.stdin.on('error', () => undefined);
  const virsh = new Printer('virsh', ['-q', '-c', peer.uri('qemu'), 'event', '--event', 'lifecycle', '--loop']);
  const behind: number[] = [];
  let asked = NaN;
  try {
    await peer.defineTiny(GUEST);
    await peer.virsh('start', GUEST);
    await peer.guestReady(GUEST);
    const figure = await measured(settings, `[providers.kvm]\ntype = "libvirt"\nuri = "${peer.uri('qemu')}"\n`, GUEST, {
      change: (turn) => {
        if (virsh.at > asked) behind.push(virsh.at - asked);
        asked = performance.now();
        shell.stdin.write(`${turn % 2 === 0 ? 'suspend' : 'resume'} ${GUEST}\n`);
      },
      told: (turn) => (turn % 2 === 0 ? / state kvm\/bench paused on$/ : / state kvm\/bench on paused$/),
    });
    yield rowOf('libvirt', figure, { peer: { name: 'virsh event --loop', figure: summarise([p99(behind)]) } });
  } finally {
    shell.kill('SIGKILL');
    await stop(virsh.child);
    await peer.stop();
  }
}

async function* vsphereRow(settings: Settings): AsyncGenerator<Row> {
  const lacking = await lacksVcsim();
  if (lacking !== false) return void (yield { what: 'vSphere: from a change to the line of it', unit: 'ms', note: lacking });
  const vcsim = await startVcsim();
  const raw = new RawCalls(vcsim);
  try {
    await raw.find();
    const figure = await measured(settings, `[providers.vc]\n${vcsim.config}`, VM, {
      change: (turn) => raw.power(turn % 2 === 1),
      told: (turn) => new RegExp(` state vc/${VM} ${turn % 2 === 0 ? 'off on' : 'on off'}$`),
    });
    yield rowOf('vSphere', figure, { limit: VCSIM_GATHERS + LIMIT });
  } finally {
    await raw.close();
    await vcsim.stop();
  }
}

async function* xenserverRow(settings: Settings): AsyncGenerator<Row> {
  if (which('openssl') === undefined) return void (yield { what: 'xenserver: from a change to the line of it', unit: 'ms', note: 'not installed: openssl' });
  const peer = await XapiPeer.start({ tls: true, password: 'pw', vms: ['vm0'] });
  const provider = `[providers.pool]\ntype = "xenserver"\nurl = "${peer.url()}"\nuser = "root"\npassword = "pw"\nfingerprint = "SHA256:${peer.certificate?.fingerprint}"\n`;
  const states = ['Running', 'Halted'] as const;
  try {
    const figure = await measured(settings, provider, 'vm0', {
      change: (turn) => peer.world.set('VM', peer.world.vm('vm0'), { power_state: states[turn % 2]! }),
      told: (turn) => (turn % 2 === 0 ? / state pool\/vm0 on off$/ : / state pool\/vm0 off on$/),
    });
    yield rowOf('xenserver', figure);
  } finally {
    await peer.stop();
  }
}

export const pushed: Scenario = async function* (settings): AsyncGenerator<Row> {
  yield* libvirtRow(settings);
  yield* vsphereRow(settings);
  yield* xenserverRow(settings);
};
