import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { OrderRow } from '../../src/gateways/web/messages.js';
import { Service } from '../../src/auth/service.js';
import { parseConfig } from '../support/configuration.js';
import { State } from '../../src/store/state.js';
import { until } from '../support/until.js';
import { SEED_CONFIG } from '../server/core.js';
import { ORDER_TARGETS, ORDER_TASKS_OF_ACCOUNT, ORDER_TEXT } from '../../src/kit/api-limits.js';
import { progressOf, toldOf } from '../../src/instances/order-record.js';
import { startApi } from '../gateways/web/api/asking.js';

const DEAF = SEED_CONFIG.replace('"dev"]', '"dev"]\nfaults = { dev = "deaf" }');
const ONCE = 'key-0001';
const stateOf = (task: OrderRow, name: string): string | undefined => task.targets.find(({ instance }) => instance === `demo/${name}`)?.state;

await t.test('a cancelled order says of each target what is known', async (t) => {
  const { call, ended, ask, session, audit } = await startApi(t, { config: DEAF });
  const { id } = await call('steve', 'POST', '/power', { targets: ['dev', 'lj'], action: 'stop', once: ONCE }) as OrderRow;
  await until(async () => stateOf(await call('steve', 'GET', `/tasks/${id}`) as OrderRow, 'lj') === 'done', 10_000, 'lj to be stopped');
  await until(async () => /verifying/.test(await ask(await session('steve'), 'task')), 10_000, 'the order to be sent');
  const waiting = await call('steve', 'POST', '/power', { targets: ['dev'], action: 'reboot', once: 'key-0002' }) as OrderRow;
  await until(() => audit.begun.length === 3, 10_000, 'the second to wait for its turn');
  await call('steve', 'POST', `/tasks/${waiting.id}/cancel`, {});
  t.match(await ended('steve', waiting.id), { state: 'cancelled', targets: [{ state: 'cancelled', detail: /nothing was sent/ }] });
  await call('steve', 'DELETE', `/tasks/${id}`);
  const task = await ended('steve', id);
  t.equal(stateOf(task, 'dev'), 'uncertain', 'that it was sent stays so');
  t.equal(stateOf(task, 'lj'), 'done');
});

await t.test('an account that is taken away ends its orders', async (t) => {
  const { call, ended, authenticator, gate, ask, session, audit } = await startApi(t, { config: DEAF });
  const { id } = await call('steve', 'POST', '/power', { targets: ['dev'], action: 'stop', once: ONCE }) as OrderRow;
  await until(async () => /verifying/.test(await ask(await session('steve'), 'task')), 10_000, 'the order to be sent');
  const waiting = await call('steve', 'POST', '/power', { targets: ['dev'], action: 'reboot', once: 'key-0002' }) as OrderRow;
  await until(() => audit.begun.length === 2, 10_000, 'the second to wait for its turn');
  const config = DEAF.replaceAll('accounts.steve', 'accounts.eve');
  authenticator.configure(await parseConfig('argo-server.conf', config, '/nonexistent'));
  gate.review();
  t.match(await ended('eve', id), {
    account: 'steve', state: 'failed', targets: [{ state: 'uncertain', detail: 'UNCERTAIN: accepted, and last seen on when the right to it was taken away' }],
  }, 'who may do everything sees those of others');
  t.match(await ended('eve', waiting.id), { state: 'failed', targets: [{ state: 'failed', detail: 'NOT ALLOWED: the right was taken away; nothing was sent' }] }, 'nobody has cancelled it');
});

await t.test('one is told how its own orders go on', async (t) => {
  const { call, gate, authenticator } = await startApi(t);
  const told: Record<string, string[]> = { steve: [], tenant: [] };
  for (const name of ['steve', 'tenant']) {
    const actor = gate.actor({ identity: new Service(name, authenticator), through: undefined, origin: 'x' });
    t.teardown(actor.orders.onChange(({ state }) => told[name]!.push(state)));
  }
  await call('steve', 'POST', '/power', { targets: ['lj'], action: 'stop', mode: 'hard', once: ONCE });
  await until(() => told['steve']!.at(-1) === 'done', 10_000, 'its end');
  t.same(told['tenant'], []);
});

