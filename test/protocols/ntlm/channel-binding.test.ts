import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { channelBinding } from '../../../src/protocols/ntlm/channel-binding.js';
import { lacks } from '../../support/peers.js';

const folder = mkdtempSync(join(tmpdir(), 'argo-binding-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });

/** A certificate that openssl signs as the options say. */
function certificate(key: string, ...options: string[]): Buffer {
  openssl('req', '-x509', '-new', '-key', key, '-subj', '/CN=host.example', '-out', 'cert', ...options);
  return new X509Certificate(readFileSync(join(folder, 'cert'))).raw;
}

/** MD5 of a gss_channel_bindings_struct: four empty fields for addresses, then the data's length and the data. */
function expected(der: Buffer, hash: string): Buffer {
  const data = Buffer.concat([Buffer.from('tls-server-end-point:'), createHash(hash).update(der).digest()]);
  return createHash('md5').update(Buffer.from([...new Array<number>(16).fill(0), data.length, 0, 0, 0])).update(data).digest();
}

void t.test('the hash is that of the certificate, but never a weak one', { skip: lacks('openssl') }, (t) => {
  openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', 'rsa');
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', 'ec');
  openssl('genpkey', '-algorithm', 'ED25519', '-out', 'ed25519');
  const pss = ['-sigopt', 'rsa_padding_mode:pss'];
  for (const [hash, taken] of [['md5', 'sha256'], ['sha1', 'sha256'], ['sha256', 'sha256'], ['sha384', 'sha384'], ['sha512', 'sha512']] as const) {
    for (const [what, key, options] of [['RSA', 'rsa', []], ['RSASSA-PSS', 'rsa', pss], ['ECDSA', 'ec', []]] as const) {
      if (hash === 'md5' && what !== 'RSA') continue;
      const der = certificate(key, `-${hash}`, ...options);
      t.same(channelBinding(der), expected(der, taken), `${what} with ${hash}`);
    }
  }
  t.equal(channelBinding(certificate('ed25519')), undefined, 'none for Ed25519');
  t.end();
});
