import t from 'tap';
import { ConfigurationReader, type ReadConfiguration, type Serves } from '../../../src/protocols/zabbix/configuration-reader.js';
import { ZabbixError } from '../../../src/protocols/zabbix/errors.js';

const NEVER = new AbortController().signal;

/** A table as a server writes it. */
const table = (fields: string, ...data: readonly (readonly unknown[])[]) => ({ fields: fields.split(' '), data });
const HOSTS = 'hostid host status ipmi_authtype name tls_connect';
const INTERFACES = 'interfaceid hostid main type useip ip dns port available';
const ITEMS = 'itemid type snmp_oid hostid key_ delay history status value_type flags interfaceid';

const host = (hostid: number, name: string, status = 0) => [hostid, name, status, -1, `Visible ${name}`, 1];
const item = (itemid: number, hostid: number, key: string, { delay = '10s', type = 3, status = 0, valueType = 3, flags = 0 } = {}) => [itemid, type, '', hostid, key, delay, '90d', status, valueType, flags, null];

const TABLES = {
  globalmacro: table('globalmacroid macro value type', [2, '{$EVERY}', '1m', 0], [3, '{$NAME}', 'global', 0], [4, '{$SECRET}', 'hidden', 1]),
  hosts: table(HOSTS, host(10, 'web1'), host(11, 'web2'), host(12, 'off', 1), host(90, 'Template A', 3)),
  interface: table(INTERFACES, [5, 10, 1, 1, 1, '10.0.0.1', 'web1.example', '10050', 0], [6, 10, 0, 1, 0, '10.0.0.1', 'web1.example', 10051, 0], [7, 11, 1, 3, 1, '10.0.0.2', '', '623', 0]),
  hosts_templates: table('hosttemplateid hostid templateid', [1, 10, 90], [2, 90, 91]),
  hostmacro: table('hostmacroid hostid macro value type', [1, 10, '{$DISK:sda}', 'first', 0], [2, 90, '{$NAME}', 'of the template', 0], [3, 91, '{$DEEP}', 'a,"b"', 0], [4, 90, '{$DISK}', 'any', 0]),
  items: table(ITEMS, item(100, 10, 'argo.status'), item(101, 10, 'argo.info[{$NAME}]', { delay: '{$EVERY}', valueType: 1 }), item(102, 11, 'argo.info[{$NAME},"{$DEEP}"]', { valueType: 4 }),
    item(103, 10, 'argo.info[{$DEEP}]'), item(104, 10, 'argo.info[{$DISK:sda},{$DISK:"sdb"},"{$DEEP}"]'), item(105, 10, 'argo.info[{$SECRET}{$NONE}]'),
    item(106, 11, 'vm.other'), item(107, 11, 'argo.load', { status: 1 }), item(108, 11, 'argo.prototype', { flags: 2 }), item(109, 12, 'argo.status'), item(110, 90, 'argo.status')),
  drules: table('druleid name iprange delay', [3, 'West', '10.0.0.1-254', '1h']),
  dchecks: table('dcheckid druleid type key_ snmp_community ports', [4, 3, 12, '', '', '0'], [5, 3, 9, 'system.uname', '', '10050']),
  regexps: table('regexpid name', [1, 'x']),
  'macro.secrets': {},
};

const argo: Serves = ({ key }) => key.startsWith('argo.');
const json = (message: unknown): Buffer => Buffer.from(JSON.stringify(message));
const read = (reader: ConfigurationReader, message: unknown): Promise<ReadConfiguration> => reader.read(json(message), NEVER);
const keys = ({ configuration }: ReadConfiguration): Record<string, string> => Object.fromEntries(configuration.items.map(({ itemid, key }) => [itemid, key]));

const EXPECTED_KEYS = {
  100: 'argo.status', 101: 'argo.info[of the template]', 102: 'argo.info[global,"{$DEEP}"]', 103: 'argo.info["a,\\"b\\""]', 104: 'argo.info[first,any,"a,\\"b\\""]', 105: 'argo.info[{$SECRET}{$NONE}]',
};