await t.test('a key answers for what it has begun, and for nothing else', async (t) => {
  const { call, ended, audit, folder, gate, authenticator } = await startApi(t, { config: DEAF });
  const order = { targets: ['lj', 'builder'], action: 'stop', once: ONCE };
  const { id } = await call('steve', 'POST', '/power', order) as OrderRow;
  t.match(await ended('steve', id), { state: 'done' });
  const isRefused = async (ask: typeof call): Promise<void> => {
    for (const other of [{ targets: ['lj', 'dev'] }, { action: 'start' }, { mode: 'hard' }, { mode: { softFor: 5000 } }]) {
      t.match(await ask('steve', 'POST', '/power', { ...order, ...other }), new RegExp(`^BAD REQUEST: once: this key has begun another order, task ${id}$`), JSON.stringify(other));
    }
    t.match(await ask('steve', 'POST', '/power', { ...order, targets: ['builder'] }), { id }, 'a part of it');
  };
  await isRefused(call);
  const actor = gate.actor({ identity: new Service('steve', authenticator), through: undefined, origin: 'x' });
  const { instances: [lj] } = await actor.select(['lj']);
  const task = await actor.orders.begin([lj!, { provider: 'demo', id: lj!.id }, lj!], { action: 'start', mode: 'soft', wait: true }, 'key-0002');
  t.same((await ended('steve', task.id)).targets.map(({ instance, state }) => [instance, state]), [['demo/lj', 'done']], 'one that is named twice is switched once');
  t.equal(audit.begun.length, 3);
  const after = await startApi(t, { config: DEAF, folder });
  await isRefused(after.call);
  t.same(after.audit.begun, []);
});

await t.test('a key that has begun an order is answered with it, also where no further one may begin', async (t) => {
  const { call } = await startApi(t, { config: DEAF });
  const order = { targets: ['dev'], action: 'stop', wait: 60_000 };
  const all = await Promise.all(Array.from({ length: ORDER_TASKS_OF_ACCOUNT }, (_, index) => call('steve', 'POST', '/power', { ...order, once: `key-${1000 + index}` }))) as OrderRow[];
  t.equal(await call('steve', 'POST', '/power', { ...order, once: 'key-2000' }), 'BUSY: too many orders for many are under way');
  t.match(await call('steve', 'POST', '/power', { ...order, once: 'key-1000' }), { id: all[0]!.id, state: 'running' });
  t.match(await call('steve', 'POST', '/power', { ...order, action: 'start', once: 'key-1000' }), /^BAD REQUEST: once: this key has begun another order/);
  await Promise.all(all.map(({ id }) => call('steve', 'DELETE', `/tasks/${id}`)));
});

await t.test('what a server that was cut off had under way is not begun again', async (t) => {
  const before = await startApi(t, { config: DEAF });
  const order = { targets: ['dev', 'lj'], action: 'stop', once: ONCE };
  const { id } = await before.call('steve', 'POST', '/power', order) as OrderRow;
  await until(() => before.audit.begun.length === 2, 10_000, 'both to be begun');
  const after = await startApi(t, { config: DEAF, folder: before.folder });
  const task = await after.call('steve', 'POST', '/power', order) as OrderRow;
  t.match(task, { id, state: 'unknown', action: 'stop', mode: 'soft', targets: [{ instance: 'demo/dev' }, { instance: 'demo/lj' }] });
  t.equal(stateOf(task, 'dev'), 'uncertain');
  t.same(after.audit.begun, [], 'nothing is ordered');
  t.match(await after.call('steve', 'GET', '/tasks'), { tasks: [{ id, state: 'unknown' }] });
  t.match(await after.call('steve', 'POST', `/tasks/${id}/cancel`, {}), /^WRONG STATE/);
  await before.call('steve', 'DELETE', `/tasks/${id}`);
});

