import t from 'tap';
import { ITEMS, servedItem, STATE_NUMBERS, valueText } from '../../../src/gateways/zabbix/items/items.js';
import { hostName } from '../../../src/gateways/zabbix/items/host-name.js';
import { rangeTest } from '../../../src/gateways/zabbix/discovering/ip-range.js';
import { POWER_STATES } from '../../../src/drivers/driver.js';
import type { ValueType } from '../../../src/protocols/zabbix/messages.js';
import { FakeMachine } from '../../instances/fake-driver.js';
import { arrange, valueOf, wanted, type Rig } from './rig.js';

await t.test('what is served is said by the key and the type', (t) => {
  const fault = (key: string, valueType: ValueType = 'text'): string | undefined => servedItem({ key, valueType }).fault;
  for (const key of ['argo.status', 'argo.status[]', 'argo.status[demo/lj]', 'argo.info[memory,"a b"]', 'argo.load[,avg5]', 'icmpping[,5,100,,200]', 'argo.discovery', 'argo.proxy[backlog]']) t.equal(fault(key), undefined, key);
  t.match(fault('agent.ping'), 'NOT SUPPORTED: argo-server has no item agent.ping');
  t.match(fault('constructor'), 'NOT SUPPORTED');
  t.match(fault('argo.status[lj,more]'), 'USAGE: argo.status[INSTANCE]');
  t.match(fault('argo.status[lj'), 'USAGE: the key cannot be read: ');
  t.match(fault('argo.load', 'unsigned'), 'NOT SUPPORTED: argo.load is no unsigned');
  t.match(fault('argo.discovery', 'float'), 'NOT SUPPORTED');
  t.equal(new Set(Object.values(STATE_NUMBERS)).size, POWER_STATES.length, 'each state has a number of its own');
  t.not(STATE_NUMBERS.unknown, STATE_NUMBERS.off);
  for (const [key, { usage }] of Object.entries(ITEMS)) t.ok(usage.startsWith(`${key}[`), usage);
  t.end();
});

await t.test('values are in the words of their type', (t) => {
  t.equal(valueText(18_446_744_073_709_551_615n, 'unsigned'), '18446744073709551615');
  t.equal(valueText(12.9, 'unsigned'), '12');
  t.equal(valueText(0.1, 'float'), '0.1');
  t.equal(valueText(' 9007199254740993 ', 'unsigned'), '9007199254740993');
  t.equal(valueText('on', 'char'), 'on');
  t.equal(valueText('4096.0', 'unsigned'), '4096');
  t.equal(valueText('-1.5', 'float'), '-1.5');
  for (const [answer, type] of [['on', 'unsigned'], ['', 'float'], [NaN, 'float'], [Infinity, 'unsigned'], [-1, 'unsigned'], ['0x10', 'unsigned'], ['1e999', 'float'], ['-1', 'unsigned']] as const) {
    t.throws(() => valueText(answer, type), { message: /^NOT SUPPORTED/ }, `${answer} ${type}`);
  }
  t.end();
});

await t.test('names of hosts', (t) => {
  t.equal(hostName('lj'), 'lj');
  t.equal(hostName('demo/lj'), 'demo lj');
  for (const name of ['a/b c', 'ä', 'a(b)', ' a', '', 'x'.repeat(129), 'demo/#7']) t.equal(hostName(name), undefined, name);
  t.end();
});

