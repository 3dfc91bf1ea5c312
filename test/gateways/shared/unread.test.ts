import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import { Unread } from '../../../src/gateways/shared/unread.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { UNREAD_COUNTED_FROM, UNREAD_IN_ALL, UNREAD_OF_ACCOUNT } from '../../../src/kit/web-limits.js';

const response = (): ServerResponse => new EventEmitter() as ServerResponse;
const busy = new ArgoError('BUSY', 'answers to earlier requests are not read yet');

await t.test('an account may leave so much unread, and all together', (t) => {
  const unread = new Unread();
  const first = response();
  unread.take('kim', UNREAD_OF_ACCOUNT * 2, first);
  t.throws(() => unread.take('kim', UNREAD_COUNTED_FROM, response()), busy, 'one alone may be longer');
  unread.take('kim', UNREAD_COUNTED_FROM - 1, response());
  unread.take('lee', UNREAD_OF_ACCOUNT, response());
  first.emit('close');
  const second = response();
  unread.take('kim', UNREAD_COUNTED_FROM, second);
  const others = Array.from({ length: UNREAD_IN_ALL / UNREAD_OF_ACCOUNT - 1 }, (_, index) => [`account ${index}`, response()] as const);
  others.forEach(([account, one]) => unread.take(account, UNREAD_OF_ACCOUNT, one));
  t.throws(() => unread.take('kim', UNREAD_COUNTED_FROM, response()), busy, 'all together');
  unread.take('max', UNREAD_COUNTED_FROM, response());
  others.forEach(([, one]) => one.emit('close'));
  unread.take('kim', UNREAD_COUNTED_FROM, response());
  t.end();
});
