import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, posix } from 'node:path';
import t, { type Test } from 'tap';
import { rootFaults, rootFaultsOnDisk } from '../../../../src/gateways/vmserverd/files/options.js';
import { isName, isWithin, readPath } from '../../../../src/gateways/vmserverd/files/paths.js';
import { scratchFolder, startFiles, type FilesWorld } from '../../../support/vmserverd/files-world.js';
import { ROOT } from '../../../support/paths.js';
import { seededRandom } from '../../../support/seeded-random.js';
import { until } from '../../../support/until.js';

const NOT_YOURS = '-5 this is in no folder in which you may do that';
/** What of a folder is open. */
const openBelow = (folder: string): readonly string[] => readdirSync('/proc/self/fd').flatMap((fd) => {
  try {
    const to = readlinkSync(`/proc/self/fd/${fd}`);
    return isWithin(to, folder) ? [to] : [];
  } catch {
    return [];
  }
});

/** Each way to touch a path, by which nothing outside may be read or changed. */
const calls = (file: string, beside: string): readonly (readonly [string, Parameters<FilesWorld['tell']>[2]])[] => [
  ['File_Read', { file }], ['File_ReadLastN', { file }], ['Directory_List', { directory: file }], ['FileManager_ListDir', { directory: file }], ['FileManager_ListDirTree', { directory: file }],
  ['Directory_GetSpaceUsage', { directory: file }], ['GSXHostInfo_GetDiskSpace', { path: file }], ['File_Create', { file, content: 'x' }], ['Directory_Make', { directory: file }],
  ['FileManager_MakeDir', { directories: { directory: file }, makeParents: '1' }], ['File_Copy', { source: file, target: beside }], ['File_Copy', { source: beside, target: file, overwrite: '1' }],
  ['FileManager_FileMove', { files: { file: { source: file, target: beside } }, overwrite: '1' }], ['FileManager_FileMakeLink', { source: file, target: beside, symbolic: '0' }],
  ['FileManager_FileMakeLink', { source: beside, target: file }], ['FileManager_ChangeMode', { files: { file }, owner_mode: 'rwx', group_mode: 'rwx', other_mode: 'rwx' }],
  ['FileManager_ChangeAttribs', { files: { file }, attribs: '' }], ['CreateCOWDisk', { base: file, target: beside, format: 'raw' }], ['CreateCOWDisk', { base: beside, target: file, format: 'raw' }],
  ['File_Delete', { file }], ['FileManager_FileRemove', { files: { file } }], ['Directory_Remove', { directory: file }],
];

await t.test('what is a path and what is none', (t) => {
  for (const good of ['/', '/a', '/a/b', '//a///b/', '/a b/ü', `/${'x'.repeat(255)}`, '/...', '/-rf', '/a\\b', '/%2e%2e']) t.ok(readPath(good), good);
  for (const bad of ['', 'a', './a', '/a/../b', '/..', '/a/.', '/.', '/a\0b', '/a\nb', '/a\u0085b', '/\ud800', '/a/\u007f', '/a/\ufffe', '/\uffff', `/${'x'.repeat(256)}`, `/${'ü'.repeat(128)}`, `/${'a/'.repeat(2100)}`, `/${'a/'.repeat(129)}`, 'C:\\x']) {
    t.equal(readPath(bad), undefined, JSON.stringify(bad.slice(0, 20)));
  }
  t.same([isWithin('/a/b', '/a'), isWithin('/a', '/a'), isWithin('/ab', '/a'), isWithin('/a', '/')], [true, true, false, true]);
  t.same(['a', '.', '..', 'a/b', ''].map(isName), [true, false, false, false, false]);
  t.end();
});

