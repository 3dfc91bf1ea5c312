import t from 'tap';
import { explain } from '../../../src/drivers/xenserver/errors.js';
import type { Phrase } from '../../../src/kit/errors.js';
import { ForeignAnswerError, TaskLostError, XapiError } from '../../../src/protocols/xapi/errors.js';
import { CertificateError, ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { listVms, setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

const VM = 'OpaqueRef:8f6c8f0e-0000-4000-8000-000000000001';

/** A code with its parameters as xapi sends them, the phrase, and the words. */
const CODES: readonly (readonly [string, readonly string[], Phrase, string])[] = [
  ['VM_BAD_POWER_STATE', [VM, 'Running, Paused', 'Halted'], 'WRONG STATE', 'it is halted; running, paused is needed'],
  ['VM_LACKS_FEATURE', [VM], 'NOT SUPPORTED', 'the guest has no tools that could do it'],
  ['VM_LACKS_FEATURE_SHUTDOWN', [VM], 'NOT SUPPORTED', 'the guest has no tools that could do it'],
  ['VM_LACKS_FEATURE_SUSPEND', [VM], 'NOT SUPPORTED', 'the guest has no tools that could do it'],
  ['OPERATION_BLOCKED', [VM, 'true'], 'FAILED', 'it is blocked in the pool, by blocked_operations of the VM'],
  ['OPERATION_BLOCKED', [VM, 'ask the DBA'], 'FAILED', 'it is blocked in the pool: ask the DBA'],
  ['HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN', [], 'FAILED', 'high availability forbids it: after it the pool could not restart all protected VMs'],
  ['HA_HOST_IS_ARMED', ['OpaqueRef:2'], 'FAILED', 'high availability forbids it (HA_HOST_IS_ARMED …)'],
  ['VDI_IN_USE', ['OpaqueRef:7', 'attach'], 'FAILED', 'a disk of it is in use'],
  ['VDI_MISSING', ['OpaqueRef:6', 'OpaqueRef:7'], 'FAILED', 'a disk of it is missing from its storage'],
  ['VDI_CBT_ENABLED', ['OpaqueRef:7'], 'FAILED', 'there is something wrong with a disk of it (VDI_CBT_ENABLED …)'],
  ['SR_BACKEND_FAILURE_47', ['', 'The SR is not available', ''], 'FAILED', 'its storage failed (SR_BACKEND_FAILURE_47 The SR is not available)'],
  ['NO_HOSTS_AVAILABLE', [], 'FAILED', 'no host of the pool can take it'],
  ['VM_SHUTDOWN_TIMEOUT', [VM, '1200.'], 'FAILED', 'the guest has not shut down within 1200 s'],
  ['HOST_NOT_LIVE', [], 'UNREACHABLE', 'the host that it needs does not answer the pool'],
  ['OTHER_OPERATION_IN_PROGRESS', ['VM', VM, 'suspend', 'OpaqueRef:1'], 'BUSY', 'the VM is occupied with suspend'],
  ['OTHER_OPERATION_IN_PROGRESS', ['VM', VM], 'BUSY', 'the VM is occupied with another operation'],
  ['SESSION_AUTHENTICATION_FAILED', [], 'ACCESS DENIED', 'the user or the password is wrong'],
  ['RBAC_PERMISSION_DENIED', ['vm.start', 'No permission in user session.'], 'ACCESS DENIED', 'the user\'s role does not include vm.start'],
  ['VM_BAD_POWER_STATE', [VM, 'halted', 'running'], 'WRONG STATE', 'it is running; halted is needed'],
  ['VM_MISSING_PV_DRIVERS', [VM], 'NOT SUPPORTED', 'the guest has no tools that could do it'],
  ['VM_IS_TEMPLATE', [VM], 'NO SUCH INSTANCE', 'it is a template now'],
  ['HANDLE_INVALID', ['VDI', 'OpaqueRef:3'], 'FAILED', 'HANDLE_INVALID VDI …'],
  ['HOST_OFFLINE', ['OpaqueRef:2'], 'UNREACHABLE', 'the host that it needs does not answer the pool'],
  ['HOST_STILL_BOOTING', [], 'UNREACHABLE', 'the host is still booting'],
  ['TASK_CANCELLED', ['OpaqueRef:4'], 'FAILED', 'somebody has cancelled it'],
  ['UUID_INVALID', ['VM', '1234'], 'NO SUCH INSTANCE', 'the pool no longer has that VM'],
  ['HOST_NOT_DISABLED', [], 'FAILED', 'the host is not disabled, so it does not shut down'],
  ['HOST_IN_USE', ['OpaqueRef:2', 'VM', VM], 'FAILED', 'the host still carries a VM'],
  ['MESSAGE_METHOD_UNKNOWN', ['VM.fly'], 'NOT SUPPORTED', 'this version of XenAPI has no VM.fly'],
  ['HOST_NOT_ENOUGH_FREE_MEMORY', ['268435456', '1024'], 'FAILED', 'not enough free memory: 268435456 bytes are needed, 1024 are free'],
  ['OPERATION_NOT_ALLOWED', [`${VM} is locked\nby somebody`], 'FAILED', 'the pool does not allow it: … is locked by somebody'],
];

void t.test('each code of a refusal, at once and as the end of a task', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  for (const kind of ['refuse', 'fail'] as const) {
    for (const [code, params, phrase, detail] of CODES) {
      peer.fault('Async.VM.start', { kind, code, params });
      t.same(await outcome(web.start?.(soon())), { phrase, detail }, `${code}: ${kind}`);
    }
  }
  t.equal(peer.calls('Async.VM.start'), 2 * CODES.length, 'nothing is tried again');
  t.equal(peer.world.state('web1'), 'Halted');
});

void t.test('SESSION_INVALID[handle] ends one session, not the call', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('Async.VM.start', { kind: 'refuse', code: 'SESSION_INVALID', params: ['OpaqueRef:secret'] });
  await web.start?.(soon());
  t.equal(await web.status(soon()), 'on');
  t.equal(peer.calls('session.login_with_password'), 2);
  peer.fault('VM.get_record', { kind: 'refuse', code: 'SESSION_INVALID', params: ['OpaqueRef:secret'] }, 2);
  t.same(await outcome(web.status(soon())), { phrase: 'UNREACHABLE', detail: 'the pool ends each session at once' });
  t.equal(peer.calls('session.login_with_password'), 3, 'once again, and not for ever');
});

