import { PassThrough } from 'node:stream';
import t, { type Test } from 'tap';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { Actor } from '../../src/instances/actor.js';
import { ArgoError } from '../../src/kit/errors.js';
import { STEVE_HASH, startCore, type Core } from '../server/core.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { launchBrowser, listenForFaults, openContext, seriousFaults, type Look } from '../support/web/browser.js';
import { actorWith, sideFor, type ConsoleSide } from '../support/web/consoles.js';
import { LINK_CODE, NOW, WebDouble } from '../support/web/double.js';
import { RfbMachine } from '../support/web/rfb-machine.js';

/** The page of a console in a real browser: behind it the gateway's own tickets and relay, and simulated machines or a screen that is told what to show. */

const WAIT_MS = 30_000;
const BESIDE = { buffered: true };

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
[accounts.kim]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["*"] }]
[providers.kvm1]
type = "sim"
instances = ["web-01", { name = "web-02", state = "off" }]
`;

let browser: Browser;

interface Opened { readonly page: Page; readonly double: WebDouble; readonly context: BrowserContext; readonly faults: string[]; readonly side: ConsoleSide }

/** Logs in by the link, and opens a console's page. */
async function open(
  t: Test,
  actor: () => Actor,
  hash: string,
  { look, before }: { look?: Look; before?(page: Page, double: WebDouble): Promise<void> } = {},
): Promise<Opened> {
  const double = new WebDouble();
  const side = (double.consoles = sideFor(t, actor));
  await double.start();
  const context = await openContext(browser, look);
  t.teardown(async () => {
    await context.close();
    await double.stop().catch(() => undefined);
  });
  const page = await context.newPage();
  const faults = listenForFaults(page);
  await page.goto(`${double.url}/#login=${LINK_CODE}`);
  await page.locator('.row').first().waitFor();
  await before?.(page, double);
  await page.goto(`${double.url}/console/#${hash}`);
  return { page, double, context, faults, side };
}

/** Over the gate and simulated machines. */
async function openSim(t: Test, hash: string, options: Parameters<typeof open>[3] = {}): Promise<Opened & { core: Core; kim: Actor }> {
  const core = await startCore(t, { config: CONFIG });
  const { identity } = await core.session('kim');
  const kim = core.gate.actor({ identity, through: undefined, origin: '127.0.0.1:1 page' });
  return { ...await open(t, () => kim, hash, options), core, kim };
}

/** Over a screen that draws one colour. */
async function openScreen(t: Test, machine: RfbMachine, hash = 'instance=web-01&kind=vnc', options: Parameters<typeof open>[3] = {}): Promise<Opened & { machine: RfbMachine }> {
  const opened = await open(t, () => actorWith(() => machine), hash, options);
  await shows(opened.page, '.console-bar .live', 'open');
  return { ...opened, machine };
}

const shows = (page: Page, css: string, words: string | RegExp): Promise<void> => page.locator(css).filter({ hasText: words }).first().waitFor();
const rows = async (page: Page): Promise<string> => (await page.locator('.xterm-rows > div').allTextContents()).join('\n');
const seen = (page: Page, words: string | RegExp): Promise<void> => until(async () => (typeof words === 'string' ? (await rows(page)).includes(words) : words.test(await rows(page))), WAIT_MS, `${words} in the terminal`);
const isClean = (t: Test, { double, faults }: Opened, machine?: RfbMachine): void => {
  t.same(double.faults, [], 'the page asks for nothing that the contract does not have');
  t.same(faults, [], 'no error and nothing that the policy forbids');
  t.same(machine?.faults ?? [], []);
};
/** The colour in the middle of the screen, as it is drawn. */
const colour = (page: Page): Promise<number[]> => page.evaluate(`(() => { const c = document.querySelector('.console-stage canvas'); return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data].slice(0, 3); })()`);

