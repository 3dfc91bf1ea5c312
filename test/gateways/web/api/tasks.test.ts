import t, { type Test } from 'tap';
import { Service } from '../../../../src/auth/service.js';
import type { OrderRow, TaskRow, WorkRow } from '../../../../src/gateways/web/messages.js';
import { until } from '../../../support/until.js';
import { accountTable } from '../../../server/core.js';
import { startApi, type Asking } from './asking.js';

/** Work beyond power, as the API shows it beside orders for many. */

const WITHIN = 20_000;

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
${accountTable('steve', '"*"')}
${accountTable('maker', '"configure"', '"lab/*"')}
${accountTable('deployer', '"template.deploy"', '"lab/*"')}
${accountTable('looker', '"task"', '"lab/*"')}
${accountTable('other', '"*"', '"demo/*"')}
[providers.demo]
type = "sim"
instances = ["lj"]
[providers.lab]
type = "sim"
instances = ["db1"]
latency = "300ms"
`;

interface Rig extends Asking {
  /** Begins to make a machine. @returns the task's id */
  deploy(by: string, name: string): Promise<string>;
}

async function arrange(t: Test, folder?: string): Promise<Rig> {
  const api = await startApi(t, { config: CONFIG, ...(folder === undefined ? {} : { folder }) });
  return {
    ...api,
    deploy: (by, name) => new Promise((resolve, reject) => {
      const actor = api.gate.actor({ identity: new Service(by, api.authenticator), through: undefined, origin: '192.0.2.1:5 web' });
      actor.work('template.deploy', 'lab', { template: 'debian12', name, settings: {} }, { begun: resolve }).catch(reject);
    }),
  };
}

const listed = async ({ call }: Asking, account: string): Promise<readonly string[]> => (await call(account, 'GET', '/tasks') as { tasks: TaskRow[] }).tasks.map(({ id }) => id);

await t.test('a task is shown beside the orders, with how far it is and how it ended', async (t) => {
  const rig = await arrange(t);
  const { id: order } = await rig.call('steve', 'POST', '/power', { targets: ['lj'], action: 'stop', mode: 'hard', once: 'key-0001' }) as OrderRow;
  await rig.ended('steve', order);
  const id = await rig.deploy('deployer', 'web9');
  const task = await rig.call('deployer', 'GET', `/tasks/${id}`);
  t.match(task, { kind: 'work', id, account: 'deployer', operation: 'template.deploy', subject: 'lab', options: '--template=debian12 --name=web9', state: 'running', ended: null, detail: '' });
  await until(async () => (await rig.call('deployer', 'GET', `/tasks/${id}`) as WorkRow).progress > 0, WITHIN, 'some of it');
  t.same(await listed(rig, 'steve'), [id, order], 'newest first, and those of others for who may do everything there');
  t.match(await rig.ended<WorkRow>('deployer', id), { state: 'done', progress: 1, detail: '', ended: Number });
  const again = await rig.deploy('deployer', 'web9');
  t.match(await rig.ended<WorkRow>('deployer', again), { state: 'failed', detail: /^[A-Z ]+: .*web9/ });
});

await t.test('it is its account\'s, and of who may do everything on the provider, to see and to cancel', async (t) => {
  const rig = await arrange(t);
  for (const [index, by] of ['deployer', 'steve', 'looker'].entries()) {
    const id = await rig.deploy('deployer', `web${index}`);
    for (const stranger of ['maker', 'other']) {
      t.notOk((await listed(rig, stranger)).includes(id), stranger);
      for (const [method, path, body] of [['GET', '', undefined], ['POST', '/cancel', {}], ['DELETE', '', undefined]] as const) {
        t.equal(await rig.call(stranger, method, `/tasks/${id}${path}`, body), `NO SUCH TASK: ${id}`, `${stranger} ${method}`);
      }
    }
    t.match(await rig.call(by, index === 0 ? 'DELETE' : 'POST', `/tasks/${id}${index === 0 ? '' : '/cancel'}`, index === 0 ? undefined : {}), { id, state: 'running' });
    t.match(await rig.ended<WorkRow>('deployer', id), { state: 'cancelled', detail: /nothing of it is left$/ });
    t.equal(await rig.call(by, 'POST', `/tasks/${id}/cancel`, {}), 'WRONG STATE: it has ended');
  }
  const { instances } = await rig.call('steve', 'GET', '/instances') as { instances: { name: string }[] };
  t.same(instances.map(({ name }) => name).sort(), ['db1', 'lj']);
});

await t.test('what is under way by its number in the audit is no task of the API', async (t) => {
  const rig = await arrange(t);
  const id = await rig.deploy('maker', 'web9');
  for (const other of ['1', '0', 'x', '__proto__', `${id}0`]) {
    t.equal(await rig.call('maker', 'DELETE', `/tasks/${other}`), `NO SUCH TASK: ${other}`);
    t.equal(await rig.call('maker', 'GET', `/tasks/${other}`), `NO SUCH TASK: ${other}`);
  }
  t.match(await rig.ended<WorkRow>('maker', id), { state: 'done' });
});

await t.test('a server after it knows how it ended, and cancels nothing that has', async (t) => {
  const before = await arrange(t);
  const id = await before.deploy('maker', 'web9');
  await before.ended<WorkRow>('maker', id);
  const after = await arrange(t, before.folder);
  t.equal(await after.call('maker', 'DELETE', `/tasks/${id}`), 'WRONG STATE: it has ended');
  t.match(await after.call('maker', 'GET', '/tasks'), { tasks: [{ id, kind: 'work', state: 'done' }] });
});

await t.test('whoever may know of a task is told how it goes on, and nobody else', async (t) => {
  const rig = await arrange(t);
  const told: Record<string, string[]> = {};
  for (const name of ['steve', 'deployer', 'maker', 'looker', 'other']) {
    const rows: string[] = told[name] = [];
    const actor = rig.gate.actor({ identity: new Service(name, rig.authenticator), through: undefined, origin: 'x' });
    t.teardown(actor.tasks.onWork(({ state, progress }) => rows.push(`${state}${state === 'running' && progress > 0 ? ' on' : ''}`)));
    t.teardown(actor.orders.onChange(({ action, state }) => rows.push(`${action} ${state}`)));
  }
  await rig.ended<WorkRow>('deployer', await rig.deploy('deployer', 'web9'));
  for (const name of ['steve', 'deployer', 'looker']) {
    await until(() => told[name]!.at(-1) === 'done', WITHIN, 'its end');
    t.ok(told[name]!.includes('running on'), `${name}: ${told[name]!.join(', ')}`);
    t.equal(told[name]!.filter((one) => one === 'done').length, 1);
  }
  t.same([told['maker'], told['other']], [[], []]);
  const { id } = await rig.call('deployer', 'POST', '/power', { targets: ['lab/db1'], action: 'stop', once: 'key-0001' }) as OrderRow;
  await rig.ended('deployer', id);
  for (const name of ['steve', 'deployer', 'looker']) await until(() => told[name]!.at(-1) === 'stop failed', WITHIN, `${name} to be told of the order`);
  t.same([told['maker'], told['other']], [[], []]);
});
