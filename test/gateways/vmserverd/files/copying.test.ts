import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Disk } from '../../../../src/gateways/vmserverd/files/disk.js';
import { Jail } from '../../../../src/gateways/vmserverd/files/jail.js';
import { Leftovers } from '../../../../src/gateways/vmserverd/files/leftovers.js';
import { Placing } from '../../../../src/gateways/vmserverd/files/placing.js';
import { runOn } from '../../../../src/gateways/vmserverd/files/program.js';
import { FilesWorld, openState, scratchFolder, startFiles } from '../../../support/vmserverd/files-world.js';
import { ROOT } from '../../../support/paths.js';
import { until } from '../../../support/until.js';

const MIB = 1024 * 1024;
const WITHIN = 60_000;

/** A file of so many bytes that no file system takes for a hole. */
function fill(path: string, bytes: number): void {
  const chunk = Buffer.alloc(8 * MIB, 'argo');
  const descriptor = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= chunk.length) writeSync(descriptor, chunk, 0, Math.min(left, chunk.length));
  closeSync(descriptor);
}

const parts = (folder: string): readonly string[] => readdirSync(folder).filter((name) => name.startsWith('.argo-part-'));
const idOf = (answer: string): string => /<task>([^<]+)<\/task>/.exec(answer)![1]!;
const ALL = { account: '', mayAll: true };

await t.test('small ones are copied at once, large ones in the background: the second bug of the seed is not here', async (t) => {
  const { world, root } = await startFiles(t);
  const copy = (source: string, target: string, more: Record<string, string> = {}) => world.tell('kim', 'File_Copy', { source: join(root, source), target: join(root, target), ...more });
  fill(join(root, 'small'), 10 * MIB);
  fill(join(root, 'large'), 10 * MIB + 1);
  chmodSync(join(root, 'small'), 0o6777);
  t.equal(await copy('small', 'copy'), '');
  t.ok(readFileSync(join(root, 'small')).equals(readFileSync(join(root, 'copy'))));
  t.equal(statSync(join(root, 'copy')).mode & 0o7777, 0o755, 'nobody else may write to it, and it runs as nobody else');
  t.match(world.audit.at(-1), { command: 'File_Copy', options: `${root}/small -> ${root}/copy`, outcome: 'done' });
  t.equal(await copy('small', 'copy'), `-32 ${root}/copy: is there already`);
  t.equal(await copy('small', 'small'), '-3 source and target are the same file');
  const answer = await copy('large', 'copy2');
  t.match(answer, /^<task>[\w-]{32}<\/task>$/);
  t.match(await world.ended(answer), { state: 'done', operation: 'File_Copy', owner: 'kim', percent: 100, error: undefined });
  t.ok(readFileSync(join(root, 'large')).equals(readFileSync(join(root, 'copy2'))));
  t.equal(await copy('copy2', 'copy', { overwrite: '1' }).then((one) => world.ended(one)).then(({ state }) => state), 'done');
  t.equal(statSync(join(root, 'copy')).size, 10 * MIB + 1);
  writeFileSync(join(root, 'tiny'), 'tiny');
  const many = await world.call('kim', 'FileManager_FileCopy', { files: [['file', { source: join(root, 'tiny'), target: join(root, 't1') }], ['file', { source: join(root, 'tiny'), target: join(root, 'copy') }], ['file', { source: join(root, 'tiny'), target: join(root, 't2') }]] });
  t.match(await world.ended(many), { state: 'failed', error: `${root}/copy: is there already; done before that: 1 of 3` });
  t.same(readdirSync(root).sort(), ['copy', 'copy2', 'large', 'small', 't1', 'tiny']);
  t.same(parts(root), []);
});

await t.test('holes stay holes', async (t) => {
  const { world, root } = await startFiles(t);
  const descriptor = openSync(join(root, 'sparse'), 'w');
  writeSync(descriptor, 'end', 50 * MIB);
  ftruncateSync(descriptor, 4096 * MIB);
  closeSync(descriptor);
  t.match(await world.ended(await world.call('kim', 'File_Copy', { source: join(root, 'sparse'), target: join(root, 'copy') })), { state: 'done' });
  const { size, blocks } = statSync(join(root, 'copy'));
  t.equal(size, 4096 * MIB);
  t.ok(blocks * 512 < 10 * MIB, 'it takes no more room than the other');
});

