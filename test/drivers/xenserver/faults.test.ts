import { mock } from 'node:test';
import t from 'tap';
import { makeCertificate, XapiPeer, type Fault } from '../../peers/xapi.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listVms, openDriver, setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

const POOL = [{ name: 'xen1', address: '127.0.0.1' }, { name: 'xen2', address: '127.0.0.2' }];

void t.test('an order whose answer is lost is in doubt, and never sent again', async (t) => {
  for (const kind of ['cut', 'cut after', 'half', 'garbage', 'huge'] as const) {
    const { driver, peer } = await setUp(t, { vms: ['web1'] });
    const web = await findMachine(driver, 'web1');
    peer.fault('Async.VM.start', { kind });
    t.match(await outcome(web.start?.(soon())), { phrase: 'UNCERTAIN' }, kind);
    t.equal(peer.calls('Async.VM.start'), 1, `${kind}: once`);
    t.ok(['on', 'off', 'starting'].includes(await web.status(soon())), 'the state can be read');
  }
});

void t.test('a question whose answer is lost is asked once more', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  for (const kind of ['cut', 'half'] as const) {
    peer.fault('VM.get_record', { kind });
    t.equal(await web.status(soon()), 'off', kind);
  }
  t.equal(peer.calls('session.login_with_password'), 1, 'a session outlives its connection');
  for (const fault of [{ kind: 'garbage' }, { kind: 'huge' }] satisfies Fault[]) {
    peer.fault('VM.get_record', fault);
    t.match(await outcome(web.status(soon())), { phrase: 'UNREACHABLE' }, fault.kind);
  }
});

void t.test('connections that died idle, all of them, are not met one by one', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1', 'web2', 'web3', 'web4'] });
  const machines = (await listVms(driver)).map(({ machine }) => machine);
  await Promise.all(machines.map((machine) => machine.status(soon())));
  peer.forgetConnections();
  t.equal(await machines[0]!.status(soon()), 'off');
  t.equal(peer.calls('session.login_with_password'), 1);
});

void t.test('a listing that is cut off, or is rubbish, is not an empty one', async (t) => {
  for (const json of [true, false]) {
    for (const kind of ['garbage', 'half', 'cut'] as const) {
      const { driver, peer } = await setUp(t, { vms: ['web1'], json });
      peer.fault('VM.get_all_records', { kind }, 3);
      t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE' }, `${kind}, ${json ? 'JSON' : 'XML'}`);
    }
    const { driver, peer } = await setUp(t, { vms: ['web1'], json });
    peer.fault('VM.get_all_records', { kind: 'refuse', code: 'RBAC_PERMISSION_DENIED', params: ['vm.get_all_records', 'No permission'] });
    t.match(await outcome(driver.list(soon())), { phrase: 'ACCESS DENIED' });
    peer.fault('VM.get_all_records', { kind: 'refuse', code: 'SESSION_INVALID', params: ['x'] });
    t.same((await listVms(driver)).map(({ machine }) => machine.name), ['web1'], 'a session that ends meanwhile');
  }
});

void t.test('a server that accepts and is silent', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('VM.get_record', { kind: 'hang' }, 3);
  const reason = new Error('enough');
  const stop = new AbortController();
  const status = outcome(web.status(stop.signal));
  await until(() => peer.calls('VM.get_record') === 1, 60_000, 'the question');
  stop.abort(reason);
  t.equal((await status).error, reason);
});

void t.test('an order that is given up before it was sent was not sent', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  const giveUp = async (method: string, order: (signal: AbortSignal) => Promise<unknown>) => {
    const stop = new AbortController();
    const before = peer.calls(method);
    const given = outcome(order(stop.signal));
    await until(() => peer.calls(method) > before, 60_000, method);
    stop.abort(new Error('enough'));
    return given;
  };
  peer.fault('VM.get_power_state', { kind: 'hang' });
  t.match(await giveUp('VM.get_power_state', (signal) => web.start!(signal)), { phrase: 'UNREACHABLE' }, 'the question before it');
  peer.fault('Async.VM.hard_shutdown', { kind: 'hang' });
  t.match(await giveUp('Async.VM.hard_shutdown', (signal) => web.powerOff!(signal)), { error: { message: 'enough' } }, 'this one is under way');

  peer.sessions.clear();
  peer.fault('session.login_with_password', { kind: 'hang' });
  const login = new AbortController();
  const status = outcome(web.status(login.signal));
  await until(() => peer.calls('session.login_with_password') === 2, 60_000, 'the login');
  t.match(await outcome(web.pause!(AbortSignal.timeout(50))), { phrase: 'UNREACHABLE', detail: /before anything was sent/ });
  login.abort();
  await status;
  t.equal(peer.calls('Async.VM.start') + peer.calls('Async.VM.pause'), 0);
});

