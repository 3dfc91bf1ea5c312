import t from 'tap';
import { frozenList } from '../../src/instances/entrance.js';
import { copyArgs } from '../../src/instances/work-args.js';
import { WORKS, type WorkArgs, type WorkName } from '../../src/instances/work-table.js';
import { describeArgs, plannedWords } from '../../src/instances/work-words.js';
import { ArgoError, SettingsFault } from '../../src/kit/errors.js';

const GIB = 1024n ** 3n;
const guard = { rollback: 30_000, force: false };
const route = { destination: '192.168.3.0', prefix: 24, gateway: '192.168.1.1', interface: 'eth0' };

/** Arguments that are good, of each piece of work. */
const GOOD: { readonly [Name in WorkName]: WorkArgs<Name> } = {
  'image.list': {},
  'image.create': { name: 'web1.qcow2', size: GIB, format: 'qcow2' },
  'image.delete': { name: 'web1.qcow2' },
  'template.list': {},
  'template.describe': { template: 'debian-12' },
  'template.deploy': { template: 'debian-12', name: 'web1', settings: { vcpus: 2, memory: GIB, bridge: 'br0', size: GIB, address: '10.0.0.2', nameserver: '10.0.0.1', searchDomain: 'my.flat', password: 'a: b' } },
  'template.delete': { template: 'debian-12' },
  'template.preview': { template: 'debian-12' },
  'template.create': { template: 'debian-12', settings: {} },
  'machine.limits': {},
  'machine.install': { name: 'web1', osVariant: 'debian12', osType: 'linux', iso: 'debian.iso', disk: { volume: '/dev/vg0/web1' }, memory: GIB, vcpus: 1, apic: true, acpi: true },
  'machine.delete': { disks: false },
  'machine.migrate': { to: 'kvm2' },
  'hardware.read': {},
  'hardware.change': { vcpus: 2, cpuLimit: 150, autostart: false },
  'volume.groups': {},
  'volume.list': {},
  'route.list': {},
  'route.add': { ...route, ...guard },
  'route.replace': { old: route, new: { destination: 'default', prefix: 0, interface: 'eth1' }, ...guard },
  'route.delete': { destination: 'default', prefix: 0, interface: 'eth0', ...guard },
  'gateway.read': { interface: 'eth0' },
  'gateway.set': { gateway: '192.168.1.1', interface: 'eth0', ...guard },
  'bridge.list': {},
  'bridge.add': { name: 'br0', address: '10.0.0.1', prefix: 24, gateway: '10.0.0.254', ...guard },
  'bridge.change': { name: 'br0', ...guard },
  'bridge.delete': { name: 'br0', ...guard },
  'bridge.add-member': { bridge: 'br0', member: 'eth1', ...guard },
  'bridge.delete-member': { bridge: 'br0', member: 'eth1', ...guard },
  'stats.host': { figures: ['cpu', 'df'] },
  'stats.guests': {},
};
const NAMES = Object.keys(WORKS) as WorkName[];
const goodOf = (name: WorkName): Record<string, unknown> => GOOD[name] as unknown as Record<string, unknown>;
const check = (name: WorkName, args: unknown): Record<string, unknown> => copyArgs(name, args as never) as unknown as Record<string, unknown>;
/** The faults by name, or the error's words. */
const refusal = (name: WorkName, args: unknown): Readonly<Record<string, string>> | string => {
  try {
    check(name, args);
  } catch (error) {
    return error instanceof SettingsFault ? error.faults : (error as Error).message;
  }
  return 'taken';
};

