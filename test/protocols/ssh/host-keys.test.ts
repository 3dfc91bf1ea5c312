import t from 'tap';
import { HostKeyError } from '../../../src/protocols/ssh/errors.js';
import { authoritiesOf, checkHostKey, fingerprintOf, knownKeyTypes, type HostKeyPolicy } from '../../../src/protocols/ssh/host-keys.js';

// Made with `ssh-keygen -t ed25519`; hashed with `ssh-keygen -H`; the fingerprints are those of `ssh-keygen -l`.
const KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIFFS/tzh+P+QRqE427tEXjJsd+euoNEUt7xQM/il+dKH';
const FINGERPRINT = 'SHA256:vYtCmpUTWzwh0VgAr2OqTVUgz0xHI2DB9KK9HClDAik';
const OTHER_KEY = 'AAAAC3NzaC1lZDI1NTE5AAAAIORBhVmcb8RVtYiJAlldObXVNRlmLOWfvoq1f2+YwGDu';
const HASHED = '|1|YHACQ2XwIrSThjfnRG4IfOFu2EY=|dUzv0UliOVcPDhOH9vu44CLi2rU= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFFS/tzh+P+QRqE427tEXjJsd+euoNEUt7xQM/il+dKH';
const HASHED_PORT = '|1|Mxm8wi0GCkVtqOjpl5JLK2X4yGQ=|eVhegp4FZx91VhHJ/s7cyHcEcT8= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFFS/tzh+P+QRqE427tEXjJsd+euoNEUt7xQM/il+dKH';

const key = Buffer.from(KEY, 'base64');
const verdict = (policy: HostKeyPolicy, host = 'esx1.example', port = 22): string => {
  try {
    checkHostKey(policy, host, port, key);
    return 'good';
  } catch (error) {
    return error instanceof HostKeyError ? error.kind : String(error);
  }
};
const knownAs = (...lines: string[]): HostKeyPolicy => ({ knownHosts: lines.join('\n') });

await t.test('a pinned fingerprint', async (t) => {
  t.equal(fingerprintOf(key), FINGERPRINT);
  t.equal(verdict({ fingerprint: FINGERPRINT }), 'good');
  t.equal(verdict({ fingerprint: `${FINGERPRINT}=` }), 'good');
  t.equal(verdict({ fingerprint: FINGERPRINT.slice(0, -1) }), 'changed');
  t.equal(verdict({ fingerprint: FINGERPRINT, knownHosts: `@revoked * ssh-ed25519 ${OTHER_KEY}` }), 'good');
});

await t.test('known_hosts, line by line', async (t) => {
  t.equal(verdict({}), 'unknown');
  t.equal(verdict(knownAs('', '# nothing', 'broken', 'esx1.example ssh-ed25519')), 'unknown');
  t.equal(verdict(knownAs(`esx1.example ssh-ed25519 ${KEY}`)), 'good');
  t.equal(verdict(knownAs(`other,ESX1.example\tssh-ed25519 ${KEY} a comment`)), 'good');
  t.equal(verdict(knownAs(`esx1.example ssh-ed25519 ${OTHER_KEY}`)), 'changed');
  t.equal(verdict(knownAs(`esx1.example ssh-ed25519 ${OTHER_KEY}`, `esx1.example ssh-ed25519 ${KEY}`)), 'good');
  t.equal(verdict(knownAs(`esx2.example ssh-ed25519 ${KEY}`)), 'unknown');
  t.equal(verdict(knownAs(`@revoked * ssh-ed25519 ${KEY}`, `esx1.example ssh-ed25519 ${KEY}`)), 'revoked');
  t.equal(verdict(knownAs(`@cert-authority * ssh-ed25519 ${KEY}`)), 'unknown');
});