await t.test('folders that can be no root', (t) => {
  const folder = scratchFolder(t);
  const state = join(folder, 'state');
  ['state', 'good', 'good/inner', 'other'].forEach((one) => mkdirSync(join(folder, one)));
  writeFileSync(join(folder, 'file'), '');
  symlinkSync(state, join(folder, 'toState'));
  symlinkSync(join(folder, 'other'), join(folder, 'above'));
  const root = (path: string) => ({ path, read: [], write: [] });
  const words = (paths: readonly string[]): readonly string[] => rootFaultsOnDisk(paths.map(root), [state, join(folder, 'file')]).map(({ message }) => message);
  t.same(words([join(folder, 'good'), join(folder, 'other')]), []);
  for (const bad of ['/', '/etc', '/etc/ssh', '/proc', '/sys/class', '/dev/shm', '/run', state, join(state, 'x'), folder]) t.match(words([bad]), [/would lead to|is not there/], bad);
  t.match(words([join(folder, 'toState')]), [/would lead to .*state/, /a link is not followed/]);
  t.match(words([join(folder, 'gone')]), [/is not there/]);
  t.match(words([join(folder, 'good/inner'), join(folder, 'good')]), [/lies in/]);
  t.match(words([join(folder, 'good'), join(folder, 'good')]), [/lies in/, /lies in/]);
  t.same(rootFaults([root('/srv/gone')], [state]), [], 'a server that starts waits for no disk');
  t.match(rootFaults([root('/etc/x')], [state]), [{ path: ['file-roots', 0, 'path'] }]);
  t.end();
});

