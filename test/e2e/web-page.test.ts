import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { fromRoot } from '../support/paths.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { launchBrowser, listenForFaults, openContext, seriousFaults, type Look } from '../support/web/browser.js';
import { ACCOUNT, LINK_CODE, NOW, WebDouble } from '../support/web/double.js';

/** The page in a real browser, driven as people drive it; the server behind it is told what to say. */

const WAIT_MS = 10_000;
/** All script of the page, compressed: it is to be there at once, also over a thin line. */
const MOST_SCRIPT = 40 * 1024;

/** Each has a server and a browser's profile of its own, and mostly waits. */
const BESIDE = { buffered: true };

let browser: Browser;

interface Opened { readonly page: Page; readonly double: WebDouble; readonly context: BrowserContext; readonly faults: string[] }

/** Logs in by the one-time link, and ends with the test; whatever the page did that it must not fails it. */
async function open(t: Test, { look, count, hash = '', before }: { look?: Look; count?: number; hash?: string; before?(double: WebDouble): void } = {}): Promise<Opened> {
  const double = new WebDouble(count);
  before?.(double);
  await double.start();
  const context = await openContext(browser, look);
  const page = await context.newPage();
  const faults = listenForFaults(page);
  t.teardown(async () => {
    await context.close();
    await double.stop().catch(() => undefined);
  });
  await page.goto(`${double.url}/#login=${LINK_CODE}`);
  await page.locator('.row').first().waitFor();
  if (hash !== '') await go(page, hash);
  return { page, double, context, faults };
}

const go = async (page: Page, hash: string): Promise<void> => { await page.evaluate(`location.hash = ${JSON.stringify(hash)}`); };
const press = async (page: Page, ...keys: string[]): Promise<void> => { for (const key of keys) await page.keyboard.press(key); };
const text = async (page: Page, css: string): Promise<string> => (await page.locator(css).first().textContent()) ?? '';
const shows = (page: Page, css: string, words: string | RegExp): Promise<void> => page.locator(css).filter({ hasText: words }).first().waitFor();
const names = (page: Page): Promise<string[]> => page.evaluate("[...document.querySelectorAll('.row:not([hidden])')].map((row) => [Number(row.getAttribute('aria-rowindex')), row.querySelector('.c-name').textContent]).sort((a, b) => a[0] - b[0]).map((one) => one[1])");
const isClean = (t: Test, { double, faults }: Opened): void => {
  t.same(double.faults, [], 'the page asks for nothing that the contract does not have');
  t.same(faults, [], 'no error and nothing that the policy forbids');
};

