import t from 'tap';
import { ForeignAnswerError, HttpStatusError, isRefusal, mayBeDone, meaningOf } from '../../../src/protocols/http/errors.js';
import { CertificateError, ConnectionLostError } from '../../../src/protocols/tls/errors.js';

const ALL = Array.from({ length: 500 }, (_, index) => 100 + index);

void t.test('statuses after which nothing was done, and no other', (t) => {
  t.same(ALL.filter(isRefusal), [301, 305, 307, 308, 400, 401, 404, 405, 407, 410, 411, 412, 413, 414, 415, 417, 421, 426, 428, 431]);
  for (const status of [200, 202, 302, 303, 403, 406, 408, 409, 429, 500, 501, 502, 503, 504, 505, 599, 0, 600])
    t.ok(mayBeDone(new HttpStatusError(status)), String(status));
  t.end();
});

void t.test('what a status says to a person', (t) => {
  const statuses = { done: [200, 204, 299], moved: [301, 302, 308], login: [401, 403], 'not-found': [404, 410], busy: [429], other: [0, 100, 400, 405, 409, 500, 503] };
  for (const [meaning, those] of Object.entries(statuses)) for (const status of those) t.equal(meaningOf(status), meaning, String(status));
  t.end();
});

void t.test('other ends of a request', (t) => {
  t.ok(mayBeDone(new ConnectionLostError('cut off', true)));
  t.notOk(mayBeDone(new ConnectionLostError('nobody there', false)));
  t.notOk(mayBeDone(new CertificateError('expired')));
  t.ok(mayBeDone(new ForeignAnswerError('not of ours')));
  t.notOk(mayBeDone(new Error('of the protocol above')));
  t.end();
});
