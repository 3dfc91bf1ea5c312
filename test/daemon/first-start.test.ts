import { tmpdir } from 'node:os';
import t from 'tap';
import { parseConfig } from '../support/configuration.js';
import { DEMO, greeting } from '../../src/daemon/first-start.js';
import { startDaemon, StartFailure } from '../support/daemon.js';
import { fromRoot } from '../support/paths.js';
import { runNode } from '../support/programs.js';

await t.test('the greeting says for whom it listens', async (t) => {
  const config = await parseConfig('argo-server.conf', '[providers.demo]\ntype = "sim"\n', tmpdir());
  const own = { config, findings: [DEMO], newPassword: 'sesame' };
  for (const address of ['127.0.0.1:20203', '127.8.0.1:1', '[::1]:20203']) t.match(greeting(own, '1.0.0', { address, page: undefined }), 'for this machine only', address);
  for (const address of ['0.0.0.0:20203', '[::]:20203', '10.0.0.1:20203', '[fe80::1]:1']) t.notMatch(greeting(own, '1.0.0', { address, page: undefined }), 'for this machine only', address);
  const words = greeting(own, '1.0.0', { address: '[::1]:20299', page: { address: '127.0.0.1:8080', code: 'once' } });
  t.match(words, /^ {2}telnet ::1 20299$/m);
  t.match(words, /^ {2}http:\/\/127\.0\.0\.1:8080\/#login=once$/m);
});

await t.test('a bad --listen is told as such, with a file and without', async (t) => {
  for (const config of [undefined, '']) {
    const failure = await startDaemon({ ...(config === undefined ? {} : { config }), args: ['--listen', 'here'] }).catch((error: unknown) => error);
    t.type(failure, StartFailure);
    const { exit, stderr } = failure as StartFailure;
    t.equal(exit.code, 1);
    t.equal(stderr, 'argo-server: --listen: write host:port, such as "127.0.0.1:20203" or "[::1]:20203"\n');
  }
});

await t.test('--listen goes before the file', async (t) => {
  const daemon = await startDaemon({ config: '[server]\nlisten = ["192.0.2.1:1"]\n', args: ['--listen', '127.0.0.1:0'] });
  t.ok(await daemon.logs('"address":"127.0.0.1:'));
  t.same(await daemon.stop(), { code: 0, signal: null });
});

await t.test('check counts in words', async (t) => {
  const { stdout } = await runNode([fromRoot('bin', 'argo-server.js'), 'check', '--config', fromRoot('etc', 'argo-server.conf')]);
  t.match(stdout, /is good: 0 accounts, 1 provider\n$/);
});
