import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, inspect } from 'node:util';
import t from 'tap';
import { readPassword, readSecretFile, Secret } from '../../src/config/secret.js';

const folder = mkdtempSync(join(tmpdir(), 'argo-secret-'));
t.teardown(() => rmSync(folder, { recursive: true }));

await t.test('a secret shows its content when asked for it, and never else', async (t) => {
  const secret = new Secret('hunter2');
  t.equal(secret.reveal(), 'hunter2');
  const shown = [
    String(secret), `${secret}`, JSON.stringify({ secret }), inspect(secret), inspect({ deep: [secret] }, { showHidden: true, depth: 9 }),
    format('%s %o %O %j', secret, secret, secret, secret), JSON.stringify(Object.entries(secret)), new Error(`${secret}`).stack ?? '',
  ];
  for (const text of shown) t.notMatch(text, /hunter2/);
});

await t.test('from a file: one line end at its end does not count', async (t) => {
  const file = join(folder, 'password');
  for (const [content, secret] of [['a b\n', 'a b'], ['x\r\n', 'x'], ['two\n\n', 'two\n'], ['bare', 'bare'], [' blanks ', ' blanks ']] as const) {
    writeFileSync(file, content);
    t.equal(readSecretFile(file).reveal(), secret);
  }
  writeFileSync(file, 'x'.repeat(64 * 1024 + 1));
  t.throws(() => readSecretFile(file), { message: /too large/ });
  t.throws(() => readSecretFile(join(folder, 'absent')), { message: /absent/ });
});

await t.test('a pipe or a device is no file with a secret, and nobody waits for what it may say', (t) => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const file of [pipe, '/dev/zero', folder]) t.throws(() => readSecretFile(file), { message: `${file} is not a regular file` });
  t.end();
});

await t.test('where a password comes from', async (t) => {
  const file = join(folder, 'from-file');
  writeFileSync(file, 'of the file\n');
  t.equal(readPassword({}), undefined);
  t.equal(readPassword({ password: new Secret('of the table'), 'password-file': file })?.reveal(), 'of the table');
  t.equal(readPassword({ 'password-file': file })?.reveal(), 'of the file');
  t.intercept(process, 'env', { value: { ARGO_TEST_SECRET: 'of the environment', ARGO_TEST_EMPTY: '' } });
  t.equal(readPassword({ 'password-env': 'ARGO_TEST_SECRET' })?.reveal(), 'of the environment');
  t.throws(() => readPassword({ 'password-env': 'ARGO_TEST_EMPTY' }), { message: /ARGO_TEST_EMPTY is not set/ });
  t.throws(() => readPassword({ 'password-env': 'ARGO_TEST_ABSENT' }), { message: /ARGO_TEST_ABSENT is not set/ });
});
