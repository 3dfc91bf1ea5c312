import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Secret } from '../../../src/config/secret.js';
import { orderLine, wordsOf, type Rights } from '../../../src/drivers/linux/orders.js';
import { runProgram, type Outcome } from '../../support/programs.js';
import { until } from '../../support/until.js';

/** The line that a host's login shell gets, tried in real shells with a sudo that tells what it was given. */

const WAIT_MS = 30_000;
const SUDO = `#!/bin/sh
while [ "$1" != -b ]; do
  [ "$1" = -S ] && IFS= read -r password
  shift
done
printf '%s' "$password" > "$ARGO_TEST/password"
shift
[ "$ARGO_TEST_REFUSES" = "" ] || { echo "sudo: $ARGO_TEST_REFUSES" >&2; exit 1; }
"$@" &
`;

const folder = mkdtempSync(join(tmpdir(), 'argo-orders-'));
t.teardown(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, 'sudo'), SUDO, { mode: 0o755 });
const file = join(folder, 'it\'s "done"');
const password = 'it\'s a "pass" $word `id` \\n';
const byPassword: Rights = { by: 'sudo', password: new Secret(password) };

const run = (shell: string, line: string, refuses = ''): Promise<Outcome> => runProgram(shell, ['-c', line], {
  env: { ...process.env, PATH: `${folder}:${process.env.PATH}`, ARGO_TEST: folder, ARGO_TEST_REFUSES: refuses }, input: `${password}\n`,
});

const shells = ['sh', 'bash', 'dash'].filter((shell) => {
  try {
    execFileSync(shell, ['-c', ':']);
    return true;
  } catch {
    return false;
  }
});

for (const shell of shells) {
  await t.test(`by ${shell}`, async (t) => {
    for (const rights of [byPassword, { by: 'nobody' }] as const) {
      writeFileSync(file, '');
      const command = `sleep 0 && printf '%s' "$0 done" > '${file.replace('\'', '\'\\\'\'')}'`;
      const line = orderLine(command, rights);
      t.notMatch(line, /pass|word/, 'no secret in a command line');
      const { code, stdout } = await run(shell, line);
      t.same([code, stdout], [0, '\nargo: accepted\n'], rights.by);
      await until(() => readFileSync(file, 'utf8').endsWith(' done'), WAIT_MS, 'the command to be carried out');
    }
    t.equal(readFileSync(join(folder, 'password'), 'utf8'), password);
    const refused = await run(shell, orderLine('echo never', byPassword), 'a password is required');
    t.same([refused.code, refused.stdout, refused.stderr], [1, '', 'sudo: a password is required\n']);
  });
}

await t.test('without a password sudo must not wait for one', async (t) => {
  t.match(orderLine('shutdown -P +0', { by: 'sudo', password: undefined }), /sudo -n -b sh -c/);
});

await t.test('a host\'s words', async (t) => {
  t.equal(wordsOf('sudo: unable to resolve host h1: Name or service not known\nSorry, try again.\n\nsudo: 1 incorrect password attempt\n'), 'sudo: 1 incorrect password attempt');
  t.equal(wordsOf('argo is not in the sudoers file.\nThis incident has been reported to the administrator.\n'), 'argo is not in the sudoers file.');
  t.equal(wordsOf('x'.repeat(1000)).length, 200);
  t.equal(wordsOf(''), '');
});
