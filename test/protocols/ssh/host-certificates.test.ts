import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { learnHostKey, parseHostCertificate } from '../../../src/protocols/ssh/host-certificates.js';
import { lacks } from '../../support/peers.js';

/** Certificates of ssh-keygen's making; hosts that show them are those of test/e2e/hosts-certificates.test.ts. */

const options = { skip: lacks('ssh-keygen') };
const signal = new AbortController().signal;

/** A folder with an authority and a host's key. */
function keys(t: Test, authority: string[], host: string[]) {
  const folder = t.testdir({});
  const keygen = (...args: string[]) => execFileSync('ssh-keygen', ['-q', ...args], { cwd: folder, stdio: 'pipe' });
  keygen('-N', '', '-f', 'ca', ...authority);
  keygen('-N', '', '-f', 'host', ...host);
  const blob = (file: string): Buffer => Buffer.from(readFileSync(join(folder, file), 'utf8').split(' ')[1] ?? '', 'base64');
  const sign = (...more: string[]): Buffer => {
    keygen('-s', 'ca', '-h', '-I', 'test', ...more, 'host.pub');
    return blob('host-cert.pub');
  };
  return { keygen, blob, sign };
}

await t.test('certificates of every kind of key, by every kind of authority', options, async (t) => {
  const kinds = [['-t', 'ed25519'], ['-t', 'rsa', '-b', '2048'], ...['256', '384', '521'].map((bits) => ['-t', 'ecdsa', '-b', bits])];
  for (const [index, authority] of kinds.entries()) {
    const host = kinds[(index + 1) % kinds.length]!;
    const { blob, sign } = keys(t, authority, host);
    // The numbers of an ECDSA signature differ in length from one to the next.
    for (let times = authority[1] === 'ecdsa' ? 12 : 1; times > 0; times -= 1) {
      const parsed = parseHostCertificate(sign('-n', 'web1,10.0.0.1', '-V', '20200101000000Z:20300101000000Z'));
      t.ok(parsed.key.equals(blob('host.pub')), host.join(' '));
      t.ok(parsed.authority.equals(blob('ca.pub')), authority.join(' '));
      t.same(parsed.principals, ['web1', '10.0.0.1']);
      t.same([parsed.validAfter, parsed.validBefore], [1_577_836_800n, 1_893_456_000n]);
    }
  }
});

await t.test('what is no good certificate', options, async (t) => {
  const { keygen, blob, sign } = keys(t, ['-t', 'ed25519'], ['-t', 'ed25519']);
  const good = sign();
  t.same(parseHostCertificate(good).principals, []);
  for (const at of [40, 90, good.length - 140, good.length - 1]) {
    const bent = Buffer.from(good);
    bent[at]! ^= 1;
    t.throws(() => parseHostCertificate(bent), `byte ${at}`);
  }
  t.throws(() => parseHostCertificate(good.subarray(0, -10)), RangeError);
  t.throws(() => parseHostCertificate(blob('host.pub')));
  keygen('-s', 'ca', '-I', 'test', '-n', 'root', 'host.pub');
  t.throws(() => parseHostCertificate(blob('host-cert.pub')), { message: 'it is not of a host' });
  const old = keys(t, ['-t', 'rsa', '-b', '2048'], ['-t', 'ed25519']);
  t.throws(() => parseHostCertificate(old.sign('-t', 'ssh-rsa')), { message: /not supported \(ssh-rsa\)/ }, 'SHA-1');
});

await t.test('who does not speak SSH', async (t) => {
  const sockets: Socket[] = [];
  let answer: (socket: Socket) => void = () => undefined;
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    answer(socket);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const place = { host: '127.0.0.1', port, hostKey: { knownHosts: '@cert-authority * ssh-ed25519 AAAA' }, timeout: 5_000 };
  const fault = { hostKey: { certificateFault: /no certificate/ } };
  const answers = ['SSH-2.0-x\r\n\xff\xff\xff\xff\xff', 'SSH-2.0-x\r\n\0\0\0\0\0\0\0', 'a'.repeat(300_000), '\n'.repeat(300_000), 'SSH-2.0-x\r\n\0\0\0\x05\x03\x14\x01\x02\x03'];
  for (const bytes of answers) {
    answer = (socket) => socket.end(bytes, 'latin1');
    t.match(await learnHostKey(place, signal), fault, JSON.stringify(bytes.slice(0, 20)));
  }
  answer = () => undefined;
  await t.rejects(learnHostKey({ ...place, timeout: 100 }, signal), { name: 'SshConnectionError', message: /does not show a key \(waited 100 ms\)/ });
  await t.rejects(learnHostKey(place, AbortSignal.abort(new Error('enough'))), { message: 'enough' });
  const before = sockets.length;
  const plain = { ...place, hostKey: { knownHosts: '' } };
  t.equal(await learnHostKey(plain, signal), plain);
  t.equal(sockets.length, before, 'without an authority nobody is asked');
});
