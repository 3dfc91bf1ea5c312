import t from 'tap';
import { entranceOf, faultsOf, productOf, type VmserverdOptions } from '../../../src/gateways/vmserverd/options.js';
import { parseConfig } from '../../support/configuration.js';

const ACCOUNT = `[accounts.admin]\npassword = "$2b$12$${'.'.repeat(53)}"\n`;
const optionsOf = async (keys: string): Promise<VmserverdOptions> => (await parseConfig('test.conf', `${ACCOUNT}[gateways.vm]\ntype = "vmserverd"\n${keys}`, '/nowhere')).gateways.get('vm')!.options as VmserverdOptions;

await t.test('where it listens', async (t) => {
  const both = await optionsOf('listen = ["127.0.0.1:902"]\ntls-listen = ["127.0.0.1:903"]');
  t.same(faultsOf(both), [], 'TLS needs no files: it makes its own certificate');
  t.match(entranceOf(both), { listen: [{ port: 902 }, { port: 903 }], gatewayTls: [{ port: 903 }], tlsListen: [] });
  const same = await optionsOf('listen = ["127.0.0.1:902"]\ntls-listen = ["127.0.0.1:902"]');
  t.match(faultsOf(same), [{ message: '127.0.0.1:902 is in listen, too', path: ['tls-listen'] }]);
  t.throws(() => entranceOf(same), /is in listen, too/);
  t.match(faultsOf(await optionsOf('tls-listen = ["127.0.0.1:902"]\ntls-cert = "/x"')), [{ path: ['tls-cert'] }]);
  t.match(faultsOf(await optionsOf('listen = ["127.0.0.1:902"]\ntls-client-ca = "/x"')), [{ path: ['tls-client-ca'] }]);
  await t.rejects(optionsOf(''), /listen and tls-listen are both empty/);
});

await t.test('local users stand for accounts that are there', async (t) => {
  await t.resolves(optionsOf('listen = ["127.0.0.1:902"]\nlocal-users = { root = "admin", 1000 = "admin" }'));
  await t.rejects(optionsOf('listen = ["127.0.0.1:902"]\nlocal-users = { root = "nobody" }'), /nobody/);
  await t.rejects(optionsOf('listen = ["127.0.0.1:902"]\nlocal-users = { "a b" = "admin" }'), /a user of this host is expected/);
});

await t.test('what it says it is', async (t) => {
  t.match(productOf(await optionsOf('listen = ["127.0.0.1:902"]')), { id: 'GSX', title: 'argo-server', build: '' });
  t.same(productOf(await optionsOf('listen = ["127.0.0.1:902"]\ncompat = true')), { id: 'GSX', title: 'VMware Server', version: '1.0.3 build-44356', build: '44356' });
  t.match(productOf(await optionsOf('listen = ["127.0.0.1:902"]\ncompat = true\nproduct-title = "ours"')), { title: 'ours', build: '44356' });
  await t.rejects(optionsOf('listen = ["127.0.0.1:902"]\nproduct-title = "\\u0007"'), /printable/);
});