void t.test('an order that waits for a free connection is not sent', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  const most = 40;
  peer.fault('VM.get_record', { kind: 'hang' }, most);
  const questions = new AbortController();
  const asked = Array.from({ length: most }, () => outcome(web.status(questions.signal)));
  // Another one waits for events.
  await until(() => peer.calls('VM.get_record') >= 15, 60_000, 'the questions');
  t.match(await outcome(web.pause!(AbortSignal.timeout(50))), { phrase: 'UNREACHABLE', detail: /before anything was sent/ });
  questions.abort();
  await Promise.all(asked);
  t.equal(peer.calls('Async.VM.pause'), 0);
});

void t.test('twelve providers of one pool with a refused password log in once', async (t) => {
  const { peer, driver } = await setUp(t, {}, { password: 'stale' });
  const others = Array.from({ length: 11 }, () => openDriver(t, { url: peer.url(), insecure: true, password: 'stale' }).driver);
  const told = await Promise.all([driver, ...others].map((each) => outcome(each.list(soon()))));
  t.ok(told.every(({ phrase }) => phrase === 'ACCESS DENIED'));
  t.equal(peer.calls('session.login_with_password'), 1);
});

void t.test('refused credentials are held back, and others tried at once', async (t) => {
  const peer = await XapiPeer.start({ vms: ['web1'] });
  t.teardown(() => peer.stop());
  const folder = mkdtempSync(join(tmpdir(), 'argo-password-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'password');
  writeFileSync(file, 'sesame', { mode: 0o600 });
  const { driver } = openDriver(t, { url: peer.url(), insecure: true, password: undefined, 'password-file': file });
  const told = { phrase: 'ACCESS DENIED', detail: /^the user or the password is wrong; not tried again before \d{4}-\S+Z, unless others are configured/ };
  t.match(await outcome(driver.list(soon())), told);
  // Beyond what a failure holds by itself, which spares callers that come together an attempt each.
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  t.match(await outcome(driver.list(soon())), told);
  t.equal(peer.calls('session.login_with_password'), 1);
  writeFileSync(file, 'pw', { mode: 0o600 });
  await until(async () => (await outcome(driver.list(soon()))).value !== undefined, 60_000, 'the login');
  t.equal(peer.calls('session.login_with_password'), 2);
});

void t.test('a login that is never answered ends by itself', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  peer.fault('session.login_with_password', { kind: 'hang' });
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const listing = outcome(driver.list(soon()));
  while (peer.calls('session.login_with_password') === 0) await new Promise(setImmediate);
  mock.timers.tick(20_000);
  mock.timers.reset();
  t.match(await listing, { phrase: 'UNREACHABLE', detail: 'the pool: no login within 20 s' });
});

void t.test('a pool that is off, and comes back', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  await peer.shut();
  t.match(await outcome(web.start?.(soon())), { phrase: 'UNREACHABLE', detail: /nobody listens there/ });
  await until(() => told.lost.length === 1, 60_000, 'the news');
  t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE' });
  await peer.open();
  await until(async () => (await outcome(driver.list(soon()))).value !== undefined, 60_000, 'the listing');
  t.equal(peer.calls('session.login_with_password'), 1);
});

void t.test('the master dies in the middle of a task', async (t) => {
  const { driver, peer } = await setUp(t, { hosts: POOL, vms: ['web1'], stepMs: 300 });
  const web = await findMachine(driver, 'web1');
  const start = outcome(web.start?.(soon()));
  await until(() => peer.world.table('task').size === 1, 60_000, 'the task');
  await peer.shut(0);
  peer.master = 1;
  peer.restart();
  t.match(await start, { phrase: 'UNCERTAIN', detail: /no longer knows of the task/ });
  t.ok(['on', 'off', 'starting'].includes(await web.status(soon())), 'the new master is asked');
  t.equal(peer.calls('Async.VM.start'), 1);
});

void t.test('a slave names its master, before and after a change', async (t) => {
  const peer = await XapiPeer.start({ hosts: POOL, vms: ['web1'] });
  t.teardown(() => peer.stop());
  const { driver, told } = openDriver(t, { url: peer.url(1), insecure: true });
  const web = await findMachine(driver, 'web1');
  peer.master = 1;
  peer.sessions.clear();
  await web.start?.(soon());
  t.equal(peer.world.state('web1'), 'Running');
  t.match(told.log.join('\n'), /another master \{"master":"127\.0\.0\.2"\}/);
});

