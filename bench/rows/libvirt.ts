import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { LIBVIRT_PROGRAMS, type LibvirtPeer, startLibvirt, writeTestDriverFile } from '../../test/peers/libvirt.js';
import { which } from '../../test/support/peers.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { type Server, stopServers } from '../peers/bare.js';
import { ask } from '../process.js';
import { atLeast, type Row } from '../report.js';
import { compareFigures, type Scenario, type Settings } from '../scenario.js';

const GUEST = 'bench';
const DOMAINS = 1000;
/** How long the daemon may take to have listed all domains, ms. */
const LISTED_WITHIN = 30_000;

/** Why no libvirtd of its own can be started, or undefined. */
export function lacksLibvirt(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to start a libvirtd of its own';
  const absent = LIBVIRT_PROGRAMS.filter((program) => which(program) === undefined);
  return absent.length > 0 ? `not installed: ${absent.join(', ')}` : undefined;
}

/** ms that one call of virsh takes as a process, from start to end. */
function virshMs(uri: string, ...args: string[]): Promise<number> {
  const began = performance.now();
  const { status, stderr } = spawnSync('virsh', ['-q', '-c', uri, ...args], { encoding: 'utf8', maxBuffer: 1 << 24 });
  if (status !== 0) throw new Error(`virsh ${args[0]}: ${stderr}`);
  return Promise.resolve(performance.now() - began);
}

/** ms that a request takes at the median, one at a time. */
async function oursMs(settings: Settings, server: Server, request: string): Promise<number> {
  const { port, pid } = server;
  return (await measure(pid, { port, setup: LOGIN, request, seconds: settings.seconds, warmUp: settings.warmUp })).p50us / 1000;
}

/** How many times faster ours is than virsh. */
async function timesFaster(
  settings: Settings, what: string, server: Server, request: string, floor: number, uri: string, ...virsh: [string, ...string[]]
): Promise<Row> {
  const row = await compareFigures(settings, what, 'ms', () => oursMs(settings, server, request),
    { name: `virsh ${virsh[0]}, a process`, measure: () => virshMs(uri, ...virsh) });
  const times = 1 / (row.ratio ?? NaN);
  return { ...row, ratio: times, target: atLeast(times, floor) };
}

/** The daemon over one libvirt URI, once it knows so many instances. */
async function startOver(uri: string, instances: number): Promise<Server> {
  const server = await startOurs(`[providers.kvm]\ntype = "libvirt"\nuri = "${uri}"\n`);
  const deadline = Date.now() + LISTED_WITHIN;
  while ((await ask(server.port, 'list\n', /^(300|400).*\n/m)).split('\n').length - 3 < instances) {
    if (Date.now() > deadline) throw new Error(`the daemon does not list the ${instances} domains of libvirt`);
  }
  return server;
}

async function* rows(settings: Settings, peer: LibvirtPeer, file: string): AsyncGenerator<Row> {
  await peer.defineTiny(GUEST);
  await peer.virsh('start', GUEST);
  await peer.guestReady(GUEST);
  const guests = await startOver(peer.uri('qemu'), 1);
  try {
    yield await timesFaster(settings, 'libvirt: live status of a QEMU guest', guests, `status ${GUEST}\n`, 30, peer.uri('qemu'), 'domstate', GUEST);
  } finally {
    await stopServers(guests);
  }
  const uri = peer.uri('test').replace('/default', file);
  const many = await startOver(uri, DOMAINS);
  try {
    yield await timesFaster(settings, 'libvirt: list of 1,000 domains', many, 'list\n', 20, uri, 'list', '--all');
  } finally {
    await stopServers(many);
  }
}

/** A real libvirtd: one guest's state, and the list of a thousand domains of its test driver, beside virsh. */
export const libvirt: Scenario = async function* (settings): AsyncGenerator<Row> {
  const note = lacksLibvirt();
  if (note !== undefined) return void (yield { what: 'libvirt', unit: 'ms', note });
  const peer = await startLibvirt();
  const file = writeTestDriverFile(DOMAINS);
  try {
    yield* rows(settings, peer, file);
  } finally {
    rmSync(dirname(file), { recursive: true });
    await peer.stop();
  }
};
