import t from 'tap';
import { orderSubject, resultSubject } from '../../src/fleet/subjects.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { NATS_PROGRAMS, natsUser } from '../peers/nats.js';
import { account, Fleet, nameOf } from './support/fleet.js';
import { SILENCE_MS, Thief } from './support/fleet-thief.js';

/** What orders do that are not what they should be, and what stolen keys can. Each real act is counted. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

/** A front of whose key the sites know nothing; the bus lets it in. */
const stranger = natsUser('f9', 'front');

const NAMES = ['web1', 'web2', 'db'];
const fleet = await Fleet.start(t, {
  sites: {
    berlin: { counted: { names: NAMES }, ceilings: { f1: '{ instances = ["kvm1/web*"], commands = ["read", "power"] }' } },
    munich: { counted: { names: NAMES } },
  },
  fronts: { f1: { tables: account('kim', '{ instances = ["*"], commands = ["*"] }') } },
  keys: [stranger],
  siteIgnores: ['f9'],
});

const acts = (site: string): string => NAMES.map((name) => `${name}:${fleet.machines(site).acts(name)}`).join(' ');
const thief = await Thief.logIn(fleet, fleet.keyOf('f1'));
const other = await Thief.logIn(fleet, stranger);
t.teardown(() => Promise.all([thief.close(), other.close()]));

await t.test('an order as it should be is done, and once, however often it comes', async (t) => {
  const sent = thief.sign(thief.order('berlin', 'web1'));
  t.match(await thief.send(sent), { state: /ended|running/, id: sent.order.id });
  await until(() => acts('berlin') === 'web1:r web2: db:', LONG, 'the act');
  await until(async () => (await thief.send(sent))?.state === 'ended', LONG, 'the end of it');
  for (let again = 0; again < 3; again += 1) t.match(await thief.send(sent), { state: 'ended', result: 'done', id: sent.order.id }, 'the answer is that of the first one');
  const together = thief.sign(thief.order('berlin', 'web2'));
  const answers = await Promise.all([1, 2, 3, 4].map(() => thief.send(together)));
  t.ok(answers.every((answer) => answer?.state === 'ended' || answer?.state === 'running'), JSON.stringify(answers));
  await until(async () => (await thief.send(together))?.state === 'ended', LONG, 'the end of it');
  t.equal(acts('berlin'), 'web1:r web2:r db:');
});

await t.test('a forged one is refused', async (t) => {
  const before = [acts('berlin'), acts('munich')];
  const order = thief.order('berlin', 'web1');
  const isRefused = async (what: string, answer: Promise<unknown>): Promise<void> => {
    const got = await answer;
    t.ok(got === undefined || (got as { phrase?: string }).phrase === 'NOT ALLOWED', `${what}: ${JSON.stringify(got)}`);
  };
  await isRefused('not signed', thief.send(thief.sign(order), { signed: false, ms: SILENCE_MS }));
  await isRefused('signed by a key that is not known', other.send(other.sign(other.order('berlin', 'web1')), { ms: SILENCE_MS }));
  await isRefused('in the name of another', other.send(other.sign(other.order('berlin', 'web1'), { as: 'f1' }), { ms: SILENCE_MS }));
  await isRefused('signed by a site', thief.send(thief.sign(order, { key: fleet.keyOf('munich'), as: 'munich' }), { ms: SILENCE_MS }));
  const signed = thief.sign(order);
  const changed = Buffer.from(Buffer.from(signed.bytes).toString().replace('"web1"', '"web2"').replace('id-web1', 'id-web2'));
  await isRefused('changed on the way', thief.send({ ...signed, bytes: changed }, { ms: SILENCE_MS }));
  await isRefused('signed as something else', thief.send(thief.sign(order, { purpose: resultSubject('berlin') }), { ms: SILENCE_MS }));
  t.same([acts('berlin'), acts('munich')], before);
  await until(() => /NOT ALLOWED|signature|signed/.test(fleet.site('berlin').daemon.stderr()), LONG, 'the site\'s log to tell of it');
});

await t.test('one for another site, or another machine, does nothing', async (t) => {
  const before = [acts('berlin'), acts('munich')];
  const meant = thief.sign(thief.order('berlin', 'web1'));
  const elsewhere = await thief.send(meant, { to: orderSubject('munich'), ms: SILENCE_MS });
  t.ok(elsewhere === undefined || elsewhere.state === 'failed', `sent to another site: ${JSON.stringify(elsewhere)}`);
  const resigned = await thief.send(thief.sign(meant.order, { purpose: orderSubject('munich') }), { to: orderSubject('munich'), ms: SILENCE_MS });
  t.ok(resigned === undefined || resigned.state === 'failed', `and signed for that: ${JSON.stringify(resigned)}`);
  t.match(await thief.send(thief.sign(thief.order('berlin', 'web1', { machine: 'id-web2' }))), { state: 'failed', phrase: 'NO SUCH INSTANCE' }, 'the id of one, the name of another');
  t.match(await thief.send(thief.sign(thief.order('berlin', 'web1', { machine: 'id-gone' }))), { state: 'failed', phrase: 'NO SUCH INSTANCE' }, 'one that is gone');
  t.match(await thief.send(thief.sign(thief.order('berlin', 'web1', { provider: 'kvm2' }))), { state: 'failed', phrase: /NO SUCH INSTANCE|NO SUCH PROVIDER|NOT ALLOWED/ }, 'a provider that is none');
  t.match(await thief.send(thief.sign(thief.order('berlin', 'db'))), { state: 'failed', phrase: 'NOT ALLOWED' }, 'beyond the ceiling, whatever the account');
  t.same([acts('berlin'), acts('munich')], before);
});

