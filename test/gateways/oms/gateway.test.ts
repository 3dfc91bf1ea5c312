import { connect as connectSocket } from 'node:net';
import t, { type Test } from 'tap';
import { SERVICES } from '../../../src/gateways/oms/services/index.js';
import { accounts, everything, LOGIN, omsTable } from '../../support/oms/accounts.js';
import { OmsClient, send, type RpcAnswer } from '../../support/oms/client.js';
import { startWorld } from '../../support/oms/world.js';
import { connect } from '../../support/line-client.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;
const HOST = 'funcclient';

async function start(t: Test, keys = '', further = '') {
  const { table } = await omsTable(keys);
  const daemon = await startWorld(t, await everything() + table + further, 2);
  const client = new OmsClient(daemon.ports[1]!);
  return { daemon, client };
}

const codeOf = ({ error }: RpcAnswer): string => (error === null ? 'done' : `${error.origin}/${error.code}`);

await t.test('sessions', async (t) => {
  const { daemon, client } = await start(t);
  t.match(await client.call('authservices', 'authenticate', [LOGIN.name, 'wrong'], 'x'), { id: 'x', error: { origin: 2, code: 101, message: /^\[AuthError\] / } });
  t.match(await client.login(LOGIN.name, LOGIN.password), { error: null, result: { type: 'auth', result: /^[0-9A-F]{40}$/ } });
  t.match(await client.call('auth', 'checksessid', [client.sessid]), { error: null, result: { type: 'auth', result: 0 } });
  t.match(await client.call('auth', 'checksessid', [client.sessid.toLowerCase()]), { error: null }, 'in small letters too');
  for (const key of ['SESSID', '', client.sessid.slice(1), `${client.sessid}0`, '0'.repeat(40)]) t.equal(codeOf(await client.call('auth', 'checksessid', [key])), '2/101', key);
  for (const key of [null, 1, [client.sessid], { a: 1 }]) t.equal(codeOf(await client.call('auth', 'checksessid', [key])), '1/5');
  for (const key of ['SESSID', null, undefined, 7]) t.equal(codeOf(await client.call('kvm', 'list_vms', [key, 0, HOST])), '2/101');
  t.equal(codeOf(await client.call('auth', 'deauthenticate', [client.sessid])), 'done');
  t.match(await client.call('auth', 'deauthenticate', [client.sessid]), { error: { origin: 2, code: 160, message: /^\[DeauthError\]/ } });
  t.equal(codeOf(await client.call('auth', 'checksessid', [client.sessid])), '2/101');
  await daemon.logs(/"account":"username","from":"127\.0\.0\.1:\d+","msg":"logout"/);
  for (const secret of [`"${LOGIN.password}"`, client.sessid, client.sessid.toLowerCase()]) t.notMatch(daemon.stderr(), secret);
});

