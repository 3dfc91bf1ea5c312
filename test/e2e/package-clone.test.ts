import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { argo, cleanEnvironment, makeHome } from '../client/support/argo.js';
import { ProcessGroup } from '../peers/process-group.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';

/** A clone, with its two commands. What they install and compile first is there already, since each run of the tests begins with that. */

/** On a busy machine, ms. */
const WITHIN_MS = 60_000;

/** npm, which knows nothing of the npm and the test that run this. */
function npm(t: Test, home: string, ...args: readonly string[]): ProcessGroup {
  const env = Object.fromEntries(Object.entries(cleanEnvironment(home)).filter(([name]) => !/^(?:npm_|TAP|NODE_V8_COVERAGE)/.test(name)));
  const group = new ProcessGroup('npm', args, { cwd: fromRoot(), env: { ...env, ARGO_STATE_DIR: home, npm_config_update_notifier: 'false' } });
  t.teardown(() => group.stop());
  return group;
}

await t.test('npm start comes to the first list', async (t) => {
  const home = makeHome(t);
  const server = npm(t, home, 'start', '--', '--listen', '127.0.0.1:0');
  const found = (pattern: RegExp): string | undefined => pattern.exec(server.output)?.[1];
  const file = (): string | undefined => found(/The account admin was made\. Its password is in (\S+), for this user alone/);
  await until(() => file() !== undefined || server.ended, WITHIN_MS, 'a server that says how to log in');
  const address = found(/argo-server \S+ listens on (127\.0\.0\.1:\d+)/);
  t.ok(address, server.output);
  const env = { ARGO_SERVER: address, ARGO_ACCOUNT: 'admin', ARGO_PASSWORD: readFileSync(file()!, 'utf8').trim() };
  const listed = await argo(home, ['list'], { env });
  t.match(listed, { code: 0, stdout: /^\S/, stderr: '' });
  t.match(await argo(home, ['status', listed.stdout.split('\n')[0]!], { env }), { code: 0, stdout: /^\w+\n$/ });
  server.signal('SIGINT');
  await until(() => server.ended, WITHIN_MS, 'its end, as by Ctrl-C');
});

await t.test('npm test runs tests', async (t) => {
  const run = npm(t, makeHome(t), 'test', '--', '--no-lint', 'test/kit/words.test.ts');
  await until(() => run.ended, WITHIN_MS, 'its end');
  t.match(run.output, /^[1-9]\d* passed, 0 failed, 0 skipped$/m);
});
