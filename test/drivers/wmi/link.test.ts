import t from 'tap';
import { WmiAccessError, WmiLoginRefusedError } from '../../../src/protocols/wmi/errors.js';
import { FakeWmi, fakeLink } from './fake-wmi.js';
import { outcome, soon } from '../driving.js';

void t.test('a link opens anew with other credentials, and not at all while they are held back', async (t) => {
  const wmi = new FakeWmi();
  wmi.tables.set('root/cimv2:X', () => [{ A: '1' }]);
  const { link, credentials, server } = await fakeLink(t, wmi);
  wmi.faults.push(new WmiLoginRefusedError('the password is wrong'));
  const ask = () => outcome(link.use('reads', () => link.query('root/cimv2', 'SELECT A FROM X', soon())));
  t.match(await ask(), { phrase: 'ACCESS DENIED', detail: /^the password is wrong; not tried again before \d{4}-.*Z, unless/ });
  t.equal(wmi.closed, 1);
  t.match(await ask(), { phrase: 'ACCESS DENIED', detail: /^the password is wrong; not tried again/ });
  t.equal(wmi.opened, 1);
  credentials.mark = 'two';
  t.same(await ask(), { value: [{ A: '1' }] });
  t.equal(wmi.opened, 2);
  t.equal(await link.isListening(soon(), 2000), true);
  server.close();
  t.equal(await link.isListening(soon(), 2000), false);
  credentials.mark = 'three';
  t.same(await ask(), { value: [{ A: '1' }] }, 'a login that was good a moment ago needs no new proof');
});

void t.test('a service that has forgotten us is logged in to again, once', async (t) => {
  const wmi = new FakeWmi();
  wmi.tables.set('root/cimv2:X', () => [{ A: '1' }]);
  wmi.methods.set('X.Go', () => ({ ReturnValue: '0' }));
  const { link } = await fakeLink(t, wmi);
  const go = () => outcome(link.use('acts', () => link.invoke({ namespace: 'root/cimv2', className: 'X', keys: {} }, 'Go', {}, soon())));
  const forgotten = new WmiAccessError('the service asks for the login again');
  wmi.faults.push(forgotten);
  t.match(await go(), { phrase: 'ACCESS DENIED' }, 'a connection that was never good');
  t.same(await go(), { value: { ReturnValue: '0' } });
  wmi.faults.push(forgotten);
  t.same(await go(), { value: { ReturnValue: '0' } });
  t.equal(wmi.opened, 3);
  wmi.faults.push(forgotten, forgotten);
  t.match(await go(), { phrase: 'ACCESS DENIED' });
});

void t.test('where nobody listens, no password is tried', async (t) => {
  const wmi = new FakeWmi();
  const { link, server } = await fakeLink(t, wmi);
  server.close();
  t.match(await outcome(link.use('acts', () => link.query('x', 'SELECT A FROM X', soon()))), { phrase: 'UNREACHABLE', detail: /nobody listens on port \d+; is WinRM set up there\?/ });
  t.equal(wmi.opened, 0);
});