await t.test('a copy that overwrites takes the place of a link itself, and of nothing else', async (t) => {
  const { world, root, outside } = await startFiles(t);
  writeFileSync(join(root, 'a'), 'new');
  writeFileSync(join(outside, 'kept'), 'old');
  symlinkSync(join(outside, 'kept'), join(root, 'link'));
  mkdirSync(join(root, 'dir'));
  t.equal(await world.tell('kim', 'File_Copy', { source: join(root, 'a'), target: join(root, 'link') }), `-32 ${root}/link: is there already`);
  t.equal(await world.tell('kim', 'File_Copy', { source: join(root, 'a'), target: join(root, 'link'), overwrite: '1' }), '');
  t.equal(readFileSync(join(root, 'link'), 'utf8'), 'new');
  t.throws(() => readlinkSync(join(root, 'link')));
  t.equal(readFileSync(join(outside, 'kept'), 'utf8'), 'old');
  t.match(await world.tell('kim', 'File_Copy', { source: join(root, 'a'), target: join(root, 'dir'), overwrite: '1' }), /is no file that could be overwritten/);
});

await t.test('a gigabyte is stopped within a second, and nothing of it is left', async (t) => {
  const { world, root } = await startFiles(t);
  fill(join(root, 'large'), 1024 * MIB);
  const answer = await world.call('kim', 'FileManager_FileCopy', { files: { file: { source: join(root, 'large'), target: join(root, 'copy') } } });
  await until(() => parts(root).some((one) => statSync(join(root, one)).size > 0), WITHIN, 'the copy to be under way');
  t.notOk(existsSync(join(root, 'copy')), 'nothing bears its name yet');
  await t.rejects(world.tasks.stop(idOf(answer), { account: 'steve', mayAll: false }), { code: -33 }, 'not by somebody else');
  const began = performance.now();
  await world.tasks.stop(idOf(answer), { account: 'kim', mayAll: false });
  t.ok(performance.now() - began < 1000, 'within a second');
  t.comment(`stopped after ${Math.round(performance.now() - began)} ms`);
  t.match(world.tasks.get(idOf(answer), ALL), { state: 'stopped', error: undefined });
  t.same(readdirSync(root), ['large']);
  t.match(world.audit.at(-1), { command: 'FileManager_FileCopy', outcome: 'FAILED: it was stopped' });
});

await t.test('a copy ends with its account, with its root, and with what is put into its way', async (t) => {
  const { world, root } = await startFiles(t);
  fill(join(root, 'large'), 300 * MIB);
  const begin = async (target: string): Promise<string> => {
    const answer = await world.call('kim', 'FileManager_FileCopy', { files: { file: { source: join(root, 'large'), target: join(root, target) } } });
    await until(() => parts(root).length > 0, WITHIN, 'the copy to be under way');
    return answer;
  };
  const lost = await begin('one');
  world.takeAway('kim');
  t.match(await world.ended(lost), { state: 'stopped', error: 'NOT ALLOWED: the account was taken away' });
  const rootless = await begin('two');
  await world.roots({ path: root, read: ['steve'], write: ['kim'] });
  t.match(await world.ended(rootless), { state: 'failed', error: 'this is in no folder in which you may do that' });
  t.same(readdirSync(root), ['large']);
  await world.roots({ path: root, read: ['kim'], write: ['kim'] });
  const raced = await begin('three');
  writeFileSync(join(root, 'three'), 'mine');
  t.match(await world.ended(raced), { state: 'failed', error: `${root}/three: is there already` });
  t.equal(readFileSync(join(root, 'three'), 'utf8'), 'mine', 'what appeared meanwhile is not overwritten');
  t.same(readdirSync(root).sort(), ['large', 'three']);
});

