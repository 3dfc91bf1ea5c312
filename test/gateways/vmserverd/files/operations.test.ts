import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Folder } from '../../../../src/gateways/vmserverd/files/jail.js';
import { entriesOf } from '../../../../src/gateways/vmserverd/files/reading.js';
import { fileRows } from '../../../../src/gateways/vmserverd/operations/files.js';
import { NamePattern } from '../../../../src/kit/patterns.js';
import { scratchFolder, startFiles } from '../../../support/vmserverd/files-world.js';

const NOT_YOURS = '-5 this is in no folder in which you may do that';
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

await t.test('every operation of the seed on files has its row, under the name of its handler', (t) => {
  t.same(Object.keys(fileRows).sort(), [
    'CreateCOWDisk', 'Directory_GetSpaceUsage', 'Directory_List', 'Directory_Make', 'Directory_Remove', 'FileManager_ChangeAttribs', 'FileManager_ChangeGroup',
    'FileManager_ChangeMode', 'FileManager_ChangeOwner', 'FileManager_FileCopy', 'FileManager_FileExists', 'FileManager_FileMakeLink', 'FileManager_FileMove', 'FileManager_FileRemove',
    'FileManager_GetHomeDir', 'FileManager_GetParentDir', 'FileManager_ListDir', 'FileManager_ListDirTree', 'FileManager_MakeDir', 'FileManager_RemoveDir', 'File_Copy', 'File_Create',
    'File_Delete', 'File_Exists', 'File_Read', 'File_ReadLastN', 'GSXHostInfo_GetDiskSpace',
  ]);
  for (const [name, { handler, access }] of Object.entries(fileRows)) {
    const [, module = '', rest = name] = /^(?:(FileManager|GSXHostInfo)_)?(.*)$/.exec(name) ?? [];
    t.equal(handler, `VMware::VMServerd::${name === 'CreateCOWDisk' ? 'Disk' : module || 'Handlers'}::${rest}_Handler`, name);
    t.equal(access, 'authuser');
  }
  t.end();
});

await t.test('folders: made, listed, measured, removed, each recorded before it is done', async (t) => {
  const { world, root } = await startFiles(t);
  t.equal(await world.tell('kim', 'Directory_Make', { directory: join(root, 'iso') }), '');
  t.equal(modeOf(join(root, 'iso')), 0o755);
  t.match(world.audit, [{ account: 'kim', from: '192.0.2.7:902 vm', command: 'Directory_Make', instance: '-', options: join(root, 'iso'), outcome: 'done' }]);
  writeFileSync(join(root, 'a <b>.txt'), 'hello');
  symlinkSync('/etc/passwd', join(root, 'link'));
  const listed = await world.call('steve', 'Directory_List', { directory: root });
  t.match(listed, /^<entries><entry><name>a &lt;b&gt;\.txt<\/name><type>file<\/type><size>5<\/size><mtime>\d+<\/mtime><mode>0644<\/mode><\/entry><entry><name>iso<\/name><type>dir<\/type>/);
  t.match(listed, /<entry><name>link<\/name><type>link<\/type><size>11<\/size><mtime>\d+<\/mtime><mode>0777<\/mode><\/entry><\/entries>$/);
  const owned = await world.call('steve', 'FileManager_ListDir', { directory: root, pattern: '*.txt' });
  t.match(owned, new RegExp(`^<entries><entry><name>a &lt;b&gt;\\.txt</name>.*<owner>${userInfo().username}</owner><group>[^<]+</group></entry></entries>$`));
  t.match(await world.tell('steve', 'FileManager_ListDir', { directory: root, pattern: '[a' }), /^-3 <pattern>: /);
  t.match(await world.call('steve', 'Directory_GetSpaceUsage', { directory: root }), /^<used>\d+<\/used><free>\d+<\/free><total>[1-9]\d+<\/total>$/);
  t.match(await world.call('steve', 'GSXHostInfo_GetDiskSpace'), /^<filesystems><filesystem><mount>\/[^<]*<\/mount><device>[^<]+<\/device><total>[1-9]\d+<\/total><free>\d+<\/free><\/filesystem><\/filesystems>$/);
  t.equal(await world.tell('kim', 'Directory_Remove', { directory: join(root, 'link') }), `-32 ${root}/link: is no folder, or a link, which is not followed`);
  t.equal(await world.tell('kim', 'Directory_Remove', { directory: join(root, 'iso') }), '');
  t.notOk(existsSync(join(root, 'iso')));
  t.match(world.audit.slice(1), [{ outcome: /^FAILED|is no folder/ }, { command: 'Directory_Remove', outcome: 'done' }]);
});

