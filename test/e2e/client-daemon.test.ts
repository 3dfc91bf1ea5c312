import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { lacks } from '../support/peers.js';
import { argo, makeHome } from '../client/support/argo.js';
import { configuration, PASSWORD } from './support/client-daemon.js';

void t.test('argo and argo-server', async (t) => {
  const home = makeHome(t);
  const daemon = await startDaemon({ config: await configuration() });
  t.teardown(() => daemon.stop());
  const env = { ARGO_SERVER: `127.0.0.1:${daemon.port}`, ARGO_ACCOUNT: 'steve', ARGO_PASSWORD: PASSWORD };
  const run = (...args: string[]) => argo(home, args, { env });
  const done = (stdout = '') => ({ code: 0, stdout, stderr: '' });

  t.same(await run('list', 'running'), done('lj\nmy vm\nodd[1]\nweb1\nweb2\nweb3\nweb4\ndeaf1\n'));
  t.same(await run('status', 'lj'), done('on\n'));
  t.same(await run('stop', 'lj', '--wait'), done());
  t.same(await run('status', 'lj'), done('off\n'));
  t.same(await run('start', 'LJ'), { code: 1, stdout: '', stderr: 'argo: NO SUCH INSTANCE: LJ\n' });
  t.same(await run('start', 'lj', '--wait=60', '--timeout=30'), done());
  t.same(await run('stop', 'lj', '--dry-run'), done('lj: clean shutdown (it is on)\n'));
  t.same(await run('status', 'my vm'), done('on\n'));
  t.same(await run('status', '"odd[1]"'), done('on\n'));
  t.match(await run('status', 'odd[1]'), { code: 1, stderr: /^argo: NO MATCH/ }, 'bare, it is a pattern');
  const stopped = await run('stop', 'web[1-3]', '--wait');
  t.same([stopped.code, stopped.stdout.split('\n').sort(), stopped.stderr], [0, ['', 'web1: done', 'web2: done', 'web3: done'], '']);
  t.match(await run('stop', '@web', 'bad1'), { code: 4, stdout: /bad1: FAILED/, stderr: 'argo: FAILED: 1 of 5\n' });
  t.match(await run('frobnicate'), { code: 2, stderr: /^argo: UNKNOWN COMMAND/ });
  t.match(await run('stop'), { code: 2, stderr: /^argo: USAGE: stop NAME/ });
  t.match(await run('stop', 'lj', '--frob'), { code: 2, stderr: /^argo: USAGE: stop NAME/ });
  t.match(await run('stop', '--help'), { code: 0, stdout: /^stop NAME\.\.\. .*--force/ });

  const json = async (...args: string[]) => {
    const { code, stdout } = await run(...args, '--json');
    return { code, document: JSON.parse(stdout) as unknown };
  };
  t.match(await json('status', 'lj'), { code: 0, document: { ok: true, results: [{ name: 'lj', state: 'on' }] } });
  t.match(await json('rx', 'lj'), { code: 0, document: { results: [{ name: 'lj', bytes: Number }] } });
  t.match(await json('uptime', 'lj'), { code: 0, document: { results: [{ seconds: Number }] } });
  t.match(await json('info', 'lj'), { code: 0, document: { results: [{ info: { name: 'lj', provider: 'demo' } }] } });
  t.match(await json('start', 'web1', 'bad1'), { code: 4, document: { ok: false, error: { phrase: 'FAILED', detail: '1 of 2' } } });

  const asTenant = (...args: string[]) => argo(home, ['--account', 'tenant', ...args], { env });
  t.same(await asTenant('list'), done('lj\n'));
  t.same(await asTenant('stop', 'lj'), { code: 3, stdout: '', stderr: 'argo: NOT ALLOWED\n' });
  t.same(await asTenant('status', 'dev'), { code: 3, stdout: '', stderr: 'argo: NOT ALLOWED\n' });
  t.match(await argo(home, ['status', 'lj'], { env: { ...env, ARGO_PASSWORD: 'no' } }), { code: 3, stdout: '', stderr: /^argo: NOT AUTHENTICATED: the server refuses/ });
  t.same(await argo(home, ['status', 'lj'], { env: { ARGO_SERVER: env.ARGO_SERVER } }), { code: 3, stdout: '', stderr: 'argo: NOT AUTHENTICATED\n' });
  t.match(await argo(home, [], { env, input: 'status lj\nstop lj --wait\nstatus lj\nfrobnicate\n' }), { code: 2, stdout: 'on\noff\n', stderr: /UNKNOWN COMMAND/ });
});

void t.test('argo and argo-server over TLS', { skip: lacks('openssl') }, async (t) => {
  const home = makeHome(t);
  const [key, cert] = [join(home, 'key.pem'), join(home, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=argo test', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const daemon = await startDaemon({
    config: await configuration('tls-listen = ["127.0.0.1:0"]\ntls-cert = "cert.pem"\ntls-key = "key.pem"\n'),
    files: { 'cert.pem': readFileSync(cert), 'key.pem': readFileSync(key) },
    listeners: 2,
  });
  t.teardown(() => daemon.stop());
  const folder = join(home, '.config', 'argo');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'config.toml'), `[servers.lab]
server = "127.0.0.1:${daemon.ports[1]}"
account = "steve"
password-file = "password"
ca-file = ${JSON.stringify(cert)}
`);
  t.same(await argo(home, ['--server', 'lab', 'status', 'lj']), { code: 0, stdout: 'on\n', stderr: '' });
  t.match(await argo(home, ['--server', `127.0.0.1:${daemon.ports[0]}`, '--tls', 'status', 'lj']), { code: 1, stderr: /does not speak TLS/ });
  t.match(await argo(makeHome(t), ['--server', `127.0.0.1:${daemon.ports[1]}`, 'list']), { code: 1, stderr: /^argo: / }, 'plain text at the TLS port is an error, not a wait');
});