await t.test('a reader is told of a reload that takes the root away', async (t) => {
  const { world, root } = await startFiles(t);
  writeFileSync(join(root, 'a'), 'abcdef');
  t.match(await world.tell('steve', 'File_Read', { file: join(root, 'a'), length: '3' }), /<eof>0<\/eof>/);
  await world.roots({ path: root, read: [], write: ['kim'] });
  t.equal(await world.tell('steve', 'File_Read', { file: join(root, 'a'), offset: '3' }), '-5 this is in no folder in which you may do that');
});

/** A file system of so many bytes. */
function mount(t: Test, bytes: number): string | undefined {
  const folder = scratchFolder(t);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status !== 0) return undefined;
  t.teardown(() => spawnSync('umount', ['-l', folder]));
  return folder;
}

await t.test('a disk that is full in mid-copy, and a move to another disk', async (t) => {
  const { world, root } = await startFiles(t);
  const small = mount(t, 20 * MIB);
  if (small === undefined) return t.comment('no right to mount a small disk: left out');
  await world.roots({ path: root, read: ['*'], write: ['kim'] }, { path: small, read: ['*'], write: ['kim'] });
  fill(join(root, 'large'), 30 * MIB);
  t.match(await world.ended(await world.call('kim', 'File_Copy', { source: join(root, 'large'), target: join(small, 'copy') })), { state: 'failed', error: /^cp failed: No space left on device$/ });
  t.same(readdirSync(small), [], 'the room is free again');
  fill(join(small, 'there'), 12 * MIB);
  fill(join(root, 'fits'), 10 * MIB);
  t.match(await world.tell('kim', 'File_Copy', { source: join(root, 'fits'), target: join(small, 'copy') }), /^-32 cp failed: No space left on device$/);
  t.match(await world.ended(await world.call('kim', 'File_Copy', { source: join(root, 'large'), target: join(small, 'there'), overwrite: '1' })), { state: 'failed' });
  t.equal(statSync(join(small, 'there')).size, 12 * MIB, 'what was to be overwritten is whole');
  const spare = 8 * MIB - 4096;
  fill(join(small, 'spare'), spare);
  t.match(await world.tell('kim', 'File_Create', { file: join(small, 'new'), content: 'x'.repeat(200_000) }), /^-32 .*there is no space left/);
  t.same(readdirSync(small).sort(), ['spare', 'there']);
  rmSync(join(small, 'spare'));
  rmSync(join(small, 'there'));
  const moved = await world.call('kim', 'FileManager_FileMove', { files: [['file', { source: join(root, 'fits'), target: join(small, 'fits') }]] });
  t.match(await world.ended(moved), { state: 'done' });
  t.same([existsSync(join(root, 'fits')), statSync(join(small, 'fits')).size], [false, 10 * MIB]);
  mkdirSync(join(root, 'dir'));
  t.match(await world.tell('kim', 'FileManager_FileMove', { files: { file: { source: join(root, 'dir'), target: join(small, 'dir') } } }), /^-35 .*to which no folders are moved/);
  t.same(readdirSync(small), ['fits']);
  t.ok(existsSync(join(root, 'dir')));
  t.match(await world.tell('kim', 'FileManager_FileMakeLink', { source: join(small, 'fits'), target: join(root, 'x'), symbolic: '0' }), /^-32 .*is on another disk/);
});

interface Held {
  readonly root: string;
  readonly stateDir: string;
  /** the file that is half made */
  readonly part: string;
  /** whether somebody still copies into it, also when its name is gone */
  readonly isCopied: () => boolean;
}

const processes = (): readonly number[] => readdirSync('/proc').filter((one) => /^\d+$/.test(one)).map(Number);

/** Those of the host's cp that copy into a file. */
const copiersInto = ({ dev, ino }: Stats): readonly number[] => processes().filter((pid) => {
  try {
    const into = statSync(`/proc/${pid}/fd/4`);
    return into.dev === dev && into.ino === ino && readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('cp\0');
  } catch {
    return false;
  }
});

