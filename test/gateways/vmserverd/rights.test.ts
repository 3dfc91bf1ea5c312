import t from 'tap';
import { fileRows } from '../../../src/gateways/vmserverd/operations/files.js';
import { OPERATIONS as ROWS } from '../../../src/gateways/vmserverd/operations/index.js';
import { ACTION_OPERATIONS } from '../../../src/gateways/vmserverd/operations/power.js';
import { accountTables, gatewayTable, PASSWORD, startVmserverd, type Grants } from '../../support/vmserverd/world.js';
import { valuesIn, VmserverdTestClient } from '../../support/vmserverd/client.js';

/** What each account may do, by every operation on every machine, is what its grants say: a model of the grants against the gateway. */

const MACHINES = ['demo/lj', 'demo/web1', 'other/x'] as const;
const TABLES = `
[providers.demo]
type = "sim"
instances = [{ name = "lj", state = "crashed" }, { name = "web1", state = "crashed" }]
[providers.other]
type = "sim"
instances = [{ name = "x", state = "crashed" }]
`;

const ACCOUNTS: Readonly<Record<string, Grants>> = {
  all: [{ instances: ['*'], commands: ['*'] }],
  demoall: [{ instances: ['demo/*'], commands: ['*'] }],
  reader: [{ instances: ['*'], commands: ['read'] }],
  power: [{ instances: ['demo/*'], commands: ['power'] }],
  settings: [{ instances: ['demo/*'], commands: ['configure'] }],
  network: [{ instances: ['demo/*'], commands: ['host', 'read'] }],
  tenant: [{ instances: ['demo/lj'], commands: ['read', 'power', 'configure', 'console'] }],
  word: [{ instances: ['demo/*'], commands: ['stats.host', 'start', 'info'] }],
  elsewhere: [{ instances: ['other/*'], commands: ['read', 'power'] }],
  nobody: [],
};

/** The rights that hold an operation of the gate, by its own table in the documents. */
const RIGHT_OF: Readonly<Record<string, string>> = {
  start: 'power', stop: 'power', reboot: 'power', suspend: 'power', resume: 'power', status: 'read', info: 'read', 'stats.host': 'read', 'bridge.list': 'read', 'machine.delete': 'configure',
};

const covers = (pattern: string, subject: string): boolean => pattern === '*' || pattern === subject || pattern === `${subject.split('/')[0]}/*`;
const sees = (grants: Grants, machine: string): boolean => grants.some(({ instances }) => instances.some((one) => covers(one, machine)));
const holds = (commands: readonly string[], operation: string): boolean =>
  commands.some((word) => word === '*' || word === operation || word === RIGHT_OF[operation] || word === operation.split('.')[0]);
const mayOn = (grants: Grants, operation: string, machine: string): boolean =>
  grants.some(({ instances, commands }) => holds(commands, operation) && instances.some((one) => covers(one, machine)));
const mayOnHost = (grants: Grants, operation: string): boolean => grants.some(({ instances, commands }) => holds(commands, operation) && instances.some((one) => one === '*' || one === 'demo/*'));
const isAll = (grants: Grants): boolean => grants.some(({ instances, commands }) => instances.includes('*') && commands.includes('*'));

/** What is asked for about a machine, beside its path. Where the account may, it comes to nothing: the machines have crashed, and files are not named. */
const FURTHER: Readonly<
  Record<
    string,
    readonly {
      readonly args: string;
      readonly operation: string;
      /** codes where the account may */ readonly codes: readonly number[];
    }[]
  >
> = {
  VM_INFO: [{ args: '', operation: 'info', codes: [0] }],
  VM_Who: [{ args: '', operation: 'status', codes: [0] }],
  VM_GetLastNEvents: [{ args: '<n>1</n>', operation: 'status', codes: [0] }],
  VMUnRegister: [{ args: '', operation: 'machine.delete', codes: [-8] }],
  VMDeleteInfo_DeleteVMInfo: [{ args: '', operation: 'machine.delete', codes: [0] }],
  VMDeleteEdit_DeleteVM: [{ args: '<files><file>/nothing</file></files>', operation: 'machine.delete', codes: [-3, -8, -5] }],
  X_VM_PowerOp: Object.entries(ACTION_OPERATIONS)
    .filter(([action]) => action !== 'start')
    .map(([action, operation]) => ({ args: `<action>${action}</action><mode>2</mode>`, operation, codes: [-8] })),
};

await t.test('all operations, accounts and machines', async (t) => {
  const { port, daemon } = await startVmserverd(t, await accountTables(ACCOUNTS) + TABLES + gatewayTable());
  let asked = 0;
  for (const [account, grants] of Object.entries(ACCOUNTS)) {
    const client = await VmserverdTestClient.login(port, account, PASSWORD);
    t.same(valuesIn((await client.call('VMServerd_GetConnectedVMList')).out, 'config').sort(), MACHINES.filter((one) => sees(grants, one)).map((one) => `/vms/${one}.vmx`), `${account} sees what is his`);
    t.same(valuesIn((await client.call('X_VM_Enumerate')).out, 'config').sort(), MACHINES.filter((one) => sees(grants, one)).map((one) => `/vms/${one}.vmx`));
    t.equal((await client.call('VMServerd_IsAdminUser')).out, `<isAdmin>${isAll(grants) ? 1 : 0}</isAdmin>`);
    for (const [name, row] of ROWS) {
      if (Object.hasOwn(fileRows, name)) continue;
      if (row.access === 'rootonly') {
        // what is missing is looked at behind the right
        const { code } = await client.call(name, '<nothing/>');
        asked += 1;
        t.equal(code, isAll(grants) ? -3 : -5, `${account}: ${name}`);
      } else if (/^(?:Host|GSXHostInfo)_/.test(name)) {
        const { code } = await client.call(name);
        asked += 1;
        t.equal(code, mayOnHost(grants, row.operation!) ? 0 : -5, `${account}: ${name}`);
      }
      for (const { args, operation, codes } of FURTHER[name] ?? []) {
        for (const machine of MACHINES) {
          const { code, message } = await client.call(name, `<config>/vms/${machine}.vmx</config>${args}`);
          asked += 1;
          const wanted = !sees(grants, machine) ? [-11] : mayOn(grants, operation, machine) ? codes : [-5];
          t.ok(wanted.includes(code), `${account}: ${name} ${args} of ${machine}: ${code} ${message}, where ${wanted.join(' or ')} is expected`);
        }
        const hiddenMachine = MACHINES.find((one) => !sees(grants, one));
        const wordsOf = async (machine: string): Promise<string> => (await client.call(name, `<config>/vms/${machine}.vmx</config>${args}`)).message.replaceAll(machine, 'NAME');
        if (hiddenMachine !== undefined) t.equal(await wordsOf(hiddenMachine), await wordsOf('demo/nothing'), `${account}: ${name}: in the same words, whether it is there or not`);
      }
    }
    for (const task of ['1', 'x'.repeat(32)]) t.equal((await client.call('TaskManager_StatusOfTask', `<task>${task}</task>`)).code, -33, `${account}: tasks of others are none`);
    client.end();
  }
  t.ok(asked > 350, `${asked} calls`);
  t.notMatch(daemon.stderr(), 'operation failed');
});