void t.test('many calls that find their session ended share one login', async (t) => {
  const { driver, peer } = await setUp(t, { vms: Array.from({ length: 20 }, (_, index) => `web${index}`) });
  const machines = (await listVms(driver)).map(({ machine }) => machine);
  peer.sessions.clear();
  t.same(new Set(await Promise.all(machines.map((machine) => machine.status(soon())))), new Set(['off']));
  t.equal(peer.calls('session.login_with_password'), 2);
});

void t.test('HANDLE_INVALID[VM, handle] after a restart: the machine is found by its uuid', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.restart();
  await web.start?.(soon());
  t.equal(peer.world.state('web1'), 'Running');
  peer.world.set('VM', peer.world.vm('web1'), { is_a_template: true });
  t.same(await outcome(web.status(soon())), { phrase: 'NO SUCH INSTANCE', detail: 'it is a template now' });
  peer.world.remove('VM', peer.world.vm('web1'));
  t.same(await outcome(web.status(soon())), { phrase: 'NO SUCH INSTANCE', detail: 'the pool no longer has that VM' });
});

void t.test('HANDLE_INVALID[task, handle]: what became of the task is not known', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('task.get_record', { kind: 'refuse', code: 'HANDLE_INVALID', params: ['task', 'OpaqueRef:5'] });
  t.same(await outcome(web.start?.(soon())), { phrase: 'UNCERTAIN', detail: 'the pool no longer knows of the task' });
});

void t.test('an order that was begun is in doubt, whatever then refuses to tell what came of it', async (t) => {
  const refusals = [['SESSION_INVALID', ['x']], ['RBAC_PERMISSION_DENIED', ['task.get_record', '']], ['HOST_IS_SLAVE', ['127.0.0.1']], ['TOO_BUSY', []], ['HOST_STILL_BOOTING', []]] as const;
  for (const [code, params] of refusals) {
    const { driver, peer } = await setUp(t, { vms: ['web1'] });
    const web = await findMachine(driver, 'web1');
    peer.fault('task.get_record', { kind: 'refuse', code, params }, 20);
    t.same(await outcome(web.start?.(soon())), { phrase: 'UNCERTAIN', detail: 'the pool could not be asked any more what came of it' }, code);
    t.equal(peer.calls('Async.VM.start'), 1, `${code}: once`);
  }
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('task.get_record', { kind: 'refuse', code: 'TOO_BUSY', params: [] });
  t.same(await outcome(web.start?.(soon())), { value: undefined }, 'one look in vain is none');
});

