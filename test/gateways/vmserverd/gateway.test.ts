import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { fileRows } from '../../../src/gateways/vmserverd/operations/files.js';
import { logLine, OPERATIONS } from '../../../src/gateways/vmserverd/operations/index.js';
import { readAnswer as readOurs } from '../../../src/protocols/vmserverd/envelope.js';
import { readDocument } from '../../../src/protocols/vmserverd/xml.js';
import type { Shape } from '../../../src/protocols/vmserverd/shape.js';
import { connect } from '../../support/line-client.js';
import { until } from '../../support/until.js';
import { readAnswer, valueIn, valuesIn, VmserverdTestClient } from '../../support/vmserverd/client.js';
import { accountTables, EVERYTHING, gatewayTable, HOSTS, PASSWORD, startVmserverd, type Grants } from '../../support/vmserverd/world.js';
import { SEED_OPERATIONS } from '../../support/vmserverd/seed.js';

const WITHIN = 30_000;
const ALL: Readonly<Record<string, Grants>> = { steve: EVERYTHING, kim: [{ instances: ['demo/lj'], commands: ['read'] }] };

async function start(t: Test, keys = '', server = '') {
  const tables = await accountTables(ALL) + HOSTS;
  const world = await startVmserverd(t, tables + gatewayTable(keys), server);
  return { ...world, tables, login: (name = 'steve') => VmserverdTestClient.login(world.port, name, PASSWORD) };
}

/** Arguments with which each operation succeeds, in an order in which they can be asked. */
const GOOD: readonly (readonly [operation: string, args: string])[] = [
  ['inc', '<number>-1</number>'], ['dec', '<number>0</number>'], ['div', '<number>-7</number><divisor>2</divisor>'],
  ['VMServerd_GetProductInfo', ''], ['VMServerd_GetRequestCount', ''], ['VMServerd_IsAdminUser', ''], ['VMServerd_GetOperationTable', ''], ['VMServerd_GetConnectedVMList', ''], ['X_VM_Enumerate', ''],
  ['VMConfigDefaults_GetAll', ''], ['VMConfigDefaults_GetConfigVersion', ''],
  ['VM_INFO', '<config>demo/lj</config>'], ['VM_Who', '<config>lj</config>'], ['X_VM_PowerOp', '<config>/vms/demo/lj.vmx</config><action>reset</action><mode>1</mode>'], ['VM_GetLastNEvents', '<config>/vms/demo/lj.cfg</config>'],
  ['TaskManager_StatusOfTask', '<task>TASK</task>'], ['TaskManager_StopTask', '<task>TASK</task>'], ['TaskManager_DeleteTask', '<task>TASK</task>'],
  ['VMDeleteInfo_DeleteVMInfo', '<config>/vms/demo/old.vmx</config>'], ['VMDeleteEdit_DeleteVM', '<config>/vms/demo/old.vmx</config>'], ['VMUnRegister', '<config>/vms/demo/web1.vmx</config>'],
  ['GSXHostInfo_Query', ''], ['Host_GetBridgedNet', ''], ['Host_GetHostOnlyNet', ''], ['Host_GetVirtualNet', ''],
  ['Security_GetConfig', ''], ['Security_CreateCertificate', '<commonName>192.0.2.7</commonName>'], ['Security_ActivateConfig', '<config><ssl>1</ssl></config>'],
];
/** Of which there is no good call here: machines come from their hosts. */
const NEVER = ['VMRegister'];

await t.test('each operation answers what its row says, and refuses what it does not take', async (t) => {
  const { login, daemon } = await start(t);
  const client = await login();
  let task = '';
  for (const [operation, args] of GOOD) {
    const answer = await client.call(operation, args.replace('TASK', task));
    t.equal(answer.code, 0, `${operation}: ${answer.message}`);
    const { out } = readOurs(readDocument(answer.text));
    t.doesNotThrow(() => (OPERATIONS.get(operation)!.out as Shape<unknown>).read(out), operation);
    task = valueIn(answer.out, 'task') ?? task;
    const strange = await client.call(operation, `${args}<strange>1</strange>`);
    t.match(strange, { code: -3, message: /<strange>/ }, operation);
    t.match(await client.call(operation, `text${args}`), { code: -3, message: /^<in>/ }, operation);
    const [first] = /^<(\w+)>.*?<\/\1>/.exec(args) ?? [];
    if (first === undefined) continue;
    t.match(await client.call(operation, `${first}${args}`), { code: -3, message: /stands here twice/ }, operation);
    if (operation !== 'VMConfigDefaults_GetAll') t.match(await client.call(operation, args.replace(first, '')), { code: -3, message: /is missing/ }, operation);
  }
  const all = [...OPERATIONS.keys()].filter((name) => !Object.hasOwn(fileRows, name) && !NEVER.includes(name));
  t.same(new Set(GOOD.map(([name]) => name)), new Set(all));
  t.match(await client.call('VMRegister', '<config>/vms/demo/lj.vmx</config>'), { code: -20 });
  t.match(await client.call('VMRegister', '<config>/vms/demo/new.vmx</config>'), { code: -35 });
  for (const name of ['nothing', '__proto__', 'toString', 'INC']) t.match(await client.call(name), { code: -30 }, name);
  t.notMatch(daemon.stderr(), 'operation failed');
});

