import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { LEASE_RENEW, LEASE_TTL } from '../../src/kit/fleet-limits.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { CountedMachines } from './support/counted-machines.js';
import { Fleet, type Member } from './support/fleet.js';

/** Two whole servers serve the same machines under a lease: one of them acts, the other one when that is dead, and never both. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'argo-lease-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'shared'));
/** The machines of both. */
const machines = new CountedMachines(join(folder, 'shared'), { names: ['disk'] });
const san1 = machines.table('san1', 'lease = "san1"');

// each site needs the driver, which is in the folder of its own machines
const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: ['web1'] }, tables: san1 }, munich: { counted: { names: ['mail'] }, tables: san1 } },
  fronts: { f1: {} },
});
const f1 = fleet.front('f1');
const acts = (): number => machines.acts('disk').length;
const otherOf = (site: Member): Member => (site.name === 'berlin' ? fleet.site('munich') : fleet.site('berlin'));
/** What was told to be done: each is one act. */
let done = 0;

/** Orders it at a site, by its own people. @returns whether it was done; else it was refused for want of the lease */
async function reboot(site: Member): Promise<boolean> {
  const answer = await site.ask('reboot san1/disk');
  if (answer === '') done += 1;
  else if (!/^400 (?:UNREACHABLE: no lease san1: |BUSY: its lease has changed hands)/.test(answer)) throw new Error(`${site.name}: ${answer}`);
  // what was done is what was told, and nothing more
  if (acts() !== done) throw new Error(`${done} were told, and ${acts()} done`);
  return answer === '';
}

/** The one that has it. */
async function holder(): Promise<Member> {
  let found: Member | undefined;
  await until(async () => {
    for (const site of fleet.sites.values()) if (await reboot(site)) found = site;
    return found !== undefined;
  }, LONG, 'one of them to have the lease');
  return found!;
}

await t.test('one of them has it, also for fronts', async (t) => {
  const first = await holder();
  const second = otherOf(first);
  t.notOk(await reboot(second), 'the other one does nothing');
  // it looks at the lease now and then
  await until(async () => new RegExp(`^400 UNREACHABLE: no lease san1: ${first.name} has it`).test(await second.ask('reboot san1/disk')), LONG, 'the other one to know who has it');
  await until(async () => new RegExp(`^${second.name} .* elsewhere=${second.name}\\.san1`, 'm').test(await f1.ask('fleet')), LONG, 'the front to know where it is');
  await until(async () => await f1.ask('status disk') === 'on', LONG, 'that it is there once');
  t.equal(await f1.ask(`reboot ${first.name}.san1/disk`), '');
  done += 1;
  t.match(await f1.ask(`reboot ${second.name}.san1/disk`), /^400 /);
  t.equal(acts(), done);
});

await t.test('its holder is killed: the other one takes over after a whole term, and the former one finds it taken', async (t) => {
  const first = await holder();
  const second = otherOf(first);
  await first.kill();
  const killed = performance.now();
  await until(() => reboot(second), LONG, 'the other one to act');
  // it had been renewed at most LEASE_RENEW before
  t.ok(performance.now() - killed > LEASE_TTL - LEASE_RENEW - 1000, 'not before the term of the former one is over');
  await until(async () => await f1.ask(`reboot ${second.name}.san1/disk`) === '', LONG, 'the front to order it there');
  done += 1;
  await first.start();
  await fleet.isUp('f1', first.name);
  await until(async () => new RegExp(`no lease san1: ${second.name} has it`).test(await first.ask('reboot san1/disk')), LONG, 'the former one to know whose it is');
  t.notOk(await reboot(first));
  t.ok(await reboot(second), 'which has it still');
});

await t.test('its holder hangs: what lies in its line when it wakes up is not done any more', async (t) => {
  const first = await holder();
  const second = otherOf(first);
  const client = await first.logIn();
  first.daemon.signal('SIGSTOP');
  const late = client.answer('reboot san1/disk', LONG);
  await until(() => reboot(second), LONG, 'the other one to act');
  first.daemon.signal('SIGCONT');
  t.match(await late, /^400 UNREACHABLE: no lease san1: /);
  t.equal(acts(), done, 'nothing was done late');
  t.ok(await reboot(second));
  t.notOk(await reboot(first));
});

await t.test('its holder ends: the other one has it at once', async (t) => {
  const first = await holder();
  const second = otherOf(first);
  await first.stop();
  await until(() => reboot(second), LONG, 'the other one to act');
  t.match(await f1.ask('fleet'), new RegExp(`^${first.name} away `, 'm'));
  t.equal(acts(), done);
});
