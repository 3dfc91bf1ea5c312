import t from 'tap';
import type { WsmanLogin } from '../../src/protocols/wsman/options.js';
import { WsmanSession } from '../../src/protocols/wsman/session.js';
import { lacksApache, startApache } from '../peers/wmi-apache.js';
import { FRONT_USER } from '../peers/wmi-front.js';
import { makeCertificate } from '../peers/xapi.js';
import { never, OS, serve } from '../protocols/wsman/service.js';

const OUTPUT = '<p:Win32Shutdown_OUTPUT><p:ReturnValue>0</p:ReturnValue></p:Win32Shutdown_OUTPUT>';
const REFUSED = { name: 'WmiAccessError', message: 'the account or its password is not accepted' };

void t.test('NTLM over HTTPS with Apache and mod_auth_gssapi', { skip: lacksApache(), timeout: 120_000 }, async (t) => {
  const certificate = makeCertificate();
  const service = await serve(t, ({ action }) => (action === 'Win32Shutdown' ? OUTPUT : `<p:X><p:Long>${'x'.repeat(30_000)}</p:Long></p:X>`));
  const peer = await startApache({ backend: service.url.href, tls: certificate });
  t.teardown(() => peer.stop());
  const session = (login: Partial<WsmanLogin> = {}): WsmanSession => {
    const made = new WsmanSession({
      origin: new URL(peer.url), trust: { kind: 'fingerprints', fingerprints: [certificate.fingerprint] }, login: { kind: 'ntlm', ...FRONT_USER, ...login },
    });
    t.teardown(() => made.close());
    return made;
  };

  await t.test('one login serves many requests', async (t) => {
    const ours = session();
    const objects = await Promise.all(Array.from({ length: 20 }, () => ours.get(OS, never())));
    for (const { Long } of objects) t.equal(String(Long).length, 30_000);
    t.same(await ours.invoke(OS, 'Win32Shutdown', { Flags: '12' }, never()), { ReturnValue: '0' });
    t.same(service.asked.map(({ text }) => text === ''), [true, ...Array<boolean>(21).fill(false)], 'Apache passes on the login, which has no body');
  });

  await t.test('without a domain, and with a name in other letters', async (t) => {
    await t.resolves(session({ domain: '' }).get(OS, never()));
    await t.resolves(session({ user: FRONT_USER.user.toUpperCase() }).get(OS, never()));
  });

  await t.test('a wrong password, domain or user gets nothing, and nothing gets through', async (t) => {
    const before = service.asked.length;
    for (const login of [{ password: 'wrong' }, { password: '' }, { domain: 'OTHER' }, { user: 'nobody' }]) {
      const ours = session(login);
      await t.rejects(ours.get(OS, never()), REFUSED, JSON.stringify(login));
      await t.rejects(ours.invoke(OS, 'Win32Shutdown', {}, never()), REFUSED);
    }
    t.equal(service.asked.length, before);
  });

  await t.test('Basic is not on offer, and says so', async (t) => {
    await t.rejects(session({ kind: 'basic' }).get(OS, never()), { name: 'WmiAccessError', message: /Basic is not on offer there; it offers Negotiate/ });
  });
});
