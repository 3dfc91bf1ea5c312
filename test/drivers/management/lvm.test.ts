import t from 'tap';
import type { CommandResult } from '../../../src/protocols/ssh/command.js';
import type { HostCommandOptions, HostCommands } from '../../../src/drivers/management/host-commands.js';
import { readLogicalVolumes, readVolumeGroups } from '../../../src/drivers/management/lvm.js';
import { outcome, soon } from '../driving.js';

/** What is made of LVM's answers that a real one does not give at will. */

function answering(result: Partial<CommandResult>): HostCommands & { readonly options: HostCommandOptions[] } {
  const options: HostCommandOptions[] = [];
  const run: HostCommands['run'] = (_, given) => {
    options.push(given);
    return Promise.resolve({ code: 0, signal: undefined, stdout: '', stderr: '', truncated: false, ...result });
  };
  return { options, run, runAnew: run, way: () => Promise.resolve(undefined) };
}

await t.test('a host without LVM, or whose LVM fails', async (t) => {
  t.match(await outcome(readVolumeGroups(answering({ code: 127 }), soon())), { phrase: 'NOT SUPPORTED', detail: 'the host has no program vgs' });
  const stderr = 'File descriptor 19 (socket:[1]) leaked on lvs invocation. Parent PID 7: node\n  WARNING: x\n  Cannot process volume group x\n';
  t.match(await outcome(readLogicalVolumes(answering({ code: 5, stderr }), () => [], soon())), { phrase: 'FAILED', detail: 'lvs: WARNING: x; Cannot process volume group x' });
});

await t.test('what is no report', async (t) => {
  for (const stdout of ['', '{}', '{"report":[{"vg":[{"vg_name":"x"}]}]}', '[', '{"report":[{"lv":[]}]}']) {
    t.match(await outcome(readVolumeGroups(answering({ stdout }), soon())), { phrase: 'FAILED', detail: 'what vgs reports is not understood' }, stdout);
  }
});

await t.test('none at all', async (t) => {
  const commands = answering({ stdout: '{"report":[{"lv":[]}]}', stderr: 'much noise' });
  t.same(await readLogicalVolumes(commands, () => [], soon()), []);
  t.match(commands.options, [{ effect: 'reads', root: true }], 'only root may ask');
});
