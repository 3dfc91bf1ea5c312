import type { Duplex } from 'node:stream';
import t from 'tap';
import { openDriver } from '../drivers/libvirt/open-driver.js';
import { findMachine, outcome } from '../drivers/driving.js';
import { LIBVIRT_PROGRAMS, startLibvirt } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** Consoles of real guests and containers, from the driver up. */

const WAIT_MS = 60_000;
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

/** Keeps what a console shows. */
function watch(stream: Duplex): { seen: Buffer; ended: boolean } {
  const watched = { seen: Buffer.alloc(0), ended: false };
  stream.on('data', (chunk: Buffer) => { watched.seen = Buffer.concat([watched.seen, chunk]); });
  stream.on('error', () => undefined);
  stream.on('close', () => { watched.ended = true; });
  return watched;
}

/** What is typed is echoed by the terminal in the guest. */
async function typeTo(stream: Duplex, words: string): Promise<void> {
  const watched = watch(stream);
  stream.write(words);
  await until(() => watched.seen.includes(words), WAIT_MS, `the echo of ${words} in ${JSON.stringify(watched.seen.toString('latin1').slice(-200))}`);
}

await t.test('consoles of real guests', { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 170_000 }, async (t) => {
  const peer = await startLibvirt();
  const { driver } = openDriver(`qemu:///system?socket=${peer.socket}`);
  const containers = openDriver(`lxc:///system?socket=${peer.socket}`).driver;
  t.teardown(async () => {
    await driver.close(soon());
    await containers.close(soon());
    await peer.stop();
  });
  const screen = (socket: string, password: string): string =>
    `<graphics type='vnc'${password && ` passwd='${password}'`}><listen type='socket' socket='${socket}'/></graphics><video><model type='vga'/></video>`;
  await peer.defineDom('dom', (xml) => xml.replace(/<serial type='file'><source path='([^']+)'\/><\/serial>/, "<serial type='pty'><log file='$1' append='off'/></serial>"));
  await peer.defineChanged('shown', (xml) => xml.replace('</devices>', `${screen(peer.file('open.sock'), '')}</devices>`));
  await peer.defineChanged('secret', (xml) => xml.replace('</devices>', `${screen(peer.file('secret.sock'), 'sesame')}</devices>`));
  await peer.defineTiny('blind');
  const dom = await findMachine(driver, 'dom', soon());

  await t.test('the serial console, one at a time, and by force', async (t) => {
    t.match(await outcome(dom.console!.text!({ signal: soon() })), { phrase: 'WRONG STATE' }, 'of a guest that is off');
    await dom.start!(soon());
    await peer.guestReady('dom');
    const { stream } = await dom.console!.text!({ signal: soon() });
    await typeTo(stream, 'hello');
    t.match(await outcome(dom.console!.text!({ signal: soon() })), { phrase: 'BUSY' });
    const second = (await dom.console!.text!({ signal: soon(), force: true })).stream;
    await until(() => stream.destroyed || stream.readableEnded, WAIT_MS, 'the end of the first one');
    await typeTo(second, 'there');
    second.destroy();
    await until(async () => {
      const third = await dom.console!.text!({ signal: soon() }).catch(() => undefined);
      third?.stream.destroy();
      return third !== undefined;
    }, WAIT_MS, 'libvirt to know that it is free');
    const last = (await dom.console!.text!({ signal: soon(), force: true })).stream;
    const watched = watch(last);
    await dom.powerOff!(soon());
    await until(() => watched.ended, WAIT_MS, 'its end with the guest');
  });

  await t.test('over SSH', async (t) => {
    const sshd = await peer.startSshd();
    const far = openDriver(`qemu+ssh://${sshd.user}@${sshd.host}:${sshd.port}/system`, { 'private-key-file': sshd.privateKeyFile, 'known-hosts-file': sshd.knownHostsFile }).driver;
    t.teardown(() => far.close(soon()));
    const machine = await findMachine(far, 'dom', soon());
    await machine.start!(soon());
    const { stream } = await machine.console!.text!({ signal: soon() });
    const watched = watch(stream);
    await until(() => watched.seen.includes('argo-guest: ready'), WAIT_MS * 2, 'what it says when it boots');
    stream.destroy();
    await machine.powerOff!(soon());
  });

  await t.test('screens, with and without a password', async (t) => {
    for (const name of ['shown', 'secret']) {
      const machine = await findMachine(driver, name, soon());
      t.match(await outcome(machine.console!.vnc!({ signal: soon() })), { phrase: 'WRONG STATE' });
      await machine.start!(soon());
      const { stream } = await machine.console!.vnc!({ signal: soon() });
      const watched = watch(stream);
      stream.write(Buffer.from([1]));
      await until(() => watched.seen.length >= 24 && watched.seen.includes(name), WAIT_MS, 'ServerInit');
      t.match(watched.seen.subarray(24).toString(), `QEMU (${name})`);
      t.ok(watched.seen.readUInt16BE(0) >= 640, 'it has a width');
      await machine.powerOff!(soon());
      await until(() => watched.ended, WAIT_MS, 'its end with the guest');
    }
    const blind = await findMachine(driver, 'blind', soon());
    await blind.start!(soon());
    t.match(await outcome(blind.console!.vnc!({ signal: soon() })), { phrase: 'NOT SUPPORTED' });
    await blind.powerOff!(soon());
  });

  await t.test('a container', async (t) => {
    await peer.defineContainer('box');
    const box = await findMachine(containers, 'box', soon());
    t.equal(box.console?.vnc, undefined);
    await box.start!(soon());
    const { stream } = await box.console!.text!({ signal: soon() });
    await typeTo(stream, 'hello');
    stream.destroy();
    await box.powerOff!(soon());
  });
});
