import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { HOST_NETWORK_PROGRAMS, HostNetworkPeer, MANAGER } from '../peers/host-network.js';
import { lacks, lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Changes of a host's network, over a real sshd in a network namespace; judged by `ip` there. */

const WAIT_MS = 60_000;
/** Milliseconds: short, so that the tests see the end of it; a busy machine takes a second for a connection. */
const ROLLBACK = 6_000;
const guard = { rollback: ROLLBACK, force: false };
const forced = { rollback: ROLLBACK, force: true };
/** For changes that are confirmed. */
const patient = { rollback: 60_000, force: false };

const LAB = { destination: '10.50.0.0', prefix: 16, gateway: '10.99.2.7', interface: 'eth1' };
const LAB_LINE = '10.50.0.0/16 via 10.99.2.7 dev eth1';
/** The route by which the manager is answered. */
const WAY = { destination: '10.98.0.0', prefix: 16, gateway: '10.99.1.1', interface: 'eth0' };
const WAY_LINE = '10.98.0.0/16 via 10.99.1.1 dev eth0';

/** What systemd-run does with just these arguments: the unit lives on when its session ends. */
const SYSTEMD_RUN = `#!/bin/sh
[ $# = 7 ] && [ "$1" = --quiet ] && [ "$2" = --collect ] && [ "\${3%%=*}" = --unit ] && [ "$4" = sh ] || exit 64
echo "\${3#*=}" >/run/peer/unit
shift 3
setsid "$@" </dev/null >/dev/null 2>&1 &
`;

// rollbacks are waited for: each group has a host of its own
t.jobs = 4;

const options = { skip: lacksRoot(...HOST_NETWORK_PROGRAMS), timeout: 400_000 };
const ip = (...words: string[]) => ({ method: 'ip', args: words });
const done = { value: { }, phrase: undefined };

/** A host that is reached over SSH, and its network as nobody has changed it yet. */
async function start(t: Test): Promise<{ peer: HostNetworkPeer; untouched: string }> {
  const peer = await HostNetworkPeer.start();
  t.teardown(() => peer.stop());
  return { peer, untouched: await peer.all() };
}

void t.test('what is asked for is read, refused or done', options, async (t) => {
  const { peer, untouched } = await start(t);
  type Refusal = readonly [method: string, args: object, phrase: string, detail: RegExp];
  const refused = async (t: Test, refusals: readonly Refusal[]): Promise<void> => {
    const outcomes = await peer.changes(refusals.map(([method, args]) => ({ method, args: { ...guard, ...args } })));
    for (const [i, [method, args, phrase, detail]] of refusals.entries()) t.match(outcomes[i], { phrase, detail }, `${method} ${JSON.stringify(args)}`);
    t.equal(await peer.all(), untouched, 'nothing is changed');
  };

  await t.test('is read', async (t) => {
    const reads = ['routes', 'gateway', 'gateway', 'bridges'].map((method, i) => ({ method, args: { interface: ['', 'eth1', 'eth0'][i] } }));
    t.match(await peer.changes(reads), [
      { value: [
        { destination: 'default', prefix: 0, gateway: '10.99.2.1', interface: 'eth1', metric: 0 },
        { destination: '10.98.0.0', prefix: 16, gateway: '10.99.1.1', interface: 'eth0', metric: 0 },
        { destination: '10.99.1.0', prefix: 24, interface: 'eth0', protocol: 'kernel' },
        { destination: '10.99.2.0', prefix: 24, interface: 'eth1', protocol: 'kernel' },
      ] },
      { value: '10.99.2.1' }, { value: null }, { value: [] },
    ]);
  });

  await t.test('routes that are confirmed', async (t) => {
    const other = { ...LAB, gateway: '10.99.2.8' };
    const elsewhere = { ...other, destination: '10.51.0.0' };
    t.match(await peer.changes([
      { method: 'addRoute', args: { ...LAB, ...patient } }, ip('route', 'show', '10.50.0.0/16'),
      { method: 'replaceRoute', args: { old: LAB, new: other, ...patient } }, ip('route', 'show', '10.50.0.0/16'),
      { method: 'replaceRoute', args: { old: other, new: elsewhere, ...patient } }, ip('route', 'show', '10.50.0.0/15'), ip('route', 'show', '10.51.0.0/16'),
      { method: 'deleteRoute', args: { ...elsewhere, ...patient } },
      { method: 'setGateway', args: { gateway: '10.99.2.9', interface: 'eth1', ...patient, force: true } }, ip('route', 'show', 'default'),
      { method: 'setGateway', args: { gateway: '10.99.2.1', interface: 'eth1', ...patient, force: true } },
    ]), [
      done, { value: /^10\.50\.0\.0\/16 via 10\.99\.2\.7 dev eth1 \n$/ },
      done, { value: /^10\.50\.0\.0\/16 via 10\.99\.2\.8 dev eth1 \n$/ },
      done, { value: /^$/ }, { value: /^10\.51\.0\.0\/16 via 10\.99\.2\.8 dev eth1 \n$/ },
      done, done, { value: /^default via 10\.99\.2\.9 dev eth1 \n$/ }, done,
    ]);
    t.equal(await peer.all(), untouched);
    t.equal((await peer.onHost('ls', '/run/argo-network')).stdout, 'lock\nturn\n', 'nothing is left');
  });

  await t.test('what would cut us off is refused', (t) => refused(t, [
    ['deleteRoute', WAY, 'WRONG STATE', /^the host is reached by its route 10\.98\.0\.0\/16; force overrides/],
    ['addRoute', { ...LAB, destination: MANAGER, prefix: 32 }, 'WRONG STATE', /10\.98\.0\.1\/32 would lead away what the host is reached by/],
    ['setGateway', { gateway: '10.99.2.9', interface: 'eth1' }, 'WRONG STATE', /default way/],
    ['addBridge', { name: 'br7', address: '10.98.0.2', prefix: 16 }, 'WRONG STATE', /would lead away/],
    ['addBridge', { name: 'br7', address: '10.60.0.1', prefix: 24, gateway: '10.60.0.9' }, 'WRONG STATE', /default way/],
  ]));

  await t.test('what cannot be is refused', (t) => refused(t, [
    ['addRoute', { ...LAB, destination: '10.50.0.1' }, 'BAD REQUEST', /destination: has bits beyond its mask of 16/],
    ['addRoute', { ...LAB, destination: '010.50.0.0' }, 'BAD REQUEST', /destination: is no address/],
    ['addRoute', { ...LAB, prefix: 33 }, 'BAD REQUEST', /prefix/],
    ['addRoute', { ...LAB, gateway: '10.77.0.1' }, 'BAD REQUEST', /gateway: is not on the link of eth1/],
    ['addRoute', { ...LAB, gateway: '10.99.2.2' }, 'BAD REQUEST', /gateway: is an address of the host itself/],
    ['addRoute', { ...LAB, interface: '-batch' }, 'WRONG STATE', /no interface of that name/],
    ['addRoute', { ...LAB, interface: 'eth9' }, 'WRONG STATE', /no interface of that name/],
    ['addRoute', { ...LAB, interface: 'eth3' }, 'WRONG STATE', /eth3 is down/],
    ['addRoute', { ...WAY }, 'WRONG STATE', /there is a route 10\.98\.0\.0\/16 already/],
    ['replaceRoute', { old: LAB, new: { ...LAB, gateway: '10.99.2.8' } }, 'WRONG STATE', /there is no such route 10\.50\.0\.0\/16/],
    ['deleteRoute', LAB, 'WRONG STATE', /there is no such route/],
    ['deleteRoute', { destination: '10.99.2.0', prefix: 24, interface: 'eth1' }, 'WRONG STATE', /comes with an address of eth1/],
    ['addBridge', { name: '-rf' }, 'BAD REQUEST', /name/],
    ['addBridge', { name: 'a b' }, 'BAD REQUEST', /name/],
    ['addBridge', { name: 'eth3' }, 'WRONG STATE', /an interface of that name/],
    ['addBridge', { name: 'br7', address: '10.99.2.2', prefix: 24 }, 'BAD REQUEST', /address: is one of eth1/],
    ['addBridge', { name: 'br7', address: '10.60.0.255', prefix: 24 }, 'BAD REQUEST', /address: is the broadcast address/],
    ['addBridge', { name: 'br7', address: '10.60.0.1', prefix: 24, gateway: '10.61.0.1' }, 'BAD REQUEST', /gateway: is not on the link of br7/],
    ['deleteBridge', { name: 'eth3' }, 'WRONG STATE', /eth3 is no bridge/],
  ]));

  await t.test('bridges', async (t) => {
    const member = { bridge: 'br7', member: 'eth3' };
    t.match(await peer.changes([
      { method: 'addBridge', args: { name: 'br7', address: '10.60.0.1', prefix: 24, ...patient } },
      { method: 'addMember', args: { ...member, ...patient } },
      { method: 'bridges', args: {} }, ip('link', 'show', 'eth3'),
      { method: 'deleteBridge', args: { name: 'br7', ...guard } },
      { method: 'addMember', args: { bridge: 'br7', member: 'eth0', ...guard } },
      { method: 'addMember', args: { ...member, ...guard } },
      { method: 'addMember', args: { bridge: 'eth3', member: 'eth2', ...guard } },
      ip('route', 'add', '10.61.0.0/16', 'via', '10.60.0.9', 'dev', 'br7'),
      { method: 'changeBridge', args: { name: 'br7', address: '10.60.0.2', prefix: 24, ...patient } },
      ip('route', 'show', '10.61.0.0/16'), ip('-br', 'address', 'show', 'br7'),
      { method: 'changeBridge', args: { name: 'br7', ...patient } }, ip('-4', 'address', 'show', 'br7'), ip('route', 'show', 'dev', 'br7'),
      { method: 'deleteMember', args: { ...member, ...patient } },
      { method: 'deleteMember', args: { ...member, ...patient } },
      { method: 'deleteBridge', args: { name: 'br7', ...patient } },
      ip('link', 'set', 'eth3', 'down'),
    ]), [
      done, done,
      { value: [{ name: 'br7', members: ['eth3'], addresses: ['10.60.0.1/24'], isUp: true }] }, { value: /UP.* master br7 / },
      { phrase: 'WRONG STATE', detail: /^br7 has members: eth3/ },
      { phrase: 'WRONG STATE', detail: /^eth0 has an address/ },
      { phrase: 'WRONG STATE', detail: /^eth3 is a member of br7/ },
      { phrase: 'WRONG STATE', detail: /^eth3 is no bridge/ },
      { value: '' }, done,
      { value: /^10\.61\.0\.0\/16 via 10\.60\.0\.9 dev br7 / }, { value: / 10\.60\.0\.2\/24 / },
      done, { value: '' }, { value: '' },
      done, { phrase: 'WRONG STATE', detail: /^eth3 is no member of br7/ }, done, { value: '' },
    ]);
    t.equal(await peer.all(), untouched);
  });
});

void t.test('what cuts us off is undone', options, async (t) => {
  const { peer, untouched } = await start(t);

  await t.test('a bridge that cannot be confirmed comes back with its routes', async (t) => {
    await peer.ip('link', 'add', 'br7', 'type', 'bridge', 'stp_state', '1', 'forward_delay', '400');
    await peer.ip('address', 'add', '10.60.0.1/24', 'dev', 'br7');
    await peer.ip('address', 'add', '10.60.0.3/24', 'dev', 'br7');
    await peer.ip('link', 'set', 'br7', 'up');
    await peer.ip('route', 'add', '10.61.0.0/16', 'via', '10.60.0.9', 'dev', 'br7', 'metric', '7', 'mtu', '1400');
    const before = await peer.all();
    for (const [method, args] of [['deleteBridge', {}], ['changeBridge', { address: '10.62.0.1', prefix: 24 }]] as const) {
      const run = peer.begin([{ method, args: { name: 'br7', ...args, ...guard } }], { holdUntil: '/run/peer/never' });
      await until(async () => !(await peer.all()).includes('10.60.0.1') || run.process.exitCode !== null, WAIT_MS, method);
      t.equal(run.process.exitCode, null, `${method} is made and waits`);
      t.notOk((await peer.routes()).some((line) => line.startsWith('10.61.')), 'its routes went with it');
      await run.kill();
      await until(async () => await peer.all() === before, WAIT_MS, `${method} to be undone`);
    }
    t.match(await peer.ip('-d', 'link', 'show', 'br7'), /forward_delay 400 .*stp_state 1 /s);
    await peer.ip('link', 'del', 'br7');
  });

  await t.test('a change that cuts us off is undone by the host', async (t) => {
    const outcome = await peer.change({ method: 'deleteRoute', args: { ...WAY, ...forced } });
    t.match(outcome, { phrase: 'FAILED', detail: /^undone by the host: no new connection confirmed it in 6 s/ });
    t.equal(await peer.all(), untouched);
  });

  await t.test('a bridge that takes the way over is undone by the host', async (t) => {
    const outcome = await peer.change({ method: 'addBridge', args: { name: 'br7', address: '10.98.0.2', prefix: 17, ...forced } });
    t.match(outcome, { phrase: 'FAILED', detail: /^undone by the host/ });
    t.equal(await peer.all(), untouched);
  });
});

void t.test('who is killed, late, second or in a hurry', options, async (t) => {
  const { peer, untouched } = await start(t);

  await t.test('a server that is killed in the middle, the way to the host cut', async (t) => {
    const run = peer.begin([{ method: 'deleteRoute', args: { ...WAY, ...forced } }], { holdUntil: '/run/peer/never' });
    await until(async () => !(await peer.routes()).includes(WAY_LINE), WAIT_MS, 'the change');
    await run.kill();
    await until(async () => await peer.all() === untouched, WAIT_MS, 'the host to undo it');
    t.match(await peer.change({ method: 'routes', args: {} }), { value: [] }, 'and it is reached again');
  });

  await t.test('a confirmation that comes too late', async (t) => {
    const run = peer.begin([{ method: 'addRoute', args: { ...LAB, ...guard } }], { holdUntil: '/run/peer/late' });
    await until(async () => (await peer.routes()).includes(LAB_LINE), WAIT_MS, 'the route');
    await until(async () => await peer.all() === untouched, WAIT_MS, 'the rollback');
    writeFileSync(peer.inside('run/peer/late'), '');
    await peer.enclosure.ended(run.process);
    t.match(run.outcomes(), [{ phrase: 'FAILED', detail: /^undone by the host/ }]);
    t.equal(await peer.all(), untouched);
  });

  await t.test('two changes at once, of two servers', async (t) => {
    const first = peer.begin([{ method: 'addRoute', args: { ...LAB, ...patient } }], { holdUntil: '/run/peer/second' });
    await until(async () => (await peer.routes()).includes(LAB_LINE), WAIT_MS, 'the first');
    const second = await peer.change({ method: 'addRoute', args: { ...LAB, destination: '10.52.0.0', ...guard } });
    t.match(second, { phrase: 'BUSY', detail: 'another change of this host\'s network is under way' });
    writeFileSync(peer.inside('run/peer/second'), '');
    await peer.enclosure.ended(first.process);
    t.match(first.outcomes(), [{ value: {} }]);
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

void t.test('with systemd, and on the host itself', options, async (t) => {
  const { peer, untouched } = await start(t);

  await t.test('with systemd', { skip: lacks('systemd-run') }, async (t) => {
    mkdirSync(peer.inside('run/systemd/system'), { recursive: true });
    t.teardown(() => rmSync(peer.inside('run/systemd'), { recursive: true }));
    t.match(await peer.change({ method: 'addRoute', args: { ...LAB, ...guard } }),
      { phrase: 'FAILED', detail: /^the rollback could not be armed, so nothing was changed: / }, 'the real one, which nobody answers');
    t.equal(await peer.all(), untouched);
    t.teardown(peer.double('systemd-run', SYSTEMD_RUN));
    t.match(await peer.change({ method: 'addRoute', args: { ...LAB, ...patient } }), { value: {} });
    t.match(readFileSync(peer.inside('run/peer/unit'), 'utf8'), /^argo-network-task-\d+-0\n$/);
    t.match(await peer.change({ method: 'deleteRoute', args: { ...LAB, ...patient } }), { value: {} });
    t.match(await peer.change({ method: 'deleteRoute', args: { ...WAY, ...forced } }), { phrase: 'FAILED', detail: /^undone by the host: no new connection confirmed it/ });
    t.equal(await peer.all(), untouched);
  });

  await t.test('on the host itself', async (t) => {
    const here = async (...words: string[]): Promise<string> => (await peer.enclosure.run('ip', '-4', ...words)).stdout;
    await here('route', 'add', 'default', 'via', '10.99.1.77', 'dev', 'a0');
    const before = await here('route');
    const route = { destination: '10.50.0.0', prefix: 16, gateway: '10.99.1.8', interface: 'a0' };
    const way = { destination: 'default', prefix: 0, gateway: '10.99.1.77', interface: 'a0' };
    const bridge = { name: 'br8', address: '10.60.0.1', prefix: 24 };
    t.match(await peer.changes([
      { method: 'addRoute', args: { ...route, ...patient } }, { method: 'deleteRoute', args: { ...route, ...patient } },
      { method: 'deleteRoute', args: { ...way, ...guard } },
      { method: 'setGateway', args: { gateway: '10.99.1.9', interface: 'a0', ...guard } },
      { method: 'addBridge', args: { ...bridge, gateway: '10.60.0.9', ...guard } },
    ], { here: true }), [
      done, done, ...['', '', ''].map(() => ({ phrase: 'WRONG STATE', detail: /default way; force overrides$/ })),
    ]);
    t.equal(await here('route'), before);
    const run = peer.begin([{ method: 'addRoute', args: { ...route, ...guard } }], { here: true, holdUntil: '/run/peer/never' });
    await until(async () => (await here('route')).includes('10.50.0.0/16'), WAIT_MS, 'the route');
    await run.kill();
    await until(async () => await here('route') === before, WAIT_MS, 'the rollback, which outlives the server');
  });
});