void t.test('a whole configuration, as servers before 6.4 send it', async (t) => {
  const active = await read(new ConfigurationReader(argo), TABLES);
  const { hosts, interfaces, items, rules } = active.configuration;
  t.same([...hosts.values()], [{ hostid: 10, host: 'web1', name: 'Visible web1' }, { hostid: 11, host: 'web2', name: 'Visible web2' }], 'watched hosts alone');
  t.same(interfaces, [
    { interfaceid: 5, hostid: 10, type: 1, isMain: true, address: '10.0.0.1', port: '10050' }, { interfaceid: 6, hostid: 10, type: 1, isMain: false, address: 'web1.example', port: '10051' },
    { interfaceid: 7, hostid: 11, type: 3, isMain: true, address: '10.0.0.2', port: '623' },
  ]);
  t.same(keys(active), EXPECTED_KEYS, 'enabled items that are served, with their macros');
  t.match(items.find(({ itemid }) => itemid === '101'), { hostid: 10, type: 3, delay: '1m', valueType: 'char' });
  t.same(rules, [{ druleid: 3, name: 'West', ipRange: '10.0.0.1-254', delay: '1h', checks: [{ dcheckid: 4, type: 12, key: '', ports: '0' }, { dcheckid: 5, type: 9, key: 'system.uname', ports: '10050' }] }]);
  t.same(active.skipped, { count: 0, reasons: [] });

  const passive = await read(new ConfigurationReader(argo), { request: 'proxy config', data: TABLES });
  t.same(passive.configuration, active.configuration, 'the same in passive mode');
});

void t.test('steps of preprocessing, in their order and with macros replaced', async (t) => {
  const fields = 'item_preprocid itemid step type params error_handler error_handler_params';
  const steps = table(fields, [2, '100', 2, 5, '{$NAME}\n\\1', '2', 'not {$NAME}'], [1, 100, '1', '1', '8', 0, ''], [3, 101, 1, 12, 5, 0, ''], [4, 104, 1, 12, '$.a', 9, ''], ['odd']);
  const { configuration: { items } } = await read(new ConfigurationReader(argo), { ...TABLES, item_preproc: steps });
  const of = (itemid: string): unknown => items.find((one) => one.itemid === itemid)?.steps;
  t.same(of('100'), [{ type: 1, params: '8', onFail: 'fail', failText: '' }, { type: 5, params: 'of the template\n\\1', onFail: 'set value', failText: 'not of the template' }]);
  const unreadable = [{ type: -1, params: '', onFail: 'fail', failText: '' }];
  t.same(of('104'), unreadable, 'one that cannot be read is not left out');
  t.equal(of('102'), undefined);
  const many = table(fields, ...Array.from({ length: 150 }, (_, at) => [at, 100, at, 1, '8', 0, '']));
  const { configuration } = await read(new ConfigurationReader(argo), { ...TABLES, item_preproc: many });
  t.ok(configuration.items.find(({ itemid }) => itemid === '100')!.steps!.some(({ type }) => type === -1), 'more than can be are not left out either');
});

void t.test('items that depend on others, and rules', async (t) => {
  const whole = { hosts: table(HOSTS, host(10, 'web1')), items: table(`${ITEMS} master_itemid`, [...item(1, 10, 'argo.info'), null], [...item(2, 10, 'argo.part', { type: 18 }), '1'], [...item(3, 10, 'argo.odd', { type: 18 }), null], [...item(4, 10, 'argo.rule', { flags: 1 }), null]) };
  const { configuration: { items }, skipped } = await read(new ConfigurationReader(argo), whole);
  t.match(items, [{ itemid: '1', masterItemid: undefined }, { itemid: '2', masterItemid: '1' }, { itemid: '4', isRule: true }]);
  t.same(skipped, { count: 1, reasons: ['1 rows of items that depend on none'] });
});

void t.test('each whole one replaces what was known', async (t) => {
  const reader = new ConfigurationReader(argo);
  await read(reader, TABLES);
  const next = await read(reader, { hosts: table(HOSTS, host(11, 'web2')), items: table(ITEMS, item(102, 11, 'argo.info[{$NAME}]')) });
  t.same(keys(next), { 102: 'argo.info[{$NAME}]' });
  t.equal(next.configuration.rules.length + next.configuration.interfaces.length, 0);
  t.equal(reader.current, next.configuration);
});

