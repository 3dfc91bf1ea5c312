import { writeFileSync } from 'node:fs';
import t from 'tap';
import { HOST_NETWORK_PROGRAMS, HostNetworkPeer, MANAGER } from '../peers/host-network.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Changes of a host's network, over a real sshd in a network namespace; judged by `ip` there. */

const WAIT_MS = 60_000;
/** Milliseconds: short, so that the tests see the end of it; a busy machine takes a second for a connection. */
const ROLLBACK = 8_000;
const guard = { rollback: ROLLBACK, force: false };
const forced = { rollback: ROLLBACK, force: true };
/** For changes that are confirmed. */
const patient = { rollback: 60_000, force: false };

const LAB = { destination: '10.50.0.0', prefix: 16, gateway: '10.99.2.7', interface: 'eth1' };
const LAB_LINE = '10.50.0.0/16 via 10.99.2.7 dev eth1';
/** The route by which the manager is answered. */
const WAY = { destination: '10.98.0.0', prefix: 16, gateway: '10.99.1.1', interface: 'eth0' };
const WAY_LINE = '10.98.0.0/16 via 10.99.1.1 dev eth0';

await t.test('a host that is reached over SSH', { skip: lacksRoot(...HOST_NETWORK_PROGRAMS), timeout: 240_000 }, async (t) => {
  const peer = await HostNetworkPeer.start();
  t.teardown(() => peer.stop());
  const untouched = await peer.all();
  const refused = async (method: string, args: object, phrase: string, detail: RegExp): Promise<void> => {
    const outcome = await peer.change({ method, args: { ...args, ...guard } });
    t.match(outcome, { phrase, detail }, `${method} ${JSON.stringify(args)}`);
    t.equal(await peer.all(), untouched, 'nothing is changed');
  };

  await t.test('is read', async (t) => {
    const { value } = await peer.change({ method: 'routes', args: {} });
    t.match(value, [
      { destination: 'default', prefix: 0, gateway: '10.99.2.1', interface: 'eth1', metric: 0 },
      { destination: '10.98.0.0', prefix: 16, gateway: '10.99.1.1', interface: 'eth0', metric: 0 },
      { destination: '10.99.1.0', prefix: 24, interface: 'eth0', protocol: 'kernel' },
      { destination: '10.99.2.0', prefix: 24, interface: 'eth1', protocol: 'kernel' },
    ]);
    t.match(await peer.change({ method: 'gateway', args: { interface: 'eth1' } }), { value: '10.99.2.1' });
    t.match(await peer.change({ method: 'gateway', args: { interface: 'eth0' } }), { value: null });
    t.match(await peer.change({ method: 'bridges', args: {} }), { value: [] });
  });

  await t.test('routes that are confirmed', async (t) => {
    t.match(await peer.change({ method: 'addRoute', args: { ...LAB, ...patient } }), { value: {} });
    t.ok((await peer.routes()).includes(LAB_LINE));
    const other = { ...LAB, gateway: '10.99.2.8' };
    t.match(await peer.change({ method: 'replaceRoute', args: { old: LAB, new: other, ...patient } }), { value: {} });
    t.ok((await peer.routes()).includes('10.50.0.0/16 via 10.99.2.8 dev eth1'));
    const elsewhere = { ...other, destination: '10.51.0.0' };
    t.match(await peer.change({ method: 'replaceRoute', args: { old: other, new: elsewhere, ...patient } }), { value: {} });
    const routes = await peer.routes();
    t.ok(routes.includes('10.51.0.0/16 via 10.99.2.8 dev eth1'));
    t.notOk(routes.some((line) => line.startsWith('10.50.')));
    t.match(await peer.change({ method: 'deleteRoute', args: { ...elsewhere, ...patient } }), { value: {} });
    t.equal(await peer.all(), untouched);
    t.equal((await peer.onHost('ls', '/run/argo-network')).stdout, 'lock\nturn\n', 'nothing is left');
  });

  await t.test('what would cut us off is refused', async () => {
    await refused('deleteRoute', WAY, 'WRONG STATE', /^the host is reached by its route 10\.98\.0\.0\/16; force overrides/);
    await refused('addRoute', { ...LAB, destination: MANAGER, prefix: 32 }, 'WRONG STATE', /10\.98\.0\.1\/32 would lead away what the host is reached by/);
    await refused('setGateway', { gateway: '10.99.2.9', interface: 'eth1' }, 'WRONG STATE', /default way/);
    await refused('addBridge', { name: 'br7', address: '10.98.0.2', prefix: 16 }, 'WRONG STATE', /would lead away/);
    await refused('addBridge', { name: 'br7', address: '10.60.0.1', prefix: 24, gateway: '10.60.0.9' }, 'WRONG STATE', /default way/);
  });

  await t.test('what cannot be is refused', async () => {
    await refused('addRoute', { ...LAB, destination: '10.50.0.1' }, 'BAD REQUEST', /destination: has bits beyond its mask of 16/);
    await refused('addRoute', { ...LAB, destination: '010.50.0.0' }, 'BAD REQUEST', /destination: is no address/);
    await refused('addRoute', { ...LAB, prefix: 33 }, 'BAD REQUEST', /prefix/);
    await refused('addRoute', { ...LAB, gateway: '10.77.0.1' }, 'BAD REQUEST', /gateway: is not on the link of eth1/);
    await refused('addRoute', { ...LAB, gateway: '10.99.2.2' }, 'BAD REQUEST', /gateway: is an address of the host itself/);
    await refused('addRoute', { ...LAB, interface: '-batch' }, 'WRONG STATE', /no interface of that name/);
    await refused('addRoute', { ...LAB, interface: 'eth9' }, 'WRONG STATE', /no interface of that name/);
    await refused('addRoute', { ...LAB, interface: 'eth3' }, 'WRONG STATE', /eth3 is down/);
    await refused('addRoute', { ...WAY }, 'WRONG STATE', /there is a route 10\.98\.0\.0\/16 already/);
    await refused('replaceRoute', { old: LAB, new: { ...LAB, gateway: '10.99.2.8' } }, 'WRONG STATE', /there is no such route 10\.50\.0\.0\/16/);
    await refused('deleteRoute', LAB, 'WRONG STATE', /there is no such route/);
    await refused('deleteRoute', { destination: '10.99.2.0', prefix: 24, interface: 'eth1' }, 'WRONG STATE', /comes with an address of eth1/);
    await refused('addBridge', { name: '-rf' }, 'BAD REQUEST', /name/);
    await refused('addBridge', { name: 'a b' }, 'BAD REQUEST', /name/);
    await refused('addBridge', { name: 'eth3' }, 'WRONG STATE', /an interface of that name/);
    await refused('addBridge', { name: 'br7', address: '10.99.2.2', prefix: 24 }, 'BAD REQUEST', /address: is one of eth1/);
    await refused('addBridge', { name: 'br7', address: '10.60.0.255', prefix: 24 }, 'BAD REQUEST', /address: is the broadcast address/);
    await refused('addBridge', { name: 'br7', address: '10.60.0.1', prefix: 24, gateway: '10.61.0.1' }, 'BAD REQUEST', /gateway: is not on the link of br7/);
    await refused('deleteBridge', { name: 'eth3' }, 'WRONG STATE', /eth3 is no bridge/);
  });

  await t.test('bridges', async (t) => {
    t.match(await peer.change({ method: 'addBridge', args: { name: 'br7', address: '10.60.0.1', prefix: 24, ...patient } }), { value: {} });
    t.match(await peer.change({ method: 'addMember', args: { bridge: 'br7', member: 'eth3', ...patient } }), { value: {} });
    t.match((await peer.change({ method: 'bridges', args: {} })).value, [{ name: 'br7', members: ['eth3'], addresses: ['10.60.0.1/24'], isUp: true }]);
    t.match(await peer.ip('link', 'show', 'eth3'), /master br7.*UP/s);
    t.match(await peer.change({ method: 'deleteBridge', args: { name: 'br7', ...guard } }), { phrase: 'WRONG STATE', detail: /br7 has members: eth3/ });
    t.match(await peer.change({ method: 'addMember', args: { bridge: 'br7', member: 'eth0', ...guard } }), { phrase: 'WRONG STATE', detail: /eth0 has an address/ });
    t.match(await peer.change({ method: 'addMember', args: { bridge: 'br7', member: 'eth3', ...guard } }), { phrase: 'WRONG STATE', detail: /eth3 is a member of br7/ });
    t.match(await peer.change({ method: 'addMember', args: { bridge: 'eth3', member: 'eth2', ...guard } }), { phrase: 'WRONG STATE', detail: /eth3 is no bridge/ });
    await peer.ip('route', 'add', '10.61.0.0/16', 'via', '10.60.0.9', 'dev', 'br7');
    t.match(await peer.change({ method: 'changeBridge', args: { name: 'br7', address: '10.60.0.2', prefix: 24, ...patient } }), { value: {} });
    t.ok((await peer.routes()).includes('10.61.0.0/16 via 10.60.0.9 dev br7'), 'a route that still fits has come back');
    t.match((await peer.change({ method: 'bridges', args: {} })).value, [{ addresses: ['10.60.0.2/24'] }]);
    t.match(await peer.change({ method: 'deleteMember', args: { bridge: 'br7', member: 'eth3', ...patient } }), { value: {} });
    t.match(await peer.change({ method: 'deleteMember', args: { bridge: 'br7', member: 'eth3', ...patient } }), { phrase: 'WRONG STATE', detail: /no member/ });
    t.match(await peer.change({ method: 'deleteBridge', args: { name: 'br7', ...patient } }), { value: {} });
    await peer.ip('link', 'set', 'eth3', 'down');
    t.equal(await peer.all(), untouched);
  });

  await t.test('a change that cuts us off is undone by the host', async (t) => {
    const outcome = await peer.change({ method: 'deleteRoute', args: { ...WAY, ...forced } });
    t.match(outcome, { phrase: 'FAILED', detail: /^undone by the host: no new connection confirmed it in 8 s/ });
    t.equal(await peer.all(), untouched);
  });

  await t.test('a bridge that takes the way over is undone by the host', async (t) => {
    const outcome = await peer.change({ method: 'addBridge', args: { name: 'br7', address: '10.98.0.2', prefix: 17, ...forced } });
    t.match(outcome, { phrase: 'FAILED', detail: /^undone by the host/ });
    t.equal(await peer.all(), untouched);
  });

  await t.test('a server that is killed in the middle', async (t) => {
    for (const [method, args, isMade] of [
      ['addRoute', LAB, async () => (await peer.routes()).includes(LAB_LINE)],
      ['deleteRoute', WAY, async () => !(await peer.routes()).includes(WAY_LINE)],
      ['addBridge', { name: 'br7', address: '10.60.0.1', prefix: 24 }, async () => (await peer.all()).includes('br7')],
    ] as const) {
      const run = peer.begin({ method, args: { ...args, ...forced }, holdUntil: '/run/peer/never' });
      await until(isMade, WAIT_MS, `${method} to be made`);
      await run.kill();
      await until(async () => await peer.all() === untouched, WAIT_MS, `${method} to be undone by the host`);
    }
    t.equal(await peer.all(), untouched);
  });

  await t.test('a confirmation that comes too late', async (t) => {
    const run = peer.begin({ method: 'addRoute', args: { ...LAB, ...guard }, holdUntil: '/run/peer/late' });
    await until(async () => (await peer.routes()).includes(LAB_LINE), WAIT_MS, 'the route');
    await until(async () => await peer.all() === untouched, WAIT_MS, 'the rollback');
    writeFileSync(peer.inside('run/peer/late'), '');
    await peer.enclosure.ended(run.process);
    t.match(run.outcome(), { phrase: 'FAILED', detail: /^undone by the host/ });
    t.equal(await peer.all(), untouched);
  });

  await t.test('two changes at once, of two servers', async (t) => {
    const first = peer.begin({ method: 'addRoute', args: { ...LAB, ...patient }, holdUntil: '/run/peer/second' });
    await until(async () => (await peer.routes()).includes(LAB_LINE), WAIT_MS, 'the first');
    const second = await peer.change({ method: 'addRoute', args: { ...LAB, destination: '10.52.0.0', ...guard } });
    t.match(second, { phrase: 'BUSY', detail: 'another change of this host\'s network is under way' });
    writeFileSync(peer.inside('run/peer/second'), '');
    await peer.enclosure.ended(first.process);
    t.match(first.outcome(), { value: {} });
    t.ok((await peer.routes()).includes(LAB_LINE));
    t.match(await peer.change({ method: 'deleteRoute', args: { ...LAB, ...patient } }), { value: {} });
    t.equal(await peer.all(), untouched);
  });

  await t.test('whoever waits has no more time', async (t) => {
    const { phrase, detail } = await peer.change({ method: 'deleteRoute', args: { ...WAY, ...forced }, deadline: 4_000 });
    t.match({ phrase, detail }, { phrase: 'UNCERTAIN', detail: /the host undoes it by itself/ });
    await until(async () => await peer.all() === untouched, WAIT_MS, 'the rollback');
  });
});
