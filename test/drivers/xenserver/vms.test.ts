import t from 'tap';
import { until } from '../../support/until.js';
import { listVms, setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

void t.test('a listing has machines alone: no template, no snapshot, no control domain', async (t) => {
  const { driver } = await setUp(t, { vms: ['web10', 'web2', 'a "name"\\ {with} [all]\nof it %2f', 'ünï'] });
  t.same((await listVms(driver)).map(({ machine, state }) => [machine.name, machine.type, state]), [
    ['a "name"\\ {with} [all]\nof it %2f', 'vm', 'off'], ['ünï', 'vm', 'off'], ['web2', 'vm', 'off'], ['web10', 'vm', 'off'],
  ]);
});

void t.test('two machines of one name are two', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['twin', 'twin'] });
  const machines = (await listVms(driver)).map(({ machine }) => machine);
  t.equal(machines.length, 2);
  await machines[1]?.start?.(soon());
  t.same(await Promise.all(machines.map((machine) => machine.status(soon()))), ['off', 'on']);
  t.equal(peer.calls('VM.get_by_name_label'), 0, 'nobody asks by name');
});

for (const json of [true, false]) {
  void t.test(`a machine's life, over ${json ? 'JSON-RPC' : 'XML-RPC'}`, async (t) => {
    const { driver, peer } = await setUp(t, { vms: ['web1'], json });
    const web = await findMachine(driver, 'web1');
    const step = async (name: 'start' | 'shutdown' | 'powerOff' | 'reboot' | 'reset' | 'pause' | 'unpause' | 'suspend' | 'resume', state: string): Promise<void> => {
      await web[name]!(soon());
      t.equal(await web.status(soon()), state, name);
    };
    await step('start', 'on');
    const mark = await web.bootMark!(soon());
    t.equal(await web.bootMark!(soon()), mark, 'the same boot has the same mark');
    await step('reboot', 'on');
    t.not(await web.bootMark!(soon()), mark, 'another boot has another');
    await step('reset', 'on');
    await step('pause', 'paused');
    await step('unpause', 'on');
    await step('pause', 'paused');
    await step('start', 'on');
    await step('suspend', 'suspended');
    await step('resume', 'on');
    await step('suspend', 'suspended');
    await step('start', 'on');
    await step('shutdown', 'off');
    await step('start', 'on');
    await step('powerOff', 'off');
    await until(() => peer.world.table('task').size === 0, 60_000, 'the removal of every task');
  });

  void t.test(`readings, over ${json ? 'JSON-RPC' : 'XML-RPC'}`, async (t) => {
    const { driver, peer } = await setUp(t, { vms: ['web0', 'web1'], json });
    const web = await findMachine(driver, 'web1');
    t.match(await outcome(web.uptime?.(soon())), { phrase: 'WRONG STATE', detail: 'it is not running' });
    await web.start?.(soon());
    peer.world.age('web1', 3 * 3600 + 100);
    const [ip = ''] = await web.ip!(soon());
    t.match(ip, /^10\.0\.0\.\d+$/);
    t.same(await web.ip?.(soon()), [ip, '2001:db8::1'], 'each once, none that leads nowhere');
    const [mac = ''] = await web.mac!(soon());
    t.match(mac, /^00:16:3e:00:00:..$/);
    t.same(await web.disk?.(soon()), [{ target: 'xvda', type: 'lvm', size: 10_737_418_240n, source: 'web1 0' }], 'no empty drive');
    t.match(await web.info?.(soon()), { uuid: web.id, cpus: 2, memory: 268_435_456n, macs: [mac], ips: [ip, '2001:db8::1'], host: 'xen1' });
    const uptime = await web.uptime!(soon());
    t.ok(uptime >= 10_900 && uptime < 10_930, `up ${uptime} s`);
    // Rates of 1000 and 500 B/s; the last samples may be some seconds old.
    for (const [side, rate] of [['rx', 1000], ['tx', 500]] as const) {
      const bytes = Number(await web[side]!(soon()));
      t.ok(bytes > rate * (uptime - 15) && bytes < rate * (uptime + 15), `${side}: ${bytes} after ${uptime} s`);
    }
    const load = await web.load!(soon());
    t.ok('cpuPercent' in load && load.cpuPercent > 45 && load.cpuPercent < 55, 'the mean of 25 % and 75 %');
    t.equal(await driver.dmesg?.(soon()), '(XEN) Xen version 4.17.5 on xen1\n');
  });
}

