import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { storeLayout } from '../../src/fleet/store-layout.js';
import { NATS_PROGRAMS, natsUser, type NatsUser } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { runNode } from '../support/programs.js';
import { until } from '../support/until.js';
import { Fleet, nameOf, type Member } from './support/fleet.js';
import { Thief } from './support/fleet-thief.js';

/** The steps of docs/fleet.md, "Keys" and "Upgrades", one after the other, while somebody orders all the time. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

/** From an order to its effect, ms. */
const SLOW = 2000;
/** Of the streams that tests make. */
const STREAM_SIZE = '256MiB';

const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: ['web1', 'web2', 'slow1'], slow: { slow1: SLOW } } } }, fronts: { f1: {}, f2: {} },
});
const [f1, f2, berlin] = [fleet.front('f1'), fleet.front('f2'), fleet.site('berlin')];
const machines = fleet.machines('berlin');
/** Who is let in at the bus. */
let users: readonly NatsUser[] = fleet.keys;
const edits = new Map<Member, ((text: string) => string)[]>();

/** Changes a member's configuration for good. */
function edit(member: Member, change: (text: string) => string): void {
  edits.set(member, [...edits.get(member) ?? [], change]);
}
const edited = (member: Member) => (text: string): string => (edits.get(member) ?? []).reduce((now, change) => change(now), text);
const reload = (member: Member): Promise<void> => member.reload(edited(member));
const restart = async (member: Member): Promise<void> => {
  await member.stop();
  await member.start({ change: edited(member) });
};
const admit = (next: readonly NatsUser[]): Promise<void> => fleet.nats.setUsers(users = next);
const isAdmitted = (key: NatsUser): Promise<boolean> => Thief.logIn(fleet, key).then((thief) => thief.close().then(() => true), () => false);
const hasKey = (key: NatsUser) => (text: string): string => text.replace(/nkey = "[^"]*"/, `nkey = "${key.seed}"`);
const table = (kind: 'fronts' | 'sites', key: NatsUser, more = ''): string => `[[fleet.${kind}]]\nname = "${nameOf(key)}"\npublic-key = "${key.signer.publicKey}"\n${more}`;
const argoServer = (member: Member, ...words: string[]) =>
  runNode([fromRoot('bin', 'argo-server.js'), '--config', join(member.folder, 'argo-server.conf'), 'fleet', ...words], { env: { ...process.env, HOME: member.folder } });

/** Orders again and again, until it is ended. */
class Caller {
  done = 0;
  /** told to be uncertain */
  open = 0;
  readonly refused: string[] = [];
  #isOver = false;
  readonly #before: number;
  readonly #running: Promise<void>;

  constructor(readonly front: Member, readonly machine: string) {
    this.#before = machines.count(machine, 'r');
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const answer = await this.front.ask(`reboot berlin.kvm1/${this.machine} --timeout=20`).catch((error: unknown) => `lost: ${(error as Error).message}`);
      if (answer === '') this.done += 1;
      else if (/^400 UNCERTAIN/.test(answer)) this.open += 1;
      else this.refused.push(answer);
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }

  /** @throws where more or less was done than was told */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    const really = machines.count(this.machine, 'r') - this.#before;
    if (really < this.done || really > this.done + this.open) throw new Error(`${this.done} told done and ${this.open} uncertain, but ${really} done: ${this.refused.join(' | ')}`);
  }
}

await t.test('another key for a site', async (t) => {
  const [before, after] = [fleet.keyOf('berlin'), natsUser('berlin', 'site')];
  const caller = new Caller(f1, 'web1');
  await until(() => caller.done > 0, LONG, 'an order');
  await admit([...users, after]);
  edit(berlin, hasKey(after));
  for (const front of [f1, f2]) edit(front, (text) => text.replace(before.signer.publicKey, after.signer.publicKey));
  for (const member of [berlin, f1, f2]) await reload(member);
  for (const front of ['f1', 'f2']) await fleet.isUp(front, 'berlin');
  await admit(users.filter((key) => key !== before));
  const sofar = caller.done;
  await until(() => caller.done > sofar + 3, LONG, 'orders to go on');
  await caller.end();
  t.same(caller.refused.filter((words) => !words.startsWith('400 UNREACHABLE')), [], 'in between nothing is done, and said so');
  t.equal(await fleet.count('f2', 'berlin.kvm1/*'), 3);
  t.notOk(await isAdmitted(before), 'the old one opens nothing any more');
});

