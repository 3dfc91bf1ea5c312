import t, { type Test } from 'tap';
import { WmiFault, type WmiFaultKind } from '../../../src/protocols/wmi/errors.js';
import { WsmanSession } from '../../../src/protocols/wsman/session.js';
import { startWmiDouble, type FaultName, type WmiDouble, type WmiDoubleOptions } from '../../peers/wmi/index.js';
import { until } from '../../support/until.js';
import { never } from './service.js';

/** Our client and our double of Windows, which were written apart: each is strict with the other. */

const V2 = 'root/virtualization/v2';

async function begin(t: Test, options: Partial<WmiDoubleOptions> = {}): Promise<{ double: WmiDouble; session: WsmanSession }> {
  const double = await startWmiDouble({ role: 'hyperv', tls: true, users: { admin: 'pw' }, ...options });
  const session = new WsmanSession({
    origin: new URL(double.url), trust: { kind: 'fingerprints', fingerprints: [double.certificate!.fingerprint] }, login: { kind: 'basic', user: 'admin', password: 'pw' },
  });
  t.teardown(async () => {
    await session.close();
    await double.stop();
  });
  return { double, session };
}

void t.test('a machine with many VMs: pages, an instance, a method with its job', async (t) => {
  const { double, session } = await begin(t, { vms: 100 });
  t.match(await session.identify(never()), { productVendor: 'Microsoft Corporation' });
  const all = await session.query(V2, 'SELECT * FROM Msvm_ComputerSystem', never());
  t.equal(all.length, 101);
  t.equal(new Set(all.map(({ Name }) => Name)).size, 101);
  t.ok(double.calls('Pull') > 0);
  t.equal(double.openEnumerations, 0);
  t.same(Object.keys((await session.query(V2, 'SELECT Name, EnabledState FROM Msvm_ComputerSystem', never()))[1] ?? {}).sort(), ['EnabledState', 'Name']);
  const vm = all.find(({ ElementName }) => ElementName === 'vm-7');
  const path = { namespace: V2, className: 'Msvm_ComputerSystem', keys: { CreationClassName: 'Msvm_ComputerSystem', Name: String(vm?.Name) } };
  const { Job, ReturnValue } = await session.invoke(path, 'RequestStateChange', { RequestedState: '2' }, never());
  t.equal(ReturnValue, '4096');
  t.match(Job, { namespace: V2, className: 'Msvm_ConcreteJob', keys: { InstanceID: String } });
  await until(async () => (await session.get(path, never())).EnabledState === '2', 60_000, 'the VM to run');
  const [os] = await session.query('root/cimv2', 'SELECT LastBootUpTime FROM Win32_OperatingSystem', never());
  t.match(os?.LastBootUpTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
  t.equal(double.connections, 1);
});

void t.test('refusals, in both of their forms, in any language', async (t) => {
  const kinds: readonly (readonly [FaultName, WmiFaultKind])[] = [
    ['not found', 'no-such-instance'], ['unexpected selectors', 'no-such-instance'], ['resource unknown', 'no-such-class'],
    ['action unknown', 'no-such-method'], ['no such method', 'no-such-method'], ['keys missing', 'other'], ['star missing', 'other'],
    ['access denied', 'access-denied'], ['access denied inside', 'access-denied'], ['access denied by wmi', 'access-denied'],
    ['timed out', 'timed-out'], ['quota', 'quota'], ['internal error', 'other'], ['bad xml', 'other'], ['must understand', 'other'],
  ];
  for (const wmiErrors of [false, true]) {
    const { double, session } = await begin(t, { wmiErrors, locale: 'de-DE' });
    const path = { namespace: 'root/cimv2', className: 'Win32_OperatingSystem', keys: { Name: 'x' } };
    for (const [fault, kind] of kinds) {
      double.faults.add('Get', { kind: 'refuse', fault });
      const error: unknown = await session.get(path, never()).catch((error: unknown) => error);
      if (!(error instanceof WmiFault)) throw error;
      t.equal(error.kind, kind, `${fault}${wmiErrors ? ', as MSFT_WmiError' : ''}`);
      t.not(error.code, 0);
    }
    for (const [namespace, wql] of [['root/nowhere', 'SELECT * FROM X'], ['root/cimv2', 'SELECT * FROM Win32_Nothing']] as const) {
      await t.rejects(session.query(namespace, wql, never()), { name: 'WmiFault', kind: 'no-such-class' });
    }
    t.equal(double.connections, 1);
  }
});

void t.test('answers that are none', async (t) => {
  const { double, session } = await begin(t, { vms: 1 });
  const [vm] = await session.query(V2, "SELECT Name FROM Msvm_ComputerSystem WHERE ElementName = 'vm-0'", never());
  const path = { namespace: V2, className: 'Msvm_ComputerSystem', keys: { CreationClassName: 'Msvm_ComputerSystem', Name: String(vm?.Name) } };
  for (const [kind, name] of [
    ['huge', 'WmiAnswerError'], ['bomb', 'WmiAnswerError'], ['entity', 'WmiAnswerError'], ['page', 'WmiAnswerError'], ['stranger', 'WmiAnswerError'],
    ['half', 'ConnectionLostError'], ['cut', 'ConnectionLostError'], ['cut after', 'ConnectionLostError'],
  ] as const) {
    double.faults.add('RequestStateChange', { kind });
    const before = double.calls('RequestStateChange');
    await t.rejects(session.invoke(path, 'RequestStateChange', { RequestedState: '2' }, never()), { name }, kind);
    t.equal(double.calls('RequestStateChange'), before + 1, 'it is not called again');
  }
  await t.resolves(session.get(path, never()), 'then all goes on');
});
