import t from 'tap';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { account, Fleet, type Member } from './support/fleet.js';

/** In what words people at a front hear why something was not done, or was ended. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

/** Machines that take an order and do nothing. */
const deaf = (provider: string): string => `[providers.${provider}]\ntype = "sim"\ninstances = ["d1", "d2"]\nfaults = { d1 = "deaf", d2 = "deaf" }\n`;
const kim = (rights: string): string => account('kim', `{ instances = ["berlin.sim/d*"], commands = [${rights}] }`);

const fleet = await Fleet.start(t, {
  sites: { berlin: { counted: { names: ['web1'] }, tables: `${deaf('sim')}${deaf('going')}` } },
  fronts: { f1: { tables: kim('"read", "power"') } },
});
const [f1, berlin] = [fleet.front('f1'), fleet.site('berlin')];

/** A stop that waits for its end, and never sees it. */
async function waiting(who: string, machine: string): Promise<{ readonly answer: Promise<string> }> {
  const client = await f1.logIn(who);
  const answer = client.answer(`stop berlin.${machine} --wait=300`, LONG);
  await until(async () => new RegExp(` ${machine} .*verifying`).test(await berlin.ask('task')), LONG, `the order for ${machine} at the site`);
  return { answer };
}

const lastOf = (member: Member): string | null | undefined => member.audit().at(-1)?.outcome;

await t.test('what is done at the site alone names it', async (t) => {
  t.equal(await f1.ask('image list berlin.kvm1'), '400 NOT SUPPORTED: berlin.kvm1 is at site berlin, and image.list is done there');
});

await t.test('a right that is taken away at the front', async (t) => {
  const { answer } = await waiting('kim', 'sim/d1');
  await f1.reload((text) => text.replace(kim('"read", "power"'), kim('"read"')));
  const words = 'UNCERTAIN: accepted, and last seen on when the right to it was taken away';
  t.equal(await answer, `400 ${words}`);
  await until(() => lastOf(berlin) === words, LONG, 'the same words in the audit of the site');
  await f1.reload((text) => text);
});

await t.test('a provider that the site loses', async (t) => {
  const { answer } = await waiting('admin', 'going/d1');
  await berlin.reload((text) => text.replace(deaf('going'), ''));
  t.equal(await answer, '400 UNCERTAIN: accepted, and last seen on when its provider was closed');
});

await t.test('the bus is gone', async (t) => {
  await Promise.all(fleet.nats.servers.map((server) => server.kill()));
  await fleet.isAway('f1', 'berlin', /the bus cannot be used: .*nobody listens there/);
  const plain = 'UNREACHABLE: site berlin cannot be reached; nothing was done';
  const told = [];
  for (const request of ['stop berlin.sim/d1', 'stop berlin.sim/d1 --dry-run', 'uptime berlin.sim/d1']) told.push(await f1.ask(request, 'kim'));
  t.same(told, told.map(() => `400 ${plain}`));
  const info = await f1.ask('info berlin.sim/d1', 'kim');
  t.ok(info.includes(`error: ${plain}`), info);
  t.match(await f1.ask('stop berlin.sim/d1'), /^400 UNREACHABLE: site berlin: the bus cannot be used: .*: nobody listens there.*; nothing was done$/, 'who sees all is told why');
  t.notMatch(`${await f1.ask('fleet')}${f1.daemon.stderr()}`, /ECONNREFUSED|All promises/);
  await Promise.all(fleet.nats.servers.map((server) => server.start()));
  await fleet.isUp('f1', 'berlin');
});

await t.test('the front ends', async (t) => {
  const { answer } = await waiting('admin', 'sim/d2');
  f1.daemon.signal('SIGTERM');
  t.equal(await answer, '400 UNCERTAIN: accepted, and last seen on when the server ended');
  await until(() => lastOf(berlin) === 'UNCERTAIN: accepted, and last seen on when its front, or a gateway there, ended', LONG, 'why, in the audit of the site');
});
