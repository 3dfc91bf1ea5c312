import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startDaemon } from '../../../support/daemon.js';
import { until } from '../../../support/until.js';
import { valueIn, VmserverdTestClient } from '../../../support/vmserverd/client.js';
import { scratchFolder } from '../../../support/vmserverd/files-world.js';
import { accountTables, EVERYTHING, PASSWORD } from '../../../support/vmserverd/world.js';
import { argoServer } from '../../../daemon/cli.js';

const WITHIN = 60_000;
const MIB = 1024 * 1024;

/** A file of so many bytes that no file system takes for a hole. */
function fill(path: string, bytes: number): void {
  const chunk = Buffer.alloc(8 * MIB, 'argo');
  const descriptor = openSync(path, 'w');
  for (let left = bytes; left > 0; left -= chunk.length) writeSync(descriptor, chunk, 0, Math.min(left, chunk.length));
  closeSync(descriptor);
}

const gateway = (roots: string): string => `[gateways.vm]\ntype = "vmserverd"\nlisten = ["127.0.0.1:0"]\nfile-roots = [${roots}]\n`;
const rootTable = (path: string, read: string, write: string): string => `{ path = ${JSON.stringify(path)}, read = [${read}], write = [${write}] }`;
const wayOf = (source: string, target: string): string => `<files><file><source>${source}</source><target>${target}</target></file></files>`;

await t.test('files by a daemon: off of themselves, given by the configuration, taken by a reload, and whole after it was killed', async (t) => {
  const root = scratchFolder(t);
  const folder = scratchFolder(t);
  const accounts = await accountTables({ kim: [{ instances: ['*'], commands: ['read'] }], steve: EVERYTHING });
  const configOf = (roots: string): string => `[server]\n${accounts}${gateway(roots)}`;
  const all = rootTable(root, '"*"', '"kim"');
  const first = await startDaemon({ config: configOf(''), listeners: 2, folder });
  t.teardown(() => first.stop());
  const kim = await VmserverdTestClient.login(first.ports[1]!, 'kim', PASSWORD);
  t.teardown(() => kim.end());
  const file = join(root, 'note.txt');
  t.match(await kim.call('File_Create', `<file>${file}</file><content>note</content>`), { code: -5 }, 'off');
  first.reconfigure(configOf(all));
  first.signal('SIGHUP');
  await first.logs('reloaded');
  t.match(await kim.call('File_Create', `<file>${file}</file><content>note</content>`), { code: 0 });
  t.equal(readFileSync(file, 'utf8'), 'note');
  t.match((await kim.call('VMServerd_GetOperationTable')).out, /<name>FileManager_FileCopy<\/name><access>authuser<\/access>/);
  t.match(await kim.call('FileManager_ChangeOwner', `<files><file>${file}</file></files><owner>root</owner>`), { code: -5 });
  t.match((await argoServer(folder, ['audit', '--config', join(folder, 'argo-server.conf')])).stdout, new RegExp(` kim 127\\.0\\.0\\.1:\\d+ vm File_Create ${file} -: done \\(`));
  const steve = await VmserverdTestClient.login(first.ports[1]!, 'steve', PASSWORD);
  t.teardown(() => steve.end());
  t.match(await steve.call('File_Delete', `<file>${file}</file>`), { code: -5 }, 'to have every right on machines is none on files');
  t.match(await steve.call('FileManager_GetHomeDir', '<user>kim</user>'), { code: 0, out: `<directory>${root}</directory>` });
  t.match(await steve.call('FileManager_GetHomeDir', '<user>nope</user>'), { code: -3, message: 'no such account' });

  fill(join(root, 'large'), 600 * MIB);
  const parts = (): readonly string[] => readdirSync(root).filter((name) => name.startsWith('.argo-part-'));
  const lost = valueIn((await kim.call('FileManager_FileCopy', wayOf(join(root, 'large'), join(root, 'lost')))).out, 'task')!;
  await until(() => parts().length === 1, WITHIN, 'the copy to be under way');
  first.reconfigure(configOf(rootTable(root, '"steve"', '"kim"')));
  first.signal('SIGHUP');
  await until(async () => (await kim.call('TaskManager_StatusOfTask', `<task>${lost}</task>`)).out.includes('<state>failed</state>'), WITHIN, 'the copy to end');
  t.same(readdirSync(root).sort(), ['large', 'note.txt']);
  first.reconfigure(configOf(all));
  first.signal('SIGHUP');
  await until(async () => (await kim.call('File_Read', `<file>${file}</file>`)).code === 0, WITHIN, 'the reload');
  const cut = valueIn((await kim.call('FileManager_FileCopy', wayOf(join(root, 'large'), join(root, 'cut')))).out, 'task')!;
  await until(() => parts().length === 1, WITHIN, 'the copy to be under way');
  first.signal('SIGKILL');
  await first.exited;
  t.notOk(existsSync(join(root, 'cut')));
  const second = await startDaemon({ config: configOf(all), listeners: 2, folder });
  t.teardown(() => second.stop());
  await until(() => parts().length === 0, WITHIN, 'what was left to be removed');
  const again = await VmserverdTestClient.login(second.ports[1]!, 'kim', PASSWORD);
  t.teardown(() => again.end());
  t.match((await again.call('TaskManager_StatusOfTask', `<task>${cut}</task>`)).out, /<state>unknown<\/state>/);
  t.same(readdirSync(root).sort(), ['large', 'note.txt']);
});

await t.test('argo-server check and the start refuse roots that lead to the server\'s own', async (t) => {
  const folder = scratchFolder(t);
  ['state', 'plugins', 'good'].forEach((name) => mkdirSync(join(folder, name)));
  const file = join(folder, 'argo-server.conf');
  const accounts = await accountTables({ steve: EVERYTHING });
  const write = (path: string): void => writeFileSync(file, `[server]\nlisten = ["127.0.0.1:0"]\nstate-dir = ${JSON.stringify(join(folder, 'state'))}\nplugin-path = [${JSON.stringify(join(folder, 'plugins'))}]\n${accounts}${gateway(rootTable(path, '"*"', ''))}`, { mode: 0o600 });
  write(join(folder, 'good'));
  t.match(await argoServer(folder, ['check', '--config', file]), { code: 0 });
  for (const path of [folder, join(folder, 'state'), join(folder, 'plugins'), '/etc']) {
    write(path);
    t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: /argo-server\.conf:\d+:\d+: .* would lead to / }, path);
    t.match(await argoServer(folder, ['--config', file]), { code: 1, stderr: /would lead to / }, `${path}: it does not start`);
  }
  for (const [path, words] of [[join(folder, 'gone'), /is not there/], [`${folder}/good/..`, /the full path of a folder is expected/], ['/', /the full path of a folder is expected/], ['relative', /the full path of a folder is expected/]] as const) {
    write(path);
    t.match(await argoServer(folder, ['check', '--config', file]), { code: 1, stderr: words }, path);
  }
  rmSync(join(folder, 'good'), { recursive: true });
});
