import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Secret } from '../../../src/config/secret.js';
import { giveOrder, orderLine, refusalOfSudo, SudoPasswords, wordsOf, type Rights } from '../../../src/drivers/linux/power.js';
import { parseUptime, parseVitals, vitalsCommand } from '../../../src/drivers/linux/vitals.js';
import { quote } from '../../../src/protocols/ssh/connection.js';
import { SshSession } from '../../../src/protocols/ssh/session.js';
import { exit, serve } from '../../protocols/ssh/server.js';
import { lacks } from '../../support/peers.js';
import { runProgram, type Outcome } from '../../support/programs.js';
import { until } from '../../support/until.js';
import { outcome, soon } from '../driving.js';

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

/** Login shells of all kinds; busybox is several programs in one. */
const SHELLS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  sh: ['sh'], bash: ['bash'], dash: ['dash'], zsh: ['zsh'], tcsh: ['tcsh'], fish: ['fish'], busybox: ['busybox', 'sh'],
};

for (const [name, [program, ...first]] of Object.entries(SHELLS)) {
  const skip = lacks(program);
  const run = (line: string, refuses = ''): Promise<Outcome> => runProgram(program, [...first, '-c', line], {
    env: { ...process.env, HOME: folder, PATH: `${folder}:${process.env.PATH}`, ARGO_TEST: folder, ARGO_TEST_REFUSES: refuses }, input: `${password}\n`,
  });

  await t.test(`by ${name}`, { skip }, async (t) => {
    for (const rights of [byPassword, { by: 'nobody' }] as const) {
      writeFileSync(file, '');
      const command = `sleep 0 && printf '%s' "$0 done" > '${file.replace('\'', '\'\\\'\'')}'`;
      const line = orderLine(command, rights);
      t.notMatch(line, /pass|word/, 'no secret in a command line');
      const { code, stdout } = await run(line);
      t.same([code, stdout], [0, '\nargo: accepted\n'], rights.by);
      await until(() => readFileSync(file, 'utf8').endsWith(' done'), WAIT_MS, 'the command to be carried out');
    }
    t.equal(readFileSync(join(folder, 'password'), 'utf8'), password);
    const refused = await run(orderLine('echo never', byPassword), 'a password is required');
    t.same([refused.code, refused.stdout, refused.stderr], [1, '', 'sudo: a password is required\n']);
  });

  await t.test(`words that ${name} must leave alone`, { skip }, async (t) => {
    for (const word of ['it\'s', '!x !! a!b', '\\', '\\\\ \\', 'end\\', '\\\'', '\'\\', '$HOME `id` $(id) "x" *?[]{}~^#;&|<>%', '', ' a  b ', '\\n\\t', 'ä€😀']) {
      const nested = quote(`printf %s ${quote(word)}`);
      const { code, stdout, stderr } = await run(`sh -c ${nested}`);
      t.same([code, stdout, stderr], [0, word, ''], JSON.stringify(word));
    }
    const { stdout } = await run(`sh -c ${quote(vitalsCommand('printf "%s\\n" \'12.5\' # it\'s'))}`);
    t.equal(parseUptime(parseVitals(stdout).uptime), 12.5, 'the readings, and a configured command in them');
  });
}

await t.test('without a password sudo must not wait for one', async (t) => {
  t.match(orderLine('shutdown -P +0', { by: 'sudo', password: undefined }), /sudo -n -b sh -c/);
});

await t.test('how the line ends', async (t) => {
  const rights: Rights = { by: 'sudo', password: undefined };
  for (const [code, phrase, detail] of [
    [1, 'ACCESS DENIED', /not in the sudoers/], [127, 'FAILED', /not in the sudoers/], [0, 'FAILED', /did not run the order/],
    // as of a host that takes its sessions down before the line is through
    [128 + 15, 'UNCERTAIN', /exit status 143/], [128 + 9, 'UNCERTAIN', /exit status 137/],
  ] as const) {
    const server = await serve(t, { commands: { [orderLine('poweroff', rights)]: (channel) => exit(channel, code, '', 'argo is not in the sudoers file.\n') } });
    const session = new SshSession(() => server.options());
    t.teardown(() => session.close());
    const order = giveOrder(session, { command: 'poweroff', rights, passwords: new SudoPasswords(`argo@${code}`), signal: soon(), timeout: WAIT_MS, onComplaint: () => undefined });
    t.match(await outcome(order), { phrase, detail }, String(code));
  }
});

await t.test('a password that sudo refused is held back', async (t) => {
  const passwords = new SudoPasswords('argo@one.example:22', { first: 60_000, longest: 60_000, known: 60_000 });
  let asked = 0;
  const ask = (given: string, stderr: string) => passwords.use({ by: 'sudo', password: new Secret(given) }, ({ stdin }) => {
    asked += 1;
    t.equal(stdin, `${given}\n`);
    if (stderr !== '') throw refusalOfSudo(stderr, wordsOf(stderr));
    return Promise.resolve('done');
  }).catch((error: unknown) => (error as Error).message);
  const wrong = 'Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n';
  t.match(await ask('wrong', wrong), /^ACCESS DENIED: .*1 incorrect password attempt; not tried again before /);
  t.match(await ask('wrong', ''), /not tried again before/);
  t.equal(asked, 1, 'it was shown to the host once');
  t.equal(await ask('right', ''), 'done', 'another is tried at once');
  for (let time = 0; time < 2; time += 1) {
    t.equal(await ask('other', 'argo is not in the sudoers file.\n'), 'ACCESS DENIED: argo is not in the sudoers file.');
  }
  t.equal(asked, 4, 'what is no matter of the password is asked again');
});

await t.test('a host\'s words', async (t) => {
  t.equal(wordsOf('sudo: unable to resolve host h1: Name or service not known\nSorry, try again.\n\nsudo: 1 incorrect password attempt\n'), 'sudo: 1 incorrect password attempt');
  t.equal(wordsOf('argo is not in the sudoers file.\nThis incident has been reported to the administrator.\n'), 'argo is not in the sudoers file.');
  t.equal(wordsOf('x'.repeat(1000)).length, 200);
  t.equal(wordsOf(''), '');
});