/** What may be anywhere, and is never right. */
const WEIRD: readonly unknown[] = [
  null, {}, [], ['x'], NaN, -1, 1.5, 10n ** 30n, -1n, '', ' ', '..', '.', '../x', 'a/b', '/etc/passwd', '-rf', '--help', 'a b', 'a\n', 'a\0', '\0', 'a\r', 'a;b', '$(x)', '`x`', 'a"b', "a'b", '<a>', '&amp;', 'a..b', 'ä', 'x'.repeat(2000), '\u202e',
  () => 'x', Symbol('x'), { toString: () => 'x' }, new Date(0), Buffer.from('x'),
];
/** Texts that are no names, and all the same may be in a place that takes more than names. */
const MAY_BE: Readonly<Record<string, (value: unknown) => boolean>> = {
  password: (value) => typeof value === 'string' && value !== '' && value.length < 257 && !/[\0\n\r]/.test(value),
  to: (value) => typeof value === 'string' && value !== '',
  settings: (value) => typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0,
};

await t.test('what is good is taken, as a frozen copy', async (t) => {
  for (const name of NAMES) {
    const copy = check(name, goodOf(name));
    t.same(copy, GOOD[name], name);
    t.not(copy, GOOD[name]);
    t.ok(Object.isFrozen(copy) && Object.values(copy).every((one) => typeof one !== 'object' || Object.isFrozen(one)), name);
  }
});

await t.test('every argument of every work refuses what is weird, by its name', async (t) => {
  for (const name of NAMES) {
    for (const key of Object.keys(goodOf(name))) {
      for (const value of WEIRD) {
        const told = refusal(name, { ...goodOf(name), [key]: value });
        if (told === 'taken') t.equal(MAY_BE[key]?.(value), true, `${name} took ${key} = ${String(value).slice(0, 40)}`);
        else if (typeof told === 'string') t.match(told, /^BAD REQUEST: /);
        else t.match(Object.keys(told), [new RegExp(`^(${key}|settings|vcpus|memory|disk|old|new)`)], `${name} ${key}`);
      }
      if (key !== 'settings') t.notSame(refusal(name, Object.fromEntries(Object.entries(goodOf(name)).filter(([other]) => other !== key))), undefined);
    }
  }
});

await t.test('what is not an argument is refused, also what all objects have', async (t) => {
  for (const name of NAMES) {
    for (const key of ['x', 'constructor', 'toString', 'hasOwnProperty', 'rm -rf']) t.same(refusal(name, { ...goodOf(name), [key]: 'x' }), { [key]: 'there is no such argument' }, `${name} ${key}`);
    t.same(refusal(name, JSON.parse(`{"__proto__":{"x":1}}`)) === 'taken', false, `${name}: an own __proto__`);
    for (const args of [undefined, null, 'x', 7, [], [{}], () => ({})]) t.match(refusal(name, args), /^BAD REQUEST/, `${name} ${String(args)}`);
  }
  const inherited = Object.create(GOOD['image.delete']) as object;
  t.equal(refusal('image.delete', inherited), 'BAD REQUEST: arguments are plain objects', 'what is inherited is not there');
  t.same(refusal('image.delete', {}), { name: 'is missing' });
  t.same(refusal('image.list', { x: undefined }), 'taken', 'what is undefined is not there');
});

await t.test('what answers each look differently is looked at once', async (t) => {
  let looks = 0;
  const turning = { get name() { looks += 1; return looks === 1 ? 'web1' : '../../etc/passwd'; } };
  t.same(check('image.delete', turning), { name: 'web1' });
  t.equal(looks, 1);
  const proxy = new Proxy({ name: 'web1' }, { get: (_, key) => { looks += 1; return key === 'name' && looks === 2 ? 'web1' : '-rf'; } });
  t.same(check('image.delete', proxy), { name: 'web1' });
  const list = ['cpu', 'df'];
  const copy = check('stats.host', { figures: list });
  list.push('rm');
  t.same(copy, { figures: ['cpu', 'df'] });
});

await t.test('too much is refused before it is looked at', async (t) => {
  t.match(refusal('image.delete', Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`a${index}`, 1]))), /too many/);
  t.match(refusal('stats.host', { figures: Array<string>(1e6).fill('cpu') }), /too many/);
  t.match(refusal('image.delete', { name: { a: { b: { c: 1 } } } }), /too deeply/);
  t.match(refusal('image.delete', { name: 'x'.repeat(1e6) }), /longer than/);
  const circle: Record<string, unknown> = {};
  circle['name'] = circle;
  t.match(refusal('image.delete', circle), /too deeply/);
});

