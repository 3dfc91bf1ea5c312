import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../../test/support/ports.js';
import { startOurs } from '../ours.js';
import { type Server, stopServers } from '../peers/bare.js';
import { cpuMicroseconds } from '../process.js';
import { probe, waitRow } from '../probe.js';
import { below, type Row } from '../report.js';
import type { Scenario, Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

/** Requests a second by which `nop` finds out how long the loop is held. */
/** Scrapes that are measured one after the other. */
const SCRAPES = 5;

/** Collects the figures, as Prometheus does. @returns bytes */
async function scrape(port: number, agent: Agent): Promise<number> {
  const [response] = await once(get({ port, host: '127.0.0.1', path: '/metrics', agent }), 'response') as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`a scrape was answered with ${response.statusCode}`);
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return bytes;
}

/** The daemon listens for Prometheus after it has begun to answer others. */
async function firstScrape(port: number): Promise<void> {
  const agent = new Agent();
  for (const deadline = performance.now() + 10_000; ;) {
    try {
      await scrape(port, agent);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await pause(50);
    }
  }
}

/** Time and CPU of a scrape, and how long `nop` waits at most while one follows the other. */
async function* rowsOf(
  settings: Settings,
  what: string,
  server: Server,
  port: number,
  { least, most }: { readonly least: number; readonly most: number },
): AsyncGenerator<Row> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const cpu: number[] = [];
  const some = async (): Promise<number> => {
    const [began, spent] = [performance.now(), cpuMicroseconds(server.pid)];
    for (let at = 0; at < SCRAPES; at += 1) {
      const bytes = await scrape(port, agent);
      if (bytes < least) throw new Error(`a scrape had ${bytes} bytes`);
    }
    cpu.push((cpuMicroseconds(server.pid) - spent) / SCRAPES);
    return (performance.now() - began) / SCRAPES;
  };
  try {
    await firstScrape(port);
    await some();
    cpu.length = 0;
    const [times = []] = await interleave(settings.rounds, [some]);
    const figure = summarise(times);
    yield {
      what: `scrape of ${what}`,
      unit: 'ms',
      ours: figure,
      cpu: { ours: summarise(cpu).median },
      target: below(figure.median, most, ' ms'),
    };
    const [longest = []] = await interleave(settings.rounds, [
      async () => {
        let goes = true;
        const scrapes = (async () => {
          while (goes) await scrape(port, agent);
        })();
        const wait = await probe(settings, server).finally(() => {
          goes = false;
        });
        await scrapes;
        return wait;
      },
    ]);
    yield waitRow(`longest nop during scrapes of ${what}`, longest, 10, 'longest');
  } finally {
    agent.destroy();
  }
}

/** A scrape of many instances, and of many providers. */
export const metrics: Scenario = async function* (settings): AsyncGenerator<Row> {
  const many = '[providers.many]\ntype = "sim"\ncount = 10000\n';
  const providers = Array.from({ length: 1000 }, (_, at) => `[providers.p${at}]\ntype = "sim"\ncount = 5\n`).join('');
  for (const [what, tables, limits] of [['10,000 instances', many, { least: 5e6, most: 100 }], ['1,000 providers, 5,000 instances', providers, { least: 3e6, most: 250 }]] as const) {
    const port = await freePort();
    const server = await startOurs(`${tables}[gateways.metrics]\ntype = "metrics"\nlisten = ["127.0.0.1:${port}"]\nmax-series = 1000000\n`);
    try {
      yield* rowsOf(settings, what, server, port, limits);
    } finally {
      await stopServers(server);
    }
  }
};