/** A server that was killed while its copy stood still, so that it cannot have come to its end by itself. @param path where it finds programs */
async function killInMidCopy(t: Test, path: string): Promise<Held> {
  const folder = scratchFolder(t);
  const [root, stateDir] = [join(folder, 'root'), join(folder, 'state')];
  [root, stateDir].forEach((one) => mkdirSync(one));
  fill(join(root, 'large'), 600 * MIB);
  const server = spawn(process.execPath, [join(ROOT, 'dist/test/support/vmserverd/killed.js'), stateDir, root, join(root, 'large'), join(root, 'copy')], { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: path } });
  const exited = new Promise((resolve) => server.once('exit', resolve));
  const copiers = (): readonly number[] => parts(root).flatMap((name) => copiersInto(statSync(join(root, name))));
  await until(() => copiers().length === 1, WITHIN, 'the copy to be under way');
  const [pid = 0] = copiers();
  process.kill(pid, 'SIGSTOP');
  const part = join(root, parts(root)[0]!);
  const stats = statSync(part);
  const isCopied = (): boolean => copiersInto(stats).includes(pid);
  t.teardown(() => {
    if (isCopied()) process.kill(pid, 'SIGKILL');
  });
  server.kill('SIGKILL');
  await exited;
  return { root, stateDir, part, isCopied };
}

const canBind = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true']).status === 0;

await t.test('a copy ends with a server that is killed', canBind || process.env.CI === 'true' ? {} : { skip: 'setpriv of util-linux is not here' }, async (t) => {
  const { isCopied, part } = await killInMidCopy(t, process.env.PATH!);
  await until(() => !isCopied(), WITHIN, 'the copy to end');
  t.ok(existsSync(part), 'the next start removes what is left');
});

await t.test('where nothing binds it to the server, the next start ends it, and nobody else who has the file open', async (t) => {
  const programs = scratchFolder(t);
  for (const name of ['cp', 'sync']) symlinkSync(join('/bin', name), join(programs, name));
  const { root, stateDir, part, isCopied } = await killInMidCopy(t, programs);
  t.ok(isCopied(), 'it goes on without the server');
  const descriptor = openSync(part, 'r+');
  const backup = spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', 'ignore', descriptor] });
  closeSync(descriptor);
  t.teardown(() => backup.kill('SIGKILL'));
  const world = new FilesWorld(openState(t, stateDir), [stateDir]);
  await world.roots({ path: root, read: ['kim'], write: ['kim'] });
  await until(() => !existsSync(part), WITHIN, 'the file to be removed');
  await until(() => !isCopied(), WITHIN, 'the copy to end');
  t.same([backup.exitCode, backup.signalCode], [null, null], 'who merely has it open goes on');
  t.same(readdirSync(root), ['large']);
});

await t.test('a program that is not there, and one that fails, are told as what they are', async (t) => {
  const signal = new AbortController().signal;
  await t.rejects(runOn([], ['argo-has-no-such-program'], signal), { code: -35, message: 'argo-has-no-such-program is not installed on this host' });
  await t.rejects(runOn([], ['cp', '--', '/argo/nowhere', '/argo/none'], signal), { code: -32, message: 'cp failed: No such file or directory' });
  await t.rejects(runOn([], ['sh', '-c', 'echo "x: what came of it: Operation not permitted" >&2; echo "x: why: No space left on device" >&2; exit 1'], signal), { message: 'sh failed: No space left on device' }, 'as qemu-img tells it');
  await t.rejects(runOn([], ['false'], signal), { message: 'false failed: it does not say why' });
});

await t.test('what a killed server leaves on a disk that is not mounted is removed when it is', async (t) => {
  const folder = scratchFolder(t);
  const [disk, other, stateDir] = [join(folder, 'disk'), join(folder, 'other'), join(folder, 'state')];
  [disk, other, join(disk, 'sub'), stateDir].forEach((one) => mkdirSync(one));
  const state = openState(t, stateDir);
  const kv = state.keyValue('gateway vm');
  const leave = async (name: string, at: string, when = Date.now()): Promise<void> => {
    writeFileSync(join(at, `.argo-part-${name}`), 'half');
    await kv.set(`part:.argo-part-${name}`, JSON.stringify({ folder: at, ino: String(statSync(at).ino), at: when }));
  };
  await leave('1', disk);
  await leave('2', join(disk, 'sub'));
  await leave('3', disk, 0);
  const known = async (): Promise<readonly string[]> => (await kv.list('part:', 'part:')).map(({ key }) => key.replace('part:.argo-part-', ''));
  const start = async (): Promise<void> => {
    // the last that is looked at: when it is gone, the others were
    await leave('9', other);
    const world = new FilesWorld(state, [stateDir]);
    await world.roots({ path: disk, read: [], write: ['kim'] }, { path: other, read: [], write: ['kim'] });
    await until(async () => !(await known()).includes('9'), WITHIN, 'the end of the look');
    world.files.close();
  };
  renameSync(disk, `${disk}.away`);
  mkdirSync(disk);
  await start();
  t.same(await known(), ['1', '2'], 'what is looked for since long is not looked for any more');
  rmSync(disk, { recursive: true });
  renameSync(`${disk}.away`, disk);
  rmSync(join(disk, 'sub/.argo-part-2'));
  await start();
  t.same([await known(), parts(disk)], [[], ['.argo-part-3']]);
});