await t.test('names, numbers and addresses at their limits', async (t) => {
  const cases: readonly [WorkName, object, string | undefined][] = [
    ['image.delete', { name: 'a'.repeat(128) }, undefined], ['image.delete', { name: 'a'.repeat(129) }, 'name'], ['image.delete', { name: 'A0._-' }, undefined], ['image.delete', { name: '.a' }, 'name'], ['image.delete', { name: '_a' }, 'name'],
    ['template.deploy', { name: 'a'.repeat(64) }, undefined], ['template.deploy', { name: 'a'.repeat(65) }, 'name'],
    ['image.create', { size: 64n * 1024n }, undefined], ['image.create', { size: 64n * 1024n - 1n }, 'size'], ['image.create', { size: 64n * 1024n ** 4n }, undefined], ['image.create', { size: 64n * 1024n ** 4n + 1n }, 'size'], ['image.create', { size: 2 ** 30 }, 'size'],
    ['image.create', { format: 'vmdk' }, 'format'],
    ['bridge.delete', { name: 'a'.repeat(15) }, undefined], ['bridge.delete', { name: 'a'.repeat(16) }, 'name'], ['bridge.delete', { name: '0a' }, 'name'], ['bridge.delete', { name: 'eth0.100' }, undefined], ['bridge.delete', { name: 'eth0:1' }, 'name'],
    ['bridge.delete', { rollback: 3000 }, undefined], ['bridge.delete', { rollback: 2999 }, 'rollback'], ['bridge.delete', { rollback: 600_000 }, undefined], ['bridge.delete', { rollback: 600_001 }, 'rollback'], ['bridge.delete', { rollback: 3000.5 }, 'rollback'],
    ['bridge.delete', { force: 1 }, 'force'], ['bridge.delete', { force: 'true' }, 'force'],
    ['route.add', { destination: '192.168.3.1' }, 'destination'], ['route.add', { destination: '192.168.3.1', prefix: 32 }, undefined], ['route.add', { destination: '10.0.0.0', prefix: 8 }, undefined], ['route.add', { destination: '10.128.0.0', prefix: 8 }, 'destination'],
    ['route.add', { destination: 'default', prefix: 8 }, 'destination'], ['route.add', { destination: '10.0.0.0', prefix: 0 }, 'destination'], ['route.add', { prefix: 33 }, 'prefix'], ['route.add', { prefix: -1 }, 'prefix'],
    ['route.add', { destination: '010.0.0.0', prefix: 8 }, 'destination'], ['route.add', { destination: '10.0.0', prefix: 8 }, 'destination'], ['route.add', { destination: '0x0a.0.0.0', prefix: 8 }, 'destination'], ['route.add', { destination: '::', prefix: 0 }, 'destination'],
    ['route.add', { destination: '128.0.0.0', prefix: 1 }, undefined], ['route.add', { destination: '255.255.255.254', prefix: 31 }, undefined],
    ['gateway.set', { gateway: '0.0.0.0' }, 'gateway'], ['gateway.set', { gateway: '127.0.0.1' }, 'gateway'], ['gateway.set', { gateway: '224.0.0.1' }, 'gateway'], ['gateway.set', { gateway: '255.255.255.255' }, 'gateway'], ['gateway.set', { gateway: '::1' }, 'gateway'],
    ['bridge.add', { gateway: undefined, prefix: undefined }, 'arguments'], ['bridge.add', { address: undefined, prefix: undefined }, 'arguments'], ['bridge.add', { prefix: 0 }, 'prefix'],
    ['machine.install', { disk: { size: GIB } }, undefined], ['machine.install', { disk: { size: GIB, volume: '/dev/vg0/a' } }, 'disk'], ['machine.install', { disk: {} }, 'disk'], ['machine.install', { disk: { volume: '/etc/passwd' } }, 'disk.volume'],
    ['machine.install', { disk: { volume: '/dev/../etc/passwd' } }, 'disk.volume'], ['machine.install', { disk: { volume: '/dev/mapper/vg0-web1' } }, undefined], ['machine.install', { disk: { volume: '/dev/sda' } }, 'disk.volume'],
    ['hardware.change', { vcpus: 0 }, 'vcpus'], ['hardware.change', { vcpus: 1024 }, undefined], ['hardware.change', { vcpus: 1025 }, 'vcpus'], ['hardware.change', { vcpus: '2' }, 'vcpus'], ['hardware.change', { memory: 1024n ** 2n - 1n }, 'memory'],
    ['hardware.change', { vcpus: undefined, cpuLimit: undefined, autostart: undefined }, 'arguments'], ['hardware.change', { searchDomain: '-a.b' }, 'searchDomain'], ['hardware.change', { searchDomain: 'a..b' }, 'searchDomain'], ['hardware.change', { password: 'a\nroot:b' }, 'password'],
    ['stats.host', { figures: [] }, 'figures'], ['stats.host', { figures: ['cpu', 'all'] }, 'figures.1'],
  ];
  for (const [name, change, fault] of cases) {
    const told = refusal(name, { ...goodOf(name), ...change });
    const words = `${name} ${JSON.stringify(change, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`;
    if (fault === undefined) t.equal(told, 'taken', words);
    else t.same(Object.keys(told), [fault], words);
  }
  t.same(Object.keys(refusal('template.deploy', { template: '..', name: 'a b', settings: { vcpus: 0, x: 1 } })), ['template', 'name', 'vcpus', 'x'], 'all that is wrong is told at once');
  t.same(check('route.add', { ...route, destination: '0.0.0.0', prefix: 0, ...guard })['destination'], 'default');
});

