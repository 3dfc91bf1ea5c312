import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Files } from '../../src/gateways/vmserverd/files/files.js';
import { State } from '../../src/store/state.js';
import { scratchFolder } from '../process.js';
import { atLeast, type Row } from '../report.js';
import { compareFigures, FULL, type Scenario } from '../scenario.js';

/** A gigabyte, and a part of it where time is short. */
const SIZE = { full: 1e9, quick: 1e8 } as const;
/** Bytes that are written at a time. */
const CHUNK = 10_000_000;
const COPIED = 0.9;

const MB = 1e6;

async function run(program: string, ...args: readonly string[]): Promise<void> {
  const [code] = await once(spawn(program, args, { stdio: 'inherit' }), 'exit') as [number];
  if (code !== 0) throw new Error(`${program} failed`);
}

/** Megabytes a second of a copy, which is removed before the next one. */
async function rate(bytes: number, target: string, copy: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await copy();
  const ms = performance.now() - began;
  rmSync(target);
  return bytes / MB / (ms / 1000);
}

/** A file copied as vmserverd's FileManager_FileCopy does it, beside cp(1) that waits for the disk as we do. */
export const files: Scenario = async function* (settings): AsyncGenerator<Row> {
  const folder = scratchFolder('files');
  const [root, stateDir] = [join(folder, 'root'), join(folder, 'state')];
  [root, stateDir].forEach((one) => mkdirSync(one));
  const bytes = settings.rounds < FULL.rounds ? SIZE.quick : SIZE.full;
  const [source, target] = [join(root, 'source'), join(root, 'target')];
  for (let written = 0; written < bytes; written += CHUNK) writeFileSync(source, Buffer.alloc(CHUNK, 'argo'), { flag: 'a' });
  const state = new State(stateDir, (message) => { throw new Error(message); });
  try {
    const ours = new Files({ state: { kv: state.keyValue('bench') }, log: () => undefined, own: [stateDir] });
    // a server at work has it open
    await state.keyValue('bench').set('open', '');
    (await ours.prepare([{ path: root, read: ['*'], write: ['*'] }])).commit();
    const way = { source: ours.roots.place('bench', source, 'read'), target: ours.roots.place('bench', target, 'write'), overwrite: false };
    yield await compareFigures(settings, `copy of ${bytes / 1e9} GB in a jail, on the disk`, 'MB/s',
      () => rate(bytes, target, () => ours.copying.copy(way, new AbortController().signal, () => undefined)),
      { name: 'cp, sync', measure: () => rate(bytes, target, async () => {
        await run('cp', source, target);
        await run('sync', target);
      }) }, (_rate, ratio) => atLeast(ratio, COPIED));
    ours.close();
  } finally {
    await state.close();
  }
};
