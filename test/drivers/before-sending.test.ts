import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { beforeSending } from '../../src/drivers/before-sending.js';

const over = AbortSignal.abort();
const lost = new Error('lost');

void t.test('where the time is over before anything was sent, that is said', async (t) => {
  await t.rejects(beforeSending(over, () => Promise.reject(lost)), { phrase: 'UNREACHABLE', cause: lost });
});

void t.test('what was sent, or is told already, or fails in time, is left as it is', async (t) => {
  await t.rejects(beforeSending(over, (sending) => {
    sending();
    return Promise.reject(lost);
  }), lost);
  const told = new ArgoError('BUSY');
  await t.rejects(beforeSending(over, () => Promise.reject(told)), told);
  await t.rejects(beforeSending(new AbortController().signal, () => Promise.reject(lost)), lost);
  t.equal(await beforeSending(over, () => Promise.resolve('done')), 'done');
});
