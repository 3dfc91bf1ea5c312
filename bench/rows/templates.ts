import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openDriver } from '../../test/drivers/libvirt/open-driver.js';
import { findMachine, soon } from '../../test/drivers/driving.js';
import { call, putLarge, tableOf, templatesOf, templatingOf } from '../../test/e2e/support/templates.js';
import { must } from '../../test/peers/enclosure.js';
import { startLibvirt } from '../../test/peers/libvirt.js';
import { LOGIN, startOurs } from '../ours.js';
import { stopServers } from '../peers/bare.js';
import { ask } from '../process.js';
import { atLeast, type Row } from '../report.js';
import { compareFigures, FULL, type Scenario, type Settings } from '../scenario.js';
import { interleave } from '../stats.js';
import { lacksLibvirt } from './libvirt.js';
import { probe, waitRow } from '../probe.js';

/** Templates on a real libvirt beside qemu-img alone, which does the same to the same disk. */

/** Of the disk, which holds chance alone: nothing of it can be left out. */
const MIB = { full: 1024, quick: 128 };
/** Each takes ten seconds and more. */
const MOST_ROUNDS = 3;
const COPY_MS = 300_000;
const LEAST = 0.8;

const milliseconds = async (work: () => Promise<unknown>): Promise<number> => {
  // what the run before has left to be written would be this one's burden
  await must('sync', [], COPY_MS);
  const began = performance.now();
  await work();
  return performance.now() - began;
};

/** How much of qemu-img's speed is left. */
async function beside(settings: Settings, what: string, ours: (turn: number) => Promise<unknown>, args: readonly string[], target: string): Promise<Row> {
  let turn = 0;
  const row = await compareFigures({ ...settings, rounds: Math.min(settings.rounds, MOST_ROUNDS) }, what, 'ms', () => milliseconds(() => ours(turn += 1)), {
    name: 'qemu-img alone',
    measure: () => milliseconds(async () => {
      await must('qemu-img', ['convert', ...args, target], COPY_MS);
      rmSync(target);
    }),
  });
  const ratio = 1 / (row.ratio ?? NaN);
  return { ...row, ratio, target: atLeast(ratio, LEAST) };
}

export const templates: Scenario = async function* (settings): AsyncGenerator<Row> {
  const lacking = lacksLibvirt();
  if (lacking !== undefined) return void (yield { what: 'templates', unit: 'ms', note: lacking });
  const mib = settings.rounds === FULL.rounds ? MIB.full : MIB.quick;
  const peer = await startLibvirt();
  try {
    const [folder, containers, pool] = [peer.file('templates'), peer.file('containers'), await peer.startPool('default')];
    mkdirSync(folder, { recursive: true });
    await putLarge({ folder }, 'large', mib);
    const { uri, options } = tableOf({ peer, folder, containers });
    const { driver } = openDriver(uri, options);
    const scratch = join(pool, 'alone.qcow2');
    const disk = join(folder, 'large', 'disk.raw');
    yield await beside(settings, `a machine from a template with a disk of ${mib} MiB`,
      (turn) => templatesOf(driver).deploy({ template: 'large', name: `m${turn}`, settings: {} }, call()), ['-O', 'qcow2', disk], scratch);
    const machine = await findMachine(driver, 'm1');
    yield await beside(settings, `a template of a machine with a disk of ${mib} MiB`,
      (turn) => templatingOf(machine).create({ template: `t${turn}`, settings: {} }, call()), ['-O', 'qcow2', '-c', join(pool, 'm1-1.qcow2')], join(folder, 'alone.qcow2'));
    await driver.close(soon());
    const server = await startOurs(`[providers.kvm]\ntype = "libvirt"\nuri = "${uri}"\ntemplate-folder = "${folder}"\n`);
    try {
      let turn = 0;
      const [waits = []] = await interleave(Math.min(settings.rounds, MOST_ROUNDS), [async () => {
        const making = ask(server.port, `${LOGIN}template create kvm/m1 beside${turn += 1}\n`, /^300[^]*^(?:300|400).*\n/m);
        const wait = await probe(settings, server);
        const answer = await making;
        if (!answer.trimEnd().endsWith('300 DONE')) throw new Error(`no template was made: ${answer}`);
        return wait;
      }]);
      yield waitRow('nop p99 beside a template that is being made', waits);
    } finally {
      await stopServers(server);
    }
  } finally {
    await peer.stop();
  }
};