void t.test('HOST_IS_SLAVE[master] without end is not followed without end', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  peer.fault('Async.VM.start', { kind: 'refuse', code: 'HOST_IS_SLAVE', params: ['127.0.0.1'] }, 10);
  t.same(await outcome(web.start?.(soon())), { phrase: 'UNREACHABLE', detail: 'the host names 127.0.0.1 as its master, which is not to be had' });
  t.equal(peer.calls('Async.VM.start'), 2);
});

void t.test('a server without event.from is polled', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1'] });
  peer.fault('event.from', { kind: 'refuse', code: 'MESSAGE_METHOD_UNKNOWN', params: ['event.from'] }, 2);
  peer.fault('event.from', { kind: 'refuse', code: 'Method not found', params: [] }, 1);
  const states = async () => (await listVms(driver)).map(({ machine, state }) => [machine.name, state]);
  t.same(await states(), [['web1', 'off']]);
  peer.world.addMachine('web2');
  peer.world.set('VM', peer.world.vm('web1'), { power_state: 'Running' });
  t.same(await states(), [['web1', 'on'], ['web2', 'off']]);
  peer.world.remove('VM', peer.world.vm('web2'));
  t.same(await states(), [['web1', 'on']]);
  t.equal(peer.calls('VM.get_all_records'), 3);
  t.equal(told.log.filter((line) => /no event\.from/.test(line)).length, 1, 'said once');
  t.same(told.lost, [], 'and nothing is stale');
});

void t.test('--force is advised where the command has it', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const web = await findMachine(driver, 'web1');
  for (const code of ['VM_LACKS_FEATURE', 'VM_LACKS_FEATURE_SHUTDOWN', 'VM_LACKS_FEATURE_SUSPEND', 'VM_MISSING_PV_DRIVERS']) {
    for (const [step, method] of [['shutdown', 'clean_shutdown'], ['reboot', 'clean_reboot'], ['suspend', 'suspend'], ['pause', 'pause'], ['resume', 'resume']] as const) {
      peer.fault(`Async.VM.${method}`, { kind: 'fail', code, params: [VM] });
      const hint = step === 'shutdown' || step === 'reboot' ? '; --force does it the hard way' : '';
      t.same(await outcome(web[step]?.(soon())), { phrase: 'NOT SUPPORTED', detail: `the guest has no tools that could do it${hint}` }, `${step}: ${code}`);
    }
  }
});

void t.test('a code that comes without its parameters is told as it is', (t) => {
  for (const [code] of [...CODES, ['HOST_IS_SLAVE'] as const]) t.notMatch((explain(new XapiError(code, []), 'acts') as Error).message, 'undefined', code);
  t.match(explain(new XapiError('VM_BAD_POWER_STATE', []), 'acts'), { phrase: 'WRONG STATE', detail: 'VM_BAD_POWER_STATE' });
  t.match(explain(new XapiError('constructor', []), 'acts'), { phrase: 'FAILED', detail: 'constructor' });
  t.end();
});

void t.test('no error has a handle in its words, or a session among its parameters', (t) => {
  const handle = 'OpaqueRef:c0ffee00-1234';
  const errors = [
    new XapiError('SESSION_INVALID', [handle]), new XapiError('SOMETHING_NEW', [handle, `in ${handle}`]), new ConnectionLostError('cut off', true),
    new CertificateError('expired'), new ForeignAnswerError('it is strange'), new TaskLostError('gone'),
  ];
  for (const error of errors) {
    for (const effect of ['reads', 'acts'] as const) {
      const explained = explain(error, effect) as Error;
      t.notMatch(explained.message, 'c0ffee', explained.message);
      t.notMatch(error.message, 'c0ffee', error.message);
    }
  }
  t.notMatch(JSON.stringify(errors[0]), 'c0ffee');
  t.equal(explain(t, 'acts'), t, 'what is not ours stays what it is');
  t.end();
});
