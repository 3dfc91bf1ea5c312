import type { Page } from 'playwright-core';
import t from 'tap';
import { defineKeys } from '../peers/keys-guest.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { STEVE_HASH } from '../server/core.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { lacks, lacksRoot } from '../support/peers.js';
import { freePort } from '../support/ports.js';
import { until } from '../support/until.js';
import { launchBrowser, listenForFaults, logIn, openContext } from '../support/web/browser.js';

/** A real guest's screen and serial console, side by side in a real browser, as the real server serves them. */

const WAIT_MS = 60_000;
const isOpen = (page: Page): Promise<void> => page.locator('.console-bar .live', { hasText: 'open' }).waitFor({ timeout: WAIT_MS });

await t.test('the screen and the serial console of a guest', { skip: lacksRoot(...LIBVIRT_PROGRAMS) || lacks('chromium'), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await defineKeys(peer, 'keys');
  const url = `http://127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon({
    listeners: 2,
    config: `[accounts.kim]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.looker]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["read", "console-view"] }]
[gateways.page]
type = "web"
listen = ["${url.slice('http://'.length)}"]
[providers.kvm1]
type = "libvirt"
uri = "qemu:///system?socket=${peer.socket}"
`,
  });
  t.teardown(() => daemon.stop());
  const line = await connect(daemon.port);
  t.teardown(() => line.destroy());
  await line.ask('auth kim steve');
  t.equal((await line.ask('start keys --wait')).code, 300);
  await peer.guestReady('keys', WAIT_MS);

  const browser = await launchBrowser();
  t.teardown(() => browser.close());
  const faults: string[][] = [];
  /** Logs in, opens the guest's side, and from there its consoles. */
  const enter = async (account: string): Promise<(button: string) => Promise<Page>> => {
    const context = await openContext(browser);
    const list = await context.newPage();
    await list.goto(url);
    await logIn(list, { account, password: 'steve' });
    await list.locator('.row', { hasText: 'keys' }).waitFor({ timeout: WAIT_MS });
    await list.keyboard.press('Enter');
    return async (button) => {
      const [page] = await Promise.all([context.waitForEvent('page'), list.getByRole('link', { name: button }).click()]);
      faults.push(listenForFaults(page));
      return page;
    };
  };
  const open = await enter('kim');
  const screen = await open('Screen');
  await isOpen(screen);
  const drawn = (page: Page): Promise<string> => page.evaluate<string>("document.querySelector('.console-stage canvas').toDataURL()");
  const lit = (page: Page): Promise<number> => page.evaluate<number>("(() => { const c = document.querySelector('.console-stage canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let at = 0; at < d.length; at += 4) if (d[at] > 100) n += 1; return n; })()");
  await until(async () => await lit(screen) > 100, WAIT_MS, 'letters on the screen');

  const serial = await open('Console');
  await isOpen(serial);
  await serial.locator('.console-note', { hasText: 'kim has had it open' }).waitFor();
  const rows = async (): Promise<string> => (await serial.locator('.xterm-rows > div').allTextContents()).join('\n');
  await serial.keyboard.type('here');
  await until(async () => (await rows()).includes('here'), WAIT_MS, 'what was typed on the serial console');

  const before = await drawn(screen);
  await screen.bringToFront();
  await screen.locator('.console-stage canvas').click();
  await screen.keyboard.press('Shift+KeyQ');
  await until(async () => (await rows()).includes('hereQ'), WAIT_MS, `the key from the screen in ${JSON.stringify(await rows())}`);
  await until(async () => (await drawn(screen)) !== before, WAIT_MS, 'the key on the screen');
  const text = 'Mixed {Case} \\| "quoted" ~`#$%^&*()_+-=<>?';
  await screen.getByRole('button', { name: 'Type text …' }).click();
  await screen.getByLabel('The text').fill(text);
  await screen.getByRole('button', { name: 'Type it' }).click();
  await until(async () => (await rows()).includes(text), WAIT_MS, `the text in ${JSON.stringify(await rows())}`);

  const looked = await (await enter('looker'))('Screen');
  t.match(looked.url(), /&view-only=true$/);
  await isOpen(looked);
  await until(async () => await lit(looked) > 100, WAIT_MS, 'letters for who may only look');
  await looked.locator('.console-stage canvas').click();
  await looked.keyboard.press('KeyZ');

  const second = await open('Console');
  await second.locator('.console-end', { hasText: 'Somebody else has it.' }).waitFor({ timeout: WAIT_MS });
  await second.getByRole('button', { name: 'Take it over' }).click();
  await isOpen(second);
  await serial.locator('.console-end').waitFor({ timeout: WAIT_MS });
  t.notMatch(await rows(), /z/, 'and what he has typed went nowhere');

  t.equal((await line.ask('stop keys --force --wait')).code, 300);
  for (const page of [screen, second, looked]) await page.locator('.console-end').waitFor({ timeout: WAIT_MS });
  await screen.locator('.console-end .state.off').waitFor({ timeout: WAIT_MS });
  await daemon.logs(/"options":"--kind=vnc --view-only","outcome":"(?!begun)/);
  await daemon.logs(/"options":"--kind=text --force","outcome":"(?!begun)/);
  t.notMatch(daemon.stdout() + daemon.stderr(), /ticket\.|quoted/, 'neither a ticket nor what was typed is in the log');
  t.same(faults.flat(), []);
});
