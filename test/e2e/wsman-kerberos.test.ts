import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { ChannelBinding, WsmanLogin } from '../../src/protocols/wsman/options.js';
import { WsmanSession } from '../../src/protocols/wsman/session.js';
import { lacksKdc, startKdc } from '../peers/kdc.js';
import { lacksFront, WmiFront } from '../peers/wmi-front.js';
import { makeCertificate } from '../peers/xapi.js';
import { never, OS, serve } from '../protocols/wsman/service.js';
import { lacks } from '../support/peers.js';

const OUTPUT = '<p:Win32Shutdown_OUTPUT><p:ReturnValue>0</p:ReturnValue></p:Win32Shutdown_OUTPUT>';

void t.test('Kerberos over HTTPS, with a KDC of MIT', { skip: lacksKdc() || lacksFront(), timeout: 150_000 }, async (t) => {
  const kdc = await startKdc({ argo: 'Passw0rd! ä' }, ['HTTP/localhost', 'WSMAN/real.argo.test']);
  t.teardown(() => kdc.stop());
  const { KRB5_CONFIG } = process.env;
  t.teardown(() => {
    if (KRB5_CONFIG === undefined) delete process.env.KRB5_CONFIG;
    else process.env.KRB5_CONFIG = KRB5_CONFIG;
  });
  process.env.KRB5_CONFIG = kdc.env.KRB5_CONFIG;
  const tls = makeCertificate();
  const service = await serve(t, ({ action }) => (action === 'Win32Shutdown' ? OUTPUT : '<p:X/>'));
  const front = await WmiFront.start({ backend: service.url.href, tls, bind: true, env: kdc.env });
  t.teardown(() => front.stop());
  const session = (login: Partial<WsmanLogin> = {}, host = 'localhost', port = front.port, channelBinding: ChannelBinding = 'if-offered'): WsmanSession => {
    const made = new WsmanSession({
      origin: new URL(`https://${host}:${port}/wsman`), trust: { kind: 'fingerprints', fingerprints: [tls.fingerprint] },
      login: { kind: 'kerberos', user: 'argo', password: 'Passw0rd! ä', ...login }, channelBinding,
    });
    t.teardown(() => made.close());
    return made;
  };

  await t.test('one login serves many requests', async (t) => {
    const ours = session();
    for (let count = 0; count < 5; count++) t.same(await ours.get(OS, never()), {});
    t.same(await ours.invoke(OS, 'Win32Shutdown', { Flags: '12' }, never()), { ReturnValue: '0' });
    await front.heard();
    t.same(front.logins, [`argo@${kdc.realm}`]);
  });

  await t.test('the realm is in the name, or the domain, in any letters', async (t) => {
    t.same(await session({ user: `argo@${kdc.realm}` }).get(OS, never()), {});
    t.same(await session({ domain: kdc.realm.toLowerCase() }).get(OS, never()), {});
  });

  await t.test('what is refused, and why', async (t) => {
    const before = service.asked.length;
    const table: readonly (readonly [Partial<WsmanLogin>, { name: string; message: string | RegExp }])[] = [
      [{ password: 'wrong' }, { name: 'WmiAccessError', message: 'the account or its password is not accepted' }],
      [{ user: 'nobody' }, { name: 'WmiAccessError', message: 'the realm knows no such account' }],
      [{ user: 'argo@NOWHERE.TEST' }, { name: 'WmiAccessError', message: /know no/ }],
    ];
    for (const [login, error] of table) await t.rejects(session(login).get(OS, never()), error, JSON.stringify(login));
    await t.rejects(session({}, '127.0.0.1').get(OS, never()), { name: 'WmiAccessError', message: /the realm knows no such service/ });
    t.equal(service.asked.length, before);
  });

  await t.test('a clock that differs', { skip: lacks('faketime') }, async (t) => {
    const preload = execFileSync('faketime', ['-f', '+3h', 'sh', '-c', 'echo "$LD_PRELOAD"'], { encoding: 'utf8' }).trim();
    t.teardown(() => { delete process.env.LD_PRELOAD; delete process.env.FAKETIME; });
    const skewed = (FAKETIME: string): Promise<unknown> => {
      Object.assign(process.env, { LD_PRELOAD: preload, FAKETIME });
      return session().get(OS, never());
    };
    t.same(await skewed('+20m'), {}, 'MIT reckons with it');
    await t.rejects(skewed('+3h'), { name: 'WmiAccessError', message: /clock/ }, 'beyond the life of a ticket');
    process.env.KRB5_CONFIG = kdc.configure('strict.conf', 'kdc_timesync = 0');
    t.teardown(() => { process.env.KRB5_CONFIG = kdc.env.KRB5_CONFIG; });
    await t.rejects(skewed('+20m'), { name: 'WmiAccessError', message: /clock/ }, 'where MIT may not');
  });

  await t.test('somebody stands between', async (t) => {
    const other = await WmiFront.start({ backend: service.url.href, tls, bind: true, otherBinding: true, env: kdc.env });
    t.teardown(() => other.stop());
    await t.rejects(session({}, 'localhost', other.port, 'required').get(OS, never()), { name: 'WmiAccessError', message: /does not take the ticket/ });
    for (const binding of ['if-offered', 'off'] as const) t.same(await session({}, 'localhost', other.port, binding).get(OS, never()), {}, binding);
  });

  await t.test('over plain HTTP, what is said is sealed', async (t) => {
    const plain = await WmiFront.start({ backend: service.url.href, requireSeal: true, env: kdc.env });
    t.teardown(() => plain.stop());
    const open = (kerberos?: WsmanLogin['kerberos']): WsmanSession => {
      const made = new WsmanSession({
        origin: new URL(`http://localhost:${plain.port}/wsman`), trust: { kind: 'anyone' }, login: { kind: 'kerberos', user: 'argo', password: 'Passw0rd! ä', kerberos },
      });
      t.teardown(() => made.close());
      return made;
    };
    const ours = open();
    for (const length of [1, 15, 16, 17, 4000, 70_000]) t.same(await ours.get({ ...OS, keys: { Name: 'ä'.repeat(length) } }, never()), {}, String(length));
    t.same(await ours.invoke(OS, 'Win32Shutdown', { Flags: '12' }, never()), { ReturnValue: '0' });
    await plain.heard();
    t.equal(plain.opened, 7);
    t.same(plain.logins, [`argo@${kdc.realm}`], 'one login serves them all');
    for (const how of ['signature', 'sequence', 'ciphertext'] as const) {
      await plain.spoil(how);
      await t.rejects(open().get(OS, never()), { name: 'WmiAnswerError' }, how);
    }
    await plain.spoil('signature');
    const before = service.asked.length;
    await t.rejects(ours.invoke(OS, 'Win32Shutdown', { Flags: '12' }, never()), { name: 'WmiAnswerError', sent: true }, 'an order of which nobody knows');
    t.equal(service.asked.length, before + 1);
    t.same(await ours.get(OS, never()), {}, 'another login');
    await plain.drop();
    t.same(await ours.get(OS, never()), {});
    t.same(await open({ service: 'WSMAN', host: 'real.argo.test' }).get(OS, never()), {}, 'the principal has another name');
    await t.rejects(open({ host: 'other.argo.test' }).get(OS, never()), { message: /the realm knows no such service/ });
  });

  await t.test('no KDC answers', async (t) => {
    await kdc.halt();
    await t.rejects(session().get(OS, never()), { name: 'ConnectionLostError', sent: false, message: /no KDC/ });
  });
});
