import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readConfig } from '../../src/client/config-file.js';
import { makeHome } from './support/argo.js';

void t.test('a password that others can read is refused', async (t) => {
  const path = join(makeHome(t), 'config.toml');
  const read = (content: string, mode: number) => {
    writeFileSync(path, content);
    chmodSync(path, mode);
    return readConfig(path, '/h');
  };
  t.equal(read('password = "x"', 0o600).base.password, 'x');
  for (const mode of [0o640, 0o604, 0o644, 0o620]) t.throws(() => read('password = "x"', mode), { message: `${path} holds a password and others may read it: chmod 600 ${path}` });
  t.throws(() => read('[servers.a]\npassword = "x"', 0o644), { message: /others may read/ });
  t.equal(read('account = "steve"', 0o644).base.account, 'steve', 'without a password anyone may read it');
  t.throws(() => read('password-command = ["pass"]', 0o622), { message: `${path} names a command to run and others may write it: chmod 600 ${path}` });
  t.same(read('password-command = ["pass"]', 0o644).base['password-command'], ['pass']);
});

void t.test('a file that cannot be read', async (t) => {
  const home = makeHome(t);
  t.throws(() => readConfig(join(home, 'none'), home), { message: `cannot read ${join(home, 'none')} (ENOENT)` });
  t.throws(() => readConfig(home, home), { message: `cannot read ${home} (EISDIR)` });
  writeFileSync(join(home, 'large'), '#'.repeat(300_000));
  t.throws(() => readConfig(join(home, 'large'), home), { message: /larger than/ });
});