void t.test('a guest that takes its time is not waited for, one that has no tools refuses', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['slow', 'bare'], guestMs: 60_000 });
  const [bare, slow] = [await findMachine(driver, 'bare'), await findMachine(driver, 'slow')];
  await bare.start?.(soon());
  await slow.start?.(soon());
  peer.world.bare.add('bare');
  for (const step of ['shutdown', 'reboot'] as const) {
    t.match(await outcome(bare[step]?.(soon())), { phrase: 'NOT SUPPORTED', detail: /guest has no tools.*--force/ }, step);
  }
  t.equal(await bare.status(soon()), 'on', 'and nothing else is tried');
  await slow.shutdown?.(soon());
  t.equal(await slow.status(soon()), 'stopping');
  t.match(await outcome(slow.reboot?.(soon())), { phrase: 'BUSY', detail: 'the VM is occupied with clean_shutdown' });
  await slow.powerOff?.(soon());
  t.equal(await slow.status(soon()), 'off', 'the hard way goes before');
  peer.world.guestMs = 20;
  await until(() => told.log.some((line) => line.startsWith('warn: what a guest was asked')), 60_000, 'the end of the clean shutdown');
});

void t.test('an order that is given up is cancelled', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'], stepMs: 60_000 });
  const web = await findMachine(driver, 'web1');
  const stop = new AbortController();
  const start = outcome(web.start?.(stop.signal));
  // Before that its handle may still be on the way to us.
  await until(() => peer.calls('task.get_record') > 0, 60_000, 'the task');
  const reason = new Error('enough');
  stop.abort(reason);
  t.equal((await start).error, reason);
  await until(() => peer.calls('task.cancel') === 1 && peer.world.table('task').size === 0, 60_000, 'its end');
  t.equal(peer.world.state('web1'), 'Halted');
});

void t.test('a machine that is changed while something is done with it', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['renamed', 'deleted', 'template'], stepMs: 300 });
  const { world } = peer;
  const beginning = async (name: string) => {
    const machine = await findMachine(driver, name);
    const tasks = peer.calls('Async.VM.start');
    const start = outcome(machine.start?.(soon()));
    await until(() => peer.calls('Async.VM.start') > tasks && Object.keys(world.get('VM', world.vm(name)).current_operations as object).length > 0, 60_000, `the start of ${name}`);
    return { machine, start };
  };
  const renamed = await beginning('renamed');
  world.set('VM', world.vm('renamed'), { name_label: 'other' });
  t.same(await renamed.start, { value: undefined });
  t.equal(await renamed.machine.status(soon()), 'on', 'it is the same machine');
  t.equal((await findMachine(driver, 'other')).id, renamed.machine.id);

  const deleted = await beginning('deleted');
  world.remove('VM', world.vm('deleted'));
  t.same(await deleted.start, { phrase: 'NO SUCH INSTANCE', detail: 'the pool no longer has that VM' });

  const template = await beginning('template');
  world.set('VM', world.vm('template'), { is_a_template: true });
  t.same(await template.start, { value: undefined }, 'what was begun is brought to its end');
  t.match(await outcome(template.machine.status(soon())), { phrase: 'NO SUCH INSTANCE', detail: 'it is a template now' });
  t.equal(peer.calls('Async.VM.start'), 3, 'each was ordered once');
});

void t.test('what a lost host carries is unknown, whatever the records still say', async (t) => {
  for (const json of [true, false]) {
    const { driver, peer, told } = await setUp(t, { vms: ['web1', 'held', 'saved', 'idle'], json });
    const { world } = peer;
    const [web, held, saved, idle] = [await findMachine(driver, 'web1'), await findMachine(driver, 'held'), await findMachine(driver, 'saved'), await findMachine(driver, 'idle')];
    for (const each of [web, held, saved]) await each.start?.(soon());
    await held.pause?.(soon());
    await saved.suspend?.(soon());
    world.setLive(0, false);
    t.equal(world.state('web1'), 'Running', 'the record is as it was');
    t.same(await Promise.all([web, held, saved, idle].map((each) => each.status(soon()))), ['unknown', 'unknown', 'suspended', 'off']);
    await until(() => told.changed.some(({ id, state }) => id === web.id && state === 'unknown') && told.relists > 0, 60_000, 'the news');
    t.same((await listVms(driver)).map(({ machine, state }) => [machine.name, state]), [['held', 'unknown'], ['idle', 'off'], ['saved', 'suspended'], ['web1', 'unknown']]);
    t.same(await outcome(web.start?.(soon())), { phrase: 'UNREACHABLE', detail: 'the pool still counts it as running on xen1, which does not answer the pool' });
    for (const order of ['shutdown', 'powerOff'] as const) {
      t.match(await outcome(web[order]?.(soon())), { phrase: 'UNREACHABLE', detail: 'the host that it needs does not answer the pool' }, order);
      t.equal(peer.calls(`Async.VM.${order === 'shutdown' ? 'clean' : 'hard'}_shutdown`), 1, 'it was ordered all the same');
    }
    told.changed.length = 0;
    world.setLive(0, true);
    await until(() => told.changed.some(({ id, state }) => id === web.id && state === 'on'), 60_000, 'the host is back');
    t.equal(await web.status(soon()), 'on');
  }
});