await t.test('another key for a front, under another name: nobody waits', async (t) => {
  const [before, after] = [fleet.keyOf('f1'), natsUser('f3', 'front')];
  const others = new Caller(f2, 'web2');
  await admit([...users, after]);
  edit(berlin, (text) => text.replace('[[fleet.fronts]]', `${table('fronts', after, 'grants = [{ instances = ["*"], commands = ["*"] }]\n')}[[fleet.fronts]]`));
  await reload(berlin);
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '', 'by the old one, still');
  edit(f1, (text) => hasKey(after)(text).replace('name = "f1"', 'name = "f3"'));
  await reload(f1);
  await fleet.isUp('f1', 'berlin');
  await until(async () => await f1.ask('reboot berlin.kvm1/web1') === '', LONG, 'an order by the new one');
  await until(() => berlin.audit().at(-1)?.account.endsWith('@f3') === true || berlin.audit().some(({ account }) => account === 'admin@f3'), LONG, 'the site\'s audit to name it');
  await admit(users.filter((key) => key !== before));
  edit(berlin, (text) => text.replace(table('fronts', before, 'grants = [{ instances = ["*"], commands = ["*"] }]\n'), ''));
  await reload(berlin);
  t.notOk(await isAdmitted(before));
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '');
  await others.end();
  t.ok(others.done > 0);
  t.same([others.open, others.refused], [0, []], 'the other front has ordered all the time');
});

await t.test('an upgrade: the bus, what it keeps, sites, fronts', async (t) => {
  const caller = new Caller(f2, 'web1');
  const isWhole = async (): Promise<void> => {
    let said = '';
    await until(async () => {
      const { code, stdout, stderr } = await argoServer(berlin, 'check');
      said = `${stdout}${stderr}`;
      return code === 0 && !said.includes('is not up to date');
    }, LONG, 'no copy to be behind').catch((error: unknown) => { throw new Error(`${(error as Error).message}: ${said}`); });
  };
  for (const server of fleet.nats.servers) {
    await isWhole();
    await server.kill();
    await server.start();
  }
  await isWhole();

  const admin = join(f1.folder, 'admin.nk');
  writeFileSync(admin, fleet.nats.admin.seed, { mode: 0o600 });
  const init = (...more: string[]) => argoServer(f1, 'init', '--admin', admin, '--events-size', STREAM_SIZE, '--audit-size', STREAM_SIZE, ...more);
  const { stream, title, settings } = storeLayout()[0]!;
  const { config } = await fleet.nats.ask(`STREAM.INFO.${stream}`) as { readonly config: object };
  await fleet.nats.ask(`STREAM.UPDATE.${stream}`, { ...config, description: settings.description.replace(/layout \d+/, 'layout 0') });
  const told = await init();
  t.equal(told.code, 1);
  t.match(`${told.stdout}${told.stderr}`, new RegExp(`${title}: there already, and left as it is: is of layout 0`));
  t.match(await init('--change'), { code: 0, stdout: new RegExp(`^${title}: changed: is of layout 0`, 'm') });
  t.match(await init(), { code: 0, stdout: new RegExp(`^${title}: there already, as it should be$`, 'm') });

  const { answer } = await fleet.underWay(f1, 'berlin', 'slow1');
  await restart(berlin);
  t.equal(await answer, '', 'what was under way has come to its end');
  t.equal(machines.acts('slow1'), 'r');
  await fleet.isUp('f2', 'berlin');
  await restart(f1);
  await fleet.isUp('f1', 'berlin');
  const sofar = caller.done;
  await until(() => caller.done > sofar + 3, LONG, 'orders to go on at the other front');
  await caller.end();
  t.same(caller.refused.filter((words) => !words.startsWith('400 UNREACHABLE')), [], 'what was not done was not sent');
  await restart(f2);
  for (const front of ['f1', 'f2']) await fleet.knowsAll(front);
  t.equal(await f2.ask('reboot berlin.kvm1/web1'), '');
});
