import t, { type Test } from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { newSeed, NkeySigner } from '../../src/fleet/signer.js';
import { startDaemon, type Daemon, type DaemonOptions } from '../support/daemon.js';
import { connect, type LineClient } from '../support/line-client.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';

/** A server of a fleet whose bus is not there. With it: test/e2e/fleet-*.test.ts. */

const hash = await hashPassword('secret');
const WITHIN = 60_000;
const own = newSeed();
const other = new NkeySigner(newSeed()).publicKey;
/** Nobody listens there. */
const port = await freePort();

const base = `[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.lab]
type = "sim"
instances = ["a", { name = "b", state = "off" }]
lease = "lab"
`;
const alone = base.replace('lease = "lab"\n', '');
const fleet = (roles: string, more = ''): string => `[fleet]
role = [${roles}]
name = "berlin"
servers = ["nats://localhost:${port}"]
nkey-file = "own.nk"
${more}`;

async function start(t: Test, options: DaemonOptions): Promise<{ daemon: Daemon; client: LineClient; reload: (config: string) => Promise<void> }> {
  const daemon = await startDaemon({ files: { 'own.nk': own }, ...options });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const reload = async (config: string): Promise<void> => {
    const ended = (): number => daemon.stderr().split(/"reloaded"|reload refused/).length;
    const before = ended();
    daemon.reconfigure(config);
    daemon.signal('SIGHUP');
    await until(() => ended() > before, WITHIN, 'the reload');
  };
  return { daemon, client, reload };
}

await t.test('without its bus, a server of a fleet starts, serves its own machines, and ends', { timeout: 180_000 }, async (t) => {
  const site = `[[fleet.sites]]\nname = "munich"\npublic-key = "${other}"\n`;
  const { daemon, client } = await start(t, { config: `${alone}${fleet('"site", "front"', site)}` });
  t.equal(await client.answer('list'), 'a\nb');
  t.equal(await client.answer('stop lab/a --wait'), '');
  let said = '';
  await until(async () => /munich away trouble="[^"]*bus/.test(said = await client.answer('fleet')), WITHIN, 'that the bus is told as not there');
  t.match(said, /trouble="the bus cannot be used: [^"]*: nobody listens there"/, 'in words for people');
  t.notMatch(`${said}${daemon.stderr()}`, /ECONNREFUSED|All promises/);
  const exit = await daemon.stop();
  t.same(exit, { code: 0, signal: null });
  t.notMatch(daemon.stderr(), /uncaught|unhandled/);
});

await t.test('what nobody keeps a lease for is not touched', { timeout: 180_000 }, async (t) => {
  const { client } = await start(t, { config: `${base}${fleet('"site"')}` });
  t.match(await client.answer('start lab/b'), /400 UNREACHABLE: no lease lab/);
  t.equal(await client.answer('status lab/b'), 'off');
});

await t.test('a reload takes a server into a fleet and out of it, and refuses a key that is not there', { timeout: 180_000 }, async (t) => {
  const { daemon, client, reload } = await start(t, { config: alone });
  const isFront = async (): Promise<boolean> => !(await client.ask('fleet')).comment.includes('is no front of a fleet');
  t.notOk(await isFront());
  await reload(`${alone}${fleet('"front"')}`);
  await until(isFront, WITHIN, 'that it is a front');
  await reload(`${alone}${fleet('"front"').replace('own.nk', 'none.nk')}`);
  t.match(daemon.stderr(), /none\.nk cannot be read[^\n]*reload refused/);
  t.ok(await isFront(), 'the former configuration stays');
  await reload(alone);
  await until(async () => !await isFront(), WITHIN, 'that it is none any more');
  t.equal(await client.answer('list'), 'a\nb');
  t.notMatch(daemon.stderr(), /uncaught|unhandled/);
});
