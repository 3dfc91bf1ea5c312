import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HostFiles } from '../../../../src/drivers/libvirt/management/templates/host-files.js';
import { Sweeper } from '../../../../src/drivers/libvirt/management/templates/sweep.js';
import { TemplateFolder } from '../../../../src/drivers/libvirt/management/templates/folder.js';
import { localCommands } from '../../../../src/drivers/management/local-commands.js';
import { lacksRoot } from '../../../support/peers.js';
import { outcome, soon } from '../../driving.js';
import { ovf } from './descriptors.js';
import { tarOf } from './tar-file.js';

/** The folder of templates, by the host's own programs. */

const options = { skip: lacksRoot('tar', 'find', 'realpath', 'xz') };
const files = new HostFiles(localCommands);

function put(folder: string, name: string, descriptor = ovf()): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, `${name}.ovf`), descriptor);
  writeFileSync(join(folder, name, 'tiny1.img'), 'an image');
}

const pack = (folder: string, name: string, ending: string, flag: string): string =>
  execFileSync('tar', [`-c${flag}f`, join(folder, `${name}${ending}`), '-C', join(folder, name), `${name}.ovf`, 'tiny1.img'], { encoding: 'utf8' });

const namesOf = async (folder: TemplateFolder): Promise<string[]> => (await folder.list(soon())).map(({ found }) => found.name);

function setUp(t: Test): { path: string; folder: TemplateFolder } {
  const path = t.testdir();
  return { path, folder: new TemplateFolder(path, files) };
}

void t.test('what is listed', options, async (t) => {
  const { path, folder } = setUp(t);
  t.same(await namesOf(folder), []);
  for (const name of ['web', 'packed', 'twice', 'gz', 'xz', 'ova']) put(path, name);
  for (const [name, ending, flag] of [['packed', '.tar', ''], ['gz', '.tar.gz', 'z'], ['xz', '.tar.xz', 'J'], ['ova', '.ova', ''], ['twice', '.tgz', 'z']] as const) pack(path, name, ending, flag);
  for (const name of ['packed', 'gz', 'xz', 'ova']) execFileSync('rm', ['-r', join(path, name)]);
  put(path, 'web.argo-1-2');
  writeFileSync(join(path, 'half.tar.argo-7'), 'x');
  symlinkSync('web', join(path, 'link'));
  symlinkSync('packed.tar', join(path, 'link.tar'));
  put(path, 'bad', 'no XML');
  put(path, '-rf');
  put(path, 'with blank');
  writeFileSync(join(path, 'notes.txt'), 'x');
  execFileSync('mkfifo', [join(path, 'pipe.tar')]);
  t.same(await namesOf(folder), ['gz', 'ova', 'packed', 'web', 'xz']);
  t.match(await outcome(folder.find('twice', soon())), { phrase: 'FAILED', detail: /two templates/ });
  for (const name of ['link', 'nothing', 'pipe', 'web.argo-1-2']) t.match(await outcome(folder.find(name, soon())), { phrase: 'WRONG STATE', detail: /there is no template/ }, name);
  t.match(await outcome(folder.requireFree('gz', soon())), { phrase: 'WRONG STATE' });
  await folder.requireFree('free', soon());
});

void t.test('a folder that is not there, or is a link to one', options, async (t) => {
  const { path } = setUp(t);
  t.same(await namesOf(new TemplateFolder(join(path, 'none'), files)), []);
  t.match(await outcome(new TemplateFolder(join(path, 'none'), files).find('web', soon())), { phrase: 'FAILED', detail: /no folder/ });
  mkdirSync(join(path, 'real'));
  put(join(path, 'real'), 'web');
  symlinkSync('real', join(path, 'folder'));
  t.same(await namesOf(new TemplateFolder(join(path, 'folder'), files)), ['web']);
});

void t.test('a descriptor that is changed is read anew', options, async (t) => {
  const { path, folder } = setUp(t);
  put(path, 'web');
  const vcpus = async (): Promise<number> => (await folder.descriptor(await folder.find('web', soon()), soon())).vcpus.normal;
  t.equal(await vcpus(), 1);
  writeFileSync(join(path, 'web', 'web.ovf'), ovf({ vcpus: '3' }));
  t.equal(await vcpus(), 3);
});

void t.test('an archive is unpacked', options, async (t) => {
  const { path, folder } = setUp(t);
  put(path, 'web');
  pack(path, 'web', '.tar.gz', 'z');
  execFileSync('rm', ['-r', join(path, 'web')]);
  const found = await folder.find('web', soon());
  const descriptor = await folder.descriptor(found, soon());
  await folder.check(found, descriptor, soon());
  const into = await folder.unpacked(found, descriptor, join(path, 'web.argo-1'), soon());
  t.same(readdirSync(into), ['tiny1.img'], 'what the descriptor names, and nothing else');
  t.equal(readFileSync(join(into, 'tiny1.img'), 'utf8'), 'an image');
});

void t.test('what lacks a file, or has far more than it says', options, async (t) => {
  const { path, folder } = setUp(t);
  put(path, 'lacks', ovf({ file: 'other.img' }));
  put(path, 'more', ovf({ capacity: '1' }));
  execFileSync('truncate', ['-s', '100M', join(path, 'more', 'tiny1.img')]);
  writeFileSync(join(path, 'archive.tar'), tarOf([{ name: 'archive.ovf', content: ovf() }]));
  for (const [name, words] of [['lacks', /no file other.img/], ['more', /far more/], ['archive', /no file tiny1.img/]] as const) {
    const found = await folder.find(name, soon());
    t.match(await outcome(folder.check(found, await folder.descriptor(found, soon()), soon())), { phrase: 'FAILED', detail: words }, name);
  }
});

void t.test('what was left half made', options, async (t) => {
  const path = t.testdir();
  const file = (name: string): string => join(path, name);
  const sweep = (seconds: number, used: readonly string[] = []): Promise<void> =>
    new Sweeper(files, seconds).sweep(path, soon(), () => Promise.resolve(new Set(used)));
  const make = (): void => {
    for (const name of ['a-1.qcow2.argo-1', 'b-1.qcow2', 'c-1.qcow2', 'd-1.qcow2.argo-1', 'mine']) writeFileSync(file(name), name);
    // Given their names, but their machine is not there, or is.
    linkSync(file('b-1.qcow2'), file('b-1.qcow2.argo-1'));
    linkSync(file('c-1.qcow2'), file('c-1.qcow2.argo-1'));
    // Another file has the name that it was to have.
    linkSync(file('d-1.qcow2.argo-1'), file('elsewhere'));
    writeFileSync(file('d-1.qcow2'), 'somebody\'s');
    // Containers: in the midst of being unpacked; placed without a machine; placed with one.
    for (const name of ['e-12345678.argo-1/root/etc', 'f-12345678', 'f-12345678.argo-1', 'g-12345678', 'g-12345678.argo-1']) mkdirSync(file(name), { recursive: true });
  };
  make();
  const before = readdirSync(path);
  await sweep(3600);
  t.same(readdirSync(path), before, 'others may be at work on what is young');
  await sweep(0, [file('c-1.qcow2'), file('g-12345678')]);
  t.same(readdirSync(path).sort(), ['c-1.qcow2', 'd-1.qcow2', 'elsewhere', 'g-12345678', 'mine']);
  const sweeper = new Sweeper(files, 0);
  await sweeper.sweep(join(path, 'nowhere'), soon());
  t.match(await outcome(sweeper.sweep(path, AbortSignal.abort(new Error('ended')))), { error: { message: 'ended' } });
});
