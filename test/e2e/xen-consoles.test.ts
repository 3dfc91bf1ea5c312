import { randomInt } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import t from 'tap';
import * as v from 'valibot';
import xen from '../../src/drivers/xen/index.js';
import { findMachine, outcome, soon } from '../drivers/driving.js';
import { SCREEN_PROGRAMS, startScreen, takePicture } from '../peers/screen.js';
import { startXen } from '../peers/xen/start.js';
import { lacksStore, startStore } from '../peers/xen/store.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';

/** Consoles by Xen's own xenconsole, xenstore-read and xenstored. */

const WAIT_MS = 60_000;
const END_MS = 5000;

function watch(stream: Duplex): { seen: string; ended: boolean } {
  const watched = { seen: '', ended: false };
  stream.on('data', (chunk: Buffer) => { watched.seen += chunk.toString('latin1'); });
  stream.on('error', () => undefined).on('close', () => { watched.ended = true; });
  return watched;
}

await t.test('consoles of Xen\'s domains', { skip: lacksStore() || lacks(...SCREEN_PROGRAMS), timeout: 170_000 }, async (t) => {
  const host = await startXen();
  const store = await startStore(host.folder);
  // xenconsole locks a console by the number alone, for the whole machine
  const first = randomInt(1000, 30_000);
  const [pvId, hvmId] = [first, first + 1];
  await host.numberFrom(first);
  await host.configure('pv.cfg', "name = 'pv'\nkernel = '/k'\nmemory = 64\n");
  await host.configure('hvm.cfg', "type = 'hvm'\nname = 'hvm'\nmemory = 64\n");
  const logged: string[] = [];
  const table = { xl: host.xl, 'config-dir': host.configDir, 'save-dir': host.saveDir, 'xenstore-read': store.xenstoreRead, xenconsole: store.xenconsole };
  const driver = xen.open(v.parse(v.strictObject(xen.options), table), {
    name: 'dom0', log: (...line) => { logged.push(JSON.stringify(line)); }, changed: () => undefined, relist: () => undefined, lost: () => undefined,
  });
  t.teardown(async () => {
    await driver.close(AbortSignal.timeout(END_MS));
    await store.stop();
    await host.stop();
    // one that was killed leaves its lock's file
    for (const domid of [pvId, hvmId]) await rm(`/var/lock/xenconsole.${domid}`, { force: true });
  });
  const pv = await findMachine(driver, 'pv');
  const hvm = await findMachine(driver, 'hvm');
  for (const kind of ['text', 'vnc'] as const) t.match(await outcome(pv.console![kind]!({ signal: soon() })), { phrase: 'WRONG STATE' }, 'of one that is off');
  await pv.start!(soon());
  await hvm.start!(soon());
  const text = async (force = false): Promise<Duplex> => (await pv.console!.text!({ signal: soon(), force })).stream;

  await t.test('a text console, one at a time, and by force', async (t) => {
    await store.addTerminal(pvId);
    const one = await text();
    const shown = watch(one);
    await until(() => shown.seen === 'login: ', WAIT_MS, 'the prompt');
    one.write('root\r');
    await until(() => shown.seen === 'login: root\r', WAIT_MS, 'what was typed');
    one.write(Buffer.from([0, 0xff, 0x1b, 0x5b, 0x41]));
    await until(() => shown.seen.endsWith('\u0000\u00ff\u001b[A'), WAIT_MS, 'any byte');
    t.match(await outcome(text()), { phrase: 'BUSY' });
    const two = await text(true);
    await until(() => shown.ended, WAIT_MS, 'the end of the first');
    const then = watch(two);
    two.write('again');
    await until(() => then.seen.includes('again'), WAIT_MS, 'the second at work');
    two.destroy();
    await until(async () => {
      const three = await text().catch(() => undefined);
      three?.destroy();
      return three !== undefined;
    }, WAIT_MS, 'it to be free');
  });

  await t.test('a reader that does not read, and a guest that ends', async (t) => {
    const one = await text(true);
    const size = 4 * 1024 * 1024;
    one.write('flood');
    one.read(0);
    await until(() => one.readableLength >= one.readableHighWaterMark, WAIT_MS, 'it to stand still');
    await driver.list(soon());
    t.ok(one.readableLength < size / 4, `${one.readableLength} bytes wait for who does not read`);
    const shown = watch(one);
    await until(() => shown.seen.length >= size, WAIT_MS, 'all of it');
    await store.remove(`/local/domain/${pvId}/console`);
    await until(() => shown.ended, WAIT_MS, 'our end with the domain\'s');
  });

  await t.test('screens, with and without a password', async (t) => {
    t.match(await outcome(hvm.console!.vnc!({ signal: soon() })), { phrase: 'NOT SUPPORTED', detail: 'hvm has no screen by VNC' });
    const note = (key: string, value: string): Promise<void> => store.write(`/local/domain/${hvmId}/console/${key}`, value);
    const open = await startScreen();
    const shut = await startScreen('ses\\ame');
    t.teardown(async () => { await open.stop(); await shut.stop(); });
    await note('vnc-port', String(open.port));
    t.equal((await takePicture((await hvm.console!.vnc!({ signal: soon() })).stream)).readUInt16BE(0), 0xffd8, 'a JPEG');
    await note('vnc-port', String(shut.port));
    await note('vnc-listen', '0.0.0.0');
    t.match(await outcome(hvm.console!.vnc!({ signal: soon() })), { phrase: 'ACCESS DENIED' });
    await note('vnc-pass', 'guess');
    t.match(await outcome(hvm.console!.vnc!({ signal: soon() })), { phrase: 'ACCESS DENIED' });
    await note('vnc-pass', 'ses\\ame');
    t.equal((await takePicture((await hvm.console!.vnc!({ signal: soon() })).stream)).readUInt16BE(0), 0xffd8, 'a JPEG');
    await shut.stop();
    t.match(await outcome(hvm.console!.vnc!({ signal: soon() })), { phrase: 'UNREACHABLE', detail: /nobody listens there/ });
    await note('vnc-port', 'nonsense');
    t.match(await outcome(hvm.console!.vnc!({ signal: soon() })), { phrase: 'NOT SUPPORTED' });
    t.notMatch(logged.join('\n'), /ses.+ame/);
  });

  await t.test('no terminal, and no xenstored', async (t) => {
    t.match(await outcome(hvm.console!.text!({ signal: soon() })), { phrase: 'FAILED', detail: /no terminal/ });
    const ended = await outcome(hvm.console!.text!({ signal: AbortSignal.timeout(300) }));
    t.ok(ended.error ?? ended.phrase, 'a signal ends the attempt');
    await store.stop();
    for (const kind of ['text', 'vnc'] as const) t.match(await outcome(hvm.console![kind]!({ signal: soon() })), { phrase: 'UNREACHABLE', detail: /xenstored/ });
  });
  t.same(await host.violations(), []);
});
