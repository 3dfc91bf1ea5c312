import t from 'tap';
import { behindSudo } from '../../../src/drivers/management/host-commands.js';

/** What sudo(8) and sudo-rs say where they do not run a command. */

const ended = (code: number, stderr: string) => ({ code, signal: undefined, stdout: '', stderr, truncated: false });

await t.test('refused', async (t) => {
  for (const words of [
    'sudo: a password is required\n',
    'sudo: unable to resolve host lj: Name or service not known\nsudo: a password is required\n',
    'argo is not in the sudoers file.\nThis incident has been reported to the administrator.\n',
    'Sorry, user argo is not allowed to execute \'/usr/sbin/vgs\' as root on lj.\n',
  ]) t.throws(() => behindSudo(ended(1, words)), { message: /^ACCESS DENIED: that needs root: / }, words);
  for (const words of ['sudo: not found\n', 'sh: 1: exec: sudo: not found\n']) t.throws(() => behindSudo(ended(127, words)), { message: /^ACCESS DENIED: that needs root/ }, words);
});

await t.test('run', async (t) => {
  t.match(behindSudo(ended(1, 'sudo: vgs: command not found\n')), { code: 127 });
  for (const result of [ended(0, ''), ended(1, 'no such group\n'), ended(5, 'x\n'), ended(1, 'sudo: unable to resolve host lj: Name or service not known\nno such group\n')]) {
    t.equal(behindSudo(result), result);
  }
});