void t.test('the page', { skip: lacks('chromium'), jobs: 3 }, async (t) => {
  browser = await launchBrowser();
  t.teardown(() => browser.close());

  void t.test('logging in by name and password, and out', BESIDE, async (t) => {
    const double = new WebDouble();
    await double.start();
    const context = await openContext(browser);
    t.teardown(async () => { await context.close(); await double.stop(); });
    const page = await context.newPage();
    await page.goto(double.url);
    await page.getByLabel('Account').fill(ACCOUNT.account);
    await page.getByLabel('Password').fill('wrong');
    await press(page, 'Enter');
    await shows(page, '.wrong', 'wrong');
    t.equal(await page.getByLabel('Password').inputValue(), '', 'the password is not kept');
    await page.keyboard.type(ACCOUNT.password);
    await press(page, 'Enter');
    await shows(page, '.live', 'live');
    await page.reload();
    await shows(page, '.live', 'live');
    await page.getByRole('button', { name: /^Account/ }).click();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('Password').waitFor();
    await until(() => double.feeds === 0, WAIT_MS, 'the feed of who has left to end');
  });

  void t.test('the one-time link leaves nothing behind and works once', BESIDE, async (t) => {
    const opened = await open(t);
    t.notMatch(opened.page.url(), /login|one-time/);
    await opened.page.context().clearCookies();
    await opened.page.goto('about:blank');
    await opened.page.goto(`${opened.double.url}/#login=${LINK_CODE}`);
    await shows(opened.page, '.wrong', 'used already');
  });

  void t.test('the list follows what happens', BESIDE, async (t) => {
    const opened = await open(t);
    const { page, double } = opened;
    t.equal(await text(page, '.foot b'), '48 machines');
    t.equal(await page.locator('.rail button', { hasText: 'lxc-ci' }).getAttribute('title'), 'lxc-ci does not answer: connection refused');
    await press(page, 'x');
    double.change([[0, 'crashed']]);
    await shows(page, '.row[aria-selected=true] .c-state', 'crashed');
    await shows(page, '.rail button', /Trouble4/);
    double.reset();
    await until(async () => double.feeds === 1 && (await page.locator('.live').textContent()) === 'live', WAIT_MS, 'the page to be live again');
    t.equal(await text(page, '.foot b'), '1 selected', 'what was selected outlives a new list');
    double.changeUntold(1, 'suspended');
    double.change([[2, 'off']]);
    await shows(page, '.row .c-state', 'suspended');
    isClean(t, opened);
  });

  void t.test('search, and the address that says it', BESIDE, async (t) => {
    const opened = await open(t);
    const { page } = opened;
    await press(page, '/');
    await page.keyboard.type('@web -web-03 state:on');
    await until(async () => (await names(page)).length === 6, WAIT_MS, 'six machines');
    t.match(decodeURI(page.url()), /#q=@web\+-web-03\+state:on$/);
    await page.reload();
    await page.locator('.row').first().waitFor();
    t.same((await names(page)).slice(0, 2), ['web-01', 'web-02']);
    await press(page, '/');
    await page.keyboard.type('web-[');
    await shows(page, '.problem', '[ without ]');
    await press(page, 'Escape');
    await until(async () => (await text(page, '.foot b')) === '48 machines', WAIT_MS, 'all machines');
    await go(page, 'q=nothing-is-called-that');
    await page.getByText('Nothing matches').waitFor();
    isClean(t, opened);
  });

  void t.test('stopping three machines by keys alone, of which one does not stop', BESIDE, async (t) => {
    const opened = await open(t, { hash: 'q=@web', before: (double) => { double.isSlow = true; } });
    const { page, double } = opened;
    await until(async () => (await names(page)).length === 8, WAIT_MS, 'eight machines');
    await press(page, 'x', 'j', 'x', 'j', 'x', 'p');
    await shows(page, '.sums', '3 will be stopped');
    await press(page, 'Enter');
    await shows(page, '.bar', '0 of 3');
    t.match(double.asked.at(-1), { path: '/api/power', body: { action: 'stop', mode: 'soft', targets: ['web-01', 'web-02', 'web-03'] } });
    await press(page, 'Escape');
    await shows(page, '.tray-button', '3 under way');
    double.finish();
    await shows(page, '.tray-button', '1 failed');
    t.match(await text(page, '[role=status]'), /Stop 3 machines: 1 failed/, 'it is told to those who can not see it');
    await press(page, 'g', 'o');
    await shows(page, '.tray .failure', 'TIMEOUT');
    await page.locator('.tray').getByRole('button', { name: 'Plug' }).click();
    await shows(page, 'dialog h2', 'Stop web-02');
    t.equal(await page.getByRole('radio', { name: 'Pull the plug now' }).isChecked(), true);
    await press(page, 'Enter');
    t.equal(double.asked.filter(({ path }) => path === '/api/power').length, 1, 'Enter alone pulls no plug');
    await page.getByRole('button', { name: 'Power off' }).click();
    await shows(page, '.bar', '0 of 1');
    double.finish();
    await shows(page, '.bar', '1 of 1');
    isClean(t, opened);
  });

  void t.test('many at once: the preview is kept current, the number is typed, and what was sent twice is one order', BESIDE, async (t) => {
    const opened = await open(t, { hash: 'q=@db' });
    const { page, double } = opened;
    await press(page, 'a', 'p');
    const [, at] = [await shows(page, '.sums', 'will be stopped'), double.machines.findIndex(({ name, state }) => name.startsWith('db') && state === 'on')];
    double.change([[at, 'off']]);
    await shows(page, '.targets', 'nothing, it is off already');
    await page.getByText('Pull the plug now').click();
    await shows(page, '.targets', 'power off');
    const go = page.getByRole('button', { name: 'Power off' });
    t.equal(await go.isDisabled(), true);
    const count = (await text(page, 'dialog h2')).replace(/\D/g, '');
    await page.locator('.type input').fill(count);
    // the browser itself sends again what was cut off on a connection that it had before
    double.answersToLose = Infinity;
    await go.click();
    await shows(page, '.wrong', 'NO ANSWER');
    double.answersToLose = 0;
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.locator('progress').waitFor();
    const orders = double.asked.filter(({ path }) => path === '/api/power').map(({ body }) => (body as { once: string }).once);
    t.ok(orders.length >= 2);
    t.equal(new Set(orders).size, 1, 'all have one key');
    isClean(t, opened);
  });

  void t.test('what one may not do is not offered', BESIDE, async (t) => {
    const opened = await open(t, { before: (double) => { double.rights = ['read']; } });
    const { page, double } = opened;
    const locked = double.machines.find(({ isLocked }) => isLocked === true)!;
    await go(page, `q=${locked.name}`);
    await until(async () => (await names(page)).length === 1, WAIT_MS, 'the one machine');
    t.equal(await page.locator('.row:not([hidden]) [data-act]:not([hidden])').count(), 0);
    await press(page, 'x', 'p');
    t.equal(await page.locator('dialog').count(), 0);
    t.equal(await page.locator('.foot button', { hasText: /Stop|Start/ }).count(), 0);
    t.equal(await page.locator('.rail button', { hasText: 'Plans' }).count(), 0);
    isClean(t, opened);
  });

  void t.test('a lost connection is said at once, and it comes back by itself', BESIDE, async (t) => {
    const opened = await open(t);
    const { page, double } = opened;
    await press(page, 'x');
    await double.stop();
    await shows(page, '.lost-note', 'as of 14:03');
    t.equal(await page.locator('.foot').getByRole('button', { name: 'Stop' }).isDisabled(), true);
    await press(page, 'p');
    t.equal(await page.locator('dialog').count(), 0, 'nothing can be ordered');
    double.machines[0]!.state = 'off';
    await double.start();
    await shows(page, '.live', 'live');
    t.equal(await page.locator('.lost-note').count(), 0);
    t.same(double.faults, []);
  });

  void t.test('silence is a lost connection, and a wrong clock is put right', BESIDE, async (t) => {
    const double = new WebDouble();
    await double.start();
    const context = await openContext(browser);
    t.teardown(async () => { await context.close(); await double.stop(); });
    const page = await context.newPage();
    await page.clock.install({ time: NOW + 86_400_000 * 400 });
    await page.goto(`${double.url}/#login=${LINK_CODE}`);
    await shows(page, '.row .c-since', /^\d+ (s|min)$/);
    double.isDeaf = true;
    await page.clock.runFor(15_000);
    t.equal(await page.locator('.lost-note').count(), 0);
    await page.clock.runFor(20_000);
    await shows(page, '.lost-note', 'as of 14:03');
  });

  void t.test('a session that ends is a login', BESIDE, async (t) => {
    const { page, double, faults } = await open(t);
    // a list whose size changes is drawn in each frame, and so in the one in which it goes
    await page.evaluate("(function again(wide) { const list = document.getElementById('list'); if (list) list.style.width = wide ? '99%' : '98%'; requestAnimationFrame(() => again(!wide)); })(true)");
    double.endSession();
    await page.getByLabel('Password').waitFor({ timeout: WAIT_MS });
    t.equal(await page.locator('.row').count(), 0, 'nothing of the account stays in sight');
    t.same(faults.filter((fault) => fault.startsWith('TypeError')), []);
  });

  void t.test('names with markup in them are text', BESIDE, async (t) => {
    const opened = await open(t, { before: ({ machines }) => { Object.assign(machines[0]!, { name: '<img src=x onerror=alert(1)>', groups: ['<b>x</b>'] }); } });
    const { page } = opened;
    t.equal((await names(page))[0], '<img src=x onerror=alert(1)>');
    await press(page, 'Enter');
    await shows(page, '.drawer h2', '<img src=x');
    await press(page, 'p');
    await shows(page, '.targets li', '<img src=x');
    t.equal(await page.locator('img').count(), 0);
    isClean(t, opened);
  });

  void t.test('a machine’s side', BESIDE, async (t) => {
    const opened = await open(t);
    const { page, double } = opened;
    await press(page, 'Enter');
    await shows(page, '.facts', 'kvm1.example.net');
    await shows(page, '.lines', '2001:db8::17');
    await shows(page, '.lines', '/var/lib/libvirt/images/web-01.qcow2');
    await shows(page, '.plot', 'Load');
    t.match(await page.getByRole('link', { name: 'Screen' }).getAttribute('href'), /^\/console\/#instance=web-01&kind=vnc$/);
    await page.getByRole('tab', { name: 'Overview' }).focus();
    await press(page, 'ArrowRight');
    await shows(page, '.timeline', 'stop begun');
    double.tell({ t: 'events', events: [{ cursor: 'z-1', at: NOW, type: 'action', facts: { instance: 'kvm1/web-01', command: 'reboot', options: '', outcome: 'done', account: 'sam', ms: 900 } }] });
    await shows(page, '.timeline li', 'reboot done by sam');
    await press(page, 'ArrowRight');
    await shows(page, '.timeline', 'from 192.0.2.17');
    await press(page, 'Escape');
    await until(async () => (await page.locator('.drawer').count()) === 0, WAIT_MS, 'the drawer to close');
    isClean(t, opened);
  });

  void t.test('plans, activity and audit', BESIDE, async (t) => {
    const opened = await open(t);
    const { page, double } = opened;
    await press(page, 'g', 'p');
    await shows(page, '.stage', 'TIMEOUT: still on after 60 s');
    await page.getByRole('button', { name: 'power-cut' }).click();
    await page.getByRole('button', { name: 'Run …' }).click();
    await shows(page, 'dialog .targets', 'clean shutdown');
    await page.getByRole('button', { name: 'Run plan' }).click();
    await until(() => double.asked.some(({ path }) => path === '/api/plans/power-cut/run'), WAIT_MS, 'the run');
    // keys are a dialog's own until it is closed, which the answer does
    await until(async () => (await page.locator('dialog').count()) === 0, WAIT_MS, 'the dialog to close');
    await press(page, 'g', 'a');
    await shows(page, '.timeline', 'stop: TIMEOUT');
    let answer!: () => void;
    const hasTyped = new Promise<void>((resolve) => { answer = resolve; });
    await page.route(/\/api\/audit\?/, async (route) => {
      await hasTyped;
      await route.continue();
    }, { times: 1 });
    await page.getByRole('button', { name: 'Audit' }).click();
    await page.getByLabel('Machine', { exact: true }).fill('web-01');
    answer();
    await until(async () => (await page.locator('tbody tr').count()) > 1, WAIT_MS, 'all rows');
    await press(page, 'Enter');
    await until(async () => (await page.locator('tbody tr').count()) === 1, WAIT_MS, 'one row');
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as CSV' }).click()]);
    t.match(readFileSync(await download.path(), 'utf8'), /^time,account,from,command,instance,options,outcome,ms\r\n.*kvm1\/web-01/);
    isClean(t, opened);
  });

  void t.test('work beyond power stands among the tasks, goes on there, and is cancelled there', BESIDE, async (t) => {
    const work = { kind: 'work', id: 'w1', account: 'kim', operation: 'template.deploy', subject: 'kvm1', options: '--template=debian12 --name=web9', state: 'running', progress: 0, began: NOW, ended: null, detail: '' } as const;
    const opened = await open(t, { before: (double) => double.tellWork({ ...work, id: 'w0', account: 'jo', operation: 'machine.migrate', subject: 'kvm1/db-01', options: '--to=kvm2', state: 'done', progress: 1, ended: NOW }) });
    const { page, double } = opened;
    await press(page, 'g', 'a');
    await shows(page, '.tasks article', /Move db-01.*jo.*done/);
    double.tellWork(work);
    await shows(page, '.tray-button', '1 under way');
    const card = page.locator('.tasks article').filter({ hasText: 'Make a machine from a template on kvm1' });
    await card.filter({ hasText: '--name=web9' }).waitFor();
    double.tellWork({ ...work, progress: 0.42 });
    await card.filter({ hasText: '42 %' }).waitFor();
    t.equal(await card.locator('progress').getAttribute('value'), '0.42');
    await page.locator('.tray-button').click();
    await shows(page, '.tray', '42 %');
    await page.locator('.tray-button').click();
    await card.getByRole('button', { name: 'Make a machine' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
    await until(() => double.asked.some(({ path }) => path === '/api/tasks/w1/cancel'), WAIT_MS, 'the cancelling');
    double.tellWork({ ...work, state: 'failed', ended: NOW, detail: 'FAILED: the disk is full' });
    await shows(page, 'dialog', 'FAILED: the disk is full');
    await page.locator('dialog footer').getByRole('button', { name: 'Close' }).click();
    await card.filter({ hasText: 'the disk is full' }).waitFor();
    t.equal(await card.getByRole('button', { name: 'Try again' }).count(), 0, 'a piece of work is begun where it is typed');
    isClean(t, opened);
  });

  void t.test('ten thousand machines', BESIDE, async (t) => {
    const opened = await open(t, { count: 10_000 });
    const { page, double } = opened;
    t.equal(await text(page, '.foot b'), '10,000 machines');
    t.ok(await page.locator('.row').count() < 60, 'only what is in sight has elements');
    await press(page, 'End');
    await shows(page, '.row.cursor', double.machines.at(-1)!.name);
    await press(page, '/');
    await page.keyboard.type('edge-1666');
    await until(async () => (await names(page)).join() === 'edge-1666', WAIT_MS, 'the one machine');
    await press(page, 'Escape', 'Escape');
    for (let batch = 0; batch < 20; batch += 1) double.change(Array.from({ length: 20 }, (_, index) => [(batch * 97 + index * 13) % 10_000, 'stopping'] as const));
    await shows(page, '.row', 'stopping');
    isClean(t, opened);
  });

  void t.test('at phone width nothing is cut off', BESIDE, async (t) => {
    const opened = await open(t, { look: { width: 390, height: 844 } });
    const { page } = opened;
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await page.locator('.row:not([hidden]) .c-check').first().click();
    await page.locator('.foot').getByRole('button', { name: 'Stop' }).click();
    await shows(page, '.sums', '1 will be stopped');
    const box = await page.getByRole('button', { name: 'Shut down' }).boundingBox();
    t.ok(box !== null && box.y + box.height <= 844 && box.height >= 44, 'the button is in reach, and large enough for a finger');
    await press(page, 'Escape');
    await page.locator('.row:not([hidden]) .c-name').first().click();
    await shows(page, '.facts', 'kvm1.example.net');
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    isClean(t, opened);
  });

  void t.test('no serious fault for those who see or move otherwise', BESIDE, async (t) => {
    const { page } = await open(t);
    const check = async (view: string): Promise<void> => {
      t.same(await seriousFaults(page), [], view);
      await page.emulateMedia({ colorScheme: 'dark' });
      t.same(await seriousFaults(page, ['color-contrast']), [], `${view}, dark`);
      await page.emulateMedia({ colorScheme: 'light' });
    };
    await check('list');
    await press(page, 'x', 'p');
    await shows(page, '.sums', 'will be stopped');
    await check('order');
    await press(page, 'Escape');
    await go(page, 'machine=web-01');
    await shows(page, '.facts', 'kvm1.example.net');
    await check('drawer');
    await go(page, 'view=plans');
    await shows(page, '.stage', 'TIMEOUT');
    await check('plans');
    await go(page, 'view=activity');
    await shows(page, '.timeline', 'stop');
    await check('activity');
    await go(page, 'view=audit');
    await shows(page, 'tbody', 'kim');
    await check('audit');
  });

  void t.test('what is loaded is small', BESIDE, async (t) => {
    const html = readFileSync(fromRoot('dist', 'web', 'index.html'), 'utf8');
    const [script, ...more] = [...html.matchAll(/"(\/a\/[^"]+\.js)"/g)].map(([, path]) => path!);
    t.same(more, []);
    const source = readFileSync(fromRoot('dist', 'web', script!));
    t.notMatch(source.toString(), /\bimport\b/, 'it asks for no other, such as what draws consoles');
    const size = gzipSync(source).length;
    t.ok(size < MOST_SCRIPT, `${size} bytes`);
  });
});