void t.test('a XenAPI that says nothing of the life of hosts is taken at its word', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const missing = { kind: 'refuse', code: 'MESSAGE_METHOD_UNKNOWN', params: ['host_metrics.get_all_records'] } as const;
  peer.fault('host_metrics.get_all_records', missing);
  const web = await findMachine(driver, 'web1');
  await web.start?.(soon());
  peer.fault('host_metrics.get_live', missing);
  t.equal(await web.status(soon()), 'on');
});

void t.test('a XenAPI on Python\'s xmlrpc: line breaks, empty strings in tags, no JSON, no events', async (t) => {
  const { driver, peer, told } = await setUp(t, { vms: ['web1', ' two  words '], python: true });
  t.same((await listVms(driver)).map(({ machine, state }) => [machine.name, state]).sort(), [[' two  words ', 'off'], ['web1', 'off']]);
  const web = await findMachine(driver, 'web1');
  await web.start?.(soon());
  t.equal(await web.status(soon()), 'on');
  t.same((await web.info?.(soon()))?.more, undefined, 'a description that is empty is none');
  t.same(await web.disk?.(soon()), [{ target: 'xvda', type: 'lvm', size: 10_737_418_240n, source: 'web1 0' }]);
  peer.fault('Async.VM.pause', { kind: 'fail', code: 'SOMETHING_NEW', params: ['', 'in words', ''] });
  t.same(await outcome(web.pause?.(soon())), { phrase: 'FAILED', detail: 'SOMETHING_NEW in words' });
  peer.world.set('VM', peer.world.vm('web1'), { power_state: 'Halted', resident_on: '' });
  t.equal((await listVms(driver)).find(({ machine }) => machine.name === 'web1')?.state, 'off', 'it is polled');
  t.same(told.lost, []);
  peer.fault('Async.VM.start', { kind: 'refuse', code: 'MESSAGE_METHOD_UNKNOWN', params: [] });
  t.match(await outcome(web.start?.(soon())), { phrase: 'UNCERTAIN', detail: /^the pool: its answer is a fault: method "Async\.VM\.start" is not supported$/ });
});

void t.test('autostart: of a VM that asks for it, in a pool that allows it', async (t) => {
  const { driver, peer } = await setUp(t, { vms: ['web1'] });
  const { world } = peer;
  const web = await findMachine(driver, 'web1');
  const asks = () => (world.get('VM', world.vm('web1')).other_config as Record<string, unknown>).auto_poweron;
  t.equal(await web.autostart?.read(soon()), false);
  t.match(await outcome(web.autostart?.set(true, soon())), { phrase: 'WRONG STATE', detail: /^the pool starts no VM by itself/ });
  t.equal(asks(), undefined, 'nothing was set');
  world.set('VM', world.vm('web1'), { other_config: { auto_poweron: 'true', other: 'stays' } });
  t.equal(await web.autostart?.read(soon()), false, 'it asks in vain');
  world.set('pool', world.refs('pool')[0]!, { other_config: { auto_poweron: 'true' } });
  t.equal(await web.autostart?.read(soon()), true);
  await web.autostart?.set(true, soon());
  t.equal(peer.calls('VM.add_to_other_config'), 0, 'it is so already');
  await web.autostart?.set(false, soon());
  t.same([asks(), await web.autostart?.read(soon()), (await web.info?.(soon()))?.autostart], [undefined, false, false]);
  world.set('VM', world.vm('web1'), { other_config: { auto_poweron: 'false', other: 'stays' } });
  await web.autostart?.set(true, soon());
  t.same(world.get('VM', world.vm('web1')).other_config, { auto_poweron: 'true', other: 'stays' });
  t.same([await web.autostart?.read(soon()), (await web.info?.(soon()))?.autostart], [true, true]);
  peer.fault('VM.remove_from_other_config', { kind: 'cut after' });
  t.match(await outcome(web.autostart?.set(false, soon())), { phrase: 'UNCERTAIN' });
  t.equal(peer.calls('VM.remove_from_other_config'), 3, 'it was not sent again');
});
