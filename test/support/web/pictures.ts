/**
 * Takes the pictures of docs/web.md, off the double: the same each time.
 *
 *     node dist/test/support/web/pictures.js FOLDER
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Page } from 'playwright-core';
import { launchBrowser, openContext, type Look } from './browser.js';
import { ConsoleSide, actorWith } from './consoles.js';
import { ACCOUNT, LINK_CODE, NOW, WebDouble } from './double.js';

type Steps = (page: Page, double: WebDouble) => Promise<void>;
interface Picture {
  readonly name: string;
  readonly look?: Look;
  readonly steps?: Steps;
  readonly isLoggedOut?: boolean;
  /** what a text console shows */ readonly console?: string;
}

const PHONE: Look = { width: 390, height: 844, scale: 2 };
const keys = async (page: Page, ...pressed: string[]): Promise<void> => { for (const key of pressed) await page.keyboard.press(key); };
const go = async (page: Page, hash: string): Promise<void> => { await page.evaluate(`location.hash = ${JSON.stringify(hash)}`); };
const settle = (page: Page): Promise<void> => page.waitForTimeout(250);

const select: Steps = async (page) => {
  await go(page, 'q=state:on+@web');
  await settle(page);
  await keys(page, 'a');
};
const stopDialog: Steps = async (page, double) => {
  await select(page, double);
  await keys(page, 'p');
  await page.locator('.targets li').first().waitFor();
};
const drawer: Steps = async (page, double) => {
  await go(page, 'machine=web-01');
  // plots need a few readings
  for (let times = 0; times < 34; times += 1) {
    double.alive();
    await page.clock.runFor(5000);
    await page.waitForTimeout(20);
  }
  await page.locator('.plot').nth(1).waitFor();
};

const BOOTED = '\r\nDebian GNU/Linux 13 web-01 ttyS0\r\n\r\nweb-01 login: root\r\nPassword: \r\n\r\n\x1b[1;32mroot@web-01\x1b[0m:\x1b[1;34m~\x1b[0m# systemctl --failed\r\n  UNIT          LOAD   ACTIVE SUB    DESCRIPTION\r\n\x1b[31m●\x1b[0m nginx.service loaded \x1b[1;31mfailed failed\x1b[0m A high performance web server\r\n\r\n1 loaded units listed.\r\n\x1b[1;32mroot@web-01\x1b[0m:\x1b[1;34m~\x1b[0m# ';
const openKeys: Steps = async (page) => page.getByRole('button', { name: 'Keys' }).click();

const PICTURES: readonly Picture[] = [
  { name: 'login', isLoggedOut: true },
  { name: 'list-light' },
  { name: 'list-dark', look: { theme: 'dark' }, steps: select },
  { name: 'stop', steps: stopDialog },
  {
    name: 'stop-hard',
    steps: async (page, double) => {
      await stopDialog(page, double);
      await page.getByText('Pull the plug now').click();
      await page.locator('.type input').fill('1');
    },
  },
  {
    name: 'progress',
    steps: async (page, double) => {
      double.isSlow = true;
      await stopDialog(page, double);
      await keys(page, 'Enter');
      await page.locator('progress').waitFor();
      double.half();
    },
  },
  {
    name: 'failed',
    steps: async (page, double) => {
      await stopDialog(page, double);
      await keys(page, 'Enter');
      await page.getByText('Try again').waitFor();
    },
  },
  {
    name: 'tray',
    look: { theme: 'dark' },
    steps: async (page, double) => {
      double.isSlow = true;
      await stopDialog(page, double);
      await keys(page, 'Enter');
      await page.locator('progress').waitFor();
      await keys(page, 'Escape');
      double.finish();
      await settle(page);
      await keys(page, 'g', 'o');
    },
  },
  { name: 'drawer-light', steps: drawer },
  { name: 'drawer-dark', look: { theme: 'dark' }, steps: drawer },
  {
    name: 'drawer-activity',
    steps: async (page) => {
      await go(page, 'machine=web-01');
      await page.getByRole('tab', { name: 'Activity' }).click();
    },
  },
  {
    name: 'plans',
    steps: async (page) => {
      await go(page, 'view=plans');
      await page.locator('.stage').first().waitFor();
    },
  },
  {
    name: 'plans-dark',
    look: { theme: 'dark' },
    steps: async (page) => {
      await go(page, 'view=plans&plan=power-cut');
      await page.locator('.stage').first().waitFor();
    },
  },
  { name: 'activity', steps: async (page) => go(page, 'view=activity') },
  { name: 'audit', look: { theme: 'dark' }, steps: async (page) => go(page, 'view=audit') },
  { name: 'keys', steps: async (page) => keys(page, '?') },
  {
    name: 'lost',
    steps: async (page, double) => {
      await double.stop();
      await page.locator('.lost-note').waitFor();
    },
  },
  { name: 'nothing', steps: async (page) => go(page, 'q=@web+state:suspended') },
  { name: 'phone', look: PHONE },
  { name: 'phone-stop', look: { ...PHONE, theme: 'dark' }, steps: stopDialog },
  { name: 'phone-drawer', look: PHONE, steps: drawer },
  { name: 'console', console: BOOTED },
  { name: 'console-dark', console: BOOTED, look: { theme: 'dark' } },
  { name: 'phone-console', console: BOOTED, look: PHONE, steps: openKeys },
  { name: 'phone-plans', look: PHONE, steps: async (page) => go(page, 'view=plans') },
];

async function openConsole(page: Page, double: WebDouble, said: string): Promise<void> {
  const machine = new PassThrough();
  double.consoles = new ConsoleSide(() => actorWith(() => machine, { others: () => [{ account: 'sam', kind: 'text', since: new Date(NOW - 600_000) }] }));
  await page.goto(`${double.url}/console/#instance=web-01&kind=text`);
  machine.write(said);
  await page.locator('.xterm-rows', { hasText: '1 loaded units' }).waitFor();
}

async function take(folder: string, names: readonly string[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const browser = await launchBrowser();
  try {
    for (const { name, look, steps, isLoggedOut, console: said } of PICTURES.filter((one) => names.length === 0 || names.includes(one.name))) {
      const double = new WebDouble();
      await double.start();
      const context = await openContext(browser, look);
      const page = await context.newPage();
      await page.clock.install({ time: NOW });
      await page.goto(isLoggedOut === true ? double.url : `${double.url}/#login=${LINK_CODE}`);
      await page.locator(isLoggedOut === true ? '.login form' : '.row').first().waitFor();
      if (isLoggedOut === true) await page.getByLabel('Account').fill(ACCOUNT.account);
      if (said !== undefined) await openConsole(page, double, said);
      await steps?.(page, double);
      await page.clock.runFor(1200);
      await settle(page);
      await page.screenshot({ path: join(folder, `${name}.png`) });
      await context.close();
      await double.stop().catch(() => undefined);
    }
  } finally {
    await browser.close();
  }
}

const [folder, ...names] = process.argv.slice(2);
if (folder === undefined) throw new Error('name the folder for the pictures');
await take(folder, names);
