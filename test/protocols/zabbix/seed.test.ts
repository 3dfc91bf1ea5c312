import t from 'tap';
import {
  configRequest, dataAnswer, dataRequest, failure, heartbeat, MESSAGES, readAnswer, requestOf, success, tasksAnswer, configKnown,
} from '../../../src/protocols/zabbix/conversation.js';
import { ZabbixError } from '../../../src/protocols/zabbix/errors.js';
import { parseMessage } from '../../../src/protocols/zabbix/frame.js';
import type { RemoteCommand } from '../../../src/protocols/zabbix/messages.js';
import { isIncremental, VersionChoice } from '../../../src/protocols/zabbix/version.js';
import { DATA_PRINTED, DISCOVERY, KNOWN, PARTS, PROXY, SESSION, TASKS_PRINTED, TIMES } from './seed-messages.js';

/** The words of the messages, as the text of 5.4 and as servers of 6.0 and later have them. */

const read = (message: unknown) => readAnswer(parseMessage(Buffer.from(JSON.stringify(message))));

void t.test('passive, as the text of 5.4 prints it', (t) => {
  t.same(JSON.parse(success('5.4.0')), { response: 'success', version: '5.4.0' }, 'what is said to a configuration');
  t.equal(requestOf(Buffer.from('{\n"request": "proxy data"\n}')), 'proxy data', 'a request for data');
  t.same(JSON.parse(dataAnswer('5.4.0', PARTS)), { ...DATA_PRINTED, ...TIMES }, 'and its answer');
  t.end();
});

void t.test('active, as the text of 5.4 prints it', (t) => {
  t.same(JSON.parse(heartbeat(PROXY)), { request: 'proxy heartbeat', host: 'Proxy #12', version: '5.4.0' });
  t.same(read({ response: 'success' }), { accepted: true, tasks: [], strange: [] });
  t.same(JSON.parse(configRequest(PROXY, KNOWN)), { request: 'proxy config', host: 'Proxy #12', version: '5.4.0' });
  t.same(JSON.parse(success()), { response: 'success' }, 'what the text has a proxy say to a configuration');
  t.same(JSON.parse(dataRequest(PROXY, PARTS)), { request: 'proxy data', host: 'Proxy #12', ...DATA_PRINTED, ...TIMES });
  const { tasks, ...rest } = read(TASKS_PRINTED);
  t.same(rest, { accepted: true, strange: [] });
  t.same(tasks, [
    { kind: 'command', parentTaskId: 10, clock: 1478608371, ttl: 600, command: 'restart_service1.sh', hostid: 10070, resultType: 0 },
    { kind: 'command', parentTaskId: 20, clock: 1478608381, ttl: 600, command: 'restart_service2.sh', hostid: 10084, resultType: 0 },
  ] satisfies RemoteCommand[]);
  t.end();
});

void t.test('no half of a character goes to a server', (t) => {
  const results = [{ type: 3, parent_taskid: 7, clock: 1, status: 0, info: 'cut \ud83d' } as const];
  const parts = {
    session: SESSION, results, ...TIMES,
    availability: [{ interfaceid: 1, available: 0, error: '\udc00 cut' } as const],
    registration: [{ clock: 1, host: 'lj', ip: '', dns: '', port: '10050', host_metadata: 'argo \ud83d' }],
  };
  for (const message of [tasksAnswer('6.0.0', parts), dataAnswer('6.0.0', parts), dataRequest(PROXY, parts)]) {
    t.notMatch(message, /\\ud/);
    t.match(JSON.parse(message), { tasks: [{ info: 'cut \ufffd' }] });
  }
  t.match(JSON.parse(dataAnswer('6.0.0', parts)), { 'interface availability': [{ error: '\ufffd cut' }], 'auto registration': [{ host_metadata: 'argo \ufffd' }] });
  t.end();
});

void t.test('as servers of 6.0 speak', (t) => {
  const command = { type: 2, clock: 1795224141, ttl: 600, commandtype: 0, command: 'stop web1', execute_on: 2, port: 0, authtype: 0, username: '', password: '', publickey: '', privatekey: '', alertid: 0, parent_taskid: 7, hostid: 10562 };
  const wish = { type: 6, clock: 1795224162, ttl: 3600, itemid: 44537 };
  const question = { type: 7, clock: 1795224162, ttl: 3600, datatype: 1, parent_taskid: 13, data: '{"historycache":{}}' };
  t.same(read({ response: 'success', upload: 'enabled', tasks: [command, wish, question] }), {
    accepted: true, upload: true, strange: [],
    tasks: [
      { kind: 'command', parentTaskId: 7, clock: 1795224141, ttl: 600, command: 'stop web1', hostid: 10562, resultType: 3 },
      { kind: 'check now', itemid: '44537' }, { kind: 'diagnostics', parentTaskId: 13, data: '{"historycache":{}}' },
    ],
  });
  const results = [{ type: 3, clock: 5, status: -1, info: 'refused', parent_taskid: 7 }, { type: 8, clock: 6, status: 0, info: '{}', parent_taskid: 13 }] as const;
  t.same(JSON.parse(tasksAnswer('6.0.14', { results, clock: 9, ns: 1 })), {
    tasks: [{ type: 3, clock: 5, ttl: 0, status: -1, info: 'refused', parent_taskid: 7 }, { type: 8, clock: 6, ttl: 0, status: 0, info: '{}', parent_taskid: 13 }], version: '6.0.14', clock: 9, ns: 1,
  });
  t.same(JSON.parse(tasksAnswer('6.0.14', { clock: 9, ns: 1 })), { version: '6.0.14', clock: 9, ns: 1 }, 'nothing to tell');
  t.same(JSON.parse(dataRequest({ name: 'west', version: '6.0.14' }, { session: SESSION, discovery: DISCOVERY, more: true, ...TIMES })), {
    request: 'proxy data', host: 'west', session: SESSION, 'discovery data': DISCOVERY.map(({ clock, drule, dcheck, ip, dns, status }) => ({ clock, drule, dcheck, ip, dns, status })), more: 1, version: '6.0.14', ...TIMES,
  }, 'rows of discovery have no type');
  t.throws(() => dataAnswer('6.0.14', { session: 'short', ...TIMES }), { code: 'OWN' }, 'a session that a server would refuse');
  t.end();
});

