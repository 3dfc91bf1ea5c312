import { connect } from 'node:net';
import t from 'tap';
import { VALUE_TYPES } from '../../src/protocols/zabbix/value-type.js';
import { lacksZabbix, Zabbix } from '../peers/zabbix.js';
import { SAMPLES, type Sample } from '../protocols/zabbix/preprocessing/samples.js';

/** What a server answers that is asked to try steps, as its frontend asks. */
interface Tried {
  readonly data?: { readonly steps: readonly { readonly result?: string | null; readonly error?: string }[]; readonly error?: string; readonly result?: string | null };
  readonly info?: string;
}

/** Preprocessing, by what a real server makes of the same. */
await t.test('each step makes what Zabbix makes', { skip: lacksZabbix(), timeout: 170_000 }, async (t) => {
  const zabbix = await Zabbix.start();
  t.after(() => zabbix.stop());
  const sid = await zabbix.api.login();
  const others: string[] = [];
  for (const sample of SAMPLES) {
    const { data, info } = await tried(zabbix.port, sid, sample);
    const [step] = data?.steps ?? [];
    const { fails, own, zabbix: theirs = sample.gives } = sample;
    const isSame = fails === undefined ? step !== undefined && step.error === undefined && (step.result ?? undefined) === theirs : own ? step?.error !== undefined : step?.error === fails;
    if (!isSame) others.push(`${JSON.stringify(sample)}: ${JSON.stringify(step ?? info ?? 'no answer')}`);
  }
  t.same(others, []);
});

async function tried(port: number, sid: string, { step, params = '', type = 'text', value, before }: Sample): Promise<Tried> {
  const message = JSON.stringify({
    request: 'preprocessing.test', sid,
    data: {
      value, value_type: VALUE_TYPES.indexOf(type), single: true, state: 0, steps: [{ type: step, params, error_handler: 0, error_handler_params: '' }],
      ...(before && { history: { value: before[0], timestamp: before[1] === 0 ? 'now' : `now-${before[1]}s` } }),
    },
  });
  const content = Buffer.from(message);
  const header = Buffer.from('ZBXD\x01\0\0\0\0\0\0\0\0', 'latin1');
  header.writeUInt32LE(content.length, 5);
  const socket = connect(port, '127.0.0.1');
  socket.end(Buffer.concat([header, content]));
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  const answer = Buffer.concat(parts).subarray(13).toString();
  return answer === '' ? {} : JSON.parse(answer) as Tried;
}