await t.test('as many targets as there may be are written down, with what became of each', async (t) => {
  const config = `${DEAF}\n[providers.many]\ntype = "sim"\ncount = ${ORDER_TARGETS}\nfaults = { vm00001 = "error", vm00002 = "error" }\n`;
  const { call, folder, gate, authenticator } = await startApi(t, { config });
  const actor = gate.actor({ identity: new Service('steve', authenticator), through: undefined, origin: 'x' });
  const { instances } = await actor.select(['many/*']);
  const { id } = await actor.orders.begin(instances, { action: 'stop', mode: 'soft', wait: true }, ONCE);
  await until(async () => (await actor.orders.get(id)).state === 'failed', 60_000, 'its end');
  await t.rejects(actor.orders.begin([...instances, { provider: 'demo', id: '1' }], { action: 'stop', mode: 'soft', wait: true }, 'key-0002'), { message: /^BAD REQUEST/ });
  const isWhole = ({ state, targets }: OrderRow): void => {
    t.equal(state, 'failed');
    t.equal(targets.filter((one) => one.state === 'done').length, ORDER_TARGETS - 2);
    t.match(targets.slice(0, 2), [{ instance: 'many/vm00001', state: 'failed', detail: 'FAILED: simulated fault' }, { state: 'failed' }]);
  };
  isWhole(await call('steve', 'GET', `/tasks/${id}`) as OrderRow);
  const after = await startApi(t, { config: DEAF, folder });
  isWhole(await after.call('steve', 'GET', `/tasks/${id}`) as OrderRow);
});

await t.test('one that cannot be read takes none of the others with it', async (t) => {
  const { call, folder } = await startApi(t, { config: DEAF });
  const order = { targets: ['lj'], action: 'stop', once: ONCE };
  const { id } = await call('steve', 'POST', '/power', order) as OrderRow;
  const state = new State(folder, () => undefined);
  const store = state.tasks('orders');
  const broken = await Promise.all(['{}', '[]', 'x'].map((subject) => store.create({ owner: 'steve', operation: 'stop', subject })));
  await store.change(broken[0]!.task.id, { progress: '[]' });
  await state.close();
  const after = await startApi(t, { config: DEAF, folder });
  t.match(await after.call('steve', 'GET', '/tasks'), { tasks: [{ id }] });
  t.match(await after.call('steve', 'POST', '/power', order), { id });
});

await t.test('what is written down has its limits', async (t) => {
  const long = Array.from({ length: ORDER_TARGETS }, (_, index) => ({ instance: `lab/${index}`, state: 'failed' as const, detail: `FAILED: ${'"'.repeat(5000)}` }));
  const progress = progressOf(long);
  t.ok(progress.length < ORDER_TEXT, `${progress.length} characters`);
  const subject = JSON.stringify({ mode: 'soft', targets: long.map(({ instance }) => instance) });
  const { targets } = toldOf({ id: 'x', owner: 'kim', operation: 'stop', subject, once: ONCE, state: 'failed', progress, result: null, error: null, created: 1, changed: 2 });
  t.match(targets[0]?.detail, /^FAILED: "+$/);
  t.equal(targets.at(-1)?.detail, 'FAILED');
});

await t.test('nor what a killed process had under way', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-killed-'));
  const order = { targets: ['dev', 'lj'], action: 'stop', once: ONCE };
  const child = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startApi } from ${JSON.stringify(new URL('../gateways/web/api/asking.js', import.meta.url).href)};
    const { call, audit } = await startApi({ teardown: () => undefined, fail: () => undefined }, ${JSON.stringify({ config: DEAF, folder })});
    const { id } = await call('steve', 'POST', '/power', ${JSON.stringify(order)});
    setInterval(() => { if (audit.begun.length === 2) console.log(id); }, 20);
  `], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [told] = await once(child.stdout, 'data') as [Buffer];
  child.kill('SIGKILL');
  await once(child, 'close');
  const { call, audit } = await startApi(t, { config: DEAF, folder });
  const [id] = told.toString().split('\n');
  t.match(await call('steve', 'GET', '/tasks'), { tasks: [{ id, state: 'unknown', targets: [{ state: 'uncertain' }, {}] }] });
  t.match(await call('steve', 'POST', '/power', order), { id, state: 'unknown' });
  t.same(audit.begun, []);
});
