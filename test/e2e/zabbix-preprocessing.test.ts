import { connect } from 'node:net';
import t from 'tap';
import { ON_FAIL } from '../../src/protocols/zabbix/preprocessing/configured-steps.js';
import { VALUE_TYPES } from '../../src/protocols/zabbix/value-type.js';
import { lacksZabbix, Zabbix } from '../peers/zabbix.js';
import { INTERFACE, ITEM, VALUE } from '../peers/zabbix/api.js';
import { SAMPLES, type Sample } from '../protocols/zabbix/preprocessing/samples.js';
import { SEQUENCES } from '../protocols/zabbix/preprocessing/sequences.js';
import { LONG } from '../support/faults.js';
import { until } from '../support/until.js';
import { ACCOUNTS, active, firstValue, row, SIM, startArgo, valuesOf } from './support/zabbix.js';

/** An item whose values are made of another's. */
const DEPENDENT = 18;

/** Preprocessing, by what a real server makes of the same. */
await t.test('preprocessing', { skip: lacksZabbix(), timeout: 170_000 }, async (t) => {
  const zabbix = await Zabbix.start();
  t.after(() => zabbix.stop());
  const { api, database, port } = zabbix;
  const sid = await api.login();

  const skip = api.version > 6 && `what is compared is what zabbix-server 6.0 makes, and this one is ${api.version}`;
  await t.test('each step makes what Zabbix makes', { skip }, async (t) => {
    const others: string[] = [];
    for (const sample of SAMPLES) {
      const { data, info } = await tried(port, sid, sample);
      const [step] = data?.steps ?? [];
      const { fails, own, zabbix: theirs = sample.gives } = sample;
      const isSame
        = fails === undefined
          ? step !== undefined && step.error === undefined && (step.result ?? undefined) === theirs
          : own
            ? step?.error !== undefined
            : step?.error === fails;
      if (!isSame) others.push(`${JSON.stringify(sample)}: ${JSON.stringify(step ?? info ?? 'no answer')}`);
    }
    t.same(others, []);
  });

  await t.test('and so do several for several values', { skip }, async (t) => {
    const groupid = await api.group('Preprocessed');
    const hostid = await api.call<{ hostids: readonly string[] }>('host.create', { host: 'sequences', groups: [{ groupid }] }).then(({ hostids }) => hostids[0]!);
    const { itemids } = await api.call<{ itemids: readonly string[] }>(
      'item.create',
      [{ name: 'all', steps: [], type: 'text' as const }, ...SEQUENCES].map(({ name, type, steps }, at) => ({
        hostid,
        name,
        key_: `sequence[${at}]`,
        type: ITEM.trapper,
        value_type: VALUE_TYPES.indexOf(type),
        preprocessing: steps.map(({ type: number, params, onFail, failText }) => ({
          type: number,
          params,
          error_handler: ON_FAIL.indexOf(onFail),
          error_handler_params: failText,
        })),
      })),
    );
    const first = Math.floor(Date.now() / 1000) - 1000;
    const send = async (values: readonly { readonly at: number; readonly value: string; readonly seconds: number }[]): Promise<string> =>
      (await asked<{ info: string }>(port, { request: 'sender data', data: values.map(({ at, value, seconds }) => ({ host: 'sequences', key: `sequence[${at}]`, value, clock: first + seconds, ns: 0 })) })).info;
    await until(async () => (await send([{ at: 0, value: 'x', seconds: 0 }])).includes('failed: 0'), LONG, 'the server to know the items');
    const info = await send(SEQUENCES.flatMap(({ values }, at) => values.map(([value, seconds]) => ({ at: at + 1, value, seconds }))));
    t.match(info, /failed: 0/);
    const world = { zabbix, groupid };
    for (const [at, { name, type, gives, error }] of SEQUENCES.entries()) {
      const itemid = itemids[at + 1]!;
      let [stored, told]: [readonly string[], string] = [[], ''];
      await until(async () => {
        stored = await valuesOf(world, itemid, VALUE_TYPES.indexOf(type));
        told = await database.value(`select error from item_rtdata where itemid = ${itemid}`) as string;
        return stored.length >= gives.length && told === (error ?? '');
      }, 5000, name).catch(() => undefined);
      t.same([stored, told], [gives, error ?? ''], name);
    }
  });

  await t.test('items of argo-server, and those that depend on them', async (t) => {
    const groupid = await api.group('Depending');
    const world = { zabbix, groupid };
    const proxyid = await api.proxy({ name: 'argo' });
    const hostid = await api.host('lj', groupid, proxyid, { interfaces: [INTERFACE.agent] });
    const interfaceid = await api.interfaceOf(hostid, INTERFACE.agent);
    const create = async (kind: 'item' | 'discoveryrule', key: string, more: object): Promise<string> =>
      (await api.call<{ itemids: readonly string[] }>(`${kind}.create`, { hostid, name: key, key_: key, ...more })).itemids[0]!;
    const read = { type: ITEM.simple, delay: '1s', interfaceid };
    const step = (type: number, params: string) => ({ type, params, error_handler: 0, error_handler_params: '' });
    const speed = await create('item', 'argo.rx', { ...read, value_type: VALUE.float, preprocessing: [step(10, ''), step(1, '8')] });
    const info = await create('item', 'argo.info', { ...read, value_type: VALUE.longText });
    const provider = await create('item', 'of.info', { type: DEPENDENT, master_itemid: info, value_type: VALUE.text, preprocessing: [step(12, '$.provider'), step(5, '^(d)(.*)\n\\2\\1')] });
    const isOn = await create('item', 'of.of.info', { type: DEPENDENT, master_itemid: await create('item', 'state', { type: DEPENDENT, master_itemid: info, value_type: VALUE.text, preprocessing: [step(12, '$.state')] }), value_type: VALUE.unsigned, preprocessing: [step(6, '')] });
    const script = await create('item', 'argo.status', { ...read, value_type: VALUE.unsigned, preprocessing: [step(21, 'return 1')] });
    const all = await create('item', 'argo.discovery', { ...read, value_type: VALUE.longText });
    const rule = await create('discoveryrule', 'rule', { type: DEPENDENT, master_itemid: all, preprocessing: [step(25, 'ARGO.NAME\nNAME')] });
    await api.call('itemprototype.create', { hostid, ruleid: rule, name: 'state of {#NAME}', key_: 'argo.status["{#NAME}"]', value_type: VALUE.text, ...read });
    await startArgo(t, { config: `${ACCOUNTS}${SIM}${active('argo', port)}` });
    t.equal(await firstValue(world, provider, VALUE.text), 'emod');
    t.equal(await firstValue(world, isOn, VALUE.unsigned), '1');
    t.ok(Number(await firstValue(world, speed, VALUE.float)) > 0, 'bits a second');
    t.match(await row<{ error: string }>(world, `select error from item_rtdata where itemid = ${script} and state = 1`), { error: /JavaScript is not done here/ });
    await row(world, `select itemid from items where hostid = ${hostid} and flags = 4 and name = 'state of builder'`);
  });
});

/** What a server answers that is asked to try steps, as its frontend asks. */
interface Tried {
  readonly data?: { readonly steps: readonly { readonly result?: string | null; readonly error?: string }[] };
  readonly info?: string;
}

function tried(port: number, sid: string, { step, params = '', type = 'text', value, before }: Sample): Promise<Tried> {
  return asked(port, {
    request: 'preprocessing.test', sid,
    data: {
      value, value_type: VALUE_TYPES.indexOf(type), single: true, state: 0, steps: [{ type: step, params, error_handler: 0, error_handler_params: '' }],
      ...(before && { history: { value: before[0], timestamp: `now-${before[1]}s` } }),
    },
  });
}

async function asked<Answer>(port: number, message: unknown): Promise<Answer> {
  const content = Buffer.from(JSON.stringify(message));
  const header = Buffer.from('ZBXD\x01\0\0\0\0\0\0\0\0', 'latin1');
  header.writeUInt32LE(content.length, 5);
  const socket = connect(port, '127.0.0.1');
  socket.end(Buffer.concat([header, content]));
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).subarray(13).toString()) as Answer;
}
