import t from 'tap';
import { formatLine } from '../../src/daemon/log.js';

const parsed = (facts?: Record<string, unknown>): Record<string, unknown> => JSON.parse(formatLine('warn', 'said', facts)) as Record<string, unknown>;

void t.test('a line is one JSON object', async (t) => {
  const { level, msg, time, instance } = parsed({ instance: 'lab/lj\n', left: undefined });
  t.same([level, msg, instance], ['warn', 'said', 'lab/lj\n']);
  t.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
  t.notOk(formatLine('info', 'a\nb').includes('\n'), 'on one line, whatever is in it');
});

void t.test('secrets do not show, wherever they stand', async (t) => {
  for (const key of ['password', 'passwordHash', 'sudo-password', 'private-key', 'privateKey', 'secret', 'token']) {
    const line = formatLine('info', 'said', { [key]: 'sesame', inner: { deeper: [{ [key]: 'sesame' }] } });
    t.notMatch(line, 'sesame', key);
    t.match(line, /"inner":\{"deeper":\[\{"[^"]+":"\[Redacted\]"\}\]\}/, key);
  }
});

void t.test('an error is told with what led to it, and with nothing that hangs on it', async (t) => {
  const root = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', options: { auth: 'sesame' } });
  const { cause } = parsed({ cause: new TypeError('no answer', { cause: root }) });
  t.match(cause, { type: 'TypeError', message: 'no answer', stack: /log\.test/, cause: { message: 'refused', code: 'ECONNREFUSED' } });
  t.notMatch(JSON.stringify(cause), 'sesame');
  const endless = new Error('round');
  endless.cause = endless;
  t.match(parsed({ cause: endless }), { cause: { message: 'round' } }, 'one that is its own cause comes to an end');
});

void t.test('whatever cannot be printed is no reason to throw', async (t) => {
  const round: Record<string, unknown> = {};
  round.round = round;
  t.match(parsed({ round }), { msg: 'said', facts: 'cannot be printed' });
  t.match(parsed({ big: 2n ** 70n }), { big: '1180591620717411303424' });
  t.match(parsed({ thrown: { toJSON() { throw new Error('no'); } } }), { msg: 'said' });
});
