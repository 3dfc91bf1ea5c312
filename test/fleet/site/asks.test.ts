import t from 'tap';
import { readValue } from '../../../src/fleet/values.js';
import type { Asked } from '../../../src/fleet/messages.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { FakeMachine } from '../../instances/fake-driver.js';
import { bare, SiteWorld, type Fields } from './world.js';

const GIB = 2n ** 30n;

await t.test('each question is answered with what the machine says', async (t) => {
  const world = await SiteWorld.make(t);
  const disks = [{ target: 'vda', type: 'file', size: 20n * GIB }];
  Object.assign(world.machine, {
    bootMarkLasts: true,
    info: async () => ({ cpus: 2, memory: 4n * GIB, disks, more: { os: 'Debian' } }), ip: async () => ['10.0.0.7'], mac: async () => [], uptime: async () => 93_784.5,
    rx: async () => 2n ** 63n, tx: async () => 0n, load: async () => ({ averages: [0.5, 1, 2] }), disk: async () => disks,
    autostart: { read: async () => undefined, set: async () => undefined },
  });
  await world.live();
  const values: { [Name in Asked]?: unknown } = {
    status: 'on', info: { cpus: 2, memory: 4n * GIB, disks, more: { os: 'Debian' } }, ip: ['10.0.0.7'], mac: [], uptime: 93_784.5, rx: 2n ** 63n, tx: 0n,
    load: { averages: [0.5, 1, 2] }, disk: disks, bootMark: '0', autostart: undefined,
  };
  for (const [ask, value] of Object.entries(values) as [Asked, unknown][]) {
    const answer = await world.front.asked({ ask });
    t.equal(answer.state, 'value', ask);
    t.strictSame(readValue(ask, answer.state === 'value' ? answer.value : undefined), value, ask);
  }
  const plan = await world.front.asked({ ask: 'plan', order: { do: 'stop', mode: 'soft', wait: false } });
  t.match(bare(plan), { state: 'value', value: 'clean shutdown (it is on)' });
  t.match(bare(await world.front.asked({ ask: 'plan' })), { state: 'failed', phrase: 'BAD REQUEST' });
  t.same(world.machine.calls, [], 'nothing was done');
});

await t.test('the log of a hypervisor, its end where it is long', async (t) => {
  const world = await SiteWorld.make(t);
  await world.live();
  const { driver } = world;
  const dmesg = (fields: Fields = {}) => world.front.asked({ ask: 'dmesg', machine: '', instance: '', ...fields });
  t.match(bare(await dmesg()), { state: 'failed', phrase: 'NOT SUPPORTED' });
  driver.dmesg = async () => 'a line\n';
  t.same(bare(await dmesg()), { state: 'value', value: 'a line\n' });
  driver.dmesg = async () => Array.from({ length: 20_000 }, (_, index) => `"${index}" \u0001ä`).join('\n');
  const answer = await dmesg();
  const lines = (answer.state === 'value' ? String(answer.value) : '').split('\n');
  const [, left] = /^\(the first (\d+) lines are left out/.exec(lines[0]!) ?? [];
  t.equal(lines.length - 1 + Number(left), 20_000);
  t.match(lines.at(-1), /^"19999"/);
  t.ok(lines.length > 1000);
});

await t.test('what may not be asked, cannot be, or comes too late', async (t) => {
  const world = await SiteWorld.make(t, new FakeMachine('lj', 'on'), [new FakeMachine('db', 'on')]);
  world.grants = [{ instances: ['lj'], commands: ['read'] }];
  await world.live();
  const refusal = async (fields: Fields): Promise<string> => {
    const answer = await world.front.asked(fields);
    return answer.state === 'failed' ? `${answer.phrase}: ${answer.detail}` : answer.state;
  };
  t.equal(await refusal({}), 'value');
  t.match(await refusal({ ask: 'autostart' }), /^NOT ALLOWED/);
  t.match(await refusal({ ask: 'bootMark' }), /^NOT ALLOWED/);
  t.match(await refusal({ ask: 'dmesg', machine: '', instance: '' }), /^NOT ALLOWED/);
  t.match(await refusal({ machine: 'db', instance: 'db' }), /^NOT ALLOWED/);
  t.match(await refusal({ instance: 'other' }), /^NO SUCH INSTANCE|^NOT ALLOWED/);
  t.match(await refusal({ ask: 'uptime' }), /^NOT SUPPORTED/);
  t.match(await refusal({ ask: 'secrets' }), /^BAD REQUEST/);
  Object.assign(world.machine, { info: async () => { throw new ArgoError('ACCESS DENIED', 'line one\nline two\u001b[2J'); }, ip: async () => Array<string>(9000).fill('10.0.0.10') });
  t.equal(await refusal({ ask: 'info' }), 'ACCESS DENIED: line one line two?[2J');
  t.match(await refusal({ ask: 'ip' }), /^FAILED: the answer is too large/);
  t.match(await refusal({ sendBy: world.now() - 1 }), /^UNREACHABLE: .*too late/);
  t.match(await refusal({ at: world.now() + 3000 }), /^UNREACHABLE: .*before it was written/);
});