await t.test('makeParents makes the right folders: the first bug of the seed is not here', async (t) => {
  const { world, root } = await startFiles(t);
  const given = (directory: string, more: Record<string, string> = {}) => ({ directories: { directory }, owner_mode: 'rwx', group_mode: 'rx', other_mode: '', ...more });
  t.equal(await world.tell('kim', 'FileManager_MakeDir', given(join(root, 'test1/test2/test3'))), `-32 ${root}/test1: is not there`);
  t.equal(await world.tell('kim', 'FileManager_MakeDir', given(join(root, 'test1/test2/test3'), { makeParents: '1' })), '');
  t.same(readdirSync(root), ['test1']);
  t.same(readdirSync(join(root, 'test1')), ['test2']);
  t.same(readdirSync(join(root, 'test1/test2')), ['test3']);
  t.equal(modeOf(join(root, 'test1/test2/test3')), 0o750);
  t.equal(await world.tell('kim', 'FileManager_MakeDir', given(join(root, 'test1'))), `-32 ${root}/test1: is there already`);
  t.equal(await world.tell('kim', 'FileManager_MakeDir', given(join(root, 'test1/test2/test3'), { makeParents: '1' })), '', 'as mkdir -p');
  for (const mode of ['rwxs', '7', 'rr', 's', 'RWX']) t.match(await world.tell('kim', 'FileManager_MakeDir', given(join(root, 'x'), { owner_mode: mode })), /^-3 <owner_mode>/, mode);
  t.equal(await world.tell('kim', 'FileManager_MakeDir', { directories: [['directory', join(root, 'one')], ['directory', join(root, 'test1')], ['directory', join(root, 'two')]] }),
    `-32 ${root}/test1: is there already; done before that: 1 of 3`);
  t.same(readdirSync(root).sort(), ['one', 'test1']);
});