await t.test('authorities, and keys that they have certified', async (t) => {
  const line = `@cert-authority *.example,[esx3]:2222 ssh-ed25519 ${OTHER_KEY}`;
  const counted = (host: string, port: number, ...more: string[]) => authoritiesOf(knownAs(line, ...more), host, port).map((each) => each.toString('base64'));
  t.same(counted('esx1.example', 22), [OTHER_KEY]);
  t.same(counted('esx1.example', 2222), [OTHER_KEY], 'they need not name the port');
  t.same(counted('esx3', 2222), [OTHER_KEY]);
  t.same(counted('esx3', 22), []);
  t.same(counted('esx1.example', 22, `@revoked * ssh-ed25519 ${OTHER_KEY}`), []);
  t.same(authoritiesOf({ ...knownAs(line), fingerprint: FINGERPRINT }, 'esx1.example', 22), [], 'what is pinned goes over them');
  t.equal(verdict({ ...knownAs(line, `esx1.example ssh-ed25519 ${OTHER_KEY}`), certified: key }), 'good');
  t.equal(verdict({ ...knownAs(line, `@revoked * ssh-ed25519 ${KEY}`), certified: key }), 'revoked');
  t.equal(verdict({ ...knownAs(line), certified: Buffer.from(OTHER_KEY, 'base64') }), 'changed');
  const fault = { ...knownAs(line), certificateFault: 'its certificate has expired' };
  t.throws(() => checkHostKey(fault, 'esx1.example', 22, key), { message: /is in no known_hosts; its certificate has expired$/ });
  t.throws(() => checkHostKey(knownAs(line, `@revoked * ssh-ed25519 ${OTHER_KEY}`), 'esx1.example', 22, key), { message: /is in no known_hosts; its @cert-authority is @revoked there$/ });
  const learned: string[] = [];
  const acceptNew = (added: string): void => void learned.push(added);
  for (const policy of [fault, knownAs(line, `@revoked * ssh-ed25519 ${OTHER_KEY}`)]) t.equal(verdict({ ...policy, acceptNew }), 'unknown');
  t.same(learned, [], 'nothing is learned of a host that an authority should vouch for');
  t.equal(verdict({ ...knownAs(line), acceptNew }, 'esx3'), 'good');
  t.equal(learned.length, 1);
});

await t.test('patterns and ports', async (t) => {
  t.equal(verdict(knownAs(`*.example ssh-ed25519 ${KEY}`)), 'good');
  t.equal(verdict(knownAs(`esx?.example ssh-ed25519 ${KEY}`)), 'good');
  t.equal(verdict(knownAs(`esx1?example ssh-ed25519 ${KEY}`)), 'good');
  t.equal(verdict(knownAs(`esx1xexample ssh-ed25519 ${KEY}`)), 'unknown');
  t.equal(verdict(knownAs(`!esx1.example,*.example ssh-ed25519 ${KEY}`)), 'unknown');
  t.equal(verdict(knownAs(`esx1.example ssh-ed25519 ${KEY}`), 'esx1.example', 2222), 'unknown');
  t.equal(verdict(knownAs(`[esx1.example]:2222 ssh-ed25519 ${KEY}`), 'esx1.example', 2222), 'good');
});

await t.test('hashed names', async (t) => {
  t.equal(verdict(knownAs(HASHED)), 'good');
  t.equal(verdict(knownAs(HASHED), 'esx2.example'), 'unknown');
  t.equal(verdict(knownAs(HASHED_PORT), 'esx1.example', 2222), 'good');
  t.equal(verdict(knownAs(`|1|broken ssh-ed25519 ${KEY}`)), 'unknown');
});

await t.test('types that can be compared', async (t) => {
  const policy = knownAs(`esx1.example ecdsa-sha2-nistp256 ${OTHER_KEY}`, `* ssh-rsa ${OTHER_KEY}`, `@revoked * ssh-ed25519 ${KEY}`, `esx2.example ssh-ed25519 ${KEY}`);
  t.same(knownKeyTypes(policy, 'esx1.example', 22), ['ecdsa-sha2-nistp256', 'ssh-rsa']);
  t.same(knownKeyTypes({ fingerprint: FINGERPRINT }, 'esx1.example', 22), []);
});
