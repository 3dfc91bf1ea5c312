import { Nats, NATS_PROGRAMS, natsUser, type NatsUser } from '../../test/peers/nats.js';
import { lacks } from '../../test/support/peers.js';
import { until } from '../../test/support/until.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { type Server, stopServers } from '../peers/bare.js';
import { ask } from '../process.js';
import { atLeast, below, type Row } from '../report.js';
import { compareFigures, type Scenario, type Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';
import { probe, waitRow } from '../probe.js';

/** Sites of the fan-out, and machines of each. */
const SITES = 10;
const MACHINES = 100;
const COUNT = `count = ${MACHINES}\n`;
/** What the way over the bus may add to a `status`, ms at the median. */
const ADDED = 2;
/** Orders a second that go out on so many connections, each with machines of its own. */
const ORDERS_LEAST = 1500;
const CONNECTIONS = 32;
/** What is left of that rate where another site hangs: all, with the machine's noise. */
const UNCHANGED = 0.8;
const FAN_OUT_MOST = 300;
/** In which that is to be answered several times. */
const FAN_OUT_SECONDS = 5;
const READY_MS = 60_000;
/** Seconds of orders, and of readings, before anything is measured: a fleet runs for months, and its code is compiled in the first moments. */
const WARM_UP = 10;
const ORDER = 'reboot --force s1.kvm/vm#####\n';
const STATUS = 'status s1.kvm/vm00001\n';
/** The end of the second reply. */
const TWO_REPLIES = /^300[^\n]*\n[^]*^[34]00[^\n]*\n/m;

const names = Array.from({ length: SITES }, (_, i) => `s${i + 1}`);
const FRONT = 'front';

interface Fleet {
  readonly front: Server;
  readonly sites: readonly Server[];
  stop(): Promise<void>;
}

const table = (nats: Nats, key: NatsUser, role: 'site' | 'front'): string => `
[fleet]
role = ["${role}"]
name = "${key.member.name}"
servers = ${JSON.stringify(nats.urls)}
ca-file = ${JSON.stringify(nats.caFile)}
nkey = "${key.seed}"
`;

/** One NATS server with TLS, sites with simulated machines, and a front that knows the sites' keys. */
async function startFleet(): Promise<Fleet> {
  const [front, sites] = [natsUser(FRONT, 'front'), names.map((name) => natsUser(name, 'site'))];
  const nats = await Nats.start({ users: [front, ...sites] });
  const servers: Server[] = [];
  try {
    for (const site of sites) {
      servers.push(await startOurs(`[providers.kvm]\ntype = "sim"\n${COUNT}${table(nats, site, 'site')}
[[fleet.fronts]]
name = "${FRONT}"
public-key = "${front.signer.publicKey}"
grants = [{ instances = ["*"], commands = ["*"] }]
`));
    }
    const keys = sites.map(({ member: { name }, signer }) => `[[fleet.sites]]\nname = "${name}"\npublic-key = "${signer.publicKey}"\n`).join('');
    const server = await startOurs(`[providers.kvm]\ntype = "sim"\n${COUNT}${table(nats, front, 'front')}${keys}`);
    servers.push(server);
    const known = async (): Promise<number> => (await ask(server.port, `${LOGIN}status s*.kvm/*\n`, TWO_REPLIES)).match(/ (?:on|off)$/gm)?.length ?? 0;
    await until(async () => await known() === SITES * MACHINES, READY_MS, 'all machines of all sites');
    return { front: server, sites: servers.slice(0, -1), stop: async () => { await stopServers(...servers); await nats.stop(); } };
  } catch (error) {
    await stopServers(...servers);
    await nats.stop();
    throw error;
  }
}

/** A request's median, ms. @throws where it was not answered once in that time: there is no figure then */
async function middle(settings: Settings, { pid, port }: Server, request: string, seconds = settings.seconds): Promise<number> {
  const { replies, p50us } = await measure(pid, { port, setup: LOGIN, request, seconds, warmUp: settings.warmUp });
  if (replies === 0) throw new Error(`no answer to ${request.trim()} within ${seconds} s`);
  return p50us / 1000;
}

const orders = async (settings: Settings, { pid, port }: Server): Promise<number> =>
  (await measure(pid, { port, setup: LOGIN, request: ORDER, connections: CONNECTIONS, seconds: 2 * settings.seconds, warmUp: settings.warmUp })).rps;

/** Has front and site compile what they run all the time. */
async function warmUp({ pid, port }: Server): Promise<void> {
  const load = { port, setup: LOGIN, seconds: WARM_UP };
  await measure(pid, { ...load, request: ORDER, connections: CONNECTIONS });
  await measure(pid, { ...load, request: STATUS });
}

function ordersRow(what: string, runs: readonly number[], least: number): Row {
  const figure = summarise(runs);
  return { what, unit: 'req/s', ours: figure, target: atLeast(figure.median, least) };
}

/** Orders and readings through a front and the bus, beside the same at the front itself; and what a site that hangs costs the others. */
export const fleet: Scenario = async function* (settings): AsyncGenerator<Row> {
  const missing = lacks(...NATS_PROGRAMS);
  if (missing !== false) {
    yield { what: 'fleet', unit: 'ms', note: missing };
    return;
  }
  const { front, sites, stop } = await startFleet();
  try {
    await warmUp(front);
    yield await compareFigures(settings, 'fleet: status of one machine, through the bus', 'ms', () => middle(settings, front, STATUS),
      { name: 'ours, no bus', measure: () => middle(settings, front, 'status kvm/vm00001\n') }, (ms, ratio) => below(ms - ms / ratio, ADDED, ' ms more'));
    const [rates = []] = await interleave(settings.rounds, [() => orders(settings, front)]);
    yield ordersRow(`fleet: orders to one site, ${CONNECTIONS} connections`, rates, ORDERS_LEAST);
    const [fans = []] = await interleave(settings.rounds, [() => middle(settings, front, 'status s*.kvm/*\n', FAN_OUT_SECONDS)]);
    const fan = summarise(fans);
    yield { what: `fleet: status of ${SITES * MACHINES} machines at ${SITES} sites`, unit: 'ms', ours: fan, target: below(fan.median, FAN_OUT_MOST, ' ms') };
    sites.at(-1)!.child.kill('SIGSTOP');
    const [latencies = []] = await interleave(settings.rounds, [() => probe(settings, front)]);
    yield waitRow('fleet: nop p99 while a site hangs', latencies);
    const [beside = []] = await interleave(settings.rounds, [() => orders(settings, front)]);
    yield ordersRow('fleet: orders to another site meanwhile', beside, Math.round(UNCHANGED * summarise(rates).median));
  } finally {
    sites.at(-1)!.child.kill('SIGCONT');
    await stop();
  }
};
