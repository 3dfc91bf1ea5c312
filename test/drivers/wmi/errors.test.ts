import t from 'tap';
import * as v from 'valibot';
import { explain } from '../../../src/drivers/wmi/errors.js';
import { isDomainAccount, parseUser, portOf, serviceOrigin, wmiCredentials, wmiEntries } from '../../../src/drivers/wmi/options.js';
import type { ArgoError } from '../../../src/kit/errors.js';
import { CertificateError, ConnectionLostError } from '../../../src/protocols/tls/errors.js';
import { WmiAccessError, WmiAnswerError, WmiFault, type WmiFaultKind } from '../../../src/protocols/wmi/errors.js';
import { dcomAvailable } from '../../../src/protocols/dcom/availability.js';
import { linkTo } from '../../../src/drivers/wmi/open-link.js';
import { freshGuard } from './fake-wmi.js';

void t.test('every refusal has its phrase', (t) => {
  const phrase = (error: Error, effect: 'reads' | 'acts'): string => (explain(error, effect) as ArgoError).phrase;
  const kinds: Record<WmiFaultKind, readonly [string, string]> = {
    'no-such-instance': ['NO SUCH INSTANCE', 'NO SUCH INSTANCE'], 'no-such-class': ['NOT SUPPORTED', 'NOT SUPPORTED'], 'no-such-method': ['NOT SUPPORTED', 'NOT SUPPORTED'],
    'access-denied': ['ACCESS DENIED', 'ACCESS DENIED'], quota: ['BUSY', 'BUSY'], other: ['FAILED', 'FAILED'], 'timed-out': ['TIMEOUT', 'UNCERTAIN'],
    'privilege-not-held': ['ACCESS DENIED', 'ACCESS DENIED'], interrupted: ['UNREACHABLE', 'UNCERTAIN'],
  };
  for (const [kind, phrases] of Object.entries(kinds)) {
    const fault = new WmiFault(kind as WmiFaultKind, 1, 'Das geht\r\n nicht');
    t.same([phrase(fault, 'reads'), phrase(fault, 'acts')], phrases, kind);
  }
  t.equal((explain(new WmiFault('other', 1, 'Das geht\r\n nicht'), 'acts') as ArgoError).detail, 'Das geht nicht');
  t.match((explain(new WmiFault('other', 87, ''), 'acts') as ArgoError).detail, 'error 87');
  t.ok((explain(new WmiFault('other', 1, 'x'.repeat(5000)), 'acts') as ArgoError).detail.length < 400);
  t.same([new WmiAccessError('a'), new CertificateError('b')].map((error) => phrase(error, 'acts')), ['ACCESS DENIED', 'CERTIFICATE REJECTED']);
  t.same([new ConnectionLostError('x', true), new ConnectionLostError('x', false), new WmiAnswerError('x')].map((error) => [phrase(error, 'reads'), phrase(error, 'acts')]),
    [['UNREACHABLE', 'UNCERTAIN'], ['UNREACHABLE', 'UNREACHABLE'], ['UNREACHABLE', 'UNCERTAIN']]);
  t.equal(phrase(new WmiAnswerError('x', { sent: false }), 'acts'), 'UNREACHABLE');
  const other = new Error('ours');
  t.equal(explain(other, 'acts'), other);
  t.end();
});

const parse = (given: Record<string, unknown>) => v.parse(v.strictObject(wmiEntries), { user: 'argo', password: 'pw', ...given });

void t.test('where WinRM is', (t) => {
  const { url } = parse({});
  t.equal(serviceOrigin(url, '10.0.0.5').href, 'https://10.0.0.5:5986/wsman');
  t.equal(serviceOrigin(url, 'fd00::5').href, 'https://[fd00::5]:5986/wsman');
  t.equal(serviceOrigin('http://{address}', 'h').href, 'http://h:5985/wsman');
  t.equal(serviceOrigin('https://gateway.example:443/hosts/{address}', 'h').href, 'https://gateway.example/hosts/h');
  t.same(['https://h:443/x', 'https://h', 'http://[::1]', 'http://h:80'].map((template) => portOf(serviceOrigin(template, 'h'))), [443, 5986, 5985, 80]);
  for (const bad of ['ftp://{address}', '{address}', 'https://u:p@{address}/', '']) t.throws(() => parse({ url: bad }), bad);
  t.throws(() => parse({ auth: 'digest' }));
  t.equal(parse({})['channel-binding'], 'if-offered');
  for (const mode of ['required', 'if-offered', 'off']) t.equal(parse({ 'channel-binding': mode })['channel-binding'], mode);
  for (const bad of ['on', true, '']) t.throws(() => parse({ 'channel-binding': bad }), /"required", "if-offered" or "off" is expected/);
  t.end();
});

void t.test('WMI over DCOM', async (t) => {
  const { isAvailable, reason } = dcomAvailable();
  t.equal(parse({}).transport, 'winrm');
  t.throws(() => parse({ transport: 'smb' }), /"winrm" or "dcom"/);
  if (isAvailable) t.equal(parse({ transport: 'dcom' }).transport, 'dcom');
  else t.throws(() => parse({ transport: 'dcom' }), new RegExp(reason));
  const link = linkTo({ ...parse({}), transport: 'dcom' }, '127.0.0.77', freshGuard());
  const told = await link.use('reads', () => link.query('root/cimv2', 'SELECT * FROM Win32_OperatingSystem', AbortSignal.timeout(30_000))).catch((error: unknown) => error);
  t.match(told, { phrase: 'UNREACHABLE', detail: /nobody listens on port 135; is DCOM set up there/ });
  await link.close();
});

void t.test('who logs in', (t) => {
  t.same(parseUser('LAB\\argo'), { user: 'argo', domain: 'LAB' });
  t.same(parseUser('.\\argo', 'LAB'), { user: 'argo', domain: '' });
  t.same(parseUser('argo', 'LAB'), { user: 'argo', domain: 'LAB' });
  t.same(parseUser('argo@lab.example', 'LAB'), { user: 'argo@lab.example', domain: '' });
  t.same(['LAB\\argo', 'argo@lab.example', '.\\argo', 'argo'].map((user) => isDomainAccount({ user, domain: undefined })), [true, true, false, false]);
  const [one, same, other] = [parse({}), parse({}), parse({ password: 'else' })].map((given) => wmiCredentials(given).mark);
  t.equal(one, same);
  t.not(one, other);
  t.match(one, /^[\w+/]{43}=$/, 'a digest, which tells nothing');
  t.end();
});