void t.test('changes, as servers since 6.4 send them', async (t) => {
  const reader = new ConfigurationReader(argo);
  t.match(reader.known, { session: /^[0-9a-f]{32}$/, revision: 0 });
  await read(reader, { full_sync: 1, data: TABLES, config_revision: 7 });
  t.equal(reader.known.revision, 7);
  t.same(keys({ configuration: reader.current } as ReadConfiguration), EXPECTED_KEYS);

  const none = await read(reader, {});
  t.same([none.isChanged, none.configuration, reader.known.revision], [false, reader.current, 7], 'nothing has changed');
  await read(reader, { config_revision: 8 });
  t.equal(reader.known.revision, 8);

  const ofHost = await read(reader, { config_revision: 9, data: { hosts: table(HOSTS, host(10, 'web1b')), interface: table(INTERFACES), items: table(ITEMS, item(100, 10, 'argo.uptime')) } });
  t.same(keys(ofHost), { 100: 'argo.uptime', 102: EXPECTED_KEYS[102] }, 'what a host has comes whole with it; others are untouched');
  t.same([ofHost.configuration.hosts.get(10)?.host, ofHost.configuration.interfaces.map(({ interfaceid }) => interfaceid), ofHost.configuration.rules.length], ['web1b', [7], 1]);

  const ofMacros = await read(reader, { config_revision: 10, data: { globalmacro: table('globalmacroid macro value type', [3, '{$NAME}', 'newer', 0]) } });
  t.equal(keys(ofMacros)[102], 'argo.info[newer,"{$DEEP}"]', 'macros are replaced anew');
  const linked = await read(reader, { config_revision: 11, data: { hostmacro: table('hostmacroid hostid macro value type'), hosts_templates: table('hosttemplateid hostid templateid', [9, 11, 90]) } });
  t.equal(keys(linked)[102], 'argo.info[of the template,"a,\\"b\\""]');
  t.equal(keys(await read(reader, { config_revision: 12, del_macro_hostids: [11] }))[102], 'argo.info[newer,"{$DEEP}"]');
  t.equal(keys(await read(reader, { config_revision: 13, del_macro_hostids: [0] }))[102], 'argo.info[{$NAME},"{$DEEP}"]');

  t.same(keys(await read(reader, { config_revision: 14, del_hostids: [11, 99] })), { 100: 'argo.uptime' });
  const rules = await read(reader, { config_revision: 15, data: { drules: table('druleid name iprange delay'), dchecks: table('dcheckid druleid type') } });
  t.equal(rules.configuration.rules.length, 0);
  reader.forget();
  t.equal(reader.known.revision, 0, 'and all of it can be asked for again');
});

void t.test('an item is nobody\'s until its macros are known', async (t) => {
  const only: Serves = ({ key }) => key === 'argo.info[yes]';
  const reader = new ConfigurationReader(only);
  const whole = { full_sync: 1, config_revision: 1, data: { hosts: table(HOSTS, host(10, 'web1')), items: table(ITEMS, item(1, 10, 'argo.info[{$WHICH}]')) } };
  t.same(keys(await read(reader, whole)), {});
  t.same(keys(await read(reader, { config_revision: 2, data: { globalmacro: table('globalmacroid macro value', [1, '{$WHICH}', 'yes']) } })), { 1: 'argo.info[yes]' });
});

void t.test('rows that are wrong are left out, counted and named', async (t) => {
  const { skipped, configuration } = await read(new ConfigurationReader(argo), {
    hosts: { fields: HOSTS.split(' '), data: [host(10, 'web1'), ['x', 'no id', 0], 'no list', null, [11], []] },
    items: table(ITEMS, item(1, 10, 'argo.status'), item(-1, 10, 'argo.a'), [2, 3, '', 10, null, '10s', '', 0, 3, 0], item(3, 10, 'argo.b', { valueType: 7 }), [4, 3, '', 10, 'argo.c', {}, '', 0, 3, 0], item(5, 77, 'argo.of.nobody'), item(6, 10, `argo.${'x'.repeat(3000)}`)),
    drules: table('druleid', [1]), dchecks: table(''), hostmacro: table('hostid macro value', [10, 5, 6], ['?', '{$A}', 'b']), hosts_templates: table('hostid', [10]),
  });
  t.same(configuration.items.map(({ itemid }) => itemid), ['1']);
  t.equal(skipped.count, 14);
  for (const reason of ['3 rows of hosts without an id or a name', '2 rows of hosts that are no list', '1 rows of items of a type of value that is not known', '2 rows of items without a key', '1 rows of items without an interval', '1 rows of hostmacro without a host']) {
    t.ok(skipped.reasons.some((said) => said.startsWith(reason)), `${reason} in ${skipped.reasons.join('; ')}`);
  }
});

