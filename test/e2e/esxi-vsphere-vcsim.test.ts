import t from 'tap';
import { find, openDriver, refusal, soon } from '../drivers/esxi/open-driver.js';
import { lacksVcsim, PASSWORD, startVcsim, USER, type Vcsim } from '../peers/vcsim.js';
import { until } from '../support/until.js';

/** The esxi driver on VMware's own simulator, whose state govc changes behind our back. */

const skip = await lacksVcsim();
const table = ({ url }: Vcsim): Record<string, unknown> => ({ url, user: USER, password: PASSWORD, insecure: true });

await t.test('vCenter', { skip }, async (t) => {
  const vcsim = await startVcsim({ vms: 5 });
  await vcsim.govc('vm.power', '-off', 'DC0_H0_VM4');
  await vcsim.govc('vm.markastemplate', 'DC0_H0_VM4');
  const { driver, told } = openDriver(table(vcsim));
  t.teardown(async () => {
    await driver.close(soon());
    await vcsim.stop();
  });

  await t.test('lists hosts of clusters and alone, and virtual machines', async (t) => {
    const listed = await driver.list(soon());
    const names = (type: string): string[] => listed.filter(({ machine }) => machine.type === type).map(({ machine }) => machine.name);
    t.same(names('host'), ['DC0_C0_H0', 'DC0_C0_H1', 'DC0_C0_H2', 'DC0_H0']);
    t.equal(names('vm').length, 9);
    t.notOk(names('vm').includes('DC0_H0_VM4'), 'a template is no machine');
    t.same(new Set(listed.map(({ state }) => state)), new Set(['on']));
    t.equal(new Set(listed.map(({ machine }) => machine.id)).size, 13);
    t.match(told.log.join('\n'), /insecure = true/, 'a server that is not checked is told of');
  });

  await t.test('lists vApps where that is asked for', async (t) => {
    const other = await startVcsim({ vms: 1, apps: 1 });
    const { driver: withVApps } = openDriver({ ...table(other), vapps: true });
    t.teardown(async () => {
      await withVApps.close(soon());
      await other.stop();
    });
    const names = (await withVApps.list(soon())).map(({ machine }) => machine.name);
    t.ok(names.includes('DC0_C0_APP0') && names.includes('DC0_C0_APP0_VM0'), 'both, each by its name');
    t.match(await (await find(withVApps, 'DC0_C0_APP0')).info!(soon()), { more: { kind: 'vApp', machines: 'DC0_C0_APP0_VM0' } });
  });

  await t.test('switches, suspends and resets, each to its end', async (t) => {
    const vm = await find(driver, 'DC0_H0_VM0');
    const power = async (): Promise<string> => (await vcsim.govc('vm.info', 'DC0_H0_VM0')).match(/Power state:\s+(\w+)/)?.[1] ?? '';
    await vm.powerOff!(soon());
    t.equal(await power(), 'poweredOff', 'as govc sees it');
    t.equal(await vm.status(soon()), 'off');
    await vm.powerOff!(soon());
    t.pass('what is off already is no failure');
    await vm.start!(soon());
    t.equal(await power(), 'poweredOn');
    await vm.suspend!(soon());
    t.equal(await power(), 'suspended');
    t.equal(await vm.status(soon()), 'suspended');
    await vm.resume!(soon());
    t.equal(await vm.status(soon()), 'on');
    t.equal((await refusal(vm.resume!(soon()))).phrase, 'WRONG STATE');
    const mark = await vm.bootMark!(soon());
    await vm.reset!(soon());
    t.not(await vm.bootMark!(soon()), mark, 'a reset is a boot');
  });

  await t.test('has no tickets for screens', async (t) => {
    const vm = await find(driver, 'DC0_H0_VM1');
    t.match(await refusal(vm.console!.vnc!({ signal: soon() })), { phrase: 'NOT SUPPORTED' });
  });

  await t.test('tells what it knows of one', async (t) => {
    await vcsim.govc('vm.change', '-vm', 'DC0_H0_VM1', '-e', 'SET.guest.ipAddress=10.0.0.9');
    const vm = await find(driver, 'DC0_H0_VM1');
    t.same(await vm.ip!(soon()), ['10.0.0.9']);
    t.match((await vm.mac!(soon()))[0], /^00:0c:29:/i);
    const facts = await vm.info!(soon());
    t.match(facts, { cpus: 1, memory: 33554432n, host: 'DC0_H0', ips: ['10.0.0.9'] });
    const [disk] = await vm.disk!(soon());
    t.match(disk?.source, /\.vmdk$/);
    t.type(disk?.size, 'bigint');
    t.ok(await vm.rx!(soon()) >= 0n);
    t.ok(await vm.tx!(soon()) >= 0n);
    const host = await find(driver, 'DC0_H0');
    t.match(await host.info!(soon()), { more: { model: /./ } });
    t.ok(await host.uptime!(soon()) >= 0);
    t.ok((await host.mac!(soon())).length > 0);
  });

  await t.test('sees what others do within a second', async (t) => {
    const vm = await find(driver, 'DC0_C0_RP0_VM1');
    await vcsim.govc('vm.power', '-off', 'DC0_C0_RP0_VM1');
    await until(() => told.changed.some(([id, state]) => id === vm.id && state === 'off'), 60_000, 'the change');
    t.equal((await driver.list(soon())).find(({ machine }) => machine.id === vm.id)?.state, 'off');
    const before = told.relists;
    await vcsim.govc('vm.destroy', 'DC0_C0_RP0_VM2');
    await until(() => told.relists > before, 60_000, 'the call for a listing');
    t.notOk((await driver.list(soon())).some(({ machine }) => machine.name === 'DC0_C0_RP0_VM2'));
    await vcsim.govc('object.rename', '/DC0/vm/DC0_C0_RP0_VM3', 'a/b "c"');
    await until(async () => (await driver.list(soon())).some(({ machine }) => machine.name === 'a/b "c"'), 60_000, 'the new name');
  });

  await t.test('does not stop a host whose machines run', async (t) => {
    const host = await find(driver, 'DC0_H0');
    const { phrase, detail } = await refusal(host.shutdown!(soon()));
    t.equal(phrase, 'WRONG STATE');
    t.match(detail, /^4 of its machines run: .*use --force$/);
  });

  await t.test('says what it is when vCenter goes away', async (t) => {
    const vm = await find(driver, 'DC0_H0_VM0');
    await vcsim.stop();
    await until(() => told.lost.length > 0, 60_000, 'the loss');
    const calls = [vm.status(soon()), vm.powerOff!(soon()), driver.list(soon())];
    for (const { phrase } of await Promise.all(calls.map(refusal))) t.equal(phrase, 'UNREACHABLE');
  });
});