await t.test('a late one does nothing, nor does one from tomorrow', async (t) => {
  const before = [acts('berlin'), acts('munich')];
  const now = Date.now();
  const late = thief.order('berlin', 'web1', { at: now - 20_000, sendBy: now - 10_000 });
  t.match(await thief.send(thief.sign(late)), { state: 'failed', phrase: 'UNREACHABLE' });
  t.match(await thief.send(thief.sign(thief.order('berlin', 'web1', { at: now - 1000, sendBy: now - 500 }))), { state: 'failed', phrase: 'UNREACHABLE' });
  t.match(await thief.send(thief.sign(thief.order('berlin', 'web1', { at: now + 3_600_000, sendBy: now + 3_605_000 }))), { state: 'failed', phrase: 'UNREACHABLE' }, 'a clock that is an hour before');
  t.match(await thief.send(thief.sign(thief.order('berlin', 'web1', { sendBy: now + 3_600_000 }))), { state: 'failed' }, 'one that could be begun for an hour');
  t.same([acts('berlin'), acts('munich')], before);
});

await t.test('one that was asked after before it came is never begun', async (t) => {
  const before = acts('berlin');
  const sent = thief.sign(thief.order('berlin', 'web1'));
  const { id, at, sendBy } = sent.order;
  const question = Buffer.from(JSON.stringify({ v: 1, id, site: 'berlin', front: 'f1', at, sendBy }));
  const asked = { order: sent.order, bytes: question, from: 'f1', signature: '' };
  const answer = await thief.send({ ...asked, signature: fleet.keyOf('f1').signer.sign(resultSubject('berlin'), question) }, { to: resultSubject('berlin') });
  t.match(answer, { state: 'none', id });
  t.notMatch(await thief.send(sent), { state: 'ended' });
  t.notMatch(await thief.send(sent), { state: 'running' });
  t.equal(acts('berlin'), before);
});

await t.test('what a stolen key of a site can do', async (t) => {
  const site = await Thief.logIn(fleet, fleet.keyOf('munich'));
  t.teardown(() => site.close());
  for (const subject of [orderSubject('berlin'), resultSubject('berlin'), '>', 'argo.>', '_INBOX.f1.>', '_INBOX.berlin.>', '$KV.argo-inventory.berlin.>']) t.notOk(await site.mayListen(subject), `listen to ${subject}`);
  for (const subject of [orderSubject('berlin'), orderSubject('munich'), 'argo.v1.site.berlin.ask', 'argo.v1.site.berlin.alive', 'argo.v1.event.berlin.state', 'argo.v1.audit.front.f1', '$KV.argo-inventory.berlin.kvm1.0', '$JS.API.STREAM.DELETE.ARGO_EVENTS', '$JS.API.STREAM.PURGE.ARGO_AUDIT']) t.notOk(await site.maySend(subject), `send to ${subject}`);
  t.ok(await site.mayListen(orderSubject('munich')), 'its own orders');
  t.notOk(await site.maySend('$JS.API.DIRECT.GET.KV_argo-inventory.$KV.argo-inventory.berlin.kvm1.0'), 'read the machines of another site');
  // it may pass for its own site: and for nothing else, since a front knows the keys
  t.ok(await site.maySend('argo.v1.site.munich.alive'));
  await fleet.isUp('f1', 'berlin');
});

await t.test('what a stolen key of a front can do', async (t) => {
  t.notOk(await thief.maySend('argo.v1.site.berlin.alive'));
  t.notOk(await thief.maySend('argo.v1.event.berlin.state'));
  t.notOk(await thief.maySend('$KV.argo-inventory.berlin.kvm1.0'));
  t.notOk(await thief.maySend('$KV.argo-leases.san1'));
  for (const stream of ['ARGO_EVENTS', 'ARGO_AUDIT', 'KV_argo-inventory']) for (const act of ['DELETE', 'PURGE', 'UPDATE']) t.notOk(await thief.maySend(`$JS.API.STREAM.${act}.${stream}`), `${act} ${stream}`);
  t.notOk(await thief.mayListen('_INBOX.f9.>'), 'answers to another front');
  t.notOk(await thief.mayListen(orderSubject('berlin')), 'orders of another front');
  // it can order, within its ceiling, in any person's name; the site's audit says whose key it was
  t.match(JSON.stringify(fleet.site('berlin').audit().at(-1)), /kim@f1/);
});

await t.test('keys that are taken out and put back, without a restart', async (t) => {
  const [f1, berlin] = [fleet.front('f1'), fleet.site('berlin')];
  const before = acts('berlin');
  await berlin.reload((text) => text.replace(/\[\[fleet\.fronts\]\]\nname = "f1"\n.*\n.*\n/, ''));
  t.match(await f1.ask('reboot berlin.kvm1/web1'), /^400 NOT ALLOWED/);
  t.equal(acts('berlin'), before);
  t.equal(await f1.ask('reboot munich.kvm1/web1'), '', 'at the other site nothing has changed');
  await berlin.reload((text) => text);
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '');
  // out of the bus's own configuration, and in again
  await fleet.nats.setUsers(fleet.keys.filter((key) => nameOf(key) !== 'berlin'));
  await fleet.isAway('f1', 'berlin');
  t.match(await f1.ask('reboot berlin.kvm1/web1'), /^400 UNREACHABLE/);
  t.equal(await f1.ask('reboot munich.kvm1/web1'), '');
  await fleet.nats.setUsers(fleet.keys);
  await fleet.isUp('f1', 'berlin');
  t.equal(await f1.ask('reboot berlin.kvm1/web1'), '');
});
