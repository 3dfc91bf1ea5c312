import t from 'tap';
import { defineKeys } from '../peers/keys-guest.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { STEVE_HASH, startCore } from '../server/core.js';
import { lacks, lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { launchBrowser, listenForFaults, openContext } from '../support/web/browser.js';
import { sideFor } from '../support/web/consoles.js';
import { LINK_CODE, WebDouble } from '../support/web/double.js';

/** A real guest's screen and serial console, side by side in a real browser. */

const WAIT_MS = 60_000;

await t.test('the screen and the serial console of a guest', { skip: lacksRoot(...LIBVIRT_PROGRAMS) || lacks('chromium'), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  t.teardown(() => peer.stop());
  await defineKeys(peer, 'keys');
  const core = await startCore(t, {
    config: `[server]\nlisten = ["127.0.0.1:0"]\n[accounts.kim]\npassword = "${STEVE_HASH}"\ngrants = [{ instances = ["*"], commands = ["*"] }]\n[providers.kvm1]\ntype = "libvirt"\nuri = "qemu:///system?socket=${peer.socket}"\n`,
  });
  const kim = core.gate.actor({ identity: (await core.session('kim')).identity, through: undefined, origin: '127.0.0.1:1 page' });
  const [guest] = (await kim.select(['keys'])).instances;
  await kim.power(guest!, { action: 'start', mode: 'soft', wait: WAIT_MS });
  await peer.guestReady('keys', WAIT_MS);

  const double = new WebDouble();
  double.consoles = sideFor(t, () => kim);
  await double.start();
  const browser = await launchBrowser();
  t.teardown(async () => { await browser.close(); await double.stop(); });
  const context = await openContext(browser);
  const screen = await context.newPage();
  const faults = listenForFaults(screen);
  await screen.goto(`${double.url}/#login=${LINK_CODE}`);
  await screen.locator('.row').first().waitFor();
  await screen.goto(`${double.url}/console/#instance=keys&kind=vnc`);
  await screen.locator('.console-bar .live', { hasText: 'open' }).waitFor({ timeout: WAIT_MS });
  const drawn = (): Promise<string> => screen.evaluate<string>("document.querySelector('.console-stage canvas').toDataURL()");
  const lit = (): Promise<number> => screen.evaluate<number>("(() => { const c = document.querySelector('.console-stage canvas'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let at = 0; at < d.length; at += 4) if (d[at] > 100) n += 1; return n; })()");
  await until(async () => await lit() > 100, WAIT_MS, 'letters on the screen');

  const serial = await context.newPage();
  faults.push(...listenForFaults(serial));
  await serial.goto(`${double.url}/console/#instance=keys&kind=text`);
  await serial.locator('.console-bar .live', { hasText: 'open' }).waitFor({ timeout: WAIT_MS });
  await serial.locator('.console-note', { hasText: 'kim has had it open' }).waitFor();
  const rows = async (): Promise<string> => (await serial.locator('.xterm-rows > div').allTextContents()).join('\n');
  await serial.keyboard.type('here');
  await until(async () => (await rows()).includes('here'), WAIT_MS, 'what was typed on the serial console');

  const before = await drawn();
  await screen.bringToFront();
  await screen.locator('.console-stage canvas').click();
  await screen.keyboard.press('Shift+KeyQ');
  await until(async () => (await rows()).includes('hereQ'), WAIT_MS, `the key from the screen in ${JSON.stringify(await rows())}`);
  await until(async () => (await drawn()) !== before, WAIT_MS, 'the key on the screen');
  const text = 'Mixed {Case} \\| "quoted" ~`#$%^&*()_+-=<>?';
  await screen.getByRole('button', { name: 'Type text …' }).click();
  await screen.getByLabel('The text').fill(text);
  await screen.getByRole('button', { name: 'Type it' }).click();
  await until(async () => (await rows()).includes(text), WAIT_MS, `the text in ${JSON.stringify(await rows())}`);

  const second = await context.newPage();
  await second.goto(`${double.url}/console/#instance=keys&kind=text`);
  await second.locator('.console-end', { hasText: 'Somebody else has it.' }).waitFor({ timeout: WAIT_MS });
  await second.getByRole('button', { name: 'Take it over' }).click();
  await second.locator('.console-bar .live', { hasText: 'open' }).waitFor({ timeout: WAIT_MS });
  await serial.locator('.console-end').waitFor({ timeout: WAIT_MS });

  await kim.power(guest!, { action: 'stop', mode: 'hard', wait: WAIT_MS });
  for (const page of [screen, second]) await page.locator('.console-end').waitFor({ timeout: WAIT_MS });
  await until(() => core.audit.ended.length === core.audit.begun.length, WAIT_MS, 'every end in the audit');
  t.same(core.audit.begun.map(({ command, options }) => `${command} ${options}`).filter((one) => one.startsWith('console')), [
    'console.open --kind=vnc', 'console.open --kind=text', 'console.open --kind=text', 'console.open --kind=text --force',
  ]);
  t.same(faults, []);
});
