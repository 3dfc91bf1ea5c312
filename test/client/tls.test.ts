import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lacks } from '../support/peers.js';
import { argo, makeHome } from './support/argo.js';
import { body, LineServer, OK } from './support/line-server.js';

/** A certificate of its own authority. */
function makeCertificate(folder: string, name: string, subject: string): { key: Buffer; cert: Buffer; file: string; fingerprint: string } {
  const [keyFile, file] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=argo test', '-addext', `subjectAltName=${subject}`, '-keyout', keyFile, '-out', file], { stdio: 'ignore' });
  const fingerprint = execFileSync('openssl', ['x509', '-in', file, '-noout', '-fingerprint', '-sha256'], { encoding: 'utf8' });
  return { key: readFileSync(keyFile), cert: readFileSync(file), file, fingerprint: fingerprint.trim().replace(/^.*=/, 'SHA256:') };
}

void t.test('TLS', { skip: lacks('openssl') }, async (t) => {
  const home = makeHome(t);
  const certificate = makeCertificate(home, 'server', 'IP:127.0.0.1');
  const other = makeCertificate(home, 'other', 'IP:127.0.0.1');
  const misnamed = makeCertificate(home, 'misnamed', 'DNS:elsewhere.example');
  const answers = { auth: OK, list: body('lj') };
  const server = await LineServer.start(answers, { tls: certificate });
  const elsewhere = await LineServer.start(answers, { tls: misnamed });
  const plain = await LineServer.start(answers);
  t.teardown(() => Promise.all([server.stop(), elsewhere.stop(), plain.stop()]));
  const list = (address: string, ...options: string[]) =>
    argo(home, ['--server', address, ...options, 'list'], { env: { ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: 'hush-hush' } });

  t.same(await list(server.address, '--ca-file', certificate.file), { code: 0, stdout: 'lj\n', stderr: '' });
  t.same(await list(server.address, '--fingerprint', certificate.fingerprint), { code: 0, stdout: 'lj\n', stderr: '' });
  t.same(await list(server.address, '--fingerprint', certificate.fingerprint, '--ca-file', certificate.file), { code: 0, stdout: 'lj\n', stderr: '' });
  t.same(await list(elsewhere.address, '--fingerprint', misnamed.fingerprint), { code: 0, stdout: 'lj\n', stderr: '' }, 'a pin needs no name');

  server.received.length = 0;
  const unknown = await list(server.address, '--tls');
  t.match(unknown, { code: 1, stdout: '', stderr: /^argo: CERTIFICATE REJECTED: 127\.0\.0\.1:\d+: .*set ca-file, or fingerprint = "SHA256:/ });
  const offered = /"(SHA256:[^"]+)"/.exec(unknown.stderr)?.[1] ?? '';
  t.match(await list(server.address, '--fingerprint', other.fingerprint), { code: 1, stderr: /CERTIFICATE REJECTED: .* shows SHA256:.*; nothing was sent/ });
  t.match(await list(server.address, '--ca-file', other.file), { code: 1, stderr: /CERTIFICATE REJECTED/ });
  t.match(await list(elsewhere.address, '--ca-file', misnamed.file), { code: 1, stderr: /CERTIFICATE REJECTED: .*(ALTNAME|altnames)/i });
  t.same([server.received, elsewhere.received.length], [[], 2], 'no password went to a server that is not trusted');

  t.match(await list(server.address, '--fingerprint', offered), { code: 0 }, 'the fingerprint that an error offers can be pasted');
  t.match(await list(plain.address, '--tls'), { code: 1, stderr: /does not speak TLS on this port/ });
  t.match(await list(server.address, '--ca-file', join(home, 'none')), { code: 2, stderr: /^argo: cannot read .*none \(ENOENT\)\n$/ });
  t.match(await list(server.address, '--no-tls', '--fingerprint', offered), { code: 2, stderr: /TLS is switched off/ });
});
