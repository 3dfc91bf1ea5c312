import t from 'tap';
import { METHODS, SERVICES } from '../../../src/gateways/oms/services/index.js';
import type { Row } from '../../../src/gateways/oms/services/row.js';
import { OPERATIONS, type OperationName } from '../../../src/instances/operation-table.js';
import { accounts, LOGIN, omsTable, type Grants } from '../../support/oms/accounts.js';
import { OmsClient } from '../../support/oms/client.js';
import { startWorld } from '../../support/oms/world.js';

/** What each account may do, of all methods, is what its grants say: a model of the grants against the gateway. */

const HOST = 'funcclient';
const ACCOUNTS: Readonly<Record<string, Grants>> = {
  all: [{ instances: ['*'], commands: ['*'] }],
  reader: [{ instances: ['*'], commands: ['read'] }],
  power: [{ instances: ['funcclient/*'], commands: ['power'] }],
  settings: [{ instances: ['funcclient/*'], commands: ['configure'] }],
  network: [{ instances: ['funcclient/*'], commands: ['host', 'read'] }],
  consoles: [{ instances: ['funcclient/*'], commands: ['console'] }],
  shells: [{ instances: ['funcclient/*'], commands: ['shell'] }],
  tenant: [{ instances: ['funcclient/openfiler'], commands: ['read', 'power', 'configure', 'console'] }],
  word: [{ instances: ['funcclient/*'], commands: ['image.list', 'start'] }],
  elsewhere: [{ instances: ['other/*'], commands: ['*'] }],
};

/** Grants on `funcclient/*` are meant for both of its providers. */
const onBoth = (grants: Grants): Grants => grants.map(({ instances, commands }) => ({ commands, instances: instances.flatMap((name) => (name === `${HOST}/*` ? [name, 'lxc/*'] : [name])) }));
const ALL = Object.fromEntries(Object.entries(ACCOUNTS).map(([name, grants]) => [name, onBoth(grants)]));

/** Parameters that are refused behind the check of rights, so that nothing changes: what they name is not there. */
const PARAMS: Readonly<Record<string, readonly unknown[]>> = {
  template: ['nothing'], name: ['new1'], settings: [{ nothing: 1 }], destination: ['funcclient'], image: ['nothing.img'], size_mb: [1], port: [1],
  os_variant: ['x'], os_type: ['x'], iso: ['nothing.iso'], disk_size_gb: [1], block_device: [''], memory_mb: [1], noapic: [''], noacpi: [''],
  destination_old: ['10.0.0.0'], netmask_old: ['255.0.0.0'], gateway_old: ['0.0.0.0'], destination_new: ['10.0.0.0'], netmask_new: ['255.0.0.0'], gateway_new: ['0.0.0.0'],
  netmask: ['255.0.0.0'], gateway: ['10.0.0.1'], interface: ['nothing0'], bridge: ['nothing0'], member: ['nothing1'], address: ['10.0.0.2'],
};
/** Whatever they name, it would change something. */
const CHANGES = new Set(['add_bridge', 'add_static_route', 'start_vm', 'stop_vm', 'delete_vm']);

const covers = (pattern: string, subject: string): boolean => pattern === '*' || pattern === subject || pattern === `${subject.split('/')[0]}/*`;

/** Whether a grant holds for an operation on a host as a whole, or on a machine. */
function holds(grants: Grants, operation: OperationName, subject: string): boolean {
  const { right } = OPERATIONS[operation];
  return grants.some(({ instances, commands }) => commands.some((word) => word === '*' || word === right || word === operation) && instances.some((name) => covers(name, subject)));
}

const machineOf = (service: string): string => (service === 'kvmservices' ? 'openfiler' : '104');
const providerOf = (service: string): string => (service === 'ovzservices' ? 'lxc' : HOST);

