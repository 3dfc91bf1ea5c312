import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeCertificate, VmserverdDouble } from '../peers/vmserverd-double.js';
import { lacks } from '../support/peers.js';
import { argo, complete, makeHome, Terminal } from './support/argo.js';

const INC = '<op>inc</op><in><number>42</number></in>';
const ANSWER = '<exec><product id="GSX"><title>VMware Server</title><version>1.0.3 build-44356</version><build>44356</build></product><returncode>1</returncode><out><number>43</number></out></exec>';

void t.test('an operation of an old server, as VMControl_ServerExec had it carried out', async (t) => {
  const home = makeHome(t);
  const double = await VmserverdDouble.start();
  t.teardown(() => double.stop());
  const place = `127.0.0.1:${double.port}`;
  const env = { ARGO_PASSWORD: 'sesame', ARGO_ACCOUNT: 'operator', ARGO_TLS: 'false' };
  const run = (words: readonly string[], more: Record<string, string | undefined> = {}, input = '') => argo(home, ['vmserverd', ...words], { env: { ...env, ...more }, input });
  const done = { code: 0, stdout: `${ANSWER}\n`, stderr: '' };
  t.same(await run([place, 'exec', INC]), done);
  t.same(await run([place, 'exec', `<exec>${INC}</exec>`]), done, 'as the seed has it');
  t.same(await run([place, 'exec'], {}, INC), done, 'from standard input');
  t.same(await run([place, 'exec', '-'], {}, `<exec>${INC}</exec>\n`), done);
  t.same(JSON.parse((await run([place, 'exec', INC, '--json'])).stdout), { command: `vmserverd ${place} exec`, ok: true, answer: ANSWER, error: null });

  t.match(await run([place, 'exec', '<op>nosuch</op>']), { code: 1, stdout: /<code>-30<\/code>/, stderr: 'argo: FAILED: there is no operation nosuch (error -30)\n' });
  double.does('inc', { kind: 'fail', code: -5, words: 'no' });
  t.match(await run([place, 'exec', INC]), { code: 3, stdout: /<code>-5<\/code>/, stderr: 'argo: NOT ALLOWED: no (error -5)\n' });
  double.does('inc', { kind: 'cut' });
  t.match(await run([place, 'exec', INC]), { code: 1, stdout: '', stderr: `argo: UNCERTAIN: ${place}: the connection was cut off; it may have been carried out\n` });
  t.same(double.faults, []);

  const { length } = double.calls;
  const { logins } = double;
  for (const bad of ['<op>inc</op>x', '<op>inc', '<op>inc</op><in><exec></exec></in>', `<exec>${INC}</exec><exec>${INC}</exec>`, '<op>inc</op><!-- x -->', '']) {
    t.match(await run([place, 'exec', bad]), { code: 2, stdout: '', stderr: /^argo: BAD REQUEST: .*; nothing was sent\n$/ }, bad);
  }
  t.match(await run([place, 'exec', INC], { ARGO_TLS: undefined }), { code: 1, stdout: '', stderr: /^argo: UNREACHABLE: .* speaks in the clear, .*--no-tls allows it\n$/ });
  t.match(await run([place, 'exec', INC], { ARGO_ACCOUNT: undefined }), { code: 3, stderr: /--account NAME/ });
  t.match(await run([place, 'exec', INC], { ARGO_PASSWORD: undefined }), { code: 3, stderr: /no password of operator/ });
  t.equal(double.logins, logins, 'nobody was told a name or a password');
  t.match(await run([place, 'exec', INC], { ARGO_PASSWORD: 'wrong' }), { code: 3, stderr: `argo: NOT AUTHENTICATED: ${place}: the user or the password is wrong\n` });
  t.equal(double.calls.length, length);

  writeFileSync(join(home, 'password'), 'sesame\n', { mode: 0o600 });
  t.same(await run([place, 'exec', INC], { ARGO_PASSWORD: undefined, ARGO_PASSWORD_FILE: join(home, 'password') }), done);
  t.match(await run(['127.0.0.1:1', 'exec', INC]), { code: 1, stderr: 'argo: UNREACHABLE: 127.0.0.1:1: nobody listens there; nothing was done\n' });
});

void t.test('wrong use of it', async (t) => {
  const home = makeHome(t);
  for (const words of [[], ['gsx1'], ['gsx1', 'run', INC], ['gsx1', 'exec', INC, 'more'], ['gsx1', 'exec', '--odd', INC]]) {
    t.match(await argo(home, ['vmserverd', ...words]), { code: 2, stdout: '', stderr: /argo vmserverd HOST\[:PORT\] exec/ }, words.join(' '));
  }
  t.match(await argo(home, ['vmserverd', '--help']), { code: 0, stdout: /^argo vmserverd HOST\[:PORT\] exec .*\n/, stderr: '' });
});

void t.test('a table of config.toml, and TLS', { skip: lacks('openssl') }, async (t) => {
  const home = makeHome(t);
  const tls = makeCertificate();
  const double = await VmserverdDouble.start({ tls });
  t.teardown(() => double.stop());
  const config = join(home, 'config.toml');
  const table = (more: string): void => writeFileSync(config, `[servers.gsx1]\nserver = "127.0.0.1:${double.port}"\naccount = "operator"\npassword = "sesame"\n${more}\n`, { mode: 0o600 });
  const run = () => argo(home, ['--config', config, 'vmserverd', 'gsx1', 'exec', INC]);
  table(`fingerprint = "SHA256:${tls.fingerprint}"`);
  t.same(await run(), { code: 0, stdout: `${ANSWER}\n`, stderr: '' });
  writeFileSync(join(home, 'ca.pem'), tls.cert);
  table('ca-file = "ca.pem"');
  t.equal((await run()).code, 0);
  const { logins } = double;
  table('');
  t.match(await run(), { code: 1, stdout: '', stderr: new RegExp(`^argo: CERTIFICATE REJECTED: .*SHA256:${tls.fingerprint.replaceAll('+', '\\+')}; nothing was sent`) });
  t.equal(double.logins, logins);
  t.same(await complete(home, 'zsh', ['argo', '--config', config, 'vmserverd', 'g']), { code: 0, stdout: 'gsx1\n', stderr: '' });
  t.same(await complete(home, 'zsh', ['argo', '--config', config, 'vmserverd', 'gsx1', '']), { code: 0, stdout: 'exec\n', stderr: '' });
});

void t.test('a password is asked for without showing it', { skip: lacks('script') }, async (t) => {
  const home = makeHome(t);
  const double = await VmserverdDouble.start();
  t.teardown(() => double.stop());
  const terminal = new Terminal(home, `argo --account operator --no-tls vmserverd 127.0.0.1:${double.port} exec '${INC}'`);
  await terminal.expect(`password of operator at 127.0.0.1:${double.port}: `);
  terminal.send('sesame\r');
  await terminal.expect('<number>43</number>');
  t.equal(await terminal.ended, 0);
  t.notMatch(terminal.screen, /sesame/);
});