await t.test('words of it hold no secret', async (t) => {
  for (const name of NAMES) {
    const args = check(name, goodOf(name));
    for (const words of [describeArgs(args), plannedWords(name, args as never)]) t.notMatch(words, 'a: b', name);
    if (WORKS[name].right !== 'read') t.notMatch(plannedWords(name, args as never), 'only looks', name);
  }
  t.equal(describeArgs(check('template.deploy', goodOf('template.deploy'))), '--template=debian-12 --name=web1 --vcpus=2 --memory=1073741824 --bridge=br0 --size=1073741824 --address=10.0.0.2 --nameserver=10.0.0.1 --searchDomain=my.flat --password');
  t.equal(describeArgs(check('route.replace', goodOf('route.replace'))), '--old-destination=192.168.3.0 --old-prefix=24 --old-gateway=192.168.1.1 --old-interface=eth0 --new-destination=default --new-prefix=0 --new-interface=eth1 --rollback=30000 --force=false');
  t.ok(new SettingsFault({ a: 'b' }) instanceof ArgoError);
});

await t.test('a long answer is copied in turns with others, and nobody can change it', async (t) => {
  let now = 1000;
  // each look at the clock is a millisecond later than the one before
  t.intercept(performance, 'now', { value: () => (now += 1) });
  let [turns, isOver] = [0, false];
  const count = (): void => {
    if (!isOver) {
      turns += 1;
      setImmediate(count);
    }
  };
  setImmediate(count);
  const told = Array.from({ length: 200 }, (_, at) => ({ id: String(at), disks: [{ read: at }] }));
  const copy = await frozenList(told);
  isOver = true;
  t.ok(turns > 10, `${turns} turns`);
  t.same(copy, told);
  t.not(copy[0], told[0]);
  t.ok(Object.isFrozen(copy) && Object.isFrozen(copy[7]) && Object.isFrozen(copy[7]!.disks[0]));
  const one = { free: 1n };
  t.same(await frozenList(one), one);
});