await t.test('files: made whole, read in pieces, listed from their end, removed', async (t) => {
  const { world, root } = await startFiles(t);
  const file = join(root, 'note.txt');
  t.equal(await world.tell('kim', 'File_Create', { file, content: 'one\ntwo\nthr\u00e9\u00e9' }), '');
  t.equal(readFileSync(file, 'utf8'), 'one\ntwo\nthr\u00e9\u00e9');
  t.equal(modeOf(file), 0o644);
  t.equal(await world.tell('kim', 'File_Create', { file, content: 'x' }), `-32 ${file}: is there already`);
  t.equal(await world.tell('kim', 'File_Create', { file: join(root, 'b'), base64: 'AAEC /w==' }), '');
  t.same([...readFileSync(join(root, 'b'))], [0, 1, 2, 255]);
  for (const base64 of ['AA', 'A===', 'AA=A', '!!!!']) t.match(await world.tell('kim', 'File_Create', { file: join(root, 'c'), base64 }), /^-3 <base64>/, base64);
  t.match(await world.tell('kim', 'File_Create', { file: join(root, 'c'), base64: '', content: '' }), /^-3 /);
  t.same(readdirSync(root).sort(), ['b', 'note.txt'], 'nothing half made is left');
  t.equal(await world.call('steve', 'File_Read', { file, offset: '4', length: '3' }), `<base64>${Buffer.from('two').toString('base64')}</base64><eof>0</eof>`);
  t.equal(await world.call('steve', 'File_Read', { file, offset: '4' }), `<base64>${Buffer.from('two\nthr\u00e9\u00e9').toString('base64')}</base64><eof>1</eof>`);
  t.equal(await world.call('steve', 'File_Read', { file, offset: '99999' }), '<base64></base64><eof>1</eof>');
  t.match(await world.tell('steve', 'File_Read', { file, length: '262145' }), /^-3 <length>/);
  for (const operation of ['File_Read', 'File_ReadLastN']) t.equal(await world.tell('steve', operation, { file: root }), `-32 ${root}: is a folder`, operation);
  t.equal(await world.tell('kim', 'File_Copy', { source: root, target: join(root, 'c') }), `-32 ${root}: is a folder`);
  t.equal(await world.call('steve', 'File_ReadLastN', { file, n: '2' }), '<lines><line>two</line><line>thr\u00e9\u00e9</line></lines>');
  writeFileSync(file, `${'x'.repeat(2_000_000)}\nbad \u001b[31m\u0000 line\r\n${'y'.repeat(5000)}\n`);
  t.equal(await world.call('steve', 'File_ReadLastN', { file }), `<lines><line>bad ?[31m? line</line><line>${'y'.repeat(4096)}</line></lines>`, 'of what does no harm');
  writeFileSync(file, 'no \ufffe \uffff characters \ufdd0\n');
  t.equal(await world.call('steve', 'File_ReadLastN', { file }), '<lines><line>no ? ? characters ?</line></lines>', 'nor of what no document can carry');
  t.equal(await world.tell('kim', 'File_Delete', { file: root }), '-5 this is a folder of the configuration: it stays as it is');
  mkdirSync(join(root, 'd'));
  t.equal(await world.tell('kim', 'File_Delete', { file: join(root, 'd') }), `-32 ${root}/d: is a folder`);
  t.equal(await world.tell('kim', 'File_Delete', { file }), '');
  symlinkSync('/etc/passwd', join(root, 'l'));
  t.equal(await world.tell('kim', 'FileManager_FileRemove', { files: [['file', join(root, 'b')], ['file', join(root, 'l')], ['file', join(root, 'gone')]] }), `-32 ${root}/gone: is not there; done before that: 2 of 3`);
  t.same(readdirSync(root), ['d']);
  t.ok(existsSync('/etc/passwd'));
});

await t.test('what is there is told, and nothing of what is elsewhere', async (t) => {
  const { world, root, outside } = await startFiles(t);
  writeFileSync(join(root, 'a'), '');
  writeFileSync(join(outside, 'a'), '');
  symlinkSync(outside, join(root, 'out'));
  const asked = [join(root, 'a'), join(root, 'b'), root, outside, join(outside, 'a'), join(root, 'out'), join(root, 'out/a'), join(root, 'a/b'), '/etc/passwd', `${root}x`];
  const expected = ['1', '0', '1', '0', '0', '1', '0', '0', '0', '0'];
  const all = [];
  for (const file of asked) all.push(await world.call('steve', 'File_Exists', { file }));
  t.same(all, expected.map((one) => `<exists>${one}</exists>`));
  t.equal(await world.call('steve', 'FileManager_FileExists', { files: asked.map((file) => ['file', file] as const) }),
    `<files>${asked.map((file, index) => `<file><path>${file}</path><exists>${expected[index]}</exists></file>`).join('')}</files>`);
});

