import t from 'tap';
import { Disk, fileError } from '../../../../src/gateways/vmserverd/files/disk.js';
import { ArgoError } from '../../../../src/kit/errors.js';
import { DISK_CALLS_OF_ROOT, DISK_WAITING_OF_ROOT } from '../../../../src/kit/vmserverd-files-limits.js';

const never = <T>(): Promise<T> => new Promise(() => undefined);
const forever = (): AbortSignal => new AbortController().signal;

await t.test('a disk that hangs holds up neither who waits for it nor the others', async (t) => {
  const disk = new Disk();
  const late: string[] = [];
  const ends: ((value: string) => void)[] = [];
  const controller = new AbortController();
  const hanging = Array.from({ length: DISK_CALLS_OF_ROOT }, (_, index) =>
    disk.run('/srv/dead', controller.signal, () => new Promise<string>((resolve) => { ends[index] = resolve; }), (value) => late.push(value)));
  const waiting = disk.run('/srv/dead', controller.signal, () => Promise.resolve('never begun'));
  t.equal(await disk.run('/srv/good', forever(), () => Promise.resolve('at once')), 'at once');
  controller.abort(new ArgoError('TIMEOUT', 'the disk takes too long'));
  for (const one of [...hanging, waiting]) await t.rejects(one, { message: /^TIMEOUT/ });
  t.equal(await disk.run('/srv/good', forever(), () => Promise.resolve('still')), 'still');
  const next = new AbortController();
  let isBegun = false;
  const after = disk.run('/srv/dead', next.signal, () => {
    isBegun = true;
    return Promise.resolve('again');
  });
  await disk.run('/srv/good', forever(), () => Promise.resolve());
  t.notOk(isBegun, 'the threads that hang are counted until they come back');
  ends[0]!('opened');
  t.equal(await after, 'again');
  t.same(late, ['opened'], 'what comes late is handed to whoever closes it');
});

await t.test('so many wait for one disk', async (t) => {
  const disk = new Disk();
  const controller = new AbortController();
  const all = Array.from({ length: DISK_CALLS_OF_ROOT + DISK_WAITING_OF_ROOT }, () => disk.run('/srv/dead', controller.signal, never));
  await t.rejects(disk.run('/srv/dead', forever(), never), { message: /^BUSY/ });
  t.equal(await disk.run('/srv/good', forever(), () => Promise.resolve(1)), 1);
  controller.abort(new Error('over'));
  await Promise.allSettled(all);
});

await t.test('what a call throws is thrown, and what the system says is told of the path', async (t) => {
  const disk = new Disk();
  for (let round = 0; round < 10; round += 1) await t.rejects(disk.run('/', forever(), () => Promise.reject(new Error('no'))), { message: 'no' });
  const error = (code: string): Error => Object.assign(new Error(`${code}: of node, open '/proc/self/fd/7/x'`), { code });
  t.match(fileError(error('ENOENT'), '/srv/x'), { code: -32, message: '/srv/x: is not there' });
  t.match(fileError(error('EMFILE'), '/srv/x'), { message: /^BUSY/ });
  const strange = error('EWHATEVER');
  t.equal(fileError(strange, '/srv/x'), strange, 'of which nobody outside is told more than that it is a fault');
});
