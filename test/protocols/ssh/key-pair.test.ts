import ssh2 from 'ssh2';
import t from 'tap';
import { makeKeyPair } from '../../../src/protocols/ssh/key-pair.js';

/** ssh2 itself makes one of some five hundred that it cannot read. */
const PAIRS = 3000;

await t.test('each pair of keys can be read, and its halves belong together', async (t) => {
  let bad = 0;
  for (let count = 0; count < PAIRS; count += 1) {
    const { privateKey, publicKey } = await makeKeyPair('argo-server');
    const key = ssh2.utils.parseKey(privateKey);
    if (key instanceof Error || publicKey !== `ssh-ed25519 ${key.getPublicSSH().toString('base64')} argo-server`) bad += 1;
  }
  t.equal(bad, 0);
});