await t.test('who may not read or write is refused alike, whether it is there or not', async (t) => {
  const { world, root, outside } = await startFiles(t);
  const folder = scratchFolder(t);
  await world.roots({ path: root, read: ['*'], write: ['kim'] }, { path: folder, read: ['kim'], write: ['steve'] });
  writeFileSync(join(folder, 'a'), 'secret');
  writeFileSync(join(outside, 'a'), 'secret');
  writeFileSync(join(root, 'a'), '');
  for (const file of [join(folder, 'a'), join(folder, 'b'), join(outside, 'a'), join(outside, 'b'), '/etc/shadow', folder]) {
    t.equal(await world.tell('steve', 'File_Read', { file }), NOT_YOURS, file);
    t.equal(await world.tell('kim', 'File_Delete', { file }), NOT_YOURS, file);
    t.equal(await world.tell('steve', 'File_Copy', { source: file, target: join(folder, 'x') }), NOT_YOURS, file);
    t.equal(await world.tell('kim', 'FileManager_FileMove', { files: [['file', { source: file, target: join(root, 'x') }]] }), NOT_YOURS, 'what is moved is read and written');
    t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: file, target: join(root, 'x'), symbolic: '0' }), NOT_YOURS, 'who has another name for it can write to it');
  }
  t.equal(await world.tell('steve', 'File_Delete', { file: join(folder, 'a') }), '', 'to write is not to read');
  t.equal(await world.tell('steve', 'FileManager_GetHomeDir'), `<directory>${folder}</directory>`);
  t.equal(await world.tell('kim', 'FileManager_GetHomeDir'), `<directory>${root}</directory>`);
  t.equal(await world.tell('kim', 'FileManager_GetHomeDir', { user: 'steve' }), '-5 only one\'s own is told');
  t.equal(await world.tell('admin', 'FileManager_GetHomeDir', { user: 'steve' }), `<directory>${folder}</directory>`);
  t.equal(await world.tell('admin', 'FileManager_GetHomeDir', { user: 'nope' }), '-3 no such account', 'also where everybody may read');
  t.equal(await world.tell('kim', 'FileManager_GetHomeDir', { user: 'nope' }), '-5 only one\'s own is told');
  t.equal(await world.tell('steve', 'FileManager_GetParentDir', { path: join(folder, 'x/y') }), `<directory>${folder}/x</directory>`);
  t.equal(await world.tell('steve', 'FileManager_GetParentDir', { path: folder }), `<directory>${folder}</directory>`, 'not above it');
  await world.roots({ path: root, read: ['*'], write: ['*'] }, { path: folder, read: ['steve'], write: ['steve'] });
  t.equal(await world.tell('steve', 'FileManager_GetHomeDir'), `<directory>${folder}</directory>`, 'one\'s own comes before everybody\'s');
  t.equal(await world.tell('kim', 'FileManager_GetHomeDir'), `<directory>${root}</directory>`);
  await world.roots();
  for (const operation of ['Directory_List', 'Directory_Make', 'Directory_Remove', 'Directory_GetSpaceUsage', 'FileManager_ListDirTree']) t.equal(await world.tell('kim', operation, { directory: root }), NOT_YOURS, operation);
  t.equal(await world.tell('kim', 'GSXHostInfo_GetDiskSpace'), '-5 there is no folder in which you may read');
  t.equal(await world.tell('kim', 'FileManager_GetHomeDir'), '-5 there is no such folder');
});

await t.test('nothing is done where it cannot be recorded', async (t) => {
  const { world, root } = await startFiles(t);
  writeFileSync(join(root, 'a'), 'a');
  mkdirSync(join(root, 'd'));
  world.auditFails = true;
  const file = join(root, 'a');
  const calls: [string, Parameters<typeof world.tell>[2]][] = [
    ['File_Create', { file: join(root, 'n') }], ['File_Delete', { file }], ['File_Copy', { source: file, target: join(root, 'n') }], ['Directory_Make', { directory: join(root, 'n') }],
    ['Directory_Remove', { directory: join(root, 'd') }], ['FileManager_FileRemove', { files: { file } }], ['FileManager_MakeDir', { directories: { directory: join(root, 'n') } }],
    ['FileManager_FileMove', { files: { file: { source: file, target: join(root, 'n') } } }], ['FileManager_FileMakeLink', { source: file, target: join(root, 'n') }],
    ['FileManager_ChangeMode', { files: { file }, owner_mode: 'r', group_mode: '', other_mode: '' }], ['FileManager_ChangeAttribs', { files: { file }, attribs: 'readonly' }],
    ['CreateCOWDisk', { base: file, target: join(root, 'n'), format: 'raw' }], ['FileManager_RemoveDir', { directories: { directory: join(root, 'd') } }],
  ];
  for (const [operation, given] of calls) t.equal(await world.tell('kim', operation, given), 'AUDIT UNAVAILABLE: nothing was done', operation);
  for (const [operation, given] of [
    ['FileManager_FileCopy', { files: { file: { source: file, target: join(root, 'n') } } }], ['FileManager_RemoveDir', { directories: { directory: join(root, 'd') }, recursive: '1' }],
  ] as const) t.match(await world.ended(await world.call('kim', operation, given)), { state: 'failed', error: 'AUDIT UNAVAILABLE: nothing was done' }, operation);
  t.same(readdirSync(root).sort(), ['a', 'd']);
  t.equal(modeOf(file), 0o644);
});

