import { rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { startDaemon, type Daemon, type DaemonOptions } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { until } from '../support/until.js';

/** Plans and triggers through a daemon's reloads, its end and its next start. */

const hash = await hashPassword('secret');
const WITHIN = 60_000;

const config = (triggers: string, plans = '[plans.off]\naccount = "admin"\nstages = [{ name = "one", stop = ["a"] }, { name = "two", stop = ["b"], after = ["one"] }]\n'): string => `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.lab]
type = "sim"
instances = ["a", "b"]
latency = "400ms"
${plans}${triggers}`;

const nightly = (cron: string): string => `[triggers.nightly]\ntype = "schedule"\ncron = "${cron}"\ntime-zone = "UTC"\nplan = "off"\n`;

async function start(t: Test, options: DaemonOptions): Promise<{ daemon: Daemon; client: LineClient }> {
  const daemon = await startDaemon(options);
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  return { daemon, client };
}

await t.test('triggers are opened, kept, changed and closed by a reload', { timeout: 180_000 }, async (t) => {
  const { daemon, client } = await start(t, { config: config(nightly('30 22 * * *')) });
  const triggers = (): Promise<string> => client.answer('plan triggers');
  await until(async () => /now="next .*T22:30:00/.test(await triggers()), WITHIN, 'the time that is due next');
  const reload = async (text: string): Promise<void> => {
    const before = daemon.stderr().split('"reloaded"').length;
    daemon.reconfigure(text);
    daemon.signal('SIGHUP');
    await until(() => daemon.stderr().split('"reloaded"').length > before, WITHIN, 'the reload');
  };
  await reload(config(`${nightly('15 3 * * *')}[triggers.heat]\ntype = "command"\ncommand = ["/bin/true"]\nplan = "off"\n`));
  await until(async () => /^nightly schedule plans=off now="next .*T03:15:00[^\n]*\nheat command plans=off now=/.test(await triggers()), WITHIN, 'both as they are now');
  await reload(config(''));
  await until(async () => await triggers() === '', WITHIN, 'that there is none');
  t.equal(await client.answer('plan'), 'off idle');
  await reload(config('', ''));
  t.equal(await client.answer('plan'), '', 'and no plan');
  t.equal(await client.answer('plan run off'), '400 NO SUCH PLAN: off');
});

await t.test('a server that is told to end in the middle of a plan goes on with it when it starts again', { timeout: 180_000 }, async (t) => {
  const first = await startDaemon({ config: config('') });
  t.teardown(() => rmSync(first.folder, { recursive: true, force: true }));
  const one = await connect(first.port);
  t.teardown(() => one.destroy());
  await one.ask('auth admin secret');
  const run = /^run (\w{8}) /.exec(await one.answer('plan run off'))?.[1] ?? '';
  await until(async () => /^target one lab\/a stop sent$/m.test(await one.answer('plan status off')), WITHIN, 'its first order');
  const follower = await connect(first.port);
  t.teardown(() => follower.destroy());
  await follower.ask('auth admin secret');
  follower.line(`plan status ${run} --follow`);
  await follower.expect(`run ${run} off running`);
  first.signal('SIGTERM');
  t.match(await follower.expect(/^(?:300|400).*\n/m), /\n400 SHUTTING DOWN\n$/, 'whoever follows it is told to come again');
  await first.exited;
  t.notMatch(first.stderr(), '"run of a plan has ended"', 'it does not say that it has ended');
  // also where the plans are gone from the configuration meanwhile
  const { client, daemon } = await start(t, { config: config('', ''), folder: first.folder });
  t.ok(await daemon.logs('runs of plans have not ended, and no plan is configured'));
  await until(async () => new RegExp(`^run ${run} off done `).test(await client.answer(`plan status ${run}`)), WITHIN, 'its end');
  t.match(await client.answer(`plan status ${run}`), /^target one lab\/a stop (?:done|already)\ntarget two lab\/b stop done$/m);
  t.equal(await client.answer('status b'), 'off', 'what was left was done by the next server; machines that are simulated begin anew with it');
});