await t.test('who is told to stop while a file gets its name is told the truth: it has it', async (t) => {
  const folder = scratchFolder(t);
  let stop = new AbortController();
  /** Stops in the middle of one call of the system. */
  class StoppingDisk extends Disk {
    left = Infinity;

    override run<T>(...call: Parameters<typeof Disk.prototype.run<T>>): Promise<T> {
      const running = super.run<T>(...call);
      this.left -= 1;
      if (this.left === 0) stop.abort(new Error('stopped'));
      return running;
    }
  }
  const disk = new StoppingDisk();
  const jail = new Jail(disk, []);
  const placing = new Placing(new Leftovers(openState(t, scratchFolder(t)).keyValue('gateway vm'), () => undefined), () => undefined);
  const root = { path: folder, read: [], write: [] };
  for (const overwrite of [false, true]) {
    stop = new AbortController();
    await jail.parent({ root, names: ['new'], path: join(folder, 'new') }, new AbortController().signal, (within, name) =>
      placing.place({ folder: within.with(within.calls.under(stop.signal)), name, overwrite }, 0o644, async (handle) => {
        await handle.writeFile(`with ${overwrite ? 'one' : 'no'} before`);
        // the mode, and then the name
        disk.left = 2;
      }));
    t.ok(stop.signal.aborted);
    t.equal(readFileSync(join(folder, 'new'), 'utf8'), `with ${overwrite ? 'one' : 'no'} before`);
  }
  t.same(readdirSync(folder), ['new']);
});

await t.test('what a killed server leaves is known and removed at the next start', async (t) => {
  const folder = scratchFolder(t);
  const [root, stateDir] = [join(folder, 'root'), join(folder, 'state')];
  [root, stateDir].forEach((one) => mkdirSync(one));
  fill(join(root, 'large'), 600 * MIB);
  // of somebody else, with a name that looks alike
  writeFileSync(join(root, '.argo-part-mine'), 'mine');
  const child = spawn(process.execPath, [join(ROOT, 'dist/test/support/vmserverd/killed.js'), stateDir, root, join(root, 'large'), join(root, 'copy')], { stdio: ['ignore', 'pipe', 'inherit'] });
  let answer = '';
  child.stdout.on('data', (chunk: Buffer) => { answer += chunk.toString(); });
  await until(() => parts(root).length > 1 && answer.includes('</task>'), WITHIN, 'the copy to be under way');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('exit', resolve));
  t.equal(parts(root).length, 2, 'it is left');
  t.notOk(existsSync(join(root, 'copy')), 'and does not bear the target\'s name');
  const world = new FilesWorld(openState(t, stateDir), [stateDir]);
  await world.tasks.load();
  t.match(world.tasks.get(idOf(answer), { account: 'kim', mayAll: false }), { state: 'unknown', operation: 'FileManager_FileCopy', error: /nobody knows/ });
  await world.roots({ path: root, read: ['kim'], write: ['kim'] });
  await until(() => parts(root).length === 1, WITHIN, 'it to be removed');
  t.equal(readFileSync(join(root, '.argo-part-mine'), 'utf8'), 'mine');
  t.same(readdirSync(root).sort(), ['.argo-part-mine', 'large']);
  await until(() => world.logged.some((one) => one.includes('left half made was removed')), WITHIN, 'the log to say so');
});