/** A root with what is hostile in it, and a folder outside with what is to stay as it is. */
async function hostile(t: Test) {
  const scratch = await startFiles(t);
  const { root, outside } = scratch;
  writeFileSync(join(outside, 'secret'), 'outside');
  mkdirSync(join(outside, 'folder'));
  mkdirSync(join(root, 'dir'));
  writeFileSync(join(root, 'dir/file'), 'inside');
  symlinkSync(outside, join(root, 'out'));
  symlinkSync(join(outside, 'secret'), join(root, 'leaf'));
  symlinkSync('../outside', join(root, 'relative'));
  symlinkSync(join(root, 'dir'), join(root, 'inner'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync('/proc/self/root/etc', join(root, 'magic'));
  return scratch;
}

const snapshot = (folder: string): unknown => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort().map((name) => {
  const { mode, size, ino, nlink } = statSync(join(folder, name));
  return [name, mode, size, ino, nlink];
});

await t.test('no link leads out, whatever is asked of it', async (t) => {
  const { world, root, outside } = await hostile(t);
  const before = JSON.stringify(snapshot(outside));
  for (const path of ['out/secret', 'out', 'out/new', 'out/folder', 'leaf', 'relative/secret', 'inner/file', 'loop', 'loop/x', 'magic/passwd', 'dir/file/x', 'out/folder/../secret', 'dir/../../outside/secret', 'out//secret', './leaf']) {
    for (const [operation, given] of calls(`${root}/${path}`, join(root, 'beside'))) {
      writeFileSync(join(root, 'beside'), 'beside');
      const answer = await world.tell('kim', operation, given);
      t.notMatch(answer, /outside(?!\/)|root:x|b3V0c2lkZQ/, `${operation} ${path}`);
      t.equal(JSON.stringify(snapshot(outside)), before, `${operation} ${path}`);
      // a link itself may be removed or moved: it is put back
      for (const [link, to] of [['out', outside], ['leaf', join(outside, 'secret')], ['loop', 'loop']] as const) {
        if (lstatSync(join(root, link), { throwIfNoEntry: false })?.isSymbolicLink() !== true) {
          if (existsSync(join(root, link))) renameSync(join(root, link), join(root, `was-${link}-${operation}`));
          symlinkSync(to, join(root, link));
        }
      }
      if (lstatSync(join(root, 'beside'), { throwIfNoEntry: false })?.isSymbolicLink()) renameSync(join(root, 'beside'), join(root, `moved-${operation}`));
    }
  }
  await until(() => openBelow(root).length === 0, 5000, `all files to be closed: ${String(openBelow(root))}`);
});

await t.test('what is outside is refused alike, and long or odd names are no way round', async (t) => {
  const { world, root, outside } = await hostile(t);
  for (const path of [outside, join(outside, 'secret'), join(outside, 'gone'), `${root}x`, posix.dirname(root), '/', '/etc/shadow', '/proc/self/environ', '/dev/null', '/dev/gone']) {
    for (const [operation, given] of calls(path, join(root, 'dir/file'))) t.equal(await world.tell('kim', operation, given), NOT_YOURS, `${operation} ${path}`);
  }
  for (const path of [`${root}/a\0b`, `${root}/../outside/secret`, `${root}/${'x'.repeat(256)}`, `${root}/${'a/'.repeat(2000)}`, `${root}/a\u001bb`, 'relative', '']) {
    for (const [operation, given] of calls(path, join(root, 'dir/file'))) t.match(await world.tell('kim', operation, given), /^-3 /, `${operation} ${JSON.stringify(path.slice(-20))}`);
  }
});

await t.test('pipes, devices and sockets are neither opened nor removed', async (t) => {
  const { world, root } = await startFiles(t);
  spawnSync('mkfifo', [join(root, 'fifo')]);
  const server = createServer();
  await new Promise<void>((resolve) => { server.listen(join(root, 'socket'), resolve); });
  t.teardown(() => server.close());
  const special = ['fifo', 'socket'];
  if (spawnSync('mknod', [join(root, 'zero'), 'c', '1', '5']).status === 0) special.push('zero');
  else t.comment('no right to make a device: left out');
  writeFileSync(join(root, 'plain'), '');
  for (const name of special) {
    const file = join(root, name);
    const began = performance.now();
    for (const operation of ['File_Read', 'File_ReadLastN', 'File_Delete']) t.match(await world.tell('kim', operation, { file }), /^-32 .*is neither a file nor a/, `${operation} ${name}`);
    t.match(await world.tell('kim', 'File_Copy', { source: file, target: join(root, 'x') }), /^-32 .*is neither/);
    t.match(await world.tell('kim', 'File_Copy', { source: join(root, 'plain'), target: file, overwrite: '1' }), /^-32 .*is no file that could be overwritten/);
    t.match(await world.tell('kim', 'FileManager_FileMove', { files: { file: { source: file, target: join(root, 'x') } } }), /^-32 .*is neither/);
    t.match(await world.tell('kim', 'FileManager_FileMakeLink', { source: file, target: join(root, 'x'), symbolic: '0' }), /^-32 .*is no file/);
    t.match(await world.tell('kim', 'FileManager_ChangeMode', { files: { file }, owner_mode: '', group_mode: '', other_mode: '' }), /^-32 .*is neither/);
    t.match(await world.tell('kim', 'CreateCOWDisk', { base: file, target: join(root, 'x'), format: 'raw' }), /^-32 .*is neither/);
    t.ok(performance.now() - began < 20_000, 'nothing waited for it');
  }
  mkdirSync(join(root, 'dir'));
  writeFileSync(join(root, 'dir/first'), '');
  spawnSync('mkfifo', [join(root, 'dir/fifo')]);
  t.match(await world.ended(await world.call('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'dir') }, recursive: '1' })), { state: 'failed', error: /fifo: is neither/ });
  t.same(readdirSync(join(root, 'dir')).sort(), ['fifo', 'first'], 'nothing of it is gone');
  t.match(await world.call('kim', 'Directory_List', { directory: root }), /<name>fifo<\/name><type>other<\/type>/);
});

await t.test('the server\'s own is not reached under whatever name', async (t) => {
  const { world, root, stateDir } = await startFiles(t);
  // as if the folder had been renamed into the root since the configuration was read
  renameSync(stateDir, join(root, 'state'));
  await world.roots({ path: root, read: ['*'], write: ['kim'] });
  symlinkSync(join(root, 'state'), stateDir);
  for (const [operation, given] of [['Directory_List', { directory: join(root, 'state') }], ['File_Read', { file: join(root, 'state/state.sqlite') }], ['FileManager_ListDirTree', { directory: root }]] as const) {
    t.equal(await world.tell('kim', operation, given), NOT_YOURS, operation);
  }
  renameSync(join(root, 'state'), `${stateDir}.moved`);
});

await t.test('names that are no text are counted, and in nobody\'s way', async (t) => {
  const { world, root } = await startFiles(t);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/bad`), Buffer.from([0xff, 0xfe])]), '');
  writeFileSync(join(root, 'with\nnewline'), '');
  // text, and in no XML (1.0, "Char")
  writeFileSync(join(root, 'no character \ufffe'), '');
  mkdirSync(join(root, 'nor this \uffff'));
  writeFileSync(join(root, 'good'), '');
  const listed = await world.call('kim', 'Directory_List', { directory: root });
  t.match(listed, /^<entries><entry><name>good<\/name>.*<\/entry><\/entries><unnamed>4<\/unnamed>$/);
  t.match(await world.call('kim', 'FileManager_ListDirTree', { directory: root }), /<files><file>good<\/file><\/files>/);
});

await t.test('hard links are files like any other, with the permissions that they have', async (t) => {
  const { world, root, outside } = await startFiles(t);
  writeFileSync(join(outside, 'a'), 'shared');
  linkSync(join(outside, 'a'), join(root, 'a'));
  t.match(await world.tell('kim', 'File_Read', { file: join(root, 'a') }), /<eof>1<\/eof>/, 'as the document says: nobody can tell');
  t.equal(await world.tell('kim', 'File_Copy', { source: join(root, 'a'), target: join(root, 'b') }), '');
  chmodSync(join(root, 'b'), 0o600);
  t.equal(statSync(join(outside, 'a')).mode & 0o777, 0o644, 'a copy is another file');
});

/** What is there, as a list of paths would say it: written without a look at how the program does it. */
function model(root: string, path: string): 'bad' | 'outside' | 'inside' {
  if (!path.startsWith('/') || Buffer.byteLength(path) > 4095) return 'bad';
  const parts = path.split('/').filter(Boolean);
  if (parts.length > 128) return 'bad';
  for (const part of parts) {
    if (part === '.' || part === '..' || Buffer.byteLength(part) > 255 || [...part].some((one) => { const code = one.codePointAt(0)!; return code < 32 || (code >= 127 && code < 160) || (code >= 0xd800 && code < 0xe000); })) return 'bad';
  }
  const plain = `/${parts.join('/')}`;
  return plain === root || plain.startsWith(`${root}/`) ? 'inside' : 'outside';
}

await t.test('any path is what a model says: bad, outside, or inside and never beyond a link', async (t) => {
  const { world, root, outside } = await hostile(t);
  const random = seededRandom(14);
  const pieces = ['dir', 'file', 'out', 'inner', 'leaf', 'relative', 'secret', 'folder', 'new', '..', '.', '', 'a\0', '\n', 'x'.repeat(256), 'ü', '...', ' ', 'magic', 'passwd', '\ud800', '%2e%2e', '~', '-n'];
  const starts = [root, root, root, root, `${root}/`, `${root}x`, outside, '/', '', '/etc', posix.dirname(root), `${root}/../${posix.basename(root)}`];
  const before = JSON.stringify(snapshot(outside));
  const seen = { bad: 0, outside: 0, inside: 0 };
  for (let round = 0; round < 700; round += 1) {
    const path = [starts[random.below(starts.length)]!, ...Array.from({ length: random.below(5) }, () => pieces[random.below(pieces.length)]!)].join('/');
    const expected = model(root, path);
    seen[expected] += 1;
    const all = calls(path, join(root, 'dir/file'));
    const [operation, given] = all[random.below(16)]!;
    const answer = await world.tell('kim', operation, given);
    if (expected === 'bad') t.match(answer, /^-3 /, `${operation} ${JSON.stringify(path)}`);
    else if (expected === 'outside') t.equal(answer, NOT_YOURS, `${operation} ${JSON.stringify(path)}`);
    else if (/(?:^|\/)(?:out|inner|leaf|relative|magic)\/+[^/]/.test(path.slice(root.length))) t.match(answer, /^-3[25]? |^-5 /, `${operation} ${JSON.stringify(path)}`);
    if (/outside(?!\/)|b3V0c2lkZQ|root:x/.test(answer)) t.fail(`${operation} ${path} told ${answer}`);
  }
  t.equal(JSON.stringify(snapshot(outside)), before, 'nothing outside was changed');
  t.ok(seen.bad > 50 && seen.outside > 50 && seen.inside > 50, 'of each kind there were many');
});

await t.test('a second process that swaps folders and files for links finds no moment', async (t) => {
  const { world, root, outside } = await startFiles(t);
  mkdirSync(join(root, 'dir'));
  writeFileSync(join(root, 'dir/file'), 'inside');
  writeFileSync(join(root, 'file'), 'inside');
  writeFileSync(join(outside, 'file'), 'outside');
  chmodSync(join(outside, 'file'), 0o600);
  const end = join(outside, '..', 'end');
  const swapper = spawn(process.execPath, [join(ROOT, 'dist/test/support/vmserverd/swapper.js'), root, outside, end], { stdio: ['ignore', 'ignore', 'inherit'] });
  const gone = new Promise((resolve) => swapper.once('exit', resolve));
  t.teardown(() => swapper.kill('SIGKILL'));
  const counts = { done: 0, refused: 0 };
  const over = performance.now() + 8000;
  for (let round = 0; performance.now() < over && round < 4000; round += 1) {
    const [file, folder] = [join(root, round % 2 === 0 ? 'dir/file' : 'file'), join(root, 'dir')];
    const all: readonly (readonly [string, Parameters<FilesWorld['tell']>[2]])[] = [
      ['File_Read', { file }], ['File_ReadLastN', { file }], ['Directory_List', { directory: folder }], ['File_Create', { file: join(folder, `n${round}`), content: 'x' }],
      ['FileManager_ChangeMode', { files: { file }, owner_mode: 'rwx', group_mode: 'rwx', other_mode: 'rwx' }], ['File_Delete', { file: join(folder, `n${round - 7}`) }],
      ['Directory_Make', { directory: join(folder, `d${round}`) }], ['Directory_Remove', { directory: join(folder, `d${round - 7}`) }], ['FileManager_FileMakeLink', { source: file, target: join(folder, `l${round}`), symbolic: '0' }],
    ];
    const [operation, given] = all[round % all.length]!;
    const answer = await world.tell('kim', operation, given);
    if (/b3V0c2lkZQ|<line>outside/.test(answer)) t.fail(`${operation} told what is outside: ${answer}`);
    counts[answer.startsWith('-') ? 'refused' : 'done'] += 1;
  }
  writeFileSync(end, '');
  await gone;
  t.same(readdirSync(outside), ['file'], 'nothing was made or removed outside');
  t.equal(statSync(join(outside, 'file')).mode & 0o777, 0o600, 'no mode was changed outside');
  t.equal(statSync(join(outside, 'file')).nlink, 1, 'nothing outside has got a further name');
  t.equal(readFileSync(join(outside, 'file'), 'utf8'), 'outside');
  t.comment(counts);
  t.ok(counts.done > 20 && counts.refused > 20, 'both were often so');
  t.same(openBelow(posix.dirname(root)).filter((one) => !one.includes('state.sqlite')), [], 'all files are closed');
});
