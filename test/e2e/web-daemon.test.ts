import t, { type Test } from 'tap';
import type { Browser, Page } from 'playwright-core';
import { hashPassword } from '../../src/auth/passwords.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { startDaemon, type Daemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacks, lacksRoot } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { launchBrowser, listenForFaults, logIn, openContext } from '../support/web/browser.js';

/** The page as the real server serves it, in a real browser, driven as people drive it. */

const WITHIN = 60_000;
const hash = await hashPassword('secret');

const accounts = (tenant: string): string => `
[accounts.admin]
password = "${hash}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.tenant]
password = "${hash}"
grants = [{ instances = ["${tenant}"], commands = ["read", "power"] }]
`;
const gateway = (port: number): string => `[gateways.page]\ntype = "web"\nlisten = ["127.0.0.1:${port}"]\n`;

const press = async (page: Page, ...keys: string[]): Promise<void> => { for (const key of keys) await page.keyboard.press(key); };
const shows = (page: Page, css: string, words: string | RegExp, within = WITHIN): Promise<void> =>
  page.locator(css).filter({ hasText: words }).first().waitFor({ timeout: within });
const names = (page: Page): Promise<string[]> => page.locator('.row:not([hidden]) .c-name').allTextContents();
/** The row of a machine with its state. */
const row = (page: Page, name: string, state: string): Promise<void> =>
  page.locator('.row:not([hidden])', { has: page.locator('.c-name', { hasText: new RegExp(`^${name}$`) }) }).filter({ hasText: state }).waitFor({ timeout: WITHIN });

/** Logs in by hand. */
async function enter(t: Test, browser: Browser, url: string, account: string): Promise<{ readonly page: Page; readonly faults: string[] }> {
  const context = await openContext(browser);
  t.teardown(() => context.close());
  const page = await context.newPage();
  const faults = listenForFaults(page);
  await page.goto(url);
  await logIn(page, { account, password: 'secret' });
  return { page, faults };
}

void t.test('the page of a daemon with simulated machines', { skip: lacks('chromium'), timeout: 170_000 }, async (t) => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = `${accounts('lab/web01')}${gateway(port)}
[groups]
web = ["lab/web*"]
[providers.lab]
type = "sim"
instances = [${Array.from({ length: 40 }, (_, index) => `"web${String(index + 1).padStart(2, '0')}"`).join(', ')}, "<i>odd</i>"]
faults = { web07 = "deaf", web09 = "hang" }
[plans.evening]
account = "admin"
stages = [{ name = "web", stop = ["web0[1-3]"], soft = "5s" }]
`;
  const daemon = await startDaemon({ config, listeners: 2 });
  t.teardown(() => daemon.stop());
  const browser = await launchBrowser();
  t.teardown(() => browser.close());
  const { page, faults } = await enter(t, browser, url, 'admin');

  await t.test('forty are stopped in few keystrokes, and the one that does not is told', async (t) => {
    await press(page, '/');
    await page.keyboard.type('@web -web09');
    await press(page, 'Enter');
    await until(async () => (await page.locator('.foot b').textContent())?.startsWith('39') === true, WITHIN, '39 machines');
    await press(page, 'a', 'p');
    await shows(page, '.sums', '39 will be stopped');
    await page.getByText('then pull the plug').click();
    await page.locator('dialog input[type=number], dialog .ways input[inputmode=numeric]').first().fill('1');
    const typed = page.locator('.type input');
    if (await typed.count() > 0) await typed.fill('39');
    await page.locator('dialog button.primary, dialog button.danger').last().click();
    await shows(page, '.bar', '39 of 39');
    const line = await connect(daemon.port);
    t.teardown(() => line.socket.destroy());
    await line.ask('auth admin secret');
    t.equal(await line.answer('list running'), 'lab/<i>odd</i>', 'as the line protocol has it: one is on, and of one nobody knows');
    await press(page, 'Escape');
    t.match(await line.answer('start web0[1-6] --wait'), 'web01: done');
    await press(page, '/');
    await page.keyboard.press('ControlOrMeta+a');
    await page.keyboard.type('web0');
    await press(page, 'Enter');
    await row(page, 'web01', 'on');
    await page.getByRole('button', { name: 'Clear' }).click();
  });

  await t.test('one that hangs holds nobody up, and is not called off', async (t) => {
    await page.evaluate("location.hash = 'q=web09'");
    await until(async () => (await names(page)).join() === 'web09', WITHIN, 'the one machine');
    await press(page, 'p');
    await page.locator('dialog').waitFor();
    const line = await connect(daemon.port);
    t.teardown(() => line.socket.destroy());
    const began = performance.now();
    t.equal((await line.ask('nop')).code, 300);
    t.ok(performance.now() - began < 5000);
    await shows(page, '.targets', 'TIMEOUT');
    await press(page, 'Escape');
    await row(page, 'web09', 'unknown');
  });

  await t.test('a machine\'s side and its history', async () => {
    await page.evaluate("location.hash = 'machine=lab/web02'");
    await shows(page, '.drawer h2', 'web02');
    await shows(page, '.facts', 'simulated');
    await page.getByRole('tab', { name: 'Activity' }).click();
    await shows(page, '.timeline', /start --wait done by admin/);
    await page.getByRole('tab', { name: 'Audit' }).click();
    await shows(page, '.drawer', /from 127\.0\.0\.1/);
    await press(page, 'Escape');
  });

  await t.test('a plan is run and shown', async () => {
    await page.evaluate("location.hash = 'view=plans'");
    await page.getByRole('button', { name: 'evening' }).click();
    await page.getByRole('button', { name: 'Run …' }).click();
    await shows(page, 'dialog .targets', 'clean shutdown');
    await page.getByRole('button', { name: 'Run plan' }).click();
    await shows(page, '.stage', /3 of 3|done/);
  });

  await t.test('a tenant sees one machine, also live, and nothing that is not offered', async (t) => {
    const tenant = await enter(t, browser, url, 'tenant');
    t.same(await names(tenant.page), ['web01']);
    await row(tenant.page, 'web01', 'off');
    await page.evaluate("location.hash = 'q=web01'");
    await until(async () => (await names(page)).join() === 'web01', WITHIN, 'the one machine');
    await press(page, 's');
    await page.locator('dialog button.primary').click();
    await row(tenant.page, 'web01', 'on');
    await press(page, 'Escape');
    t.equal(await tenant.page.locator('.rail button', { hasText: 'Plans' }).count(), 0);
    await tenant.page.evaluate("location.hash = 'view=audit'");
    await tenant.page.locator('tbody tr').first().waitFor();
    t.notMatch(await tenant.page.locator('tbody').textContent(), 'admin', 'who else did it is not told');
    t.same(tenant.faults, []);
  });

  await t.test('a daemon that is killed and started again', async (t) => {
    await page.evaluate("location.hash = 'q='");
    process.kill(daemon.pid, 'SIGKILL');
    await daemon.exited;
    await page.locator('.lost-note').waitFor();
    const again: Daemon = await startDaemon({ config, folder: daemon.folder, listeners: 2 });
    t.teardown(() => again.stop());
    await page.locator('.lost-note').waitFor({ state: 'detached', timeout: WITHIN });
    await row(page, 'web10', 'on');
    t.equal(await page.getByLabel('Password').count(), 0, 'nobody has to log in again');
    again.reconfigure(config.replaceAll('admin', 'other'));
    again.signal('SIGHUP');
    await page.getByLabel('Password').waitFor({ timeout: WITHIN });
    t.equal(await page.locator('.row').count(), 0, 'with the account all goes out of sight');
  });
  t.same(faults.filter((fault) => !fault.includes('ERR_CONNECTION_REFUSED')), [], 'no error and nothing that the policy forbids');
});