await t.test('the longest paths, of what is written longest in the audit', async (t) => {
  const { world, root } = await startFiles(t);
  const name = ' '.repeat(254);
  const folder = join(root, ...Array.from({ length: Math.floor((4095 - Buffer.byteLength(root) - 3) / 256) }, () => `${name}x`));
  t.equal(await world.tell('kim', 'FileManager_MakeDir', { directories: { directory: folder }, makeParents: '1' }), '');
  t.equal(await world.tell('kim', 'File_Create', { file: join(folder, 'a') }), '');
  t.equal(await world.tell('kim', 'FileManager_FileMove', { files: { file: { source: join(folder, 'a'), target: join(folder, 'b') } }, overwrite: '1' }), '');
  t.equal(await world.tell('kim', 'File_Delete', { file: join(folder, 'b') }), '');
  t.match(world.audit.map(({ outcome }) => outcome), ['done', 'done', 'done', 'done']);
});

await t.test('a pattern that takes long lets others have their turns', async (t) => {
  const names = Array.from({ length: 5000 }, (_, at) => ({ name: `${'a'.repeat(250)}${at}`, type: 'file' as const }));
  const folder = { names: () => Promise.resolve({ names, isWhole: true }), lookFor: () => Promise.resolve(undefined) } as unknown as Folder;
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const pattern = new NamePattern(`${'*a'.repeat(120)}b`);
  const during = new Set<number>();
  const looked = { matches: (name: string) => (during.add(turns), pattern.matches(name)) } as NamePattern;
  t.same((await entriesOf(folder, looked)).entries, []);
  isOver = true;
  t.ok(during.size > 10, `${during.size} turns`);
});

await t.test('links: made, listed as what they are, never followed', async (t) => {
  const { world, root, outside } = await startFiles(t);
  const file = join(root, 'a');
  writeFileSync(file, 'a');
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: file, target: join(root, 's') }), '');
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: root, target: join(root, 'top') }), '', 'a folder of the configuration stays as it is when it has a link');
  t.equal(readlinkSync(join(root, 'top')), root);
  t.match(await world.tell('kim', 'File_Read', { file: join(root, 'top/a') }), /^-32 .*not followed/);
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: root, target: join(root, 'h'), symbolic: '0' }), `-32 ${root}: is no file`);
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: outside, target: join(root, 'o') }), NOT_YOURS);
  t.equal(readlinkSync(join(root, 's')), file);
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: file, target: join(root, 'h'), symbolic: '0' }), '');
  t.equal(lstatSync(join(root, 'h')).ino, lstatSync(file).ino);
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: file, target: join(root, 'h'), symbolic: '0' }), `-32 ${root}/h: is there already`);
  t.equal(await world.tell('kim', 'FileManager_FileMakeLink', { source: join(root, 'gone'), target: join(root, 'x') }), `-32 ${root}/gone: is not there`);
  t.equal(await world.tell('steve', 'File_Read', { file: join(root, 's') }), `-32 ${root}/s: is a link, which is not followed`);
  t.match(await world.tell('kim', 'FileManager_ChangeMode', { files: { file: join(root, 's') }, owner_mode: '', group_mode: '', other_mode: '' }), /^-32 .*is a link/);
  t.equal(modeOf(file), 0o644);
});