await t.test('all operations of the seed, listed as it has them', async (t) => {
  const own = [...OPERATIONS].map(([name, row]) => logLine(name, row)).filter((line) => !line.startsWith('Op X_'));
  t.same(own, SEED_OPERATIONS);
  const { login, daemon } = await start(t, '', 'log-level = "debug"');
  for (const line of SEED_OPERATIONS) await daemon.logs(line);
  const client = await login();
  const { out } = await client.call('VMServerd_GetOperationTable');
  t.same(valuesIn(out, 'name'), [...OPERATIONS.keys()]);
  t.same(valuesIn(out, 'access'), [...OPERATIONS.values()].map(({ access }) => access));
});

await t.test('names of machines', async (t) => {
  const daemonTables = await accountTables(ALL) + `${HOSTS}[providers.third]\ntype = "sim"\ninstances = ["lj", "a b/c%d", "ü"]\n`;
  const { port } = await startVmserverd(t, daemonTables + gatewayTable());
  const client = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  const paths = valuesIn((await client.call('X_VM_Enumerate')).out, 'config');
  t.ok(paths.includes('/vms/third/a%20b%2Fc%25d.vmx') && paths.includes('/vms/third/%C3%BC.vmx'), paths.join());
  for (const path of paths) t.equal(valueIn((await client.call('VM_INFO', `<config>${path}</config>`)).out, 'config'), path);
  t.match(await client.call('VM_INFO', '<config>lj</config>'), { code: -3, message: /AMBIGUOUS: .*demo\/lj/ });
  for (const path of ['/vms/demo/lj', '/vms/demo/../demo/lj.vmx', '/etc/passwd', '/vms/demo/%zz.vmx', 'x.vmx', '/vms/third/x.vmx', '@all', '*', 'demo/*']) {
    t.match(await client.call('VM_INFO', `<config>${path}</config>`), { code: -11, message: `No such virtual machine: The config file ${path} is not registered.` }, path);
  }
});

await t.test('power', async (t) => {
  const { login } = await start(t, 'stop-timeout = "200ms"');
  const client = await login();
  const power = (name: string, action: string, mode?: number) => client.call('X_VM_PowerOp', `<config>${name}</config><action>${action}</action>${mode === undefined ? '' : `<mode>${mode}</mode>`}`);
  t.match(await power('lj', 'start'), { code: -8, message: /requested operation \("start"\).*state of the virtual machine \("on"\)/ });
  t.match(await power('lj', 'suspend'), { code: 0, out: /<state>3<\/state><stateName>suspended</ });
  t.match(await power('lj', 'start'), { code: 0, out: /<state>1</ }, 'takes it up again');
  t.match(await power('lj', 'stop', 2), { code: 0, out: /<state>2</ });
  t.match(await power('lj', 'stop', 1), { code: -8, message: /\("off"\)/ });
  t.match(await power('lj', 'resume'), { code: -8, message: /\("off"\)/ });
  t.match(await power('web1', 'start'), { code: 0 });
  const began = performance.now();
  t.match(await power('web1', 'stop'), { code: 0, out: /<state>2</ }, 'a deaf guest loses its plug');
  t.ok(performance.now() - began < WITHIN);
  t.match(await power('lj', 'pause'), { code: -3 });
  t.match(await power('lj', 'start', 4), { code: -3 });
  const { out } = await client.call('VM_GetLastNEvents', '<config>lj</config><n>1000</n>');
  t.match(valuesIn(out, 'user').every((name) => name === 'steve'), true);
  t.match(valuesIn(out, 'text').join('\n'), 'suspend --wait done');
});

