import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { freePort } from '../../test/support/ports.js';
import { which } from '../../test/support/peers.js';
import { until } from '../../test/support/until.js';
import type { WebUser } from '../../test/support/web/client.js';
import { stopServers } from '../peers/bare.js';
import { scratchFolder, start, stop } from '../process.js';
import { probe, waitRow } from '../probe.js';
import { atLeast, below, type Row } from '../report.js';
import { fromRoot } from '../root.js';
import { compareFigures, type Scenario } from '../scenario.js';
import { interleave, summarise } from '../stats.js';
import { startWeb } from '../web-server.js';

/** Consoles through the web gateway beside websockify, in front of the same source of bytes. */

const WITHIN = 20_000;
const ECHOES = 300;

/** A driver whose one machine has a TCP port for a console. */
const driver = (port: number): string => `import { connectConsole } from 'argo-server/driver';
const machine = {
  id: '1', name: 'pipe', type: 'vm', status: async () => 'on',
  console: { text: async ({ signal }) => ({ stream: await connectConsole({ host: '127.0.0.1', port: ${port}, noDelay: true }, signal) }) },
};
export default {
  options: {},
  kind: 'driver',
  open: () => ({ list: async () => [{ machine, state: 'on' }], close: async () => undefined }),
};
`;

type Opener = () => Promise<WebSocket>;

const through = (user: WebUser): Opener => async () => {
  const { ticket } = JSON.parse((await user.send('POST', 'consoles', { instance: 'pipe', kind: 'text' })).text) as { ticket: string };
  const { web, answered, messages } = user.socket('/api/console', { protocols: ['binary', `ticket.${ticket}`] });
  if (await answered !== 101) throw new Error('the console was refused');
  // it is told that it is open, which is no answer to what is measured
  await until(() => messages.length > 0, WITHIN, 'the console');
  // the other side's bytes are not kept either
  web.removeAllListeners('message');
  return web;
};

const direct = (port: number): Opener => async () => {
  const web = new WebSocket(`ws://127.0.0.1:${port}/`, 'binary', { perMessageDeflate: false });
  await once(web, 'open');
  return web;
};

/** MB/s that come through. */
const throughput = (open: Opener, seconds: number) => async (): Promise<number> => {
  const web = await open();
  let bytes = 0;
  web.on('message', (data: Buffer) => { bytes += data.length; });
  web.send(Buffer.from('f'));
  await until(() => bytes > 0, WITHIN, 'the first bytes');
  bytes = 0;
  const began = performance.now();
  await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
  const rate = bytes / 1e3 / (performance.now() - began);
  web.terminate();
  return rate;
};

/** ms there and back, the median of many. */
const latency = (open: Opener) => async (): Promise<number> => {
  const web = await open();
  const times: number[] = [];
  for (let turn = 0; turn < ECHOES; turn += 1) {
    const began = performance.now();
    web.send(Buffer.from('e'));
    await once(web, 'message');
    times.push(performance.now() - began);
  }
  web.terminate();
  return summarise(times).median;
};

export const consoles: Scenario = async function* (settings): AsyncGenerator<Row> {
  if (which('websockify') === undefined) return void (yield { what: 'console', unit: 'MB/s', note: 'websockify is not installed' });
  const [source, sockify] = [await freePort(), await freePort()];
  const bytes = start(process.execPath, [fromRoot('dist', 'bench', 'peers', 'byte-source.js'), String(source)], { stdio: ['ignore', 'pipe', 'pipe'] });
  await once(bytes.stdout!, 'data');
  const peer = start('websockify', [`127.0.0.1:${sockify}`, `127.0.0.1:${source}`]);
  const plugins = scratchFolder('pipe-driver');
  writeFileSync(join(plugins, 'pipe.mjs'), driver(source));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(fromRoot(), join(plugins, 'node_modules', 'argo-server'));
  const { server, user } = await startWeb('[providers.p]\ntype = "pipe"\n', `plugin-path = [${JSON.stringify(plugins)}]\n`);
  try {
    const ours = through(user);
    const theirs = direct(sockify);
    await until(() => theirs().then((web) => { web.terminate(); return true; }, () => false), WITHIN, 'websockify');
    const rate = await compareFigures(settings, 'console by WebSocket, throughput', 'MB/s', throughput(ours, 2 * settings.seconds), { name: 'websockify', measure: throughput(theirs, 2 * settings.seconds) }, (_, ratio) => atLeast(ratio, 1));
    yield rate;
    const echo = await compareFigures(settings, 'console by WebSocket, a key there and back', 'ms', latency(ours), { name: 'websockify', measure: latency(theirs) });
    const limit = echo.peer!.figure.median + 1;
    yield { ...echo, target: below(echo.ours!.median, Number(limit.toFixed(2)), ' ms') };
    const [waits = []] = await interleave(settings.rounds, [async () => {
      const web = await ours();
      web.on('message', () => undefined);
      web.send(Buffer.from('f'));
      const wait = await probe(settings, server);
      web.terminate();
      return wait;
    }]);
    yield waitRow('nop p99 beside a console that floods', waits);
  } finally {
    await stopServers(server);
    await stop(peer);
    await stop(bytes);
  }
};
