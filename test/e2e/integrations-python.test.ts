import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { PHRASES } from '../../src/kit/errors.js';
import { blocksOf, readDocument } from '../docs/markdown.js';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';
import { PASSWORD, PYTHON, selfSigned, startIntegrated } from './support/integrations.js';

const skip = existsSync(PYTHON) ? lacks('openssl') : lacks(PYTHON);

const TABLES = `
[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "mail server", state = "off" }, "web1"]
faults = { web1 = "error" }
`;
const SCRIPT = { name: 'script', instances: ['*'], commands: ['read', 'power'] };
const ALONE = { ...process.env, PYTHONPATH: fromRoot('integrations', 'python'), PYTHONDONTWRITEBYTECODE: '1' };
const TESTS = ['-W', 'error', '-m', 'unittest', 'discover', '-s', fromRoot('integrations', 'python', 'tests')];

await t.test('the module\'s own tests', { skip }, async (t) => {
  const { code, stderr } = await runProgram(PYTHON, TESTS, { env: ALONE });
  t.equal(code, 0, stderr);
  t.match(stderr, /^Ran [1-9]\d* tests/m);
});

await t.test('it has a class for each phrase of the server', { skip }, async (t) => {
  const { stdout } = await runProgram(PYTHON, ['-c', 'import json, argo.errors; print(json.dumps(sorted(argo.errors.BY_PHRASE)))'], { env: ALONE });
  t.same(JSON.parse(stdout), Object.keys(PHRASES).sort());
});

await t.test('the document\'s sessions are true', { skip }, async (t) => {
  const { env } = await startIntegrated(t, SCRIPT, TABLES);
  const folder = mkdtempSync(join(tmpdir(), 'argo-doctest-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const blocks = blocksOf(readDocument('docs/integrations/python.md')).filter(({ language }) => language === 'pycon');
  t.ok(blocks.length > 3);
  writeFileSync(join(folder, 'document'), blocks.map(({ text }) => text).join('\n'));
  const program = 'import doctest, sys; sys.exit(doctest.testfile(sys.argv[1], module_relative=False).failed)';
  const { code, stdout, stderr } = await runProgram(PYTHON, ['-W', 'error', '-c', program, join(folder, 'document')], { env });
  t.equal(code, 0, `${stdout}${stderr}`);
});

await t.test('with TLS', { skip }, async (t) => {
  const { cert, files } = await selfSigned(t);
  const { stdout: digest } = await runProgram('openssl', ['x509', '-in', cert, '-noout', '-fingerprint', '-sha256']);
  const server = 'tls-listen = ["127.0.0.1:0"]\ntls-cert = "cert.pem"\ntls-key = "key.pem"';
  const { env, ports } = await startIntegrated(t, SCRIPT, TABLES, server, files);
  const program = `
import argo, asyncio, sys
plain, secure, cert, digest = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4].strip()

def sync_call(settings):
    with argo.Client(settings) as client:
        return client.status("lj")

def async_call(settings):
    async def call():
        async with argo.AsyncClient(settings) as client:
            return await client.status("lj")
    return asyncio.run(call())

for call in (sync_call, async_call):
    for port, trust in (
            (secure, {"ca_file": cert}), (secure, {"fingerprint": digest}), (secure, {"ca_file": cert, "fingerprint": digest}),
            (secure, {"tls": True}), (secure, {"fingerprint": "ab" * 32}), (secure, {"ca_file": cert, "fingerprint": "ab" * 32}),
            (secure, {"host": "localhost", "ca_file": cert}), (plain, {"ca_file": cert}), (secure, {})):
        try:
            print(call(argo.from_environment(port=port, login_timeout=5, **trust)))
        except argo.ArgoError as error:
            print(type(error).__name__)
`;
  const { stdout, stderr } = await runProgram(PYTHON, ['-W', 'error', '-c', program, `${ports[0]}`, `${ports[1]}`, cert, digest.split('=')[1] ?? ''], { env });
  t.equal(stderr, '');
  const expected = ['on', 'on', 'on', 'CertificateRejected', 'CertificateRejected', 'CertificateRejected', 'CertificateRejected', 'Unreachable', 'Unreachable'];
  t.same(stdout.trim().split('\n'), [...expected, ...expected]);
});

await t.test('odd names and passwords reach the server as they are', { skip }, async (t) => {
  const name = '--force "a\\b" [1] @x';
  const { env } = await startIntegrated(t, SCRIPT, `[providers.demo]\ntype = "sim"\ninstances = [${JSON.stringify(name)}]\n`);
  const program = 'import argo, sys; client = argo.Client(argo.from_environment()); client.stop(sys.argv[1]); print(client.status(sys.argv[1]), client.list().names[0] == sys.argv[1]); client.close()';
  t.match(await runProgram(PYTHON, ['-c', program, name], { env }), { code: 0, stdout: 'off True\n' });
  const wrong = await runProgram(PYTHON, ['-c', program, name], { env: { ...env, ARGO_PASSWORD: `${PASSWORD} "wrong` } });
  t.match(wrong, { code: 1, stderr: /NotAuthenticated/ });
  t.notMatch(wrong.stderr, PASSWORD);
});