await t.test('modes, owners and attributes', async (t) => {
  const { world, root } = await startFiles(t);
  const file = join(root, 'a');
  writeFileSync(file, 'a');
  const files = { file };
  t.equal(await world.tell('kim', 'FileManager_ChangeMode', { files, owner_mode: 'xw', group_mode: 'r', other_mode: '' }), '');
  t.equal(modeOf(file), 0o340);
  chmodSync(file, 0o6755);
  t.equal(await world.tell('kim', 'FileManager_ChangeAttribs', { files, attribs: 'readonly' }), '');
  t.equal(modeOf(file), 0o555, 'and no bits are left by which it would run as somebody else');
  t.equal(await world.tell('kim', 'FileManager_ChangeAttribs', { files, attribs: '' }), '');
  t.equal(modeOf(file), 0o755);
  t.equal(await world.tell('kim', 'FileManager_ChangeAttribs', { files, attribs: 'readonly,hidden' }), '-35 files of this host have no attribute but readonly');
  t.match(await world.tell('kim', 'FileManager_ChangeAttribs', { files, attribs: 'readonly,' }), /^-3 /);
  const { username } = userInfo();
  t.match(await world.tell('kim', 'FileManager_ChangeOwner', { files, owner: username }), /^-5 owners are changed by accounts that have every right/);
  t.match(await world.tell('kim', 'FileManager_ChangeGroup', { files, group: 'root' }), /^-5 /);
  await world.roots({ path: root, read: [], write: ['admin'] });
  t.equal(await world.tell('admin', 'FileManager_ChangeOwner', { files, owner: username }), '');
  t.equal(await world.tell('admin', 'FileManager_ChangeOwner', { files, owner: 'no-such-user' }), '-3 this host has no user no-such-user');
  t.match(await world.tell('admin', 'FileManager_ChangeOwner', { files, owner: '-R' }), /^-3 <owner>/);
  t.match(await world.tell('admin', 'FileManager_ChangeGroup', { files, group: 'nogroup' }), process.getuid?.() === 0 ? /^$/ : /^-32 /);
});