void t.test('as servers since 6.4 speak', (t) => {
  t.same(JSON.parse(configRequest({ name: 'west', version: '7.0.3' }, { session: SESSION, revision: 7 })), { request: 'proxy config', host: 'west', version: '7.0.3', session: SESSION, config_revision: 7 });
  t.same(JSON.parse(configKnown('7.0.3', KNOWN)), { version: '7.0.3', session: SESSION, config_revision: 0 });
  t.same(['5.4.0', '6.0.14', '6.2.1', '6.4.0rc1', '7.0.0', 'x'].map(isIncremental), [false, false, false, true, true, false]);
  t.ok(MESSAGES.every((row) => row.mode === 'active' ? row.from === 'proxy' : row.from === 'server'));
  t.end();
});

void t.test('what a server refuses, and what it means', (t) => {
  t.match(read({ upload: 'disabled', response: 'failed' }), { accepted: false, upload: false, reason: 'it takes no data at present' }, 'its cache is full');
  t.match(read({ response: 'failed', info: 'proxy "west" not found' }), { accepted: false, reason: 'proxy "west" not found' });
  t.throws(() => read({ response: 'failed' }), { code: 'VERSION', message: /does not take data of this version/ });
  t.throws(() => read({ response: 'failed', upload: 'disabled', info: 'current proxy version is not supported by server' }), { code: 'VERSION' });
  for (const message of [{}, { response: 'maybe' }, { tasks: [] }]) t.throws(() => read(message), { code: 'GARBAGE' });
  t.notMatch(read({ response: 'failed', info: 'a\u001b[31m\nb' }).reason, /[\u001b\n]/, 'nothing that steers a terminal');
  t.same(JSON.parse(failure('no', '6.0.14')), { response: 'failed', info: 'no', version: '6.0.14' });
  t.end();
});

void t.test('tasks that are not as they should be are named, and the others are taken', (t) => {
  const answer = read({ response: 'success', tasks: [null, 1, {}, { type: 9 }, { type: 2, command: 5 }, { type: 2, command: 'x', clock: -1, parent_taskid: 1, hostid: 1 }, { type: 6 }, { type: 7 }, { type: 6, itemid: '12' }] });
  t.same(answer.tasks, [{ kind: 'check now', itemid: '12' }]);
  t.equal(answer.strange.length, 8);
  t.match(read({ response: 'success', tasks: {} }), { tasks: [], strange: ['tasks that are no list'] });
  const many = read({ response: 'success', tasks: Array.from({ length: 10_002 }, () => ({ type: 6, itemid: 1 })) });
  t.same([many.tasks.length, many.strange], [10_000, ['2 tasks beyond the first 10000']]);
  t.end();
});

void t.test('which version is claimed', (t) => {
  const refusal = (serverVersion?: string): ZabbixError => new ZabbixError('VERSION', 'not supported', { serverVersion });
  const choice = new VersionChoice();
  t.equal(choice.current, '6.0.14');
  t.ok(choice.refused(refusal('7.0.3')));
  t.equal(choice.current, '7.0.3', 'that of the server');
  t.ok(choice.refused(refusal('7.0.3')));
  t.equal(choice.current, '5.4.0', 'then the old one');
  t.notOk(choice.refused(refusal()));
  t.equal(choice.current, '6.0.14', 'and from the start again');
  t.match(choice.refusals, /^6\.0\.14: not supported; 7\.0\.3: not supported; 5\.4\.0: not supported$/);
  choice.forget();
  t.ok(choice.refused(refusal('nonsense')));
  t.equal(choice.current, '5.4.0');
  choice.taken();
  t.equal(choice.refusals, '');
  t.end();
});

void t.test('a request is known by its beginning', (t) => {
  const long = Buffer.concat([Buffer.from('{"request":"proxy config","data":{"x":"'), Buffer.alloc(1000, 'x'), Buffer.from('"}}')]);
  t.equal(requestOf(long), 'proxy config');
  for (const text of ['', '{}', '[]', '{"response":"success"}', '{"x":1,"request":"proxy data"}']) t.equal(requestOf(Buffer.from(text)), undefined, text);
  t.end();
});
