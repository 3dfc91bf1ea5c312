import { setTimeout as pause } from 'node:timers/promises';
import { VmserverdTestClient } from '../../test/support/vmserverd/client.js';
import { freePort } from '../../test/support/ports.js';
import { ACCOUNT, startOurs } from '../ours.js';
import { startBare, stopServers, type Server } from '../peers/bare.js';
import { probe, waitRow } from '../probe.js';
import { atLeast, type Row } from '../report.js';
import { compareRates, type Scenario, type Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

const MACHINES = 10_000;
/** How long the gateway may take to answer after the daemon has begun to, ms. */
const SERVED_WITHIN = 20_000;
/** Requests of `nop` a second beside a long list. */
const NOP_RATE = 200;

const REQUEST = '<exec><op>inc</op><in><number>42</number></in></exec>\n';
const LIST = '<exec><op>VMServerd_GetConnectedVMList</op></exec>';
/** First word of every answer. */
const END = '<exec><product';
/** Whoever runs the bench is let in by the kernel's word: a hundred passwords would take longer than a login may. */
const USER = String(process.getuid?.() ?? '');
const SETUP = `GLOBAL server\r\n${REQUEST}`;

/** Logs in as soon as the gateway answers. */
async function login(port: number): Promise<VmserverdTestClient> {
  for (const deadline = performance.now() + SERVED_WITHIN; ; await pause(50)) {
    try {
      return await VmserverdTestClient.login(port, ACCOUNT.account, ACCOUNT.password);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
}

/** How long a list takes again and again, and `nop` of another connection meanwhile. */
async function listed(settings: Settings, server: Server, client: VmserverdTestClient): Promise<Row[]> {
  const times: number[] = [];
  const [nops = []] = await interleave(settings.rounds, [async () => {
    let isOver = false;
    const load = probe(settings, server, { rate: NOP_RATE }).finally(() => { isOver = true; });
    while (!isOver) {
      const began = performance.now();
      const answer = await client.ask(LIST);
      times.push(performance.now() - began);
      if (answer.split('<vm>').length - 1 !== MACHINES) throw new Error('not all was listed');
    }
    return load;
  }]);
  return [
    { what: `VMServerd_GetConnectedVMList of ${MACHINES} machines`, unit: 'ms', ours: summarise(times) },
    waitRow('nop p99 meanwhile', nops),
  ];
}

/** `inc`, beside a bare server that sends the very same bytes; and the list of ten thousand. */
export const vmserverd: Scenario = async function* (settings): AsyncGenerator<Row> {
  const port = await freePort();
  const server = await startOurs(`[providers.many]\ntype = "sim"\ncount = ${MACHINES}\n[gateways.vm]\ntype = "vmserverd"\nlisten = ["127.0.0.1:${port}"]\nmax-connections-per-address = 256\nlocal-users = { "${USER}" = "${ACCOUNT.account}" }\n`);
  const client = await login(port);
  const bare = await startBare('line', `${await client.ask(REQUEST.trim())}\n`, REQUEST, /\n$/);
  try {
    for (const connections of [1, 100]) {
      yield await compareRates(settings, `inc, ${connections} connections`, { server: { ...server, port }, load: { connections, request: REQUEST, end: END, setup: SETUP } },
        { name: 'bare Node, write a line', server: bare, load: { connections, request: REQUEST, end: END } }, (ratio) => atLeast(ratio, 0.5));
    }
    yield* await listed(settings, server, client);
  } finally {
    client.end();
    await stopServers(server, bare);
  }
};