await t.test('trees: told so deep, removed as a whole or not at all', async (t) => {
  const { world, root, outside } = await startFiles(t);
  mkdirSync(join(root, 'a/b/c'), { recursive: true });
  writeFileSync(join(root, 'a/one'), '');
  writeFileSync(join(root, 'a/b/c/deep'), '');
  writeFileSync(join(outside, 'keep'), '');
  symlinkSync(outside, join(root, 'a/b/out'));
  t.equal(await world.call('steve', 'FileManager_ListDirTree', { directory: join(root, 'a'), depth: '3' }),
    '<directory><name>a</name><files><file>one</file></files><directories><directory><name>b</name><files><file>out</file></files><directories><directory><name>c</name><files><file>deep</file></files><directories></directories></directory></directories></directory></directories></directory>');
  t.match(await world.call('steve', 'FileManager_ListDirTree', { directory: root, depth: '1' }), /<name>a<\/name><files><\/files><directories><\/directories><truncated>1<\/truncated>/);
  t.match(await world.tell('steve', 'FileManager_ListDirTree', { directory: root, depth: '9' }), /^-3 <depth>/);
  t.equal(await world.tell('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'a') } }), `-32 ${root}/a: is not empty`);
  t.equal(await world.tell('kim', 'FileManager_RemoveDir', { directories: { directory: root }, recursive: '1' }), '-5 this is a folder of the configuration: it stays as it is');
  t.match(await world.ended(await world.call('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'a') }, recursive: '1' })), { state: 'done', percent: 100 });
  t.same([readdirSync(root), readdirSync(outside)], [[], ['keep']], 'what a link leads to stays');
  writeFileSync(join(root, 'file'), '');
  symlinkSync(outside, join(root, 'link'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  mkdirSync(join(root, 'stays'));
  for (const name of ['file', 'link', 'pipe']) {
    t.equal(await world.tell('kim', 'FileManager_RemoveDir', { directories: [['directory', join(root, 'stays')], ['directory', join(root, name)]], recursive: '1' }), `-32 ${root}/${name}: is no folder, or a link, which is not followed`, name);
  }
  t.equal(await world.tell('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'gone') }, recursive: '1' }), `-32 ${root}/gone: is not there`);
  t.same([readdirSync(root).sort(), readdirSync(outside)], [['file', 'link', 'pipe', 'stays'], ['keep']], 'nothing was begun');
  mkdirSync(join(root, 'many/inner'), { recursive: true });
  for (let index = 0; index < 5001; index += 1) writeFileSync(join(root, 'many/inner', String(index)), '');
  t.match(await world.ended(await world.call('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'many') }, recursive: '1' })), { state: 'failed', error: /more than 5000/ });
  t.equal(await world.tell('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'many/inner') }, recursive: '1' }), '-3 more than 5000 files and folders: remove it in parts', 'what is seen at once is told at once');
  t.equal(readdirSync(join(root, 'many/inner')).length, 5001, 'nothing of it is gone');
  t.match(await world.call('steve', 'Directory_List', { directory: join(root, 'many/inner') }), /<truncated>1<\/truncated>$/);
  t.match(await world.call('steve', 'FileManager_ListDirTree', { directory: root, depth: '8' }), /<truncated>1<\/truncated><\/directory>/);
  mkdirSync(join(root, Array.from({ length: 40 }, () => 'd').join('/')), { recursive: true });
  t.match(await world.ended(await world.call('kim', 'FileManager_RemoveDir', { directories: { directory: join(root, 'd') }, recursive: '1' })), { state: 'failed', error: /more than 32 folders/ });
});

await t.test('moves: under another name, over nothing that is there, and not into itself', async (t) => {
  const { world, root } = await startFiles(t);
  const move = (source: string, target: string, overwrite = '0') => world.tell('kim', 'FileManager_FileMove', { files: { file: { source: join(root, source), target: join(root, target) } }, overwrite });
  for (const one of ['a', 'b']) writeFileSync(join(root, one), one);
  mkdirSync(join(root, 'd/e'), { recursive: true });
  symlinkSync('nowhere', join(root, 'l'));
  t.equal(await move('a', 'b'), `-32 ${root}/b: is there already`);
  t.equal(await move('a', 'c'), '');
  t.equal(await move('c', 'b', '1'), '');
  t.equal(readFileSync(join(root, 'b'), 'utf8'), 'a');
  t.equal(await move('l', 'd/l'), '');
  t.equal(readlinkSync(join(root, 'd/l')), 'nowhere');
  t.equal(await move('d', 'd/e/f'), '-3 nothing can be moved to itself or into itself');
  t.equal(await move('d', 'b'), `-32 ${root}/b: is there already`);
  t.equal(await move('b', 'd', '1'), `-32 ${root}/d: is no file that could be overwritten`);
  t.equal(await move('d', 'g'), '');
  t.same(readdirSync(root).sort(), ['b', 'g']);
  t.equal(await move('gone', 'x'), `-32 ${root}/gone: is not there`);
  writeFileSync(join(root, 'h'), 'h');
  linkSync(join(root, 'h'), join(root, 'i'));
  t.equal(await move('h', 'j'), '');
  t.same(readdirSync(root).sort(), ['b', 'g', 'i', 'j'], 'its other names stay');
  t.equal(await move('i', 'j'), `-32 ${root}/j: is there already`);
  t.equal(await move('i', 'j', '1'), '', 'over another name of the same file');
  t.same(readdirSync(root).sort(), ['b', 'g', 'j']);
  t.same([readFileSync(join(root, 'j'), 'utf8'), statSync(join(root, 'j')).nlink], ['h', 1]);
  linkSync(join(root, 'j'), join(root, 'g/k'));
  t.equal(await move('j', 'g/k', '1'), '', 'in another folder');
  t.same([readdirSync(root).sort(), readFileSync(join(root, 'g/k'), 'utf8')], [['b', 'g'], 'h']);
});
