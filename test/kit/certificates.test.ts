import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { authoritiesFault } from '../../src/kit/certificates.js';
import { lacks } from '../support/peers.js';

void t.test('a list of authorities', { skip: lacks('openssl') }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'argo-certificates-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [file, keyFile] = [join(folder, 'ca.pem'), join(folder, 'ca.key')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=authority', '-keyout', keyFile, '-out', file], { stdio: 'ignore' });
  const [pem, key] = [file, keyFile].map((one) => readFileSync(one, 'utf8')) as [string, string];
  t.equal(authoritiesFault(pem), undefined);
  t.equal(authoritiesFault(`# ours\r\n${pem}\nbetween\n${pem}`), undefined);
  for (const [what, text, words] of [
    ['nothing', '', /holds no certificate/],
    ['another text', 'garbage', /holds no certificate/],
    ['a key', key, /holds no certificate/],
    ['one that is cut', pem.slice(0, 100), /holds no certificate/],
    ['a broken one', pem.replace(/\n[A-Za-z0-9+/]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), /the certificate in it cannot be read/],
    ['a broken one behind a good one', `${pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, /certificate 2 of 2 in it cannot be read/],
  ] as const) t.match(authoritiesFault(text), words, what);
  t.end();
});
