import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { HostFiles } from '../../src/drivers/libvirt/management/templates/host-files.js';
import { Sweeper } from '../../src/drivers/libvirt/management/templates/sweep.js';
import { ArgoError } from '../../src/kit/errors.js';
import { localCommands } from '../../src/drivers/management/local-commands.js';
import { findMachine, outcome, soon } from '../drivers/driving.js';
import { imagesOf } from '../drivers/libvirt/works.js';
import { must, run } from '../peers/enclosure.js';
import { LIBVIRT_PROGRAMS } from '../peers/libvirt.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';
import { buildWorld, call, domainsOf, leftovers, putLarge, putTiny, tableOf, templatingOf, type World } from './support/templates.js';

/** What goes wrong while machines are made from templates: nothing half made stays listed. */

const options = { skip: lacksRoot(...LIBVIRT_PROGRAMS), timeout: 300_000 };
const WAIT_MS = 60_000;

/** A small file system, which both see that begin after this. */
async function smallFolder(t: Test, size: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'argo-small-'));
  await must('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  t.teardown(async () => {
    await until(async () => (await run('umount', [folder])).code === 0, WAIT_MS, 'the end of a small file system');
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const imageNames = async ({ driver }: World): Promise<string[]> => (await imagesOf(driver).list({}, call())).map(({ name }) => name);

await t.test('a disk that gets full', options, async (t) => {
  const pool = await smallFolder(t, '8m');
  const folder = await smallFolder(t, '40m');
  const world = await buildWorld(t, 'qemu', { pool, folder });
  const { driver, templates } = world;
  await putTiny(world);
  await putLarge(world, 'large', 30);
  t.match(await outcome(templates.deploy({ template: 'large', name: 'big', settings: {} }, call())), { phrase: 'FAILED', detail: /No space left/ });
  t.same(await domainsOf(world), []);
  t.same(readdirSync(pool), []);
  t.same(await imageNames(world), []);
  await templates.deploy({ template: 'tiny', name: 'small', settings: {} }, call());
  t.same(await domainsOf(world), ['small']);

  await must('dd', ['if=/dev/urandom', `of=${join(folder, 'other')}`, 'bs=1M', 'count=20', 'status=none']).catch(() => undefined);
  const templating = templatingOf(await findMachine(driver, 'small'));
  t.match(await outcome(templating.create({ template: 'copy', settings: {} }, call())), { phrase: 'FAILED' });
  t.same((await templates.list({}, call())).map(({ name }) => name), ['large', 'tiny']);
  t.same(leftovers(world), []);
});

await t.test('one that is cancelled', options, async (t) => {
  const world = await buildWorld(t, 'qemu');
  const { templates, pool } = world;
  await putLarge(world, 'large', 300);
  const stop = new AbortController();
  let halves: string[] = [];
  const progress = (part: number): void => {
    if (part < 0.2) return;
    halves = leftovers(world);
    stop.abort(new ArgoError('BUSY', 'it was cancelled'));
  };
  t.match(await outcome(templates.deploy({ template: 'large', name: 'no', settings: {} }, call({ signal: stop.signal, progress }))), { phrase: 'UNREACHABLE', detail: /undone$/ }, 'it says that nothing is left');
  t.equal(halves.length, 1, 'it was in the midst of it');
  t.same(await domainsOf(world), []);
  t.same(readdirSync(pool), []);
});

await t.test('a libvirtd that is killed in the midst', options, async (t) => {
  const world = await buildWorld(t, 'qemu');
  const { peer, templates, pool } = world;
  await putLarge(world, 'large', 200);
  await t.test('and comes back', async (t) => {
    let killed: Promise<void> | undefined;
    const progress = (): void => { killed ??= peer.kill().then(() => peer.restart()); };
    const end = await outcome(templates.deploy({ template: 'large', name: 'late', settings: {} }, call({ progress })));
    await killed;
    // It may still have been away when it was to be told of the machine.
    if (end.phrase === undefined) t.same(await domainsOf(world), ['late']);
    else t.match(end, { phrase: 'UNREACHABLE' });
    t.equal(existsSync(join(pool, 'late-1.qcow2')), end.phrase === undefined);
    t.same(leftovers(world), []);
  });
  await t.test('and stays away', async (t) => {
    const before = readdirSync(pool);
    let killed: Promise<void> | undefined;
    const progress = (): void => { killed ??= peer.kill(); };
    t.match(await outcome(templates.deploy({ template: 'large', name: 'never', settings: {} }, call({ progress }))), { phrase: 'UNREACHABLE' });
    await killed;
    t.same(readdirSync(pool), before);
    await peer.restart();
    t.notOk((await domainsOf(world)).includes('never'));
  });
});

await t.test('a server that is killed in the midst', options, async (t) => {
  const world = await buildWorld(t, 'qemu');
  const { templates, peer, pool, folder } = world;
  await putLarge(world, 'large', 300);
  const table = peer.file('table.json');
  writeFileSync(table, JSON.stringify(tableOf(world)));
  const server = spawn(process.execPath, [fileURLToPath(new URL('support/deploying.js', import.meta.url)), table, 'large', 'orphan'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  server.stdout.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  await until(() => said.includes('half'), WAIT_MS, 'half of a disk');
  server.kill('SIGKILL');
  await until(() => server.signalCode !== null, WAIT_MS, 'its end');
  t.notMatch(said, /done/);
  t.equal(leftovers(world).length, 1);
  t.same(await domainsOf(world), []);
  t.same(await imageNames(world), [], 'what is half made is not listed');
  t.same((await templates.list({}, call())).map(({ name }) => name), ['large']);
  await templates.deploy({ template: 'large', name: 'orphan', settings: {} }, call());
  t.same(await domainsOf(world), ['orphan'], 'its name is free');
  t.same(await imageNames(world), ['orphan-1.qcow2']);
  t.equal(leftovers(world).length, 1, 'another server might still be at work on it');
  const used = (): Promise<ReadonlySet<string>> => Promise.resolve(new Set([join(pool, 'orphan-1.qcow2')]));
  await new Sweeper(new HostFiles(localCommands), 0).sweep(pool, soon(), used);
  t.same(leftovers(world), []);
  t.same(readdirSync(pool), ['orphan-1.qcow2']);
  t.same(readdirSync(folder), ['large']);
});
