import { FOUR, startOurs } from '../ours.js';
import { ARGO_END, startBare, stopServers } from '../peers/bare.js';
import { ask } from '../process.js';
import { atLeast, type Row } from '../report.js';
import { compareRates, type Scenario } from '../scenario.js';

const NO_DEPTH = [1, 100, 1000].map((connections) => ({ connections, depth: 1, mode: 'line', floor: 0.8 }) as const);
const deep = (floor: number) => [{ connections: 1, depth: 16, mode: 'chunk', floor: 1 }, { connections: 100, depth: 16, mode: 'chunk', floor }] as const;

/** What the two kinds of bare server are called in the table. */
const NAMES = { line: 'bare Node, write a line', chunk: 'bare Node, write a chunk' };

/**
 * Requests a second of one request, beside bare servers that send the very same bytes: one request a
 * connection outstanding against one write a line, 16 outstanding against one write a chunk.
 * @param floor the least ratio at 100 connections with 16 outstanding each
 */
const wire = (request: string, floor: number): Scenario => async function* (settings): AsyncGenerator<Row> {
  const ours = await startOurs(FOUR);
  const reply = await ask(ours.port, request, ARGO_END);
  const bare = { line: await startBare('line', reply), chunk: await startBare('chunk', reply) };
  try {
    for (const { connections, depth, mode, floor: least } of [...NO_DEPTH, ...deep(floor)]) {
      const load = { connections, depth, request };
      const what = `${request.trim()}, ${connections} connections${depth > 1 ? ` × ${depth} deep` : ''}`;
      yield await compareRates(settings, what, { server: ours, load },
        { name: NAMES[mode], server: bare[mode], load }, (ratio) => atLeast(ratio, least));
    }
  } finally {
    await stopServers(ours, bare.line, bare.chunk);
  }
};

export const nop = wire('nop\n', 0.7);
export const list = wire('list\n', 0.55);