async function refusal(asked: Promise<unknown>): Promise<ZabbixError> {
  const thrown = await asked.then(() => undefined, (error: unknown) => error);
  if (thrown instanceof ZabbixError) return thrown;
  throw new Error(`not refused in plain words: ${String(thrown)}`);
}

void t.test('what is no configuration leaves the last one in force', async (t) => {
  const reader = new ConfigurationReader(argo);
  const before = (await read(reader, { full_sync: 1, data: TABLES, config_revision: 7 })).configuration;
  const wrong: readonly (readonly [string, string, RegExp, Buffer])[] = [
    ['no JSON', 'GARBAGE', /not JSON/, Buffer.from('{"hosts":')], ['a list', 'GARBAGE', /no.* JSON object/, json([])], ['other words', 'GARBAGE', /table of hosts/, json({ a: 1 })], ['hosts that are none', 'GARBAGE', /table of hosts/, json({ hosts: 5 })],
    ...['hosts', 'items', 'item_preproc', 'interface', 'hostmacro'].map((name) => [`no table ${name}`, 'GARBAGE', new RegExp(`whose table ${name} is none`), json({ full_sync: 1, data: { ...TABLES, [name]: { fields: 'x', data: 5 } }, config_revision: 8 })] as const),
    ['no items in a whole one', 'GARBAGE', /whose table items is none/, json({ ...TABLES, items: [] })],
    ['no revision', 'GARBAGE', /without its revision/, json({ full_sync: 1, data: TABLES })], ['data that are none', 'GARBAGE', /tables are none/, json({ data: [], config_revision: 1 })],
    ['a refusal', 'FAILED', /proxy "x" not found/, json({ response: 'failed', info: 'proxy "x" not found' })],
    ['another version', 'VERSION', /the server is 7\.0\.3/, json({ response: 'failed', info: 'proxy and server major versions do not match', version: '7.0.3' })],
    ['long and no JSON', 'GARBAGE', /not JSON/, Buffer.alloc(300_000, '{')],
    ['long and a refusal', 'VERSION', /7\.0\.3/, json({ response: 'failed', info: 'x', version: '7.0.3', rest: 'x'.repeat(300_000) })],
  ];
  for (const [what, code, words, content] of wrong) {
    const error = await refusal(reader.read(content, NEVER));
    t.equal(error.code, code, what);
    t.match(error.message, words, what);
    if (code === 'VERSION') t.equal(error.serverVersion, '7.0.3');
  }
  t.equal(reader.current, before);
  t.equal(reader.known.revision, 7);
});

void t.test('100,000 items are read in a thread, while all else goes on', async (t) => {
  const COUNT = 100_000;
  const rows = Array.from({ length: COUNT }, (_, at) => item(at + 1, 10 + at % 1000, at % 10 === 0 ? `argo.info[{$NAME},${at}]` : `vm.item[${at}]`));
  const content = json({ ...TABLES, hosts: table(HOSTS, ...Array.from({ length: 1000 }, (_, at) => host(10 + at, `web${at}`))), items: table(ITEMS, ...rows) });
  const reader = new ConfigurationReader(argo);
  let turns = 0;
  const ticking = setInterval(() => { turns += 1; }, 1);
  const { configuration, skipped } = await reader.read(content, NEVER);
  clearInterval(ticking);
  t.equal(configuration.items.length, COUNT / 10);
  t.equal(configuration.items.find(({ itemid }) => itemid === '11')?.key, 'argo.info[global,10]');
  t.equal(skipped.count, 0);
  t.ok(turns > 5, 'others had their turns');
  t.match(await refusal(reader.read(json({ ...TABLES, rest: 'x'.repeat(300_000) }), AbortSignal.abort())), { code: 'ABORTED' });
});