void t.test('credentials go to hosts of the pool only', async (t) => {
  const { driver, peer } = await setUp(t, { hosts: POOL, vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('VM.get_record', { kind: 'refuse', code: 'HOST_IS_SLAVE', params: ['127.0.0.3'] });
  peer.fault('session.login_with_password', { kind: 'refuse', code: 'HOST_IS_SLAVE', params: ['127.0.0.3'] }, 3);
  t.match(await outcome(web.status(soon())), { phrase: 'UNREACHABLE', detail: 'the host names 127.0.0.3 as its master, which is not to be had' });
});

void t.test('certificates', { skip: lacks('openssl') }, async (t) => {
  const peer = await XapiPeer.start({ tls: true, vms: ['web1'] });
  t.teardown(() => peer.stop());
  const folder = mkdtempSync(join(tmpdir(), 'argo-ca-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const { cert, fingerprint } = peer.certificate!;
  writeFileSync(join(folder, 'ca.pem'), cert);
  const list = async (given: Record<string, unknown>) => outcome(openDriver(t, { url: peer.url(), ...given }).driver.list(soon()));
  const hex = Buffer.from(fingerprint, 'base64').toString('hex').toUpperCase().replace(/..(?!$)/g, '$&:');
  t.match(await list({}), { phrase: 'CERTIFICATE REJECTED', detail: `DEPTH_ZERO_SELF_SIGNED_CERT; its fingerprint is SHA256:${fingerprint}` });
  t.match(await list({ fingerprint: `SHA256:${'A'.repeat(43)}` }), { phrase: 'CERTIFICATE REJECTED', detail: `its fingerprint is SHA256:${fingerprint}` });
  t.equal(peer.log.length, 0, 'nothing was said to a stranger');
  t.ok((await list({ fingerprint: `SHA256:${fingerprint}` })).value);
  t.ok((await list({ fingerprint: [`SHA256:${'A'.repeat(43)}`, hex] })).value);
  t.ok((await list({ 'ca-file': join(folder, 'ca.pem') })).value);
  t.ok((await list({ insecure: true })).value);
  t.match(await list({ 'ca-file': join(folder, 'absent.pem') }), { phrase: 'UNREACHABLE', detail: /absent\.pem/ });
  t.match(await list({ fingerprint: `SHA256:${fingerprint}`, password: 'sesame' }), { phrase: 'ACCESS DENIED', detail: /^the user or the password is wrong; not tried again before/ });

  const { driver } = openDriver(t, { url: peer.url(), fingerprint: `SHA256:${fingerprint}` });
  const web = await findMachine(driver, 'web1');
  await peer.shut();
  peer.certificate = makeCertificate();
  await peer.open();
  t.match(await outcome(web.start?.(soon())), { phrase: 'CERTIFICATE REJECTED', detail: `its fingerprint is SHA256:${peer.certificate.fingerprint}` }, 'a changed certificate');
});

void t.test('without TLS it has to be asked for', async (t) => {
  const { driver, peer } = await setUp(t, {}, { insecure: false });
  t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE', detail: /in the clear/ });
  t.equal(peer.log.length, 0);
});

void t.test('it logs out', async (t) => {
  const { driver, peer } = await setUp(t);
  await driver.list(soon());
  t.equal(peer.sessions.size, 1);
  await driver.close(soon());
  t.equal(peer.sessions.size, 0);
  t.match(await outcome(driver.list(soon())), { phrase: 'UNREACHABLE' });
});

void t.test('HTTP\'s own answer to an order: only what proves that nothing was done is told as such', async (t) => {
  for (const json of [true, false]) {
    const { driver, peer } = await setUp(t, { vms: ['web1'], json });
    const web = await findMachine(driver, 'web1');
    for (const status of [200, 302, 303, 403, 408, 429, 500, 501, 502, 503, 504]) {
      for (const after of [true, false]) {
        peer.log.length = 0;
        peer.fault('Async.VM.start', { kind: 'status', status, after });
        t.match(await outcome(web.start?.(soon())), { phrase: 'UNCERTAIN' }, `${status}, ${after ? 'after' : 'before'} it was carried out`);
        t.equal(peer.calls('Async.VM.start'), 1, 'it is not sent again');
        if (after) await until(() => peer.world.state('web1') === 'Running', 60_000, 'the start');
        if (after) await web.powerOff?.(soon());
      }
    }
    for (const status of [301, 400, 401, 404, 405, 413]) {
      peer.log.length = 0;
      peer.fault('Async.VM.start', { kind: 'status', status, after: false });
      t.same(await outcome(web.start?.(soon())), { phrase: 'UNREACHABLE', detail: `the pool: it answers with HTTP status ${status}` });
      t.equal(peer.calls('Async.VM.start'), 1);
    }
    t.equal(peer.calls('session.login_with_password') + peer.sessions.size, 1);
  }
});

void t.test('a proxy that fails while a task is followed changes nothing', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('task.get_record', { kind: 'status', status: 503, after: false }, 3);
  t.same(await outcome(web.start?.(soon())), { value: undefined });
  peer.fault('task.get_record', { kind: 'status', status: 503, after: false }, 4);
  t.match(await outcome(web.powerOff?.(soon())), { phrase: 'UNCERTAIN' });
});

void t.test('a master that loses the host while it passes an order on', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('Async.VM.start', { kind: 'fail', code: 'CANNOT_CONTACT_HOST', params: [peer.world.refs('host')[0]!] });
  t.same(await outcome(web.start?.(soon())), { phrase: 'UNCERTAIN', detail: 'the pool has lost the host that has to do it' });
  peer.fault('VM.get_record', { kind: 'refuse', code: 'CANNOT_CONTACT_HOST', params: [] });
  t.match(await outcome(web.status(soon())), { phrase: 'UNREACHABLE' });
});