await t.test('what is called in no way that there is', async (t) => {
  const { client } = await start(t);
  for (const [service, method, wanted] of [
    ['nothing', 'list_vms', '1/2'], ['kvm', 'nothing', '1/4'], ['kvm', '__proto__', '1/4'], ['constructor', 'x', '1/2'], ['../kvm', 'list_vms', '1/1'], ['', 'list_vms', '1/1'], ['kvm', 'toString', '1/4'], [null, 'refreshSession', '1/4'],
  ] as const) t.equal(codeOf(await client.call(service as string, method, [])), wanted, `${service}.${method}`);
  t.equal((await send(client.port, '/?id=1&service=auth&method=checksessid&params=["x"]')).status, 405, 'GET is off of itself');
  t.equal((await send(client.port, '/other', '{}')).status, 404);
  t.equal((await send(client.port, '/', `{"service":"auth","method":"checksessid","params":["${'x'.repeat(65_536)}"]}`)).status, 413);
  const script = await send(client.port, `/?_ScriptTransport_id=1&_ScriptTransport_data=${encodeURIComponent('{"service":"auth","method":"checksessid","params":["x"],"id":1}')}`, undefined, { referer: 'http://evil.example/', 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'script' });
  t.equal(script.status, 405, 'nor does any page of another origin get an answer by a script');
  t.match(script.headers, { 'content-type': 'text/plain; charset=utf-8' });
  const answer = await send(client.port, '/', '{"service":"auth","method":"checksessid","params":["x"],"id":1}', { origin: 'http://evil.example' });
  t.match(answer, { status: 200, headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' } });
  t.equal(answer.headers['access-control-allow-origin'], undefined, 'whose answer no other page may read');
  t.equal(answer.headers['set-cookie'], undefined);
});

await t.test('scripts, where they are allowed', async (t) => {
  const { daemon, client } = await start(t, 'jsonp = true');
  await client.login(LOGIN.name, LOGIN.password);
  const ask = (call: unknown, id = '4') => send(client.port, `/?_ScriptTransport_id=${id}&nocache=17&_ScriptTransport_data=${encodeURIComponent(JSON.stringify(call))}`);
  const { status, headers, text } = await ask({ service: 'auth', method: 'checksessid', id: 3, params: [client.sessid] });
  t.match({ status, headers, text }, {
    status: 200, headers: { 'content-type': 'text/javascript; charset=utf-8' },
    text: '(qx.io.remote.transport?qx.io.remote.transport.Script:qx.io.remote.ScriptTransport)._requestFinished(4,{"error":null,"id":3,"result":{"type":"auth","result":0}});',
  });
  t.equal((await ask({ service: 'auth', method: 'checksessid', params: ['x'] }, '1);alert(1')).status, 400);
  t.equal((await send(client.port, '/?id=1&service=auth&method=checksessid&params=["x"]')).status, 405, 'GET stays off');
  t.notMatch(daemon.stderr(), client.sessid);
});

/** What no parameter of any method may be taken for: too few, too many, of other types, and names that lead elsewhere. */
const NAMES = ['..', '../x', 'a/b', '/etc/passwd', '-rf', '--help', '"', '\'', 'a\nb', 'a\0b', '', ' ', 'a;b', '$(x)', '`x`', 'a b', 'x'.repeat(300), '\u202e', '%2e%2e', '*', '@all', '#1'];

await t.test('parameters of wrong number and type, and names that lead elsewhere', async (t) => {
  const { daemon, client } = await start(t);
  await client.login(LOGIN.name, LOGIN.password);
  const refused = new Set(['1/5', '1/6', '2/100', '2/130', '2/120', '2/123', '2/124', '2/145', '2/146', '2/155', '2/156', '2/170']);
  let asked = 0;
  for (const { names: [service], methods } of SERVICES) {
    for (const [method, { on, params, rest }] of Object.entries(methods)) {
      const count = (on === 'server' ? 0 : on === 'host' ? 1 : 2) + Object.keys(params).length;
      const fill = (value: unknown, most = count): unknown[] => [...(on === 'server' ? [] : [HOST]), ...(on === 'machine' ? [service === 'kvmservices' ? 'openfiler' : '104'] : []), ...Array.from({ length: count }, () => value)].slice(0, most);
      const least = method === 'list_signed' ? 0 : count;
      for (let few = 0; few < least; few += 1) t.equal(codeOf(await client.ask(service, method, ...fill('x', few))), '1/5', `${service}.${method} with ${few}`);
      if (rest === undefined) t.equal(codeOf(await client.ask(service, method, ...fill('x'), 'one more')), '1/5', `${service}.${method} with one more`);
      else t.equal(codeOf(await client.ask(service, method, HOST, 'nothing')), '1/5', `${service}.${method} with a statistic that there is not`);
      for (const timeout of [-1, 'x', null, {}, 0.5]) t.equal(codeOf(await client.call(service, method, [client.sessid, timeout, ...fill('x')])), '1/5');
      if (count === 0) continue;
      for (const value of [null, {}, [], true, -1, 1e300, [['x']], ...NAMES]) {
        // in the place of each parameter but the first, and of all of them
        for (const given of [fill(value), Array.from({ length: count }, () => value)]) {
          const code = codeOf(await client.ask(service, method, ...given));
          asked += 1;
          const isNoName = method === 'edit_freeform_tag_name' || method === 'list_signed' || (given.length <= 1 && given[0] === HOST) || (on === 'machine' && count === 2 && given[0] === HOST);
          if (!refused.has(code) && !isNoName && !(code === 'done' && typeof value === 'object')) t.fail(`${service}.${method}(${JSON.stringify(given)}): ${code}`);
        }
      }
    }
  }
  t.ok(asked > 1000, `${asked} calls`);
  t.notMatch(daemon.stderr(), 'call failed');
  t.match(await client.ask('kvm', 'list_file_based_images', HOST), { result: { result: { result: ['openfiler23.img', 'openfiler2.img', 'spare.img'] } } }, 'nothing was made');
});

await t.test('what is wrong with parameters is said in our own words, and what they are to be', async (t) => {
  const { client } = await start(t);
  await client.login(LOGIN.name, LOGIN.password);
  const said = async (service: string, method: string, ...params: readonly unknown[]): Promise<string> => (await client.call(service, method, params)).error?.message ?? 'done';
  const { sessid } = client;
  t.equal(await said('kvm', 'list_vms', sessid), '[ParameterMismatch] cache_timeout is missing; expected: SESSID, cache_timeout, host, (statistic …)');
  t.equal(await said('kvm', 'start_vm', sessid, 0, HOST), '[ParameterMismatch] machine is missing; expected: SESSID, cache_timeout, host, machine');
  t.equal(await said('func', 'list_signed', sessid, 0, '', 1), '[ParameterMismatch] 1 too many; expected: SESSID, cache_timeout, (tag)');
  t.equal(await said('auth', 'authenticate', 'username'), '[ParameterMismatch] password is missing; expected: username, password');
  for (const machine of ['a/b', '', 'x'.repeat(129), '\n', -1, 12345678901234567890, 1e300, null]) t.equal(await said('kvm', 'start_vm', sessid, 0, HOST, machine), '[ParameterMismatch] machine: a name of a machine is expected', String(machine));
  for (const changes of [['x'], [[]], [{}], [null], [{ name: HOST }], {}]) t.equal(await said('tag', 'change_host_type', sessid, 0, changes), '[ParameterMismatch] changes: a list of {name, type} is expected');
  for (const { names: [service], methods } of SERVICES) {
    for (const [method, { on, params }] of Object.entries(methods)) {
      const names = [...(on === 'server' ? [] : [HOST]), ...(on === 'machine' ? ['x'] : [])];
      for (const value of [null, true, -1, 0.5, 1e300, 'a/b', '', [], [[]], [{}], [null], ['a/b'], {}, { x: 1 }]) {
        const message = await said(service, method, sessid, 0, ...names, ...Object.keys(params).map(() => value));
        if (/Invalid|Expected|received|undefined|\^\[/.test(message)) t.fail(`${service}.${method} ${JSON.stringify(value)}: ${message}`);
      }
    }
  }
});

await t.test('a session does not end for idleness while its call is under way', async (t) => {
  const { client } = await start(t, 'idle-timeout = "1s"', '[providers.slow]\ntype = "sim"\ninstances = []\nlatency = "500ms"\n');
  await client.login(LOGIN.name, LOGIN.password);
  const begun = performance.now();
  t.same(await client.result('kvm', 'deploy_template_for_vm', 'slow', 'debian12', 'new1', {}), { client: 'slow', result: {} });
  t.ok(performance.now() - begun > 1500, 'which lasted longer than that');
  t.equal(codeOf(await client.call('auth', 'checksessid', [client.sessid])), 'done', 'and it counts from its end on');
  await until(async () => {
    await new Promise((resolve) => { setTimeout(resolve, 1500); });
    return codeOf(await client.call('auth', 'checksessid', [client.sessid])) === '2/101';
  }, WITHIN, 'its end by idleness');
});

await t.test('settings: what is wrong by its name, and what was told is no change', async (t) => {
  const { client } = await start(t);
  await client.login(LOGIN.name, LOGIN.password);
  const update = async (service: string, machine: string, settings: object) => (await client.result(service, 'update_vm_settings', HOST, machine, settings) as { result: unknown }).result;
  t.same(await update('kvm', 'openfiler', { vcpu: 'x', memory: '-1' }), { vcpu: 'Virtual CPU count not correct', memory: 'Memory size not correct' });
  t.same(await update('kvm', 'openfiler', { vcpu: 9 }), { vcpu: 'at most 4' }, 'the host\'s own words');
  t.same(await update('kvm', 'openfiler', { arch: 'i686' }), { arch: 'This can not be changed here' });
  t.same(await update('kvm', 'openfiler', { prototype: '1' }), { prototype: 'This can not be changed here' }, 'which is not dropped as no setting');
  t.same(await update('ovz', '104', { password: 'one', passowrd: 'other' }), { passowrd: 'This was said twice' });
  t.same(await update('ovz', '104', { password: 'one', passowrd: 'one' }), {});
  t.same(await update('ovz', '104', { vcpu: '', vcpulimit: 'x', disk: 'x', ip_address: '1.2.3', nameserver: 'x', password: '', onboot: 'maybe', vm_id: '7', __x: 1 }), {
    vcpu: 'Virtual CPU count not correct', vcpulimit: 'Virtual CPU limit not correct', disk: 'Disk size not correct', ip_address: 'IP address not correct', nameserver: 'Nameserver address not correct',
    password: 'Password can not be zero length', onboot: 'Onboot configuration has to be yes or no', vm_id: 'This can not be changed here', __x: 'This can not be changed here',
  });
  const { result: told } = await client.result('ovz', 'parse_vm_settings', HOST, '104') as { result: Record<string, string> };
  t.same(await update('ovz', '104', { ...told, vcpu: '2' }), {}, 'all of it sent back with one of it changed');
  t.match(await client.result('ovz', 'parse_vm_settings', HOST, '104'), { result: { ...told, vcpu: '2' } });
  t.same(await update('kvm', 'openfiler', {}), {}, 'nothing');
  const deploy = async (settings: object) => (await client.result('kvm', 'deploy_template_for_vm', HOST, 'templeit', 'new1', settings) as { result: unknown }).result;
  const { result: template } = await client.result('kvm', 'parse_template_for_vm', HOST, 'templeit', 'new1') as { result: Record<string, unknown> };
  t.same(await deploy({ memory: '1000000' }), { memory: 'more than this host has' });
  t.same(await deploy({ emulator: '/bin/sh', disks: [{ template_name: 'diskimage.img', source_file: '/etc/passwd' }], interface: { type: 'network' } }), {
    emulator: 'This can not be changed here', disks: [{ template_name: 'diskimage.img', error: 'This can not be changed here' }], interface: 'Interface not correct: type "bridge" and source_bridge are expected',
  });
  t.same(await deploy(template), {}, 'all that was told');
  t.match(await client.ask('kvm', 'deploy_template_for_vm', HOST, 'templeit', 'new1', {}), { error: { message: /^\[FuncManError\] WRONG STATE/ } }, 'a second one of that name');
});

await t.test('what an interface is on is called a bridge only where it is one', async (t) => {
  const { client } = await start(t);
  await client.login(LOGIN.name, LOGIN.password);
  const { result } = await client.result('kvm', 'parse_vm_for_template', HOST, 'winxp2', 'new') as { result: { interfaces: unknown } };
  t.same(result.interfaces, [{ type: 'network', source_network: 'default', mac_address: '54:52:00:07:df:7b' }, { type: 'user', mac_address: '54:52:00:07:df:7c' }]);
});

await t.test('a machine that cannot be deleted is not stopped for it', async (t) => {
  const { client } = await start(t, '', '[providers.home]\ntype = "world"\nvms = ["pet"]\n');
  await client.login(LOGIN.name, LOGIN.password);
  t.match(await client.ask('kvm', 'delete_vm', 'home', 'pet'), { error: { origin: 2, code: 100, message: /NOT SUPPORTED/ } });
  t.match(await client.result('kvm', 'list_vms_status', 'home'), { result: { pet: { state: 'running' } } });
});

await t.test('an answer of some age, where it is asked for, for the same account alone', async (t) => {
  const { client } = await start(t, '', await accounts({ kim: [{ instances: ['*'], commands: ['*'] }] }));
  const kim = new OmsClient(client.port);
  await client.login(LOGIN.name, LOGIN.password);
  await kim.login('kim', LOGIN.password);
  const images = async (of: OmsClient, age: number): Promise<number> => ((await of.call('kvm', 'list_file_based_images', [of.sessid, age, HOST])).result as { result: { result: unknown[] } }).result.result.length;
  t.equal(await images(client, 3600), 3);
  await client.ask('kvm', 'create_file_based_image', HOST, 'testimage.img', 10);
  t.same([await images(client, 3600), await images(kim, 3600)], [3, 4], 'what was answered before; the other account is asked for anew');
  t.same([await images(client, 0), await images(client, 3600)], [4, 4]);
});

await t.test('figures that were answered before are not told to an account that may know them no longer', async (t) => {
  const { table } = await omsTable();
  const tables = async (commands: readonly string[]): Promise<string> => await accounts({ kim: [{ instances: [`${HOST}/*`], commands }] }) + table;
  const daemon = await startWorld(t, await tables(['read']), 2);
  const kim = new OmsClient(daemon.ports[1]!);
  const stats = async (): Promise<object[]> => {
    await kim.login('kim', LOGIN.password);
    const { result } = await kim.call('kvm', 'list_vms', [kim.sessid, 3600, HOST, 'cpu']);
    return (result as { result: { result: { name: string; stats: object }[] } }).result.result.filter(({ name }) => name === 'winxp2').map((one) => one.stats);
  };
  t.match(await stats(), [{ cpu: { percentage: '12.50' } }]);
  const before = kim.sessid;
  daemon.reload(await tables(['power']));
  // its password was hashed anew, so that its session ends with the reload
  await until(async () => (await kim.call('auth', 'checksessid', [before])).error !== null, WITHIN, 'the reload');
  t.same(await stats(), [{}]);
});

await t.test('a client that goes away while a machine is stopped, and the end of the server', async (t) => {
  const { daemon, client } = await start(t, 'stop-timeout = "20s"', '[providers.slow]\ntype = "sim"\ninstances = ["deaf", "deaf2"]\nfaults = { deaf = "deaf", deaf2 = "deaf" }\n');
  await client.login(LOGIN.name, LOGIN.password);
  const body = JSON.stringify({ service: 'kvm', method: 'stop_vm', id: 1, params: [client.sessid, 0, 'slow', 'deaf'] });
  const socket = connectSocket(client.port, '127.0.0.1', () => socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`);
  const isUnderWay = async (name = 'deaf'): Promise<boolean> => JSON.stringify(await line.ask('task')).includes(`slow/${name} `);
  await until(() => isUnderWay(), WITHIN, 'the stop');
  socket.destroy();
  t.equal(await isUnderWay(), true, 'it goes on');
  t.equal(codeOf(await client.call('auth', 'checksessid', [client.sessid])), 'done');
  const waiting = client.ask('kvm', 'stop_vm', 'slow', 'deaf2');
  await until(() => isUnderWay('deaf2'), WITHIN, 'the other stop');
  daemon.signal('SIGTERM');
  t.match(await waiting, { error: { message: '[FuncManError] UNCERTAIN: accepted, and last seen on when the server ended' } }, 'whoever waits is told what is known');
});

const SLOW = '[providers.slow]\ntype = "sim"\nlatency = "400ms"\ninstances = ["s1", "deaf"]\nfaults = { deaf = "deaf" }\n';

/** A stop that has been sent, or is about to be. */
async function stopUnderWay(t: Test, machine: string, keys = '', method = 'stop_vm') {
  const { daemon, client } = await start(t, keys, SLOW);
  await client.login(LOGIN.name, LOGIN.password);
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask(`auth ${LOGIN.name} ${LOGIN.password}`);
  const stopped = client.ask('kvm', method, 'slow', machine);
  const doing = machine === 'deaf' ? 'verifying' : 'stop';
  await until(async () => JSON.stringify(await line.ask('task')).includes(doing), WITHIN, 'the stop');
  return { daemon, client, stopped };
}

await t.test('an order that was begun is told its own end: when the server ends', async (t) => {
  const { daemon, stopped } = await stopUnderWay(t, 's1');
  daemon.signal('SIGTERM');
  t.match(await stopped, { error: null }, 'it was carried out');
});

await t.test('and when its session is over', async (t) => {
  const { client, stopped } = await stopUnderWay(t, 's1');
  t.equal(codeOf(await client.call('auth', 'deauthenticate', [client.sessid])), 'done');
  t.match(await stopped, { error: null });
});

await t.test('of two orders only the first, where the session is over then', async (t) => {
  const { client, stopped } = await stopUnderWay(t, 's1', '', 'delete_vm');
  await client.call('auth', 'deauthenticate', [client.sessid]);
  t.match(await stopped, { error: { message: '[AuthError] NOT AUTHENTICATED: s1 was stopped, and is not deleted' } });
});

await t.test('and when its account is taken away', async (t) => {
  const { daemon, stopped } = await stopUnderWay(t, 'deaf', 'stop-timeout = "60s"');
  daemon.reload(await accounts({ kim: [{ instances: ['*'], commands: ['*'] }] }) + (await omsTable()).table + SLOW);
  t.match(await stopped, { error: { message: '[FuncManError] UNCERTAIN: accepted, and last seen on when the right to it was taken away' } });
});

await t.test('and when the gateway is taken away, as far as there is time', async (t) => {
  const { daemon, stopped } = await stopUnderWay(t, 'deaf', 'stop-timeout = "60s"');
  daemon.reload(await everything() + SLOW);
  t.match(await stopped, { error: { message: /^\[FuncManError\] UNCERTAIN: / } });
});
