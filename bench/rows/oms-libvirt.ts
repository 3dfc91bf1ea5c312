import { setTimeout as pause } from 'node:timers/promises';
import { type LibvirtPeer, startLibvirt } from '../../test/peers/libvirt.js';
import { OmsClient } from '../../test/support/oms/client.js';
import { freePort } from '../../test/support/ports.js';
import { until } from '../../test/support/until.js';
import { CountingSocket } from '../counting-socket.js';
import { ACCOUNT, startOurs } from '../ours.js';
import { type Server, stopServers } from '../peers/bare.js';
import { atMost, below, type Row } from '../report.js';
import type { Scenario, Settings } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';
import { lacksLibvirt } from './libvirt.js';

/** `list_vms` with all statistics of a real libvirtd's domains: the first after the start, and later ones; and how many calls of libvirt's each takes. */

const DOMAINS = 500;
/** Of these, those that run. libvirtd asks their emulators one after the other, some milliseconds each, by whoever it is asked; 500 emulators without KVM are more than the bench's machine can carry. */
const RUNNING = 20;
const STARTED_WITHIN = 60_000;
/** A sample is told again for half a second: each of ours is to be a new one, ms. */
const STALE = 600;
const MOST_MS = 300;
const MOST_CALLS = 3;

const NIC = '<interface type="network"><source network="argo-net"/><model type="virtio"/><rom enabled="no"/></interface></devices>';

async function populate(peer: LibvirtPeer): Promise<void> {
  const names = Array.from({ length: DOMAINS }, (_, index) => `d${String(index + 1).padStart(3, '0')}`);
  await peer.defineMany(names, (xml) => xml.replace('</devices>', NIC));
  for (const name of names.slice(0, RUNNING)) {
    const { code, stderr } = await peer.virsh('start', name);
    if (code !== 0) throw new Error(`virsh start ${name}: ${stderr}`);
  }
}

/** The same figures, as virsh asks for them. */
const VIRSH = ['domstats', '--nowait', '--state', '--cpu-total', '--balloon', '--vcpu', '--interface', '--block'];

async function virshMs(peer: LibvirtPeer): Promise<number> {
  const began = performance.now();
  const { code, stderr } = await peer.virsh(...VIRSH);
  if (code !== 0) throw new Error(`virsh domstats: ${stderr}`);
  return performance.now() - began;
}

interface Asked {
  readonly ms: number;
  readonly calls: number;
}

async function ask(oms: OmsClient, socket: CountingSocket): Promise<Asked> {
  await pause(STALE);
  socket.taken();
  const began = performance.now();
  const { result } = await oms.result('kvmservices', 'list_vms', 'kvm', 'cpu', 'memory', 'df', 'network') as { result: readonly { readonly status: number; readonly stats: object }[] };
  const ms = performance.now() - began;
  const running = result.filter(({ status }) => status === 1);
  if (result.length !== DOMAINS || running.length !== RUNNING || running.some(({ stats }) => Object.keys(stats).length < 2)) throw new Error('not all was listed');
  return { ms, calls: socket.taken() };
}

/** A daemon that has listed all, and has been asked for no statistics yet. */
async function started(socket: CountingSocket): Promise<{ readonly server: Server; readonly oms: OmsClient }> {
  const port = await freePort();
  const server = await startOurs(`[providers.kvm]\ntype = "libvirt"\nuri = "qemu:///system?socket=${socket.path}"\n[gateways.oms]\ntype = "oms"\nlisten = ["127.0.0.1:${port}"]\n`);
  const oms = new OmsClient(port);
  await until(async () => (await oms.login(ACCOUNT.account, ACCOUNT.password).catch(() => undefined))?.error === null, STARTED_WITHIN, 'the gateway');
  const listed = async (): Promise<number> => {
    const { result } = await oms.result('kvmservices', 'list_vms', 'kvm') as { result: readonly { readonly status: number | null }[] };
    return result.filter(({ status }) => status !== null).length;
  };
  await until(async () => await listed().catch(() => 0) === DOMAINS, STARTED_WITHIN, 'all domains to be listed');
  return { server, oms };
}

async function* rows(settings: Settings, peer: LibvirtPeer, socket: CountingSocket): AsyncGenerator<Row> {
  const [firsts, laters]: [Asked[], Asked[]] = [[], []];
  const round = async (): Promise<number> => {
    const { server, oms } = await started(socket);
    try {
      firsts.push(await ask(oms, socket));
      const later = await ask(oms, socket);
      laters.push(later);
      return later.ms;
    } finally {
      await stopServers(server);
    }
  };
  const [ours = [], theirs = []] = await interleave(settings.rounds, [round, () => virshMs(peer)]);
  const what = `list_vms of ${DOMAINS} libvirt domains, ${RUNNING} of them running, all statistics`;
  const first = summarise(firsts.map(({ ms }) => ms));
  yield { what: `${what}: the first`, unit: 'ms', ours: first, target: below(first.median, MOST_MS, ' ms') };
  const later = summarise(ours);
  yield {
    what: `${what}: the next`, unit: 'ms', ours: later, peer: { name: 'virsh domstats, a process', figure: summarise(theirs) }, ratio: pairedRatio(ours, theirs),
    target: below(later.median, MOST_MS, ' ms'),
  };
  const calls = summarise([...firsts, ...laters].map((asked) => asked.calls));
  yield { what: `${what}: calls of libvirt`, unit: 'calls', ours: calls, target: atMost(calls.max, MOST_CALLS) };
}

export const omsLibvirt: Scenario = async function* (settings): AsyncGenerator<Row> {
  const lacking = lacksLibvirt();
  if (lacking !== undefined) return void (yield { what: 'list_vms of libvirt domains', unit: 'ms', note: lacking });
  const peer = await startLibvirt();
  const socket = await CountingSocket.start(peer.file('counting-sock'), peer.socket);
  try {
    await populate(peer);
    yield* rows(settings, peer, socket);
  } finally {
    socket.close();
    await peer.stop();
  }
};
