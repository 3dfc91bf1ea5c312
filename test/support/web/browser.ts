import { readFileSync } from 'node:fs';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { fromRoot } from '../paths.js';
import { which } from '../peers.js';

/** Debian's chromium, with nothing that a test does not need. */
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars'];

export const launchBrowser = (): Promise<Browser> => chromium.launch({ executablePath: which('chromium')!, args: FLAGS, timeout: 30_000 });

export interface Look { readonly width?: number; readonly height?: number; readonly theme?: 'light' | 'dark'; readonly scale?: number }

export async function openContext(browser: Browser, { width = 1360, height = 850, theme = 'light', scale = 1 }: Look = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce', deviceScaleFactor: scale, timezoneId: 'UTC', locale: 'en-GB' });
  context.setDefaultTimeout(10_000);
  return context;
}

/** Logs in by hand, and waits until there are machines. */
export async function logIn(page: Page, { account, password }: { readonly account: string; readonly password: string }): Promise<void> {
  await page.getByLabel('Account').fill(account);
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.locator('.row').first().waitFor();
}

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly target: readonly string[] }[];
  }[];
}

/** What the rules ask for, levels A and AA. */
const LEVELS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/**
 * What axe-core finds that is serious or worse. The page's policy lets no script in: it is evaluated by the debugger.
 * @param runOnly rules or levels
 */
export async function seriousFaults(page: Page, runOnly: readonly string[] = LEVELS): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: readFileSync(fromRoot('node_modules', 'axe-core', 'axe.min.js'), 'utf8') });
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', {
    expression: `axe.run(document, { resultTypes: ['violations'], runOnly: ${JSON.stringify(runOnly)} }).then((found) => JSON.stringify(found))`, awaitPromise: true, returnByValue: true,
  });
  await session.detach();
  if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text);
  const { violations } = JSON.parse(result.value as string) as AxeResult;
  return violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(' | ')}`);
}

/** What a page says that it should not: errors, and what its policy forbids. */
export function listenForFaults(page: Page): string[] {
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text())) faults.push(message.text()); });
  return faults;
}
