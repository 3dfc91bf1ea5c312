import t, { type Test } from 'tap';
import { settle } from '../../src/client/settings.js';
import { MQTT_IDLE } from '../../src/kit/mqtt-limits.js';
import { Gate, type Asked } from '../../src/mqtt/gate.js';
import { LineServer, OK } from '../client/support/line-server.js';
import { until } from '../support/until.js';

const machine = (provider: string, id: string, name: string): Asked => ({ provider, id, name, fullName: `${provider}/${name}` });
const { signal } = new AbortController();

async function start(t: Test, answers: Record<string, string>): Promise<Gate> {
  const server = await LineServer.start({ auth: OK, ...answers });
  const gate = new Gate(settle({ base: { server: server.address }, servers: new Map() }, {}, {}), { password: async () => undefined, warn: () => undefined });
  t.teardown(async () => {
    gate.close();
    await server.stop();
  });
  return gate;
}

await t.test('names that look like what is said of them', async (t) => {
  const lines = ['a: unpause (it is paused)', 'a: b: NOT ALLOWED', 'lab/x: NOT SUPPORTED: y: start (it is off)', 'demo/x: start (it is off)', 'lab/#9: TIMEOUT: no: answer', 'c: NOT ALLOWED', 'd: e: NOT SUPPORTED'];
  const gate = await start(t, { start: `200 OK\n${lines.map((line) => `${line}\n`).join('')}400 FAILED: 3 of 7\n` });
  const machines = [machine('lab', '1', 'a'), machine('lab', '2', 'a: b'), machine('lab', '3', 'x: NOT SUPPORTED: y'), machine('demo', '4', 'x'), machine('lab', '9', 'twin'), machine('lab', '5', 'c'), machine('lab', '6', 'd: e')];
  const able = await gate.canBeGiven('start', machines, signal);
  t.same([...able].map(([{ id }, isSure]) => [id, isSure]), [['1', true], ['3', true], ['4', true], ['9', false]]);
});

await t.test('one whose machine has gone does not speak for the others', async (t) => {
  const gate = await start(t, { start: '400 NO SUCH INSTANCE: lab/#2\n', 'start lab/#1 --dry-run --timeout=5': '200 OK\nstart (it is off)\n300 DONE\n' });
  const able = await gate.canBeGiven('start', [machine('lab', '1', 'a'), machine('lab', '2', 'b')], signal);
  t.same([...able].map(([{ id }]) => id), ['1']);
});

await t.test('whether machines tell their states', async (t) => {
  const asked = [machine('lab', '1', 'a'), machine('lab', '2', 'b: off')];
  for (const [lines, seen] of [
    [['a: unknown', 'b: off: UNREACHABLE: kvm1: off'], false], [['a: UNREACHABLE: no way', 'b: off: on'], true], [['a: unknown', 'b: off: unknown'], false], [['b: off: off'], true],
  ] as const) t.equal(await (await start(t, { status: `200 OK\n${lines.join('\n')}\n300 DONE\n` })).areSeen(asked, signal), seen, lines.join('; '));
  t.ok(await (await start(t, { status: '200 OK\non\n300 DONE\n' })).areSeen(asked.slice(1), signal));
  t.notOk(await (await start(t, { status: '400 UNREACHABLE: kvm1 has not answered yet\n' })).areSeen(asked, signal));
});

await t.test('few connections stay, and that they were lost with the server is said of none', async (t) => {
  const open: (() => void)[] = [];
  const server = await LineServer.start({ auth: OK, status: (socket) => { open.push(() => socket.write('200 OK\non\n300 DONE\n')); } });
  const said: string[] = [];
  const settings = settle({ base: { server: server.address }, servers: new Map() }, {}, {});
  const gate = new Gate(settings, { password: async () => undefined, warn: (message) => said.push(message) });
  t.teardown(async () => {
    gate.close();
    await server.stop();
  });
  const askAll = async (): Promise<void> => {
    const asked = Array.from({ length: MQTT_IDLE + 3 }, () => gate.areSeen([machine('lab', '1', 'a')], signal));
    await until(() => open.length === asked.length, 60_000, 'all questions');
    for (const answer of open.splice(0)) answer();
    await Promise.all(asked);
  };
  await askAll();
  await until(() => server.sockets.size === MQTT_IDLE, 60_000, 'the others to go');
  gate.forget();
  await until(() => server.sockets.size === 0, 60_000, 'all to go');
  await askAll();
  t.same(said, []);
});