await t.test('a power task that is stopped: it alone, and it says so', async (t) => {
  const { login, daemon } = await start(t);
  const client = await login();
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth steve ${PASSWORD}`);
  t.equal((await line.ask('start web1 --wait')).code, 300);
  const begin = async (): Promise<string> => valueIn((await client.call('X_VM_PowerOp', '<config>web1</config><action>stop</action><mode>2</mode><wait>0</wait>')).out, 'task')!;
  const status = async (task: string): Promise<string> => (await client.call('TaskManager_StatusOfTask', `<task>${task}</task>`)).out;
  const sent = await begin();
  await until(async () => /stop/.test((await line.ask('task')).body.join('\n')), WITHIN, 'the first to be under way');
  line.send('stop web1 --wait\n');
  const waiting = await begin();
  const other = await connect(daemon.port);
  t.teardown(() => other.destroy());
  await other.ask(`auth steve ${PASSWORD}`);
  const underWay = async (): Promise<number> => (await other.ask('task')).body.filter((one) => /\bstop\b/.test(one)).length;
  await until(async () => await underWay() === 3, WITHIN, 'all three');
  t.equal((await client.call('TaskManager_StopTask', `<task>${waiting}</task>`)).code, 0);
  t.match(await status(waiting), /<state>stopped<\/state>.*<error>BUSY: .*nothing was sent<\/error>/);
  t.match(await status(sent), /<state>running<\/state>/, 'the other task of the same kind goes on');
  t.equal(await underWay(), 2, 'and so does what was typed');
  t.equal((await client.call('TaskManager_StopTask', `<task>${sent}</task>`)).code, 0);
  t.match(await status(sent), /<state>stopped<\/state>.*<error>UNCERTAIN: /, 'what was sent stays sent');
  await until(async () => await underWay() === 1, WITHIN, 'what was typed alone');
});

await t.test('who is there', async (t) => {
  const { login } = await start(t);
  const [steve, kim, other] = await Promise.all([login(), login('kim'), login()]);
  await kim.call('VM_INFO', '<config>demo/lj</config>');
  await other.call('VM_INFO', '<config>demo/lj</config>');
  const names = async (client: VmserverdTestClient) => valuesIn((await client.call('VM_Who', '<config>demo/lj</config>')).out, 'name').sort();
  t.same(await names(steve), ['kim', 'steve', 'steve']);
  t.same(await names(kim), ['kim'], 'one who may not see who others are sees himself');
  other.end();
  await until(async () => (await names(steve)).length === 2, WITHIN, 'the end of one');
});

await t.test('one after the other, in order, and in pieces', async (t) => {
  const { login } = await start(t);
  const client = await login();
  const numbers = Array.from({ length: 200 }, (_, at) => at);
  client.send(numbers.map((at) => (at % 3 === 0 ? `<exec><op>VM_INFO</op><in><config>n${at}</config></in></exec>\0` : `<exec><op>inc</op><in><number>${at}</number></in></exec>\0`)).join(''));
  for (const at of numbers) {
    const answer = readAnswer(await client.document());
    if (at % 3 === 0) t.match(answer, { code: -11, message: new RegExp(`file n${at} `) });
    else t.equal(answer.out, `<number>${at + 1}</number>`);
  }
  for (const byte of '<exec><op>inc</op><in><number>1</number></in></exec>\0') client.send(byte);
  t.match(await client.document(), '<number>2</number>');
  client.send('<exec><op>inc</op><in><number>5</number></in></exec>\0<exec><op>inc</op><in><number>6</number></in></exec>\0');
  client.socket.end();
  t.match([await client.document(), await client.document(), await client.ended()], [/<number>6</, /<number>7</, ''], 'also who sends no more is answered');
});

await t.test('what cannot be read ends the connection, with a reason', async (t) => {
  const { login } = await start(t);
  for (const text of ['GET / HTTP/1.1\r\n', '<exec>\0', '<!DOCTYPE a [<!ENTITY b "c">]><exec/>\0', '<exec><op>inc</op><in><number>&b;</number></in></exec>\0', `<exec>${'<a>'.repeat(40)}`, `<exec><op>inc</op><in><number>${'1'.repeat(1_100_000)}`]) {
    const client = await login();
    client.send(text);
    t.match(readAnswer(await client.document()), { code: -31 }, text.slice(0, 30));
    t.equal(await client.ended(), '');
  }
});

await t.test('what can be read and is no request is refused, and the next one is answered', async (t) => {
  const { login } = await start(t);
  const client = await login();
  for (const text of ['<exec></exec>', '<foo></foo>', '<exec/>', '<foo/>', '<exec><op>inc</op><op>inc</op></exec>', `<exec><op>${'x'.repeat(65)}</op></exec>`, '<exec><op>a b</op></exec>', '<exec>inc</exec>', '<exec><op>inc</op><out/></exec>']) {
    t.match(readAnswer(await client.ask(text)), { code: -3 }, text.slice(0, 30));
  }
  for (const text of ['<exec/>', '<foo a="/>"/>']) {
    client.send(text);
    t.match(readAnswer(await client.line()), { code: -3 }, `${text} needs no NUL`);
  }
  t.match(await client.call('inc', '<number>1</number>'), { code: 0 });
});

await t.test('a right password that cannot be checked in a flood is not refused', async (t) => {
  const { port, daemon } = await start(t);
  const attempt = async (password: string): Promise<VmserverdTestClient> => {
    const client = VmserverdTestClient.connect(port);
    t.teardown(() => client.end());
    await client.line();
    await client.say('USER steve');
    client.send(`PASS ${password}\r\n`);
    return client;
  };
  const guessing = VmserverdTestClient.connect(port);
  t.teardown(() => guessing.end());
  await guessing.line();
  for (let times = 0; times < 5; times += 1) {
    await guessing.say('USER steve');
    t.equal(await guessing.say('PASS wrong'), '530 Login incorrect.');
  }
  // more than wait at a time, for two seconds each
  const waiting = await Promise.all(Array.from({ length: 8 }, () => attempt('wrong')));
  t.match(await Promise.race(waiting.map((one) => one.line())), /^421 /);
  const right = await attempt(PASSWORD);
  t.equal(await right.line(), '421 Too many logins at a time, try again later.');
  t.equal(await right.ended(), '');
  t.ok(await daemon.logs(/"level":"warn"[^\n]*"account":"steve"[^\n]*"login not decided"/));
});

await t.test('who only stands there makes place for others, and is told so', async (t) => {
  const { port, tlsPort } = await start(t, 'max-connections-per-address = 4');
  const first = VmserverdTestClient.connect(port);
  t.match(await first.line(), /^220 /);
  t.match(await first.say('USER steve'), /^331 /);
  for (let times = 0; times < 2; times += 1) t.match(await VmserverdTestClient.connect(port).line(), /^220 /);
  t.equal(await first.line(), '421 Too many connections, try again later.');
  t.equal(await first.ended(), '');
  const { client } = await VmserverdTestClient.connectSecure(tlsPort, { host: '127.0.0.2' });
  t.match(await client.say('USER steve'), /^331 /);
  for (let times = 0; times < 2; times += 1) t.match(await VmserverdTestClient.connect(tlsPort, '127.0.0.2').line(), /^220 /);
  t.equal(await client.line(), '421 Too many connections, try again later.', 'with TLS, too');
});

await t.test('whoever finds all places taken is told so where the banner would be', async (t) => {
  const { port, tlsPort } = await start(t, 'max-connections-per-address = 2');
  const first = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  const second = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  for (const third of [VmserverdTestClient.connect(port), VmserverdTestClient.connect(tlsPort, '127.0.0.2')]) t.equal(await third.ended(), '421 Too many connections, try again later.\r\n');
  first.end();
  await until(async () => {
    const again = VmserverdTestClient.connect(port);
    const isIn = (await again.line()).startsWith('220 ');
    again.end();
    return isIn;
  }, WITHIN, 'a place');
  t.match(await second.call('inc', '<number>1</number>'), { code: 0 });
});

await t.test('a list of many, in the middle of a reload', async (t) => {
  const tables = await accountTables(ALL);
  const many = '[providers.demo]\ntype = "sim"\ncount = 60000\n[providers.other]\ntype = "sim"\ninstances = ["x"]\n';
  const { port, daemon, reload } = await startVmserverd(t, tables + many + gatewayTable());
  const client = await VmserverdTestClient.login(port, 'steve', PASSWORD);
  const paths = async (): Promise<string[]> => valuesIn((await client.call('X_VM_Enumerate')).out, 'config');
  const before = await paths();
  t.equal(before.length, 60_001);
  const begun = new Promise<void>((resolve) => client.socket.once('data', () => { client.socket.pause(); resolve(); }));
  // more than the network holds for a client that does not read
  client.send('<exec><op>VMServerd_GetConnectedVMList</op></exec>\0');
  await begun;
  reload(tables + many.replace('"x"', '"x", "y"') + gatewayTable());
  await daemon.logs('reloaded');
  client.socket.resume();
  t.ok(isDeepStrictEqual(valuesIn(readAnswer(await client.document()).out, 'config'), before), 'none is there twice, and none is missing');
});

await t.test('TLS', async (t) => {
  const { tlsPort, daemon, tables, reload, port } = await start(t);
  const { client, banner, fingerprint, protocol } = await VmserverdTestClient.connectSecure(tlsPort, { host: '127.0.0.2' });
  t.equal(banner, '220 VMware Authentication Daemon Version 1.10: SSL Required');
  t.equal(protocol, 'TLSv1.2');
  await client.enter('steve', PASSWORD);
  const config = await client.call('Security_GetConfig');
  t.equal(valueIn(config.out, 'certFingerprint'), fingerprint);
  const folder = join(daemon.state, 'gateway-vm');
  t.same(readdirSync(folder), ['active.pem']);
  t.equal(statSync(join(folder, 'active.pem')).mode & 0o777, 0o600);
  for (const line of ['USER steve\r\nPASS secret\r\n', '\r\n', 'GET / HTTP/1.0\r\n\r\n']) {
    const plain = VmserverdTestClient.connect(tlsPort, '127.0.0.2');
    await plain.line();
    t.equal(await plain.say(line.trimEnd()), '530 SSL required.', line);
    t.equal(await plain.ended(), '');
  }
  const made = await client.call('Security_CreateCertificate', '<commonName>vm.example.net</commonName><days>7</days>');
  t.notMatch(made.text, 'PRIVATE KEY');
  t.equal(statSync(join(folder, 'staged.pem')).mode & 0o777, 0o600);
  t.equal((await VmserverdTestClient.connectSecure(tlsPort, { host: '127.0.0.2' })).fingerprint, fingerprint, 'which waits');
  for (const name of ['a/CN=b', '-x', 'a b', '../x', 'x'.repeat(65), '']) t.match(await client.call('Security_CreateCertificate', `<commonName>${name}</commonName>`), { code: -3 }, name);
  t.match(await client.call('Security_ActivateConfig', '<config><ssl>0</ssl></config>'), { code: -5 });
  t.match(await client.call('Security_ActivateConfig', '<config><ssl>1</ssl></config>'), { code: 0 });
  const after = (await VmserverdTestClient.connectSecure(tlsPort, { host: '127.0.0.2' })).fingerprint;
  t.equal(after, valueIn(made.out, 'fingerprint'));
  t.match(await client.call('inc', '<number>1</number>'), { code: 0 }, 'who was there before stays');
  t.match(await client.call('Security_ActivateConfig', '<config><ssl>1</ssl></config>'), { code: -8 }, 'none waits any more');
  reload(tables + gatewayTable('compat = true'));
  await until(async () => (await client.ask('<exec><op>dec</op><in><number>1</number></in></exec>')).includes('VMware Server'), WITHIN, 'the reload');
  t.equal((await VmserverdTestClient.connectSecure(tlsPort, { host: '127.0.0.2' })).fingerprint, after, 'and the new one holds');
  t.notMatch(daemon.stderr(), readFileSync(join(folder, 'active.pem'), 'utf8').split('\n')[1]!);
  t.ok(port > 0);
});

await t.test('an account that a reload takes away, and a gateway', async (t) => {
  const { login, tables, reload, port } = await start(t);
  const [kim, steve] = [await login('kim'), await login()];
  reload((await accountTables({ steve: EVERYTHING })) + HOSTS + gatewayTable());
  t.equal(await kim.ended(), '');
  // its password was hashed once, so that this one goes on
  t.match(await steve.call('inc', '<number>1</number>'), { code: 0 });
  reload(tables);
  t.equal(await steve.ended(), '');
  await until(async () => VmserverdTestClient.connect(port).line(1000).then(() => false, () => true), WITHIN, 'the end of the gateway');
});

await t.test('a power action that was accepted is told as that, whoever ends', async (t) => {
  for (const [event, end] of [
    ['the server ended', ({ daemon }: Awaited<ReturnType<typeof start>>) => daemon.signal('SIGTERM')],
    ['its gateway ended', ({ reload, tables }: Awaited<ReturnType<typeof start>>) => reload(tables)],
  ] as const) {
    const world = await start(t);
    const client = await world.login();
    t.match(await client.call('X_VM_PowerOp', '<config>web1</config><action>start</action>'), { code: 0 });
    const line = await connect(world.daemon.port);
    t.teardown(() => line.destroy());
    await line.ask(`auth steve ${PASSWORD}`);
    const stopped = client.call('X_VM_PowerOp', '<config>web1</config><action>stop</action><mode>2</mode><wait>60</wait>');
    await until(async () => /verifying/.test((await line.ask('task')).body.join('\n')), WITHIN, 'it was sent');
    end(world);
    t.match(await stopped, { code: -999, message: `UNCERTAIN: accepted, and last seen on when ${event}` });
    await world.daemon.logs(`"outcome":"UNCERTAIN: accepted, and last seen on when ${event}"`);
  }
});
