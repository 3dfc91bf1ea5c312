import bcrypt from 'bcrypt';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacksXen, startXen, type XenHost } from '../peers/xen/start.js';

const PASSWORD = 'sesame';
/** Milliseconds for what the folder's watch and one poll should bring about. */
const PATIENCE = 30_000;

const configuration = async ({ xl, configDir, saveDir }: XenHost): Promise<string> => `
[accounts.steve]
password = "${await bcrypt.hash(PASSWORD, 12)}"
[[accounts.steve.grants]]
instances = ["*"]
commands = ["*"]
[providers.dom0]
type = "xen"
xl = "${xl}"
config-dir = "${configDir}"
save-dir = "${saveDir}"
`;

void t.test('argo-server on a Xen host', { skip: lacksXen() }, async (t) => {
  const host = await startXen();
  t.teardown(() => host.stop());
  await host.configure('web.cfg', "name = 'web 1'\nkernel = '/k'\nmemory = 64\nvif = [ 'mac=00:16:3E:00:00:01,ip=10.0.0.1' ]\n");
  await host.configure('win.cfg', "type = 'hvm'\nname = 'win'\nmemory = 64\n");
  await host.configure('stubborn.cfg', "name = 'stubborn'\nkernel = '/k'\nmemory = 64\nextra = 'sim.stubborn'\n");
  const daemon = await startDaemon({ config: await configuration(host) });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  const says = async (request: string): Promise<string> => {
    const { body, code, comment } = await client.ask(request);
    return [...body, `${code} ${comment}`].join('\n');
  };
  const done = (...body: string[]): string => [...body, '300 DONE'].join('\n');
  const comes = async (request: string, wanted: string): Promise<void> => {
    const deadline = Date.now() + PATIENCE;
    let said: string;
    while ((said = await says(request)) !== wanted && Date.now() < deadline) await sleep(100);
    t.equal(said, wanted, request);
  };

  await comes('list', done('stubborn', 'web 1', 'win'));
  t.equal(await says('start "web 1"'), '400 NOT AUTHENTICATED');
  t.equal(await says(`auth steve ${PASSWORD}`), done());
  t.equal(await says('start "web 1" win stubborn --wait').then((said) => said.split('\n').sort().join('\n')), ['300 DONE', 'stubborn: done', 'web 1: done', 'win: done'].join('\n'));
  t.equal(await says('start "web 1"'), done(), 'already there is success');
  t.equal(await says('ip "web 1"'), done('10.0.0.1'));
  t.equal(await says('reboot "web 1" --wait'), done());
  t.match(await says('reboot win'), /^400 NOT SUPPORTED: .*PV drivers/);
  t.equal(await says('stop win --wait'), done(), 'its ACPI button is pressed');
  t.match(await says('stop stubborn --wait=1'), /^400 TIMEOUT/);
  t.equal(await says('stop stubborn --timeout=1 --force'), done());
  t.equal(await says('suspend "web 1" --wait'), done());
  t.equal(await says('status *').then((said) => said.split('\n').sort().join('\n')), ['300 DONE', 'stubborn: off', 'web 1: suspended', 'win: off'].join('\n'));
  t.equal(await says('start "web 1" --wait'), done(), 'a suspended machine is resumed');

  await host.faults(['pause', '*', 'ignore']);
  t.match(await says('pause "web 1"'), /^400 FAILED: .*xl reported no error, but it is on/);
  await host.faults(['pause', '*', 'hang']);
  t.match(await says('pause "web 1" --timeout=1'), /^400 (UNCERTAIN|TIMEOUT)/);
  await host.faults();
  t.equal(await says('status "web 1"'), done('on'));

  await host.configure('late.cfg', "name = 'late'\nmemory = [");
  await host.configure('late.cfg', "name = 'late'\nmemory = 64\n");
  await comes('list stopped', done('late', 'stubborn', 'win'));
  await rm(join(host.configDir, 'late.cfg'));
  await comes('list stopped', done('stubborn', 'win'));
  for (const options of ['--wait', '--force --timeout=5', '--force --wait']) {
    await host.configure('late.cfg', "name = 'late'\nmemory = 64\nkernel = '/k'\n");
    await comes('list stopped', done('late', 'stubborn', 'win'));
    t.equal(await says('start late --wait'), done());
    await rm(join(host.configDir, 'late.cfg'));
    t.equal(await says(`stop late ${options}`), done(), `a domain without a configuration is stopped when it is gone: ${options}`);
    await comes('list stopped', done('stubborn', 'win'));
  }
  t.match(await says('stop Domain-0 --force'), /^400 NO SUCH INSTANCE/);
  t.match(await says('stop 0 --force'), /^400 NO SUCH INSTANCE/);
  t.same(await host.violations(), []);
});
