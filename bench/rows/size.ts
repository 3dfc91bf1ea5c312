import { measure } from '../load.js';
import { FOUR, prepareOurs, startOurs } from '../ours.js';
import { ARGO_END, type Server, startBare, stopServers } from '../peers/bare.js';
import { answered, start, stop } from '../process.js';
import { below, type Row } from '../report.js';
import { fromRoot } from '../root.js';
import { compareFigures, type Scenario } from '../scenario.js';
import { freePort } from '../../test/support/ports.js';

const REPLY = '200 OK\n300 DONE\n';
const BARE = 'bare Node';

/** 1,000 connects in one go, until the last of them has its answer. */
export const connects: Scenario = async function* (settings): AsyncGenerator<Row> {
  const ours = await startOurs(FOUR);
  const bare = await startBare('line', REPLY);
  const storm = (server: Server) => async () =>
    (await measure(server.pid, { port: server.port, connections: 1000, storm: true })).stormMs;
  try {
    yield await compareFigures(settings, '1,000 connects at once, all answered', 'ms', storm(ours),
      { name: BARE, measure: storm(bare) }, (ms) => below(ms, 250, ' ms'));
  } finally {
    await stopServers(ours, bare);
  }
};

/** Resident memory of a server that has been started for it, under load of N connections. */
export const memory: Scenario = async function* (settings): AsyncGenerator<Row> {
  const load = { request: 'list\n', seconds: 2 * settings.seconds, warmUp: 0 };
  const resident = (starts: () => Promise<Server>, connections: number) => async () => {
    const server = await starts();
    try {
      return (await measure(server.pid, { ...load, port: server.port, connections })).rssMb;
    } finally {
      await stopServers(server);
    }
  };
  for (const { connections, limit } of [{ connections: 100, limit: 90 }, { connections: 1000, limit: 130 }]) {
    yield await compareFigures(settings, `RSS with ${connections} connections`, 'MB',
      resident(() => startOurs(FOUR), connections),
      { name: BARE, measure: resident(() => startBare('line', REPLY), connections) }, (mb) => below(mb, limit, ' MB'));
  }
};

/** From starting the process until the first reply has come. */
export const startup: Scenario = async function* (settings): AsyncGenerator<Row> {
  const sinceStart = async (port: number, command: string[], env = process.env): Promise<number> => {
    const began = performance.now();
    const child = start(process.execPath, command, { env });
    try {
      await answered(child, port, 'nop\n', ARGO_END);
      return performance.now() - began;
    } finally {
      await stop(child);
    }
  };
  const { port, command } = await prepareOurs(FOUR);
  const bare = async (): Promise<number> => {
    const barePort = await freePort();
    return sinceStart(barePort, [fromRoot('dist', 'bench', 'peers', 'bare-server.js'), String(barePort), 'line'],
      { ...process.env, BARE_REPLY: REPLY });
  };
  yield await compareFigures(settings, 'start to first reply', 'ms', () => sinceStart(port, command),
    { name: BARE, measure: bare }, (_, ratio) => below(ratio, 1.5, '×'));
};
