import { setTimeout as pause } from 'node:timers/promises';
import { OmsClient } from '../../test/support/oms/client.js';
import { freePort } from '../../test/support/ports.js';
import { startBareRpc } from '../bare-http.js';
import { measureHttp, type HttpMeasured } from '../http-load.js';
import { ACCOUNT, startOurs } from '../ours.js';
import { stopServers } from '../peers/bare.js';
import { stop } from '../process.js';
import { atLeast, below, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';

const CONNECTIONS = 8;
const DOMAINS = 500;
/** How long the gateway may take to answer after the daemon has begun to, ms. */
const SERVED_WITHIN = 20_000;

/** Logs in as soon as the gateway answers. */
async function login(client: OmsClient): Promise<void> {
  for (const deadline = performance.now() + SERVED_WITHIN; ; await pause(50)) {
    try {
      const { error } = await client.login(ACCOUNT.account, ACCOUNT.password);
      if (error === null) return;
      throw new Error(error.message);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** A call as any client makes it, beside a bare server that reads it and looks its session up; and a list with all that is known. */
export const oms: Scenario = async function* (settings): AsyncGenerator<Row> {
  const omsPort = await freePort();
  const server = await startOurs(`[providers.many]\ntype = "sim"\ncount = ${DOMAINS}\n[gateways.oms]\ntype = "oms"\nlisten = ["127.0.0.1:${omsPort}"]\n`);
  const client = new OmsClient(omsPort);
  await login(client);
  const bare = await startBareRpc(client.sessid);
  try {
    const body = JSON.stringify({ service: 'authservices', method: 'checksessid', id: 1, params: [client.sessid] });
    const request = `POST / HTTP/1.1\r\nhost: 127.0.0.1:${omsPort}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const run = (pid: number, port: number) => (): Promise<HttpMeasured> =>
      measureHttp(pid, { port, connections: CONNECTIONS, seconds: settings.seconds, request });
    const [ours = [], theirs = []] = await interleave(settings.rounds, [run(server.pid, omsPort), run(bare.pid, bare.port)]);
    const [ourRates, bareRates] = [ours.map(({ rps }) => rps), theirs.map(({ rps }) => rps)];
    const ratio = pairedRatio(ourRates, bareRates);
    const cpu = (all: readonly HttpMeasured[]): number => summarise(all.map(({ cpuUs }) => cpuUs)).median;
    yield {
      what: `checksessid, ${CONNECTIONS} connections`, unit: 'req/s', ours: summarise(ourRates),
      peer: { name: 'plain node:http, the same call', figure: summarise(bareRates) }, ratio, cpu: { ours: cpu(ours), peer: cpu(theirs) }, target: atLeast(ratio, 0.5),
    };
    const [times = []] = await interleave(settings.rounds, [async () => {
      const began = performance.now();
      const { result } = await client.result('kvmservices', 'list_vms', 'many', 'cpu', 'memory', 'df', 'network') as { result: readonly { readonly stats: object }[] };
      if (result.length !== DOMAINS || Object.keys(result[0]!.stats).length === 0) throw new Error('not all was listed');
      return performance.now() - began;
    }]);
    const time = summarise(times);
    yield { what: `list_vms of ${DOMAINS} simulated domains with all statistics`, unit: 'ms', ours: time, target: below(time.median, 300, ' ms') };
  } finally {
    await stopServers(server);
    await stop(bare.child);
  }
};
