import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connect } from '../support/line-client.js';
import { fromRoot } from '../support/paths.js';
import { lacks, which } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { runProgram } from '../support/programs.js';
import { runSessions } from '../support/sessions.js';
import { until } from '../support/until.js';
import { PASSWORD, startIntegrated, type Integrated } from './support/integrations.js';

const skip = lacks('powermand', 'powerman');
const WITHIN_MS = 60_000;
/** argo.dev's own, s. What is refused takes as long. */
const TIMEOUT = 'timeout 30';

const TABLES = `
[providers.demo]
type = "sim"
instances = ["lj", "builder", "dev", { name = "kept", state = "suspended" }, "hung"]
faults = { dev = "deaf", hung = "error" }
`;
const PLUGS = ['lj', 'builder', 'dev'];
const COMMANDS = ['status', 'start', 'stop', 'reboot'];

/** Debian's powermand with argo.dev, and what its client says. */
async function startPowermand(t: Test, daemon: Integrated, plugs: readonly string[], change = (device: string): string => device) {
  const port = await freePort();
  const device = readFileSync(fromRoot('integrations', 'powerman', 'argo.dev'), 'utf8').replace('auth powerman secret', `auth powerman ${PASSWORD}`);
  const [deviceFile, config] = [join(daemon.etc, `argo-${port}.dev`), join(daemon.etc, `powerman-${port}.conf`)];
  writeFileSync(deviceFile, change(device), { mode: 0o600 });
  writeFileSync(config, [
    `listen "127.0.0.1:${port}"`, `include "${deviceFile}"`, `device "argo" "argo" "127.0.0.1:${daemon.port}"`, ...plugs.map((plug) => `node "${plug}" "argo" "${plug}"`), '',
  ].join('\n'));
  const child = spawn(which('powermand') ?? '', ['-f', '-c', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said = (said + text).slice(-10_000); });
  const ended = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const ask = async (...args: string[]): Promise<string> => (await runProgram('powerman', ['-h', `127.0.0.1:${port}`, ...args])).stdout;
  await until(async () => /^on:/m.test(await ask('-q')), WITHIN_MS, 'powermand').catch((error: unknown) => { throw new Error(said, { cause: error }); });
  return { ask, port };
}

await t.test('a real powermand', { skip }, async (t) => {
  const daemon = await startIntegrated(t, { name: 'powerman', instances: PLUGS, commands: COMMANDS }, TABLES);
  const { port } = await startPowermand(t, daemon, PLUGS);

  await runSessions(t, 'docs/integrations/powerman.md', { here: { '$ powerman ': `$ powerman -h 127.0.0.1:${port} ` }, env: daemon.env });
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  await client.ask(`auth powerman ${PASSWORD}`);
  t.same((await client.ask('status lj builder dev')).body.toSorted(), ['builder: on', 'dev: off', 'lj: on'], 'so says the server');
});

await t.test('what is not off is never shown as off', { skip }, async (t) => {
  const daemon = await startIntegrated(t, { name: 'powerman', instances: ['lj', 'kept', 'hung'], commands: COMMANDS }, TABLES);
  const { ask } = await startPowermand(t, daemon, ['lj', 'kept', 'hung'], (device) => device.replace(TIMEOUT, 'timeout 3'));
  t.match(await ask('-q'), /^on: +kept,lj\noff: +\nunknown: +hung\n/);
  t.match(await ask('-q', 'hung'), /^on: +\noff: +\nunknown: +hung\n/, 'one by one, too');
  t.notMatch(await ask('-0', 'hung'), /successfully/, 'an order that fails is no success');
  await until(async () => /successfully/.test(await ask('-0', 'kept')), WITHIN_MS, 'the device after it has connected anew');
  t.match(await ask('-q', 'kept'), /^off: +kept$/m);
});

await t.test('without status_all the account may see more', { skip }, async (t) => {
  const daemon = await startIntegrated(t, { name: 'powerman', instances: ['*'], commands: COMMANDS }, TABLES);
  const { ask } = await startPowermand(t, daemon, ['lj'], (device) => device.replace(/\tscript status_all \{[^]*?\n\t\}\n/, ''));
  t.match(await ask('-q'), /^on: +lj\noff: +\nunknown: +\n/);
});
