import t from 'tap';
import { checkedModule } from '../../src/drivers/checked.js';
import type { Driver, DriverHost, DriverModule, Machine } from '../../src/drivers/driver.js';
import { ArgoError } from '../../src/kit/errors.js';

const { signal } = new AbortController();
const told: string[] = [];
const HOST: DriverHost = {
  name: 'p', log: () => undefined, relist: () => { told.push('relist'); },
  changed: (id, state) => { told.push(`${id} ${state}`); }, lost: (reason) => { told.push(reason); },
};

const opened = (open: (host: DriverHost) => unknown): Driver =>
  checkedModule({ options: {}, open: (_options: object, host: DriverHost) => open(host) } as never).open({} as never, HOST);
const driverOf = (listed: unknown, more: object = {}): Driver => opened(() => ({ list: () => listed, close: () => undefined, ...more }));
const thrown = (work: () => unknown): Promise<unknown> => Promise.resolve().then(work).then((value) => `gave ${String(value)}`, (error: unknown) => String(error));

await t.test('a listing of what are no machines is none', async (t) => {
  const good = { machine: { id: 'a', name: 'a', type: 'vm', status: () => 'on' }, state: 'on' };
  for (const [listed, words] of [
    [undefined, /is no list/], ['abc', /is no list/], [new Set([good]), /is no list/], [[good, null], /number 2 .*no object/], [[{ machine: null, state: 'on' }], /number 1 .*no object/],
    [[{ ...good, state: 'OFF' }], /state is none of/], [[{ ...good, state: undefined }], /state is none of/], [[{ ...good, state: { toString: () => 'off' } }], /state is none of/],
    [[{ ...good, machine: { ...good.machine, id: 7 } }], /id is no text/], [[{ ...good, machine: { ...good.machine, id: '' } }], /id is no text/],
    [[{ ...good, machine: { ...good.machine, name: 7 } }], /name is no text/], [[{ ...good, machine: { ...good.machine, type: 'box' } }], /type is none of/],
    [Object.assign([good], { incomplete: 5 }), /incomplete is no text/],
  ] as const) t.match(await thrown(() => driverOf(listed).list(signal)), words, String(words));
  const { list } = driverOf(Object.assign([good], { incomplete: 'one is silent', isSilent: true }));
  t.match(await list(signal), Object.assign([{ state: 'on', machine: { name: 'a' } }], { incomplete: 'one is silent', isSilent: true }));
});

await t.test('answers of machines are what they have to be, and methods may be no more than functions', async (t) => {
  const answer = async (name: string, value: unknown): Promise<string> => {
    const [sighting] = await driverOf([{ machine: { id: 'a', name: 'a', type: 'vm', status: () => 'on', [name]: () => value }, state: 'on' }]).list(signal);
    return String(await thrown(() => sighting!.machine[name as 'status'](signal)));
  };
  for (const [name, right, ...wrong] of [
    ['status', 'off', undefined, null, 'OFF', true, { toString: () => 'off' }], ['ip', ['10.0.0.1'], '10.0.0.1', [1], null], ['mac', [], {}], ['uptime', 5, -1, NaN, '5', 5n],
    ['rx', 5n, 5, -1n], ['tx', 0n, undefined], ['load', { cpuPercent: 3 }, [1, 2, 3], { averages: [1, 2] }, {}, 'x'], ['load', { averages: [1, 2, 3] }, { averages: ['1', 2, 3] }],
    ['disk', [{ target: 'vda', type: 'file' }], [{}], [null], null], ['info', {}, 'x', null, { memory: 5 }, { ips: '10.0.0.1' }, { more: { a: 5 } }], ['bootMark', '1', 1],
  ] as const) {
    t.match(await answer(name, right), /^gave/, name);
    for (const one of wrong) t.match(await answer(name, one), `TypeError: the driver's ${name} is not`, `${name} ${String(one)}`);
  }
});

