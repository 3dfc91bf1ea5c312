import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { lacksVcsim, startVcsim, type Vcsim } from '../../test/peers/vcsim.js';
import { RawCalls, VM } from '../vim-calls.js';
import { firstFillRows } from '../first-fill.js';
import { measure } from '../load.js';
import { LOGIN, startOurs } from '../ours.js';
import { ARGO_END, stopServers, type Server } from '../peers/bare.js';
import { ask } from '../process.js';
import { atLeast, below, type Row } from '../report.js';
import { compareFigures, type Scenario, type Settings } from '../scenario.js';
import { interleave, summarise } from '../stats.js';

/** Of each of two pools. */
const MACHINES = 500;
const MANY = 'DC0_C0_RP0_VM[1-100]';
/** A vCenter that does not answer: nobody listens on that port. */
const ABSENT = `\n[providers.absent]\ntype = "esxi"\nurl = "https://127.0.0.1:1"\nuser = "nobody"\npassword = "none"\n`;
/** Targets, ms. */
const FILL_LIMIT = 2000;
const LIST_LIMIT = 20;
/** Stops and starts of a measurement: each takes some milliseconds. */
const CYCLES = 20;
const LISTED_WITHIN = 60_000;
async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** One connection that has logged in, on which requests are answered one after the other. */
class Line {
  #text = '';
  #answered: (() => void) | undefined;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').setNoDelay(true).on('data', (chunk: string) => {
      this.#text += chunk;
      if (ARGO_END.test(this.#text)) this.#answered?.();
    });
  }

  static async open(server: Server): Promise<Line> {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    const line = new Line(socket);
    await line.ms(LOGIN);
    return line;
  }

  /** ms until a request is answered. @throws Error when it is refused */
  async ms(request: string): Promise<number> {
    this.#text = '';
    const ms = await timed(() => new Promise<void>((resolve) => {
      this.#answered = resolve;
      this.#socket.write(request);
    }));
    if (/^400/m.test(this.#text)) throw new Error(`the daemon says ${this.#text}`);
    return ms;
  }

  close(): void {
    this.#socket.destroy();
  }
}

async function startOver(vcsim: Vcsim): Promise<Server> {
  const server = await startOurs(`[providers.vc]\n${vcsim.config}`);
  const deadline = Date.now() + LISTED_WITHIN;
  while ((await ask(server.port, 'list\n', ARGO_END)).split('\n').length < 2 * MACHINES) {
    if (Date.now() > deadline) throw new Error('the daemon does not list the machines of vcsim');
  }
  return server;
}

/** ms of one of several in a row. */
async function each(times: number, work: () => Promise<unknown>): Promise<number> {
  return await timed(async () => { for (let i = 0; i < times; i += 1) await work(); }) / times;
}

async function* rows(settings: Settings, vcsim: Vcsim, ours: Server, line: Line, raw: RawCalls): AsyncGenerator<Row> {
  const { seconds, warmUp } = settings;
  const list = await compareFigures(settings, 'vSphere: list of 1,000 machines', 'ms',
    async () => (await measure(ours.pid, { port: ours.port, setup: LOGIN, request: 'list\n', seconds, warmUp })).p50us / 1000,
    { name: 'govc find, a process', measure: () => timed(() => vcsim.govc('find', '/', '-type', 'm')) });
  yield { ...list, ratio: 1 / (list.ratio ?? NaN), target: atLeast(1 / (list.ratio ?? NaN), 50) };

  const stopAndStart = async (): Promise<unknown> => [await line.ms(`stop ${VM} --force\n`), await line.ms(`start ${VM}\n`)];
  const cycle = (): Promise<number> => each(CYCLES, stopAndStart);
  const govc = await compareFigures(settings, 'vSphere: stop and start of one', 'ms', cycle,
    { name: 'govc vm.power, two processes', measure: () => timed(async () => { await vcsim.govc('vm.power', '-off', VM); await vcsim.govc('vm.power', '-on', VM); }) });
  yield { ...govc, ratio: 1 / (govc.ratio ?? NaN), target: atLeast(1 / (govc.ratio ?? NaN), 3) };
  yield compareFigures(settings, 'vSphere: stop and start of one', 'ms', cycle,
    { name: 'the same calls, session kept', measure: () => each(CYCLES, () => raw.stopAndStart()) }, (_, ratio) => below(ratio, 1.5, '×'));

  const [many = []] = await interleave(settings.rounds, [async () => {
    const ms = await line.ms(`stop ${MANY} --force\n`);
    await line.ms(`start ${MANY}\n`);
    return ms;
  }]);
  const figure = summarise(many);
  yield { what: 'vSphere: stop of 100 of 1,000 at once', unit: 'ms', ours: figure, target: below(figure.median, 1000, ' ms') };
}

/** VMware's own simulator of a vCenter with a thousand machines, beside its own client. */
export const vsphere: Scenario = async function* (settings): AsyncGenerator<Row> {
  const lacking = await lacksVcsim();
  if (lacking !== false) return void (yield { what: 'vSphere', unit: 'ms', note: lacking });
  const vcsim = await startVcsim({ vms: MACHINES });
  const raw = new RawCalls(vcsim);
  try {
    yield* firstFillRows(settings, 'vSphere: 1,000 VMs', { provider: `\n[providers.vc]\n${vcsim.config}`, machines: 2 * MACHINES, before: ABSENT }, { fill: FILL_LIMIT, list: LIST_LIMIT });
    await raw.find();
    const ours = await startOver(vcsim);
    const line = await Line.open(ours);
    try {
      yield* rows(settings, vcsim, ours, line, raw);
    } finally {
      line.close();
      await stopServers(ours);
    }
  } finally {
    await raw.close();
    await vcsim.stop();
  }
};
