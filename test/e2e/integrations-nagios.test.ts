import { existsSync } from 'node:fs';
import t from 'tap';
import { lacks } from '../support/peers.js';
import { runProgram } from '../support/programs.js';
import { runSessions } from '../support/sessions.js';
import { PYTHON, startIntegrated } from './support/integrations.js';

/** Of Debian's monitoring-plugins: it calls a plugin as Nagios does, and turns its result round. */
const NEGATE = '/usr/lib/nagios/plugins/negate';
const skip = existsSync(PYTHON) && existsSync(NEGATE) ? false : lacks('python3', 'negate');

/** For one check, where many run at a time on a busy machine. */
const WITHIN_S = 120;

const TABLES = `
[providers.demo]
type = "sim"
instances = ["lj", { name = "test", state = "off" }, "web1", { name = "web2", state = "off" }, "web3", "web4", "hung"]
faults = { hung = "error" }
`;

await t.test('check_argo', { skip }, async (t) => {
  const { env, etc, port } = await startIntegrated(t, { name: 'nagios', instances: ['*'], commands: ['read'] }, TABLES);
  const check = (...args: string[]) => runProgram('check_argo', ['-t', `${WITHIN_S}`, ...args], { env });

  await t.test('the document\'s sessions are true', (t) => runSessions(t, 'docs/integrations/nagios.md', { here: { 20203: `${port}`, '/etc/argo': etc }, env }));

  await t.test('what is not known decides nothing that it must not', async (t) => {
    const cases: readonly (readonly [number, string, ...string[]])[] = [
      [3, 'its state decides', 'hung'],
      [3, 'unknown is not off', 'hung', '--ok', 'off'],
      [2, 'one is wrong in any case', 'hung', 'test'],
      [3, 'good, or a warning', 'hung', 'lj', '-w', '0', '-c', '1'],
      [1, 'a warning, or worse', 'hung', 'test', '-w', '0', '-c', '1'],
      [0, 'good in any case', 'hung', 'lj', '-c', '@5:9'],
    ];
    await Promise.all(cases.map(async ([code, why, ...args]) => t.equal((await check(...args)).code, code, why)));
  });

  await t.test('what is wrong with the question is UNKNOWN', async (t) => {
    const questions = [
      ['nobody'], ['nothing*'], ['--ok', 'of', 'lj'], ['--ok', 'unknown', 'lj'], ['-c', 'x', 'lj'], ['-t', '0', 'lj'], ['--nonsense'], ['--help'], ['-V'], ['two\nlines'],
      ['-p', `${etc}/none`, 'lj'], ['-H', ':7', 'lj'], ['--fingerprint', 'x', 'lj'],
    ];
    await Promise.all(questions.map(async (args) => {
      const { code, stdout, stderr } = await check(...args);
      t.equal(code, 3, args.join(' '));
      t.match(stdout, /^(?:ARGO UNKNOWN|usage:|check_argo of)/, args.join(' '));
      t.equal(stderr, '');
    }));
  });

  await t.test('a login that is refused', async (t) => {
    const refused = (...args: string[]) => runProgram('check_argo', args, { env: { ...env, ARGO_PASSWORD: 'wrong' } });
    t.match(await refused('lj'), { code: 3, stdout: 'ARGO UNKNOWN - NOT AUTHENTICATED\n' });
    t.match(await refused(), { code: 2, stdout: 'ARGO CRITICAL - NOT AUTHENTICATED\n' });
  });

  await t.test('as Nagios calls it', async (t) => {
    const negated = await runProgram(NEGATE, ['-s', 'check_argo', 'test'].map((word) => (word === 'check_argo' ? env.PATH!.split(':').map((folder) => `${folder}/${word}`).find(existsSync)! : word)), { env });
    t.match(negated, { code: 0, stdout: /^ARGO OK - test is off \| 'wrong'=1;;0;0;1 / });
    const { stdout } = await check('-v', 'web*', 'lj');
    t.match(stdout, /^lj: on$/m);
    for (const figure of stdout.split('\n')[0]!.split(' | ')[1]!.split(' ')) t.match(figure, /^'[a-z]+'=\d+(?:;[^;]*){0,4}$/);
  });
});
