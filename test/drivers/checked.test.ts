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
    const [sighting] = await driverOf([{ machine: { id: 'a', name: 'a', type: 'vm', [name]: () => value }, state: 'on' }]).list(signal);
    return String(await thrown(() => sighting!.machine[name as 'status'](signal)));
  };
  for (const [name, right, ...wrong] of [
    ['status', 'off', undefined, null, 'OFF', true, { toString: () => 'off' }], ['ip', ['10.0.0.1'], '10.0.0.1', [1], null], ['mac', [], {}], ['uptime', 5, -1, NaN, '5', 5n],
    ['rx', 5n, 5, -1n], ['tx', 0n, undefined], ['load', { cpuPercent: 3 }, [1, 2, 3], { averages: [1, 2] }, {}, 'x'], ['load', { averages: [1, 2, 3] }, { averages: ['1', 2, 3] }],
    ['disk', [{ target: 'vda', type: 'file' }], [{}], [null], null], ['info', {}, 'x', null], ['bootMark', '1', 1],
  ] as const) {
    t.match(await answer(name, right), /^gave/, name);
    for (const one of wrong) t.match(await answer(name, one), `TypeError: the driver's ${name} is not`, `${name} ${String(one)}`);
  }
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
