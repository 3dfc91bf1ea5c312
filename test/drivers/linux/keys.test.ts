import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import linux from '../../../src/drivers/linux/index.js';
import { openLinux } from './open-driver.js';
import { findMachine } from '../driving.js';

const soon = (): AbortSignal => AbortSignal.timeout(30_000);

await t.test('a private key of a format that cannot be used is told of when the configuration is checked', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const folder = t.testdir({ pkcs8: privateKey, other: 'whatever' });
  const faults = (name: string): string[] => {
    const result = v.safeParse(v.strictObject(linux.options), { user: 'argo', 'private-key-file': join(folder, name) });
    return result.success ? [] : result.issues.map(({ message }) => message);
  };
  t.match(faults('pkcs8'), [/PKCS#8, which cannot be read; convert it with: ssh-keygen -p -N '' -f .*pkcs8/]);
  t.same(faults('other'), []);
  t.same(faults('missing'), [], 'which is told of as that of any secret');

  process.env.ARGO_TEST_KEY = privateKey;
  const { driver } = openLinux({ hosts: [{ name: 'h1', address: '127.0.0.1' }], user: 'argo', 'private-key-env': 'ARGO_TEST_KEY' });
  t.teardown(() => driver.close(soon()));
  const machine = await findMachine(driver, 'h1', soon());
  await t.rejects(machine.uptime!(soon()), { message: /^ACCESS DENIED: .*PKCS#8/ });
});
