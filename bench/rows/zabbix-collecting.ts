import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame, MESSAGE_LIMITS, parseMessage } from '../../src/protocols/zabbix/frame.js';
import { readFrame } from '../../src/protocols/zabbix/frame-reader.js';
import type { HistoryRow } from '../../src/protocols/zabbix/messages.js';
import { until } from '../../test/support/until.js';
import { startOurs } from '../ours.js';
import { stopServers, type Server } from '../peers/bare.js';
import { cpuMicroseconds } from '../process.js';
import { below, type Row } from '../report.js';
import { FULL, type Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';
import { probe, waitRow } from '../probe.js';

/** What collecting costs, and what others notice of it. The server is a double here: it takes what it gets. */

const HOSTS = 1000;
/** Of each host; one more pair of brackets makes another item about the same. */
const KEYS: readonly (readonly [string, number])[] = [
  ['argo.status', 3], ['argo.uptime', 3], ['argo.rx', 3], ['argo.tx', 3], ['argo.load', 0],
  ['argo.info[state]', 4], ['argo.info[provider]', 4], ['argo.info[since]', 4], ['argo.rx[]', 3], ['argo.tx[]', 3],
];
const MANY_HOSTS = 10_000;
/** Seconds between two values of an item. */
const EVERY = 10;
const WITHIN_MS = 120_000;
/** Requests a second by which `nop` finds out how long the loop is held. */
/** Seconds of a run while a long configuration arrives: until it is in force, and the first of its values are read. */
const ARRIVAL = 8;

/** Tables of a whole configuration, as servers before 6.4 send them. @param delay of all items */
function configuration(hosts: number, delay: string): string {
  const ids = Array.from({ length: hosts }, (_, index) => index + 1);
  return JSON.stringify({
    hosts: { fields: ['hostid', 'host', 'status', 'name'], data: ids.map((id) => [id, `vm${String(id).padStart(5, '0')}`, 0, '']) },
    items: {
      fields: ['itemid', 'type', 'key_', 'hostid', 'delay', 'value_type', 'status'],
      data: ids.flatMap((id) => KEYS.map(([key, valueType], at) => [id * KEYS.length + at, 3, key, id, delay, valueType, 0])),
    },
  });
}

/** A server that hands out a configuration and takes what it gets. */
class Double {
  readonly port: number;
  /** what it wants now, and which of them a proxy asked for last */
  wanted = '';
  given = '';
  /** values and the items that they are of */
  values = 0;
  readonly items = new Set<string>();
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      this.#answer(socket).catch(() => socket.destroy());
    });
  }

  static async start(): Promise<Double> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Double(server);
  }

  stop(): void {
    this.#server.close();
  }

  async #answer(socket: Socket): Promise<void> {
    const frame = await readFrame(socket, MESSAGE_LIMITS, WITHIN_MS, new AbortController().signal);
    if (frame === undefined) return;
    const message = parseMessage(frame.content);
    const isConfiguration = message.request === 'proxy config';
    if (isConfiguration) this.given = this.wanted;
    for (const { itemid } of (message['history data'] ?? []) as readonly HistoryRow[]) {
      this.values += 1;
      this.items.add(itemid);
    }
    socket.end(await encodeFrame(isConfiguration ? this.wanted : '{"response":"success","upload":"enabled"}', { packed: true }));
  }
}

/** Share of one core that the daemon needs, percent. */
async function share({ pid }: Server, seconds: number): Promise<number> {
  const [began, spent] = [performance.now(), cpuMicroseconds(pid)];
  await sleep(seconds * 1000);
  return (cpuMicroseconds(pid) - spent) / 10 / (performance.now() - began);
}

async function* rows(settings: Settings, double: Double, server: Server): AsyncGenerator<Row> {
  const items = HOSTS * KEYS.length;
  const seconds = settings.rounds === FULL.rounds ? 2 * EVERY : EVERY;
  const small = double.wanted;
  await until(() => double.items.size >= items, WITHIN_MS, 'a value of each item');
  const what = `${items.toLocaleString('en-GB')} items each ${EVERY} s`;

  const before = double.values;
  const [shares = []] = await interleave(settings.rounds, [() => share(server, seconds)]);
  const rate = (double.values - before) / settings.rounds / seconds;
  if (rate < 0.9 * items / EVERY) throw new Error(`only ${rate.toFixed(0)} values a second`);
  const figure = summarise(shares);
  yield { what: `Zabbix: CPU of collecting ${what}`, unit: '% of a core', ours: figure, target: below(figure.median, 20, ' % of a core') };

  const [latencies = []] = await interleave(settings.rounds, [() => probe(settings, server, { seconds: EVERY })]);
  yield waitRow(`Zabbix: nop p99 while collecting ${what}`, latencies);

  const large = configuration(MANY_HOSTS, '1h');
  const [longest = []] = await interleave(settings.rounds, [async () => {
    double.items.clear();
    const measuring = probe(settings, server, { seconds: ARRIVAL });
    await sleep(1000);
    double.wanted = large;
    const wait = await measuring;
    if (double.items.size <= items) throw new Error(`the configuration was not in force in time: values of ${double.items.size} items`);
    double.wanted = small;
    await until(() => double.given === small, WITHIN_MS, 'the small configuration to be asked for');
    await sleep(2000);
    return wait;
  }]);
  yield waitRow(`Zabbix: longest nop while a configuration of ${(MANY_HOSTS * KEYS.length).toLocaleString('en-GB')} items arrives`, longest, 50, 'longest');
}

export async function* zabbixCollecting(settings: Settings): AsyncGenerator<Row> {
  const double = await Double.start();
  double.wanted = configuration(HOSTS, `${EVERY}s`);
  const server = await startOurs(`[providers.many]\ntype = "sim"\ncount = ${MANY_HOSTS}\n[gateways.zabbix]\ntype = "zabbix"\nmode = "active"\naccount = "bench"\nproxy-name = "bench"\nserver = ["127.0.0.1:${double.port}"]\nconfig-frequency = "1s"\n`);
  try {
    yield* rows(settings, double, server);
  } finally {
    await stopServers(server);
    double.stop();
  }
}