await t.test('ranges of addresses', (t) => {
  const cases: [string, string[], string[]][] = [
    ['10.0.0.1-254', ['10.0.0.1', '10.0.0.254'], ['10.0.0.0', '10.0.0.255', '10.0.1.1']],
    ['10.1.0.0/24, 192.168.1-4.1-255', ['10.1.0.9', '192.168.3.7'], ['10.1.1.0', '192.168.5.7', '192.168.3.0']],
    ['10.0.0.0/20', ['10.0.15.255'], ['10.0.16.0']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.8', '::ffff:192.0.2.7', 'x']],
    ['2001:db8::1-ff', ['2001:db8::1', '2001:db8::ff', '2001:0db8:0::0a'], ['2001:db8::100', '2001:db8::']],
    ['2001:db8::/33', ['2001:db8:7fff::1'], ['2001:db8:8000::1']],
    ['10.0.0.9-1,300.1.1.1,x,1.2.3.4/33,,1.2.3.4/8/8,1.2.3.4-', [], ['10.0.0.5', '1.2.3.4', '0.0.0.0']],
    ['0.0.0.0/0', ['255.255.255.255'], ['::1']],
  ];
  for (const [range, inside, outside] of cases) {
    const covers = rangeTest(range);
    for (const address of inside) t.ok(covers(address), `${address} in ${range}`);
    for (const address of outside) t.notOk(covers(address), `${address} not in ${range}`);
  }
  t.end();
});

/** The first value of each of some items. */
async function firstValues(rig: Rig, hosts: Parameters<typeof wanted>[0]['hosts'], items: readonly (readonly [key: string, valueType: ValueType, hostid?: number])[], figures = {}): Promise<Record<string, string>> {
  const collecting = rig.collecting({ figures });
  collecting.configured(wanted({ hosts: hosts!, items: items.map(([key, valueType, hostid = 1]) => ({ key, valueType, hostid })) }));
  const found: Record<string, string> = {};
  for (const [index, [key, valueType, hostid = 1]] of items.entries()) {
    const { value, state } = await valueOf(rig, String(index + 1));
    found[`${key} ${valueType} ${hostid}`] = state === 1 ? `(${value})` : value;
  }
  return found;
}

await t.test('each item of an instance, by names and parameters', async (t) => {
  const rig = await arrange(t);
  const found = await firstValues(rig, [{ host: 'lj' }, { host: 'some host', name: 'demo/test' }, { host: 'demo dev' }, { host: 'nobody' }], [
    ['argo.status', 'text'], ['argo.status', 'unsigned'], ['argo.status', 'text', 2], ['argo.status', 'unsigned', 2], ['argo.status', 'char', 3], ['argo.status', 'text', 4],
    ['argo.status[demo/test]', 'char'], ['argo.status[*]', 'char'], ['argo.uptime', 'unsigned'], ['argo.uptime', 'unsigned', 2], ['argo.rx', 'unsigned'], ['argo.tx', 'float'],
    ['argo.load', 'float'], ['argo.load[,avg15]', 'text'], ['argo.load[,percent]', 'float'], ['argo.load[,x]', 'float'],
    ['argo.info[memory]', 'unsigned'], ['argo.info[uuid]', 'char'], ['argo.info[fullname]', 'text'], ['argo.info[state,builder]', 'text'], ['argo.info[x]', 'text'], ['argo.info[uuid]', 'unsigned'], ['argo.info', 'text'],
    ['argo.proxy[backlog]', 'unsigned'], ['argo.proxy[items]', 'unsigned'], ['argo.proxy[x]', 'unsigned'], ['agent.ping', 'unsigned'], ['icmpping[,0]', 'unsigned'], ['icmppingsec[127.0.0.1,1,,,,avg]', 'unsigned'],
  ], { backlog: 17 });
  const uptime = found['argo.uptime unsigned 1']!;
  t.match(uptime, /^\d+$/);
  t.match(found, {
    'argo.status text 1': 'on', 'argo.status unsigned 1': '1', 'argo.status text 2': 'off', 'argo.status unsigned 2': '0', 'argo.status char 3': 'on', 'argo.status text 4': /^\(NO SUCH INSTANCE: nobody/,
    'argo.status[demo/test] char 1': 'off', 'argo.status[*] char 1': /^\(NO SUCH INSTANCE/, 'argo.uptime unsigned 2': '(WRONG STATE: test is off)', 'argo.rx unsigned 1': /^\d+$/, 'argo.tx float 1': /^\d+$/,
    'argo.load float 1': '0.1', 'argo.load[,avg15] text 1': '0.01', 'argo.load[,percent] float 1': /^\(NOT SUPPORTED: /, 'argo.load[,x] float 1': /^\(USAGE: argo.load/,
    'argo.info[memory] unsigned 1': '268435456', 'argo.info[uuid] char 1': /^00000000-/, 'argo.info[fullname] text 1': 'demo/lj', 'argo.info[state,builder] text 1': 'on',
    'argo.info[x] text 1': '(NOT SUPPORTED: lj does not tell its x)', 'argo.info[uuid] unsigned 1': /^\(NOT SUPPORTED: ".*" is not a number\)$/, 'argo.info text 1': /"memory":"268435456"/,
    'argo.proxy[backlog] unsigned 1': '17', 'argo.proxy[items] unsigned 1': /^\d\d$/, 'argo.proxy[x] unsigned 1': /^\(NOT SUPPORTED/, 'agent.ping unsigned 1': /^\(NOT SUPPORTED: argo-server has no item/,
    'icmpping[,0] unsigned 1': /^\(USAGE: PACKETS/, 'icmppingsec[127.0.0.1,1,,,,avg] unsigned 1': /^\(NOT SUPPORTED: icmppingsec is no unsigned/,
  });
});

await t.test('a value that a server would drop is not sent', async (t) => {
  const long = new FakeMachine('long', 'on');
  const facts = { more: { long: 'x'.repeat(70_000), number: '18446744073709551616', part: '12.5', hex: '0x10', large: '18446744073709551615' } };
  const rig = await arrange(t, { own: [{ name: 'own', machines: [Object.assign(long, { info: () => Promise.resolve(facts) })] }] });
  const found = await firstValues(rig, ['long'], [['argo.info[long]', 'char'], ['argo.info[long]', 'text'], ['argo.info[number]', 'unsigned'], ['argo.info[part]', 'unsigned'], ['argo.info[hex]', 'float'], ['argo.info[large]', 'unsigned']]);
  t.equal(found['argo.info[long] char 1']?.length, 255);
  t.equal(found['argo.info[long] text 1']?.length, 65_535);
  t.match(found['argo.info[number] unsigned 1'], /^\(NOT SUPPORTED: "18446744073709551616" is more than/);
  t.match(found['argo.info[part] unsigned 1'], /^\(NOT SUPPORTED: "12.5" is not a whole number/);
  t.match(found['argo.info[hex] float 1'], /^\(NOT SUPPORTED: "0x10" is not a number/);
  t.equal(found['argo.info[large] unsigned 1'], '18446744073709551615');
});

await t.test('low-level discovery lists what the account sees', async (t) => {
  const rig = await arrange(t);
  const found = await firstValues(rig, ['lj'], [['argo.discovery', 'text'], ['argo.discovery[l* test]', 'text'], ['argo.discovery[x*]', 'text']]);
  const rows = JSON.parse(found['argo.discovery text 1']!) as Record<string, string>[];
  t.same(rows.map((row) => row['{#ARGO.NAME}']), ['lj', 'builder', 'test', 'dev']);
  t.match(rows[0], { '{#ARGO.FULLNAME}': 'demo/lj', '{#ARGO.HOST}': 'lj', '{#ARGO.PROVIDER}': 'demo', '{#ARGO.PROVIDERTYPE}': 'sim', '{#ARGO.TYPE}': 'vm', '{#ARGO.ID}': /./ });
  t.same((JSON.parse(found['argo.discovery[l* test] text 1']!) as object[]).length, 2);
  t.match(found['argo.discovery[x*] text 1'], /^\(NO MATCH/);
});

await t.test('pings go to the host\'s address, where the account may ask for the instance', async (t) => {
  const rig = await arrange(t);
  rig.collecting().configured(wanted({
    hosts: ['lj', 'nobody'], interfaces: [{ type: 3, address: '192.0.2.99' }, { address: '127.0.0.1' }, { hostid: 2 }],
    items: [
      { key: 'icmpping[,2,50]', valueType: 'unsigned' }, { key: 'icmppingsec[,2,50]', valueType: 'float' }, { key: 'icmppingloss[,2,50]', valueType: 'float' },
      { key: 'icmpping', valueType: 'unsigned', hostid: 2 },
    ],
  }));
  const [alive, seconds, loss, absent] = await Promise.all(['1', '2', '3', '4'].map((itemid) => valueOf(rig, itemid)));
  t.match(absent, { state: 1, value: /^NO SUCH INSTANCE/ });
  if (alive!.state === 1) t.match(alive!.value, /^UNREACHABLE: it cannot be told/, 'there is no right to ping here');
  else t.match([alive!.value, loss!.value, Number(seconds!.value) > 0], ['1', '0', true]);
});
