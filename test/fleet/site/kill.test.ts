import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { BusMessage } from '../../../src/fleet/contract.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { fromRoot } from '../../support/paths.js';
import { until } from '../../support/until.js';
import type { FromChild, FromParent, Given } from './kill-site.js';
import { SITE, TestFront, WITHIN, type Fields } from './world.js';

const MACHINES = 400;
const CALLERS = 8;
const KILLS = 6;
/** between two questions what became of an order */
const PATIENCE = 150;

/** The process of a site, at the hub of the test: one after the other. */
class SiteProcess {
  kills = 0;
  #child: ChildProcess | undefined;
  #ends: (() => void)[] = [];
  readonly #hub: MemoryHub;
  readonly #given: Given;

  constructor(hub: MemoryHub, given: Given) {
    this.#hub = hub;
    this.#given = given;
  }

  async start(): Promise<void> {
    const child = this.#child = fork(fromRoot('dist/test/fleet/site/kill-site.js'), [JSON.stringify(this.#given)], { execArgv: [] });
    const bus = this.#hub.connect(SITE);
    const waiting = new Map<number, BusMessage>();
    let [number, isOpen] = [0, false];
    child.on('message', (said: FromChild) => {
      if ('isOpen' in said) isOpen = true;
      else if ('subject' in said) {
        this.#ends.push(bus.subscribe(said.subject, (message) => {
          number += 1;
          waiting.set(number, message);
          const headers = Object.fromEntries(['Argo-From', 'Argo-Signature'].map((name) => [name, message.header(name) ?? '']));
          if (child.connected) child.send({ number, subject: said.subject, data: Buffer.from(message.data).toString('base64'), headers } satisfies FromParent);
        }));
      } else waiting.get(said.number)?.respond(Buffer.from(said.data, 'base64'), said.headers);
    });
    await until(() => isOpen, WITHIN, 'the site to take orders');
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    for (const end of this.#ends.splice(0)) end();
    await gone;
    this.kills += 1;
  }
}

/** One order, asked about until something certain is said. */
async function carry(front: TestFront, machine: string): Promise<Fields> {
  const order = front.order({ machine, instance: machine, do: 'reboot' });
  let talk = front.sendOrder(order);
  for (;;) {
    const end = Date.now() + PATIENCE;
    await until(() => talk.error !== undefined || talk.answers.some(({ state }) => state !== 'running') || Date.now() > end, WITHIN, 'an answer, or none');
    const last = talk.answers.find(({ state }) => state !== 'running');
    if (last) return last;
    talk = Math.random() < 0.3 ? front.sendOrder(order) : front.sendResult(order.id);
  }
}

await t.test('a site that is killed again and again begins nothing twice, and says nothing that is not so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-kill-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const acts = join(folder, 'acts');
  writeFileSync(acts, '');
  const [hub, seed] = [new MemoryHub(), newSeed()];
  const front = new TestFront(hub, 'f1', new NkeySigner(seed), Date.now);
  const site = new SiteProcess(hub, { folder, seed, front: front.signer.publicKey, machines: MACHINES, acts });
  await site.start();
  t.teardown(() => site.kill());
  const told = new Map<string, Fields>();
  const names = Array.from({ length: MACHINES }, (_, index) => `m${index}`);
  const callers = Array.from({ length: CALLERS }, async () => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) told.set(name, await carry(front, name));
  });
  for (let done = MACHINES / (KILLS + 2); site.kills < KILLS; done += MACHINES / (KILLS + 2)) {
    await until(() => told.size >= done, 60_000, 'some orders to be answered');
    await site.kill();
    await site.start();
  }
  await Promise.all(callers);
  const count = new Map<string, number>();
  for (const name of readFileSync(acts, 'utf8').split('\n').filter(Boolean)) count.set(name, (count.get(name) ?? 0) + 1);
  const of = (...states: string[]): string[] => [...told].filter(([, { state }]) => states.includes(String(state))).map(([name]) => name);
  t.same([...count].filter(([, acted]) => acted > 1), [], 'done twice');
  t.same(of('ended').filter((name) => !count.has(name)), [], 'said to be done, and not done');
  t.same(of('none', 'failed').filter((name) => count.has(name)), [], 'said not to be done, and done');
  t.equal(told.size, MACHINES);
  t.ok(of('ended').length > MACHINES / 2);
  t.comment(`${of('ended').length} ended, ${of('none', 'failed').length} never begun, ${of('lost').length} lost, ${site.kills} kills`);
});
