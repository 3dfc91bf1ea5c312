import { WebUser } from '../../test/support/web/client.js';
import { startBareHttp } from '../bare-http.js';
import { measureHttp, type HttpMeasured } from '../http-load.js';
import { ACCOUNT } from '../ours.js';
import { stopServers } from '../peers/bare.js';
import { stop } from '../process.js';
import { probe, waitRow } from '../probe.js';
import { atLeast, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';
import { change, CHANGES, INSTANCES, manyMachines, startWeb } from '../web-server.js';

const CONNECTIONS = 8;
/** Requests a second by which it is found out how long others wait. */
/** Pages that are open. */
const PAGES = 50;

/** The list of many machines, beside a bare server that sends the same bytes; and what others feel of the page. */
export const web: Scenario = async function* (settings): AsyncGenerator<Row> {
  const { server, user, webPort } = await startWeb(manyMachines);
  const bare = await startBareHttp((await user.get('view')).text);
  try {
    const request = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${webPort}\r\ncookie: ${user.cookie}\r\n\r\n`;
    const run = (pid: number, port: number) => (): Promise<HttpMeasured> => measureHttp(pid, { port, connections: CONNECTIONS, seconds: settings.seconds, request: request('/api/view') });
    const [ours = [], theirs = []] = await interleave(settings.rounds, [run(server.pid, webPort), run(bare.pid, bare.port)]);
    const [ourRates, bareRates] = [ours.map(({ rps }) => rps), theirs.map(({ rps }) => rps)];
    const ratio = pairedRatio(ourRates, bareRates);
    const cpu = (all: readonly HttpMeasured[]): number => summarise(all.map(({ cpuUs }) => cpuUs)).median;
    yield {
      what: `GET of ${INSTANCES.toLocaleString('en-GB')} instances, ${CONNECTIONS} connections`, unit: 'req/s', ours: summarise(ourRates),
      peer: { name: 'plain node:http, the same bytes', figure: summarise(bareRates) }, ratio, cpu: { ours: cpu(ours), peer: cpu(theirs) }, target: atLeast(ratio, 0.5),
    };

    const pages = await Promise.all(Array.from({ length: PAGES }, async () => {
      const page = user.socket('/api/feed?after=0');
      await page.answered;
      return page;
    }));
    const end = change(user);
    const [waits = []] = await interleave(settings.rounds, [() => probe(settings, server, { seconds: 3 * settings.seconds })]);
    end();
    if (pages.some(({ messages }) => !messages.some((message) => message.includes('"changes"')))) throw new Error('a page was told of no change');
    pages.forEach(({ web: socket }) => socket.terminate());
    yield waitRow(`nop p99 beside ${PAGES} open pages, ${CHANGES} changes/s of ${INSTANCES.toLocaleString('en-GB')}`, waits);

    const again = new WebUser(user.url);
    await again.login(ACCOUNT);
    const gets = { goes: true };
    const loop = (async () => { while (gets.goes) await again.get('view'); })();
    const [beside = []] = await interleave(settings.rounds, [() => probe(settings, server, { seconds: 3 * settings.seconds })]);
    gets.goes = false;
    await loop;
    yield waitRow(`nop p99 beside one GET of ${INSTANCES.toLocaleString('en-GB')} after the other`, beside);
  } finally {
    await stopServers(server);
    await stop(bare.child);
  }
};