/** Whether a call gets past the check of rights. */
function mayCall(grants: Grants, service: string, { on, operation }: Row, method: string): boolean {
  if (on === 'server') return true;
  const host = providerOf(service);
  const machine = `${host}/${machineOf(service)}`;
  const sees = (name: string): boolean => grants.some(({ instances }) => instances.some((one) => covers(one, name)));
  if (on === 'machine' && !sees(machine)) return false;
  if (on === 'host' && !grants.some(({ instances }) => instances.some((one) => one === '*' || one.startsWith(`${host}/`)))) return false;
  if (method === 'set_up_ssh_connection') return holds(grants, 'console.shell', `${HOST}/${HOST}`) || !sees(`${HOST}/${HOST}`);
  if (operation === undefined) return true;
  if (on === 'machine') return holds(grants, operation, machine);
  // of a host as a whole: on all that it has
  return holds(grants.filter(({ instances }) => instances.some((one) => one === '*' || one === `${host}/*`)), operation, host);
}

await t.test('all methods and accounts', async (t) => {
  const { table } = await omsTable();
  const daemon = await startWorld(t, await accounts(ALL) + table, 2);
  let calls = 0;
  for (const [account, grants] of Object.entries(ALL)) {
    const client = new OmsClient(daemon.ports[1]!);
    await client.login(account, LOGIN.password);
    for (const { names: [service], methods } of SERVICES) {
      for (const [method, row] of Object.entries(methods)) {
        if (row.on === 'server') continue;
        const may = mayCall(grants, service, row, method);
        if (may && CHANGES.has(method)) continue;
        const machine = row.on === 'machine' ? [machineOf(service)] : [];
        const { error } = await client.ask(service, method, HOST, ...machine, ...Object.keys(row.params).flatMap((name) => (method.endsWith('route') && name === 'destination' ? ['10.0.0.0'] : PARAMS[name]!)));
        calls += 1;
        const isDenied = error?.origin === 1 && error.code === 6;
        if (isDenied === may || error?.code === 5) t.fail(`${account}: ${service}.${method}: ${error?.message ?? 'done'}, where it ${may ? 'may' : 'may not'}`);
        if (error !== null && isDenied) t.equal(error.message, '[PermissionDenied] NOT ALLOWED', 'in the same words, whatever there is');
        await client.ask('kvm', 'remove_session_vnc_connections');
        await client.ask('ssh', 'remove_session_ssh_connections');
      }
    }
    if (account === 'all' || account === 'reader') continue;
    const nothing = await client.ask('kvm', 'list_vms', 'nothing');
    t.match(nothing, { error: { message: '[PermissionDenied] NOT ALLOWED' } }, `${account}: a host that there is not`);
    t.same((await client.ask('kvm', 'parse_vm_settings', HOST, 'nothing')).error?.origin, account === 'tenant' || account === 'elsewhere' ? 1 : 2);
  }
  t.ok(calls > 300, `${calls} calls`);
  t.equal(METHODS.get('kvm'), METHODS.get('kvmservices'));
  t.notMatch(daemon.stderr(), 'call failed');
});

await t.test('who sees some machines of a host is told of these', async (t) => {
  const { table } = await omsTable();
  const daemon = await startWorld(t, await accounts(ALL) + table, 2);
  const client = new OmsClient(daemon.ports[1]!);
  await client.login('tenant', LOGIN.password);
  t.match(await client.result('kvm', 'list_vms', HOST), { client: HOST, result: [{ id: 'openfiler', status: 0 }] });
  t.same(Object.keys((await client.result('kvm', 'list_vms_status', HOST) as { result: object }).result), ['openfiler']);
  t.match(await client.ask('ovz', 'list_vms', HOST), { error: { origin: 1, code: 6 } }, 'of its containers he sees none');
  t.match(await client.result('funcservices', 'list_signed'), [{ name: HOST, vmcount: 1 }]);
  await client.login('elsewhere', LOGIN.password);
  t.match(await client.result('funcservices', 'list_signed'), [{ name: 'other', vmcount: 1 }]);
  t.match(await client.result('kvm', 'list_vms', 'other'), { result: [{ id: 'x' }] });
});
