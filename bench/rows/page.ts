import type { Page } from 'playwright-core';
import { lacks } from '../../test/support/peers.js';
import { launchBrowser, logIn } from '../../test/support/web/browser.js';
import { ACCOUNT } from '../ours.js';
import { stopServers } from '../peers/bare.js';
import { below, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { interleave, summarise } from '../stats.js';
import { change, CHANGES, INSTANCES, manyMachines, startWeb } from '../web-server.js';

/** The page in a real browser, with many machines of which some change all the time. */

const FRAMES_MS = 4000;

const p95 = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1]!;

/** ms from a key until the list has been drawn for it. */
const keyUntilDrawn = (page: Page, words: string): Promise<number> => page.evaluate(`new Promise((resolve) => {
  const search = document.querySelector('#search');
  search.focus();
  const began = performance.now();
  search.value = ${JSON.stringify(words)};
  search.dispatchEvent(new Event('input', { bubbles: true }));
  requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => resolve(performance.now() - began); channel.port2.postMessage(0); });
})`);

const frames = (page: Page): Promise<number[]> => page.evaluate(`new Promise((resolve) => {
  const times = [];
  let last = performance.now();
  const end = last + ${FRAMES_MS};
  const next = (now) => { times.push(now - last); last = now; if (now < end) requestAnimationFrame(next); else resolve(times); };
  requestAnimationFrame((now) => { last = now; requestAnimationFrame(next); });
})`);

export const page: Scenario = async function* (settings): AsyncGenerator<Row> {
  const absent = lacks('chromium');
  if (absent) throw new Error(String(absent));
  const { server, user } = await startWeb(manyMachines);
  const browser = await launchBrowser();
  const end = change(user);
  let turn = 0;
  try {
    const context = await browser.newContext({ viewport: { width: 1360, height: 850 } });
    const shown = await context.newPage();
    await shown.goto(user.url);
    await logIn(shown, ACCOUNT);
    const [views = []] = await interleave(settings.rounds, [async () => {
      const began = performance.now();
      await shown.reload({ waitUntil: 'commit' });
      await shown.locator('.row').first().waitFor();
      return performance.now() - began;
    }]);
    const first = summarise(views);
    yield { what: `page: first view of ${INSTANCES.toLocaleString('en-GB')} machines`, unit: 'ms', ours: first, target: below(first.median, 1500, ' ms') };
    const [keys = []] = await interleave(settings.rounds * 3, [async () => {
      const ms = await keyUntilDrawn(shown, ['vm0012', 'state:on vm', 'vm00[1-9]*'][turn++ % 3]!);
      await keyUntilDrawn(shown, '');
      return ms;
    }]);
    const key = summarise(keys);
    yield { what: `page: from a key in the filter until drawn, ${CHANGES} changes/s`, unit: 'ms', ours: key, target: below(key.median, 100, ' ms') };
    const [drawn = []] = await interleave(settings.rounds, [async () => p95(await frames(shown))]);
    const frame = summarise(drawn);
    yield { what: `page: frames, p95, ${CHANGES} changes/s`, unit: 'ms', ours: frame, target: below(frame.median, 33.4, ' ms') };
    const session = await context.newCDPSession(shown);
    await session.send('HeapProfiler.collectGarbage');
    const { usedSize } = await session.send('Runtime.getHeapUsage');
    const heap = summarise([usedSize / 1e6]);
    yield { what: 'page: heap', unit: 'MB', ours: heap, target: below(heap.median, 100, ' MB') };
  } finally {
    end();
    await browser.close();
    await stopServers(server);
  }
};