void t.test('the page of a console', { skip: lacks('chromium'), jobs: 3 }, async (t) => {
  browser = await launchBrowser();
  t.teardown(() => browser.close());

  void t.test('a text console: typed into, as large as the window, and opened anew', BESIDE, async (t) => {
    const opened = await openSim(t, 'instance=web-01&kind=text');
    const { page, side, core } = opened;
    await shows(page, '.console-bar .live', 'open');
    t.equal(await page.title(), 'Console of web-01 – argo');
    await seen(page, 'web-01$ ');
    await page.keyboard.type('size\n');
    await seen(page, /\d{2,} x \d{2,}/);
    const [, columns, lines] = /(\d+) x (\d+)/.exec(await rows(page))!;
    t.ok(Number(columns) > 120 && Number(lines) > 35, `${columns} x ${lines}`);
    await page.setViewportSize({ width: 800, height: 500 });
    await until(async () => (await page.locator('.xterm-rows > div').count()) < Number(lines), WAIT_MS, 'fewer lines');
    await page.keyboard.type('size\n');
    await seen(page, new RegExp(`\\b(?!${columns})\\d{2,} x ${await page.locator('.xterm-rows > div').count()}`));
    await page.keyboard.type('exit\n');
    await shows(page, '.console-end', 'The console has ended.');
    await shows(page, '.console-bar .live', 'ended');
    t.match(await rows(page), /exit/, 'what was shown last stays');
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await shows(page, '.console-bar .live', 'open');
    await seen(page, 'web-01$ ');
    t.equal(new Set(side.tickets).size, 2, 'with a ticket of its own');
    t.notMatch(await rows(page), /exit/);
    t.notMatch(page.url(), new RegExp(side.tickets.join('|')));
    await until(() => core.audit.begun.length === 2, WAIT_MS, 'both in the audit');
    isClean(t, opened);
  });

  void t.test('what is wanted of a terminal: pasting, copying, keys that are the browser’s, size of text', BESIDE, async (t) => {
    const opened = await openSim(t, 'instance=web-01&kind=text');
    const { page, context } = opened;
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await seen(page, 'web-01$ ');
    await page.getByRole('button', { name: 'Paste …' }).click();
    await page.getByLabel('The text').fill('pasted äöü €');
    await page.getByRole('button', { name: 'Paste', exact: true }).click();
    await until(() => page.evaluate<boolean>("document.activeElement.matches('.xterm textarea')"), WAIT_MS, 'the terminal to have the keys again');
    await page.keyboard.press('Enter');
    await seen(page, /pasted.äöü.€\s+pasted.äöü.€/);
    t.equal(await page.getByRole('button', { name: 'Copy' }).isDisabled(), true);
    await page.locator('.xterm-screen').dblclick({ position: { x: 12, y: 6 } });
    await page.getByRole('button', { name: 'Copy' }).click();
    t.equal(await page.evaluate('navigator.clipboard.readText()'), 'Simulated');
    await page.evaluate("navigator.clipboard.writeText('other')");
    await page.keyboard.press('Control+Shift+KeyC');
    await until(async () => (await page.evaluate('navigator.clipboard.readText()')) === 'Simulated', WAIT_MS, 'Ctrl+Shift+C to copy');
    const before = await page.locator('.xterm-rows > div').count();
    await page.getByRole('button', { name: 'larger text' }).click();
    await until(async () => (await page.locator('.xterm-rows > div').count()) < before, WAIT_MS, 'larger letters');
    await page.keyboard.press('Control+Alt+Home');
    t.equal(await page.evaluate("document.activeElement.closest('[role=toolbar]') !== null"), true, 'keys alone lead out of it');
    await page.getByRole('button', { name: 'Keys' }).click();
    await page.getByRole('button', { name: 'Ctrl+D' }).click();
    await shows(page, '.console-end', 'The console has ended.');
    isClean(t, opened);
  });

  void t.test('who has it open is told, and why it can not be', BESIDE, async (t) => {
    const { core, page, kim } = await openSim(t, 'instance=web-02&kind=text');
    await shows(page, '.console-end', 'WRONG STATE: web-02 is off');
    const held = await kim.console((await kim.select(['web-01'])).instances[0]!, { kind: 'text' });
    t.teardown(() => held.stream.destroy());
    const second = await open(t, () => kim, 'instance=web-01&kind=text');
    await shows(second.page, '.console-note', /^kim has had it open since \d\d:\d\d\.$/);
    await second.page.getByRole('button', { name: 'I know' }).click();
    await until(async () => (await second.page.locator('.console-note').count()) === 0, WAIT_MS, 'the note to go');
    t.equal(core.audit.begun.length, 3);
    const denied = await open(t, () => actorWith(() => new RfbMachine('x'), { may: () => false }), 'instance=web-01&kind=shell');
    await shows(denied.page, '.console-end', 'NOT ALLOWED');
    const nothing = await open(t, () => kim, 'instance=web-01&kind=fax');
    await shows(nothing.page, '.note', 'names no console');
  });

  void t.test('one that somebody has is taken over only when one says so', BESIDE, async (t) => {
    const asked: (boolean | undefined)[] = [];
    const actor = actorWith(({ force }) => {
      asked.push(force);
      if (force !== true) throw new ArgoError('BUSY', 'sam has had it open since 2026-11-28T14:00:00.000Z; --force takes it over');
      return new RfbMachine('x');
    });
    const opened = await open(t, () => actor, 'instance=web-01&kind=text');
    await shows(opened.page, '.console-end h2', 'Somebody else has it.');
    t.equal(await opened.page.locator('.console-end p').first().textContent(), 'BUSY: sam has had it open since 2026-11-28T14:00:00.000Z');
    await opened.page.getByRole('button', { name: 'Take it over' }).click();
    await shows(opened.page, '.console-bar .live', 'open');
    await shows(opened.page, '.console-note', 'nothing has come yet');
    t.same(asked, [false, true]);
    isClean(t, opened);
  });

  void t.test('what ends it is said at once', BESIDE, async (t) => {
    const opened = await openSim(t, 'instance=web-01&kind=text');
    const { page, double, side, core } = opened;
    await seen(page, 'web-01$ ');
    await double.stop();
    await shows(page, '.console-end', 'The connection was lost.');
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await shows(page, '.console-end', 'There is no connection.');
    await double.start();
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await seen(page, 'web-01$ ');
    side.session.abort();
    await shows(page, '.console-end', 'NOT ALLOWED');
    side.session = new AbortController();
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await seen(page, 'web-01$ ');
    void core.gate.drain(0, 5000);
    await shows(page, '.console-end', 'The server is shutting down.');
    double.endSession();
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await shows(page, '.console-end', 'You are not logged in.');
    t.equal(await page.getByRole('link', { name: 'Log in' }).getAttribute('href'), '/');
    t.same(double.faults, []);
  });

  void t.test('a server that is silent is not taken for one that is there', BESIDE, async (t) => {
    const opened = await openSim(t, 'instance=web-01&kind=text', { before: async (page) => { await page.clock.install({ time: NOW }); } });
    const { page, double } = opened;
    await seen(page, 'web-01$ ');
    double.isDeaf = true;
    await page.clock.runFor(15_000);
    await page.clock.runFor(10_500);
    await shows(page, '.lost-note', 'The server does not answer.');
    await shows(page, '.console-bar .live', 'no answer');
    double.isDeaf = false;
    await page.clock.runFor(15_000);
    await until(async () => (await page.locator('.lost-note').count()) === 0, WAIT_MS, 'it to be there again');
    isClean(t, opened);
  });

  void t.test('colours: the machine’s own, and ours by day and by night', BESIDE, async (t) => {
    const shown = new PassThrough();
    const opened = await open(t, () => actorWith(() => shown), 'instance=web-01&kind=text');
    const { page } = opened;
    await shows(page, '.console-bar .live', 'open');
    shown.write('\x1b[38;2;10;20;200mdeep\x1b[0m \x1b[31mred\x1b[0m \x1b[38;2;250;250;250mpale\x1b[0m plain');
    await seen(page, 'plain');
    const colourOf = (text: string): Promise<string> => page.evaluate(`getComputedStyle([...document.querySelectorAll('.xterm-rows span')].find((span) => span.textContent.trim() === '${text}')).color`);
    t.equal(await colourOf('deep'), 'rgb(10, 20, 200)', 'any colour that a machine asks for');
    t.equal(await colourOf('red'), 'rgb(194, 43, 43)');
    t.not(await colourOf('pale'), 'rgb(250, 250, 250)', 'but none that can not be read');
    const ground = (): Promise<string> => page.evaluate("getComputedStyle(document.querySelector('.xterm-scrollable-element')).backgroundColor");
    t.equal(await ground(), 'rgb(246, 247, 249)');
    await page.emulateMedia({ colorScheme: 'dark' });
    await until(async () => (await ground()) === 'rgb(15, 18, 22)', WAIT_MS, 'the night');
    t.equal(await colourOf('red'), 'rgb(255, 123, 114)');
    const list = await opened.context.newPage();
    await list.goto(opened.double.url);
    await list.getByRole('button', { name: /^Colours/ }).click();
    await until(async () => (await ground()) === 'rgb(246, 247, 249)', WAIT_MS, 'what was chosen on the other page');
    isClean(t, opened);
  });

  void t.test('the whole screen, and a tab that is not closed by a slip', BESIDE, async (t) => {
    const opened = await openSim(t, 'instance=web-01&kind=text');
    const { page } = opened;
    await seen(page, 'web-01$ ');
    await page.getByRole('button', { name: 'Full screen' }).click();
    await until(() => page.evaluate<boolean>("document.fullscreenElement !== null && document.activeElement.matches('.xterm textarea')"), WAIT_MS, 'the whole screen, and the keys in the terminal');
    await page.keyboard.type('here\n');
    await seen(page, 'here');
    const [dialog] = await Promise.all([page.waitForEvent('dialog'), page.close({ runBeforeUnload: true })]);
    t.equal(dialog.type(), 'beforeunload');
    await dialog.dismiss();
    await page.keyboard.type('exit\n');
    await shows(page, '.console-end', 'ended');
    await Promise.all([page.waitForEvent('close'), page.close({ runBeforeUnload: true })]);
    isClean(t, opened);
  });

  void t.test('a screen: seen, typed and clicked into', BESIDE, async (t) => {
    const opened = await openScreen(t, new RfbMachine('web-01', true));
    const { page, machine } = opened;
    await until(async () => String(await colour(page)) === '32,96,160', WAIT_MS, 'the screen');
    machine.paint([200, 30, 40]);
    await until(async () => String(await colour(page)) === '200,30,40', WAIT_MS, 'its change');
    await page.keyboard.press('KeyA');
    await until(() => machine.keys.length === 2, WAIT_MS, 'the key');
    t.same(machine.keys.splice(0), ['down 61/1e', 'up 61/1e'], 'with its scancode');
    await page.locator('.console-stage canvas').click();
    await until(() => machine.pointers.some(([buttons, x, y]) => buttons === 1 && Math.abs(x - 320) < 4 && Math.abs(y - 200) < 4), WAIT_MS, `the click among ${JSON.stringify(machine.pointers)}`);
    await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).click();
    await until(() => machine.keys.length === 6, WAIT_MS, 'Ctrl+Alt+Del');
    t.same(machine.keys.splice(0), ['down ffe3/1d', 'down ffe9/38', 'down ffff/d3', 'up ffff/d3', 'up ffe9/38', 'up ffe3/1d']);
    await page.keyboard.press('Tab');
    await until(() => machine.keys.length === 2, WAIT_MS, 'Tab, which is the machine’s');
    machine.keys.length = 0;
    await page.keyboard.press('Control+Alt+Home');
    t.equal(await page.evaluate("document.activeElement.closest('[role=toolbar]') !== null"), true, 'keys alone lead out of it');
    await until(() => machine.keys.length === 4, WAIT_MS, 'what is pressed there to be let go');
    t.same(machine.keys.splice(0).sort(), ['down ffe3/1d', 'down ffe9/38', 'up ffe3/1d', 'up ffe9/38'], 'and none stays down there');
    await page.getByRole('button', { name: 'Keys' }).click();
    await page.getByRole('button', { name: 'Ctrl+Alt+F2', exact: true }).click();
    await until(() => machine.keys.length === 6, WAIT_MS, 'the keys');
    t.same(machine.keys.splice(0, 3), ['down ffe3/1d', 'down ffe9/38', 'down ffbf/3c']);
    machine.keys.length = 0;
    await page.getByRole('button', { name: 'Type text …' }).click();
    await page.getByLabel('The text').fill('aB{\n');
    await page.getByRole('button', { name: 'Type it' }).click();
    await until(() => machine.keys.length === 12, WAIT_MS, 'the text');
    t.same(machine.keys.splice(0), [
      'down 61/1e', 'up 61/1e', 'down ffe1/2a', 'down 42/30', 'up 42/30', 'up ffe1/2a', 'down ffe1/2a', 'down 7b/1a', 'up 7b/1a', 'up ffe1/2a', 'down ff0d/1c', 'up ff0d/1c',
    ]);
    await page.getByRole('button', { name: '1:1' }).click();
    t.equal(await page.locator('.console-stage canvas').evaluate((canvas: { style: { width: string } }) => canvas.style.width), '640px');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save picture' }).click()]);
    t.equal(download.suggestedFilename(), 'web-01.png');
    isClean(t, opened, machine);
  });

  void t.test('a screen: its clipboard, and a text that no key makes', BESIDE, async (t) => {
    const opened = await openScreen(t, new RfbMachine('web-01'));
    const { page, machine } = opened;
    machine.copy('of the machine');
    await page.getByRole('button', { name: 'Type text …' }).click();
    await until(async () => (await page.getByLabel('What web-01 has copied').inputValue()) === 'of the machine', WAIT_MS, 'what it has copied');
    await page.getByLabel('The text').fill('for it');
    await page.getByRole('button', { name: 'Put into its clipboard' }).click();
    await until(() => machine.texts.length === 1, WAIT_MS, 'the text');
    t.same(machine.texts, ['for it']);
    await page.getByRole('button', { name: 'Type text …' }).click();
    await page.getByLabel('The text').fill('xé€');
    await page.getByRole('button', { name: 'Type it' }).click();
    await shows(page, 'dialog .wrong', 'é€');
    t.same(machine.keys.filter((key) => key.startsWith('down')), ['down 78', 'down e9', 'down 10020ac'], 'it is sent by its meaning all the same');
    isClean(t, opened, machine);
  });

  void t.test('who may only look sends nothing, and is offered nothing', BESIDE, async (t) => {
    const opened = await openScreen(t, new RfbMachine('web-01'), 'instance=web-01&kind=vnc&view-only=true');
    const { page, machine, double } = opened;
    await until(async () => String(await colour(page)) === '32,96,160', WAIT_MS, 'the screen');
    t.match(double.asked.at(-1), { path: '/api/consoles', body: { instance: 'web-01', kind: 'vnc', viewOnly: true } });
    t.equal(await page.getByRole('button', { name: /Ctrl\+Alt|Keys|Type|Look/ }).count(), 0);
    await page.locator('.console-stage canvas').click();
    await page.keyboard.press('KeyA');
    machine.paint([1, 2, 3]);
    await until(async () => String(await colour(page)) === '1,2,3', WAIT_MS, 'that it goes on');
    t.same([machine.keys, machine.pointers], [[], []]);
    isClean(t, opened, machine);
  });

  void t.test('looking only, so that no slip does anything', BESIDE, async (t) => {
    const opened = await openScreen(t, new RfbMachine('web-01'));
    const { page, machine } = opened;
    await page.getByRole('button', { name: 'Look only' }).click();
    await page.keyboard.press('KeyA');
    t.equal(await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).isDisabled(), true);
    await page.getByRole('button', { name: 'Look only' }).click();
    await page.keyboard.press('KeyB');
    await until(() => machine.keys.length === 2, WAIT_MS, 'the second key');
    t.same(machine.keys, ['down 62', 'up 62']);
    isClean(t, opened, machine);
  });

  void t.test('a screen that says what is none, that ends, and that floods', BESIDE, async (t) => {
    const machines = [new RfbMachine('first'), new RfbMachine('second'), new RfbMachine('third')];
    const [first, second, third] = machines as [RfbMachine, RfbMachine, RfbMachine];
    const { page } = await open(t, () => actorWith(() => machines.shift()!), 'instance=web-01&kind=vnc');
    await shows(page, '.console-bar .live', 'open');
    first.babble();
    await shows(page, '.console-end', 'can not be shown here');
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await shows(page, '.console-bar .live', 'open');
    second.push(null);
    await shows(page, '.console-end', 'The console has ended.');
    await page.getByRole('button', { name: 'Reconnect' }).click();
    await shows(page, '.console-bar .live', 'open');
    const stop = third.flood();
    t.teardown(stop);
    await page.keyboard.press('KeyA');
    await until(() => third.keys.length === 2, WAIT_MS, 'a key all the same');
    stop();
  });

  void t.test('names with markup in them are text', BESIDE, async (t) => {
    const name = '<img src=x onerror=alert(1)>';
    const machine = new RfbMachine(name);
    const opened = await openScreen(t, machine, `instance=${encodeURIComponent(name)}&kind=vnc`, { before: async (_page, { machines }) => { Object.assign(machines[0]!, { name }); } });
    const { page } = opened;
    t.equal(await page.locator('h1').textContent(), name);
    t.equal(await page.locator('img').count(), 0);
    await page.getByRole('button', { name: 'Type text …' }).click();
    await shows(page, 'dialog h2', name);
    machine.push(null);
    await shows(page, '.console-end', 'ended');
    t.equal(await page.locator('img').count(), 0);
    isClean(t, opened, machine);
  });

  void t.test('at phone width nothing is cut off', BESIDE, async (t) => {
    const look = { width: 390, height: 844 };
    const text = await openSim(t, 'instance=web-01&kind=text', { look });
    await seen(text.page, 'web-01$');
    t.equal(await text.page.evaluate('document.documentElement.scrollWidth'), 390);
    const keys = await text.page.getByRole('button', { name: 'Keys' }).boundingBox();
    t.ok(keys !== null && keys.height >= 44, 'large enough for a finger');
    await text.page.getByRole('button', { name: 'Keys' }).click();
    const menu = await text.page.locator('.spare-keys').boundingBox();
    t.ok(menu !== null && menu.x >= 0 && menu.x + menu.width <= 390, JSON.stringify(menu));
    const screen = await openScreen(t, new RfbMachine('web-01'), undefined, { look });
    t.equal(await screen.page.evaluate('document.documentElement.scrollWidth'), 390);
    const box = await screen.page.locator('.console-stage canvas').boundingBox();
    t.ok(box !== null && box.width <= 390, 'the screen is made to fit');
  });

  void t.test('no serious fault for those who see or move otherwise', BESIDE, async (t) => {
    const check = async (page: Page, view: string): Promise<void> => {
      t.same(await seriousFaults(page), [], view);
      await page.emulateMedia({ colorScheme: 'dark' });
      t.same(await seriousFaults(page, ['color-contrast']), [], `${view}, dark`);
      await page.emulateMedia({ colorScheme: 'light' });
    };
    const { page } = await openSim(t, 'instance=web-01&kind=text');
    await seen(page, 'web-01$ ');
    await check(page, 'text console');
    await page.getByRole('button', { name: 'Keys' }).click();
    await check(page, 'keys');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Paste …' }).click();
    await check(page, 'pasting');
    await page.keyboard.press('Escape');
    await until(() => page.evaluate<boolean>("document.activeElement.matches('.xterm textarea')"), WAIT_MS, 'the terminal to have the keys again');
    await page.keyboard.type('exit\n');
    await shows(page, '.console-end', 'ended');
    await check(page, 'ended');
    const screen = await openScreen(t, new RfbMachine('web-01'));
    await check(screen.page, 'screen');
  });
});
