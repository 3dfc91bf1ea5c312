import t from 'tap';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../peers/hosts.js';
import { STEVE_HASH } from '../server/core.js';
import { startDaemon } from '../support/daemon.js';
import { lacks, lacksRoot } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { launchBrowser, listenForFaults, logIn, openContext } from '../support/web/browser.js';

/** A shell on a host, typed into in a real browser: through the real server to a real sshd. */

const WAIT_MS = 60_000;

await t.test('a shell in the browser', { skip: lacksRoot(...HOSTS_PROGRAMS) || lacks('chromium'), timeout: 170_000 }, async (t) => {
  const peer = await HostsPeer.start({ count: 1 });
  t.teardown(() => peer.stop());
  const { name, address } = peer.hosts[0]!;
  const url = `http://127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon({
    listeners: 2,
    config: `[accounts.kim]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.guest]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["read", "power", "console"] }]
[gateways.page]
type = "web"
listen = ["${url.slice('http://'.length)}"]
[providers.rack]
type = "linux"
user = "${ACCOUNTS.bash.name}"
private-key-file = "${peer.privateKeyFile}"
known-hosts-file = "${peer.knownHostsFile}"
shell = true
hosts = [{ name = "${name}", address = "${address}" }]
`,
  });
  t.teardown(() => daemon.stop());
  const browser = await launchBrowser();
  t.teardown(() => browser.close());
  const enter = async (account: string) => {
    const context = await openContext(browser);
    t.teardown(() => context.close());
    const list = await context.newPage();
    await list.goto(url);
    await logIn(list, { account, password: 'steve' });
    await list.locator('.row', { hasText: name }).waitFor({ timeout: WAIT_MS });
    await list.keyboard.press('Enter');
    await list.locator('.drawer h2').waitFor();
    return { context, list };
  };
  const { context, list } = await enter('kim');
  const [page] = await Promise.all([context.waitForEvent('page'), list.getByRole('link', { name: 'Shell' }).click()]);
  const faults = listenForFaults(page);
  await page.locator('.console-bar .live', { hasText: 'open' }).waitFor({ timeout: WAIT_MS });
  const rows = async (): Promise<string> => (await page.locator('.xterm-rows > div').allTextContents()).join('\n');
  await page.keyboard.type('echo who=$(id -un)');
  await page.keyboard.press('Enter');
  await until(async () => (await rows()).includes(`who=${ACCOUNTS.bash.name}`), WAIT_MS, 'an answer of the shell');
  await page.keyboard.type('exit');
  await page.keyboard.press('Enter');
  await page.locator('.console-end').waitFor({ timeout: WAIT_MS });
  await daemon.logs(/"command":"(?:console\.)?shell".*"outcome":"done: \d+ bytes/);
  t.notMatch(daemon.stderr(), /id -un/, 'what was typed is nowhere');
  t.same(faults, []);

  const other = await enter('guest');
  t.equal(await other.list.getByRole('link', { name: 'Shell' }).count(), 0, 'consoles are not shells');
});
