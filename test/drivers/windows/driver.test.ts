import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import windows from '../../../src/drivers/windows/index.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { fakeHost } from '../wmi/fake-wmi.js';
import { outcome, soon } from '../driving.js';

const WAIT_MS = 30_000;
const parse = (given: Record<string, unknown>) => v.parse(v.strictObject(windows.options), { user: 'LAB\\argo', password: 'pw', ...given });

void t.test('one host or many', { skip: lacks('ping') }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-windows-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'hosts');
  writeFileSync(file, 'win2 127.0.0.2\n');
  const { host, told } = fakeHost('wins');
  const driver = windows.open(parse({ hosts: [{ name: 'win1', address: '127.0.0.1', mac: '52:54:00:aa:00:11' }], 'hosts-file': file, insecure: true }), host);
  t.teardown(() => driver.close(soon()));
  await until(async () => (await driver.list(soon())).every(({ state }) => state === 'on'), WAIT_MS, 'the hosts to answer');
  const first = await driver.list(soon());
  t.same(first.map(({ machine, state }) => [machine.id, machine.name, machine.type, state]), [['win1', 'win1', 'host', 'on'], ['win2', 'win2', 'host', 'on']]);
  t.same(first.map(({ machine }) => machine.start !== undefined), [true, false]);
  t.match(told.log.join('\n'), /insecure = true/);
  writeFileSync(file, 'win2 127.0.0.3\nwin3 127.0.0.4\n');
  const second = await driver.list(soon());
  t.same(second.map(({ machine }) => machine.name), ['win1', 'win2', 'win3']);
  t.equal(second[0]?.machine, first[0]?.machine, 'what has not changed is kept');
  t.not(second[1]?.machine, first[1]?.machine);
  t.equal(await second[2]?.machine.status(soon()), 'on');
});

void t.test('a host without WinRM is seen, and refuses what needs it', { skip: lacks('ping') }, async (t) => {
  const { host } = fakeHost('wins');
  const driver = windows.open(parse({ hosts: [{ name: 'win1', address: '127.0.0.1' }], url: 'https://{address}:9/wsman' }), host);
  t.teardown(() => driver.close(soon()));
  const [seen] = await driver.list(soon());
  t.equal(await seen?.machine.status(soon()), 'on');
  for (const step of ['uptime', 'shutdown', 'powerOff', 'bootMark'] as const) t.match(await outcome(seen?.machine[step]?.(soon())), { phrase: 'UNREACHABLE', detail: /is WinRM set up there/ }, step);
});

void t.test('a host that no URL can name is left out, and hides no other', async (t) => {
  const { host, told } = fakeHost('wins');
  const driver = windows.open(parse({ hosts: [{ name: 'win1', address: 'win.1' }, { name: 'win2', address: 'fe80::1%lo' }, { name: 'win3', address: '127.0.0.3' }] }), host);
  t.teardown(() => driver.close(soon()));
  for (let time = 0; time < 2; time += 1) t.same((await driver.list(soon())).map(({ machine }) => machine.name), ['win2', 'win3']);
  t.equal(told.log.filter((line) => /win\.1.* cannot stand in the url/.test(line)).length, 1, 'told once');
});

void t.test('what the table must not say', (t) => {
  for (const bad of [{ hosts: [{ name: 'a' }, { name: 'a' }] }, { hosts: [{ name: 'a b' }] }, { hosts: [{ name: 'a', fingerprint: 'x' }] }, { auth: 'none' }, { typo: 1 }, { suspend: 'off' }, { url: 'x' }]) t.throws(() => parse(bad), JSON.stringify(bad));
  t.end();
});