await t.test('what a machine has beyond its answers is looked at when it is listed', async (t) => {
  const machine = { id: 'a', name: 'a', type: 'vm', status: () => 'on' };
  const listed = (more: object): Promise<unknown> => thrown(() => driverOf([{ machine: { ...machine, ...more }, state: 'on' }]).list(signal));
  for (const [more, words] of [
    [{ start: true }, /start is no function/], [{ load: 'x' }, /load is no function/], [{ status: null }, /has no status/], [{ isOffWhenGone: 'no' }, /isOffWhenGone is not true or false/],
    [{ mayMissShutdown: 1 }, /mayMissShutdown is not/], [{ bootMarkLasts: {} }, /bootMarkLasts is not/], [{ complaint: 5 }, /complaint is not a text/],
    [{ autostart: true }, /autostart is not \{ read, set \}/], [{ autostart: { read: () => true } }, /autostart is not/], [{ console: { text: 'x' } }, /console is not/],
    [{ abilities: 5 }, /abilities is not an object of groups/],
  ] as const) t.match(await listed(more), words, String(words));
  const failing = Object.defineProperty({ ...machine }, 'start', { get: () => { throw new TypeError('no link'); } });
  t.match(await thrown(() => driverOf([{ machine: failing, state: 'on' }]).list(signal)), /number 1 of the driver's list: no link/);
  const { machine: { start, console: screens, abilities } } = (await driverOf([{ machine: { ...machine, start: null, console: { text: null, vnc: () => ({}) }, abilities: null }, state: 'on' }]).list(signal))[0]!;
  t.same([start, screens?.text, abilities], [undefined, undefined, undefined], 'null is none');
  t.match(await thrown(() => screens!.vnc!({ signal })), /console\.vnc is not \{ stream \}/);
});

await t.test('to look at a machine that has become another one throws nothing', async (t) => {
  let isBroken = false;
  const look = <T>(value: T): T => {
    if (isBroken) throw new Error('no link');
    return value;
  };
  const own = {
    id: 'a', name: 'a', type: 'vm', status: () => 'on', get start() { return look(() => undefined); }, get autostart() { return look({ read: () => 'yes', set: () => undefined }); },
    get console() { return look({}); }, get isOffWhenGone() { return look(true); }, get abilities() { return look({}); },
  };
  const { machine } = (await driverOf([{ machine: own, state: 'on' }]).list(signal))[0]!;
  t.match(await thrown(() => machine.autostart!.read(signal)), /autostart\.read is not true, false or undefined/);
  isBroken = true;
  t.same([machine.console, machine.isOffWhenGone], [undefined, undefined]);
  for (const work of [() => machine.start!(signal), () => machine.autostart!.set(true, signal), () => machine.abilities]) t.match(await thrown(work), 'Error: no link');
});

await t.test('abilities are groups of methods, whose answers are what the contract says', async (t) => {
  const call = { signal, task: 't', progress: () => undefined };
  const asked = (group: string, method: string, answer: unknown): Promise<unknown> => thrown(() => {
    const { abilities } = driverOf([], { abilities: { [group]: { [method]: () => answer } } });
    return (abilities as Record<string, Record<string, (args: object, call: object) => unknown>>)[group]![method]!({}, call);
  });
  const limits = { vcpus: { min: 1, max: 2 }, memory: { min: 1n, max: 2n } };
  const disk = { file: 'a', format: 'raw', capacity: 1n };
  for (const [group, method, right, ...wrong] of [
    ['images', 'list', [{ name: 'a', kind: 'iso', format: 'iso', capacity: 1n, allocation: 1n, usedBy: [] }], 5, [{}], [null], [{ name: 'a', kind: 'iso', format: 'iso', capacity: 1, allocation: 1n, usedBy: [] }]],
    ['templates', 'list', [{ name: 'a', type: 'vm' }], [{ name: 'a', type: 'host' }], {}],
    ['templates', 'describe', { name: 'a', type: 'vm', arch: 'x', vcpus: 1, memory: 1n, limits, disks: [disk] }, { name: 'a', type: 'vm', arch: 'x', vcpus: 1, memory: 1n, limits, disks: [5] }],
    ['machines', 'limits', limits, {}, { ...limits, memory: { min: 1, max: 2 } }, { ...limits, disk: null }], ['volumes', 'groups', [], [{ name: 'a' }]], ['volumes', 'list', [], 'x'],
    ['network', 'gateway', undefined, 5, null], ['network', 'routes', [{ destination: 'default', prefix: 0, interface: 'e', metric: 0 }], [{ destination: 'default' }]],
    ['network', 'bridges', [{ name: 'b', members: [], addresses: [], isUp: true }], [{ name: 'b', members: [], addresses: [], isUp: 'yes' }]],
    ['network', 'addRoute', { keptBy: undefined }, undefined, { keptBy: 5 }], ['statistics', 'host', {}, { cpu: 5 }, { memory: { total: 1n, used: '1' } }, 'x'],
    ['statistics', 'guests', [{ id: 'a', rx: 1n }], [{ rx: 1n }], [{ id: 'a', rx: 1 }]],
  ] as const) {
    t.match(await asked(group, method, right), /^gave/, `${group}.${method}`);
    for (const one of wrong) t.match(await asked(group, method, one), `TypeError: the driver's ${group}.${method} is not`, `${group}.${method} ${String(one)}`);
  }
  t.match(await asked('images', 'create', undefined), 'gave undefined', 'what answers nothing');
  const groups = driverOf([], { abilities: { images: 5, network: null, volumes: { list: 'x', groups: null } } }).abilities!;
  t.throws(() => groups.images, /images is not a group of methods/);
  t.throws(() => groups.volumes!.list, /volumes\.list is no function/);
  t.same([groups.network, groups.volumes!.groups, groups.statistics], [undefined, undefined, undefined]);
  for (const more of [{ abilities: 'x' }, { place: 5 }, { farPlace: {} }, { dmesg: 'x' }, { sample: 5 }, { destination: 5 }])
    t.match(await thrown(() => driverOf([], more).list(signal)), /TypeError: the driver's \w+ is /, JSON.stringify(more));
  t.throws(() => driverOf([], { destination: () => ({ access: {} }) }).destination!(), /destination is not \{ provider, access \}/);
});

await t.test('a machine stays what it was listed as, and keeps its own ways', async (t) => {
  class Counted {
    #calls = 0;
    id = 'a';
    name = 'one';
    readonly type = 'vm';
    complaint: string | undefined;
    start(): number { return this.#calls += 1; }
    status(): string { return this.#calls > 0 ? 'on' : 'off'; }
  }
  const own = new Counted();
  const driver = driverOf([{ machine: own, state: 'off' }]);
  const [first] = await driver.list(signal);
  const machine: Machine = first!.machine;
  t.equal((await driver.list(signal))[0]!.machine, machine, 'the same one is the same');
  await machine.start!(signal);
  t.equal(await machine.status(signal), 'on');
  t.same([machine.shutdown, machine.complaint], [undefined, undefined]);
  own.complaint = 'no disk';
  own.id = 'b';
  own.name = 'two';
  t.same([machine.complaint, machine.id, machine.name], ['no disk', 'a', 'one']);
  t.match((await driver.list(signal))[0]!.machine, { id: 'b', name: 'two' });
});

await t.test('what is frozen is looked at as well', async (t) => {
  const machine = Object.freeze({ id: 'a', name: 'a', type: 'vm', status: () => 'on', start: () => undefined });
  const driver = opened(() => Object.freeze({ list: () => Object.freeze([Object.freeze({ machine, state: 'on' })]), close: () => undefined }));
  const [first] = await driver.list(signal);
  t.equal(await first!.machine.status(signal), 'on');
  t.same(['start' in first!.machine, 'shutdown' in first!.machine, 'list' in driver, 'sample' in driver], [true, false, true, false]);
  await driver.close(signal);
});

await t.test('a driver that cannot be opened has nothing, and says why', async (t) => {
  t.match(await thrown(() => opened(() => { throw new ArgoError('FAILED', 'no key'); }).list(signal)), 'FAILED: no key');
  for (const driver of [undefined, {}, { list: () => [] }]) t.match(await thrown(() => opened(() => driver).list(signal)), /gives nothing with list and close/);
  t.equal(await thrown(() => opened(() => undefined).close(signal)), 'gave undefined');
});

await t.test('what it tells between listings, samples and logs is looked at', async (t) => {
  let host = HOST;
  opened((given) => { host = given; return undefined; });
  host.changed('a', 'off');
  host.lost('gone');
  t.same(told.splice(0), ['a off', 'gone']);
  for (const wrong of [() => host.changed('a', 'OFF' as never), () => host.changed(1 as never, 'on'), () => host.lost({} as never)]) t.throws(wrong, TypeError);
  t.same(told, []);
  t.match(await thrown(() => driverOf([], { sample: () => ({}) }).sample!(signal)), /no Map/);
  t.match(await thrown(() => driverOf([], { sample: () => new Map([['a', { status: 'OFF' }]]) }).sample!(signal)), /status is not a state/);
  t.match(await driverOf([], { sample: () => new Map([['a', { status: 'off', ip: undefined }]]) }).sample!(signal), new Map([['a', { status: 'off' }]]));
  t.match(await thrown(() => driverOf([], { dmesg: () => 5 }).dmesg!(signal)), /dmesg is no text/);
  t.equal(driverOf([]).dmesg, undefined);
});

await t.test('a module is the same one as long as it is the same', (t) => {
  const module: DriverModule = { options: {}, open: () => ({ list: () => Promise.resolve([]), close: () => Promise.resolve() }) };
  t.equal(checkedModule(module), checkedModule(module));
  t.not(checkedModule(module), checkedModule({ ...module }));
  t.same(checkedModule(module).check?.({}), []);
  t.end();
});