void t.test('the page with real guests', { skip: lacks('chromium') || lacksRoot(...LIBVIRT_PROGRAMS), timeout: 280_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await peer.defineTiny('tiny');
  await peer.defineTiny('other');
  await peer.defineDeaf('deaf');
  const port = await freePort();
  const daemon = await startDaemon({ config: `${accounts('tiny')}${gateway(port)}[providers.kvm]\ntype = "libvirt"\nuri = "qemu:///system?socket=${peer.socket}"\n`, listeners: 2 });
  t.teardown(() => daemon.stop());
  const browser = await launchBrowser();
  t.teardown(() => browser.close());
  const { page, faults } = await enter(t, browser, `http://127.0.0.1:${port}`, 'admin');
  const state = async (name: string): Promise<string> => (await peer.virsh('domstate', name)).stdout.trim();

  await press(page, 'a', 's');
  await shows(page, '.sums', '3 will be started');
  await press(page, 'Enter');
  await shows(page, '.bar', '3 of 3');
  await press(page, 'Escape');
  for (const name of ['tiny', 'other', 'deaf']) {
    await row(page, name, 'on');
    t.equal(await state(name), 'running', name);
  }
  await Promise.all(['tiny', 'other'].map((name) => peer.guestReady(name)));

  await peer.virsh('suspend', 'other');
  await row(page, 'other', 'paused');
  await peer.virsh('resume', 'other');
  await row(page, 'other', 'on');

  await press(page, 'p');
  await shows(page, '.sums', '3 will be stopped');
  await page.getByText('then pull the plug').click();
  await page.locator('dialog input[type=number], dialog .ways input[inputmode=numeric]').first().fill('20');
  const typed = page.locator('.type input');
  if (await typed.count() > 0) await typed.fill('3');
  await page.locator('dialog button.primary, dialog button.danger').last().click();
  await shows(page, '.bar', '3 of 3', 120_000);
  for (const name of ['tiny', 'other', 'deaf']) {
    t.equal(await state(name), 'shut off', name);
    await row(page, name, 'off');
  }
  await page.keyboard.press('Escape');
  await page.evaluate("location.hash = 'machine=kvm/deaf'");
  await page.getByRole('tab', { name: 'Audit' }).click();
  await shows(page, '.drawer', /stop/);
  t.same(faults, []);
});
