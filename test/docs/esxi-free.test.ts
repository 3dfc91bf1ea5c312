import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { openDriver, outcome, patient } from '../drivers/esxi-free/model-shell.js';
import { run } from '../peers/enclosure.js';
import { EsxiModel } from '../peers/esxi/model.js';
import { blocksOf, readDocument } from './markdown.js';

/** The script that limits what the key may do, as docs/drivers/esxi-free.md prints it. */

const folder = mkdtempSync(join(tmpdir(), 'argo-esxi-docs-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const script = join(folder, 'argo-shell.sh');
writeFileSync(script, blocksOf(readDocument('docs/drivers/esxi-free.md')).find(({ marks }) => marks[0] === 'argo-shell')?.text ?? '');
for (const program of ['vim-cmd', 'esxcli', 'dmesg', 'poweroff', 'reboot', 'id']) {
  writeFileSync(join(folder, program), `#!/bin/sh\necho "${program} $*"\n`, { mode: 0o755 });
}

const asked = (command: string) => run('env', [`PATH=${folder}:/usr/bin:/bin`, `SSH_ORIGINAL_COMMAND=${command}`, 'sh', script]);

await t.test('what the driver runs is let through, as it is', async (t) => {
  const model = new EsxiModel('7');
  model.add('web', { vmid: 12 });
  const { driver } = openDriver(model);
  const [host, vm] = (await driver.list(patient)).map(({ machine }) => machine);
  for (const step of ['start', 'info', 'reboot', 'reset', 'suspend', 'resume', 'powerOff', 'shutdown'] as const) await outcome(vm?.[step]?.(patient));
  for (const step of ['info', 'shutdown', 'reboot', 'powerOff', 'reset'] as const) await outcome(host?.[step]?.(patient));
  await driver.dmesg(patient);
  const commands = [...new Set(model.commands)];
  t.equal(commands.length, 20, 'every command there is');
  for (const command of commands) t.match(await asked(command), { code: 0, stdout: `${command}${command.includes(' ') ? '' : ' '}\n` }, command);
});

await t.test('nothing else is', async (t) => {
  const others = [
    '', 'sh', 'id', 'vim-cmd', 'vim-cmd vmsvc/destroy 1', 'vim-cmd vmsvc/power.on', 'vim-cmd vmsvc/power.on x', 'vim-cmd vmsvc/power.on 1 2', 'vim-cmd vmsvc/power.on 1;id',
    'vim-cmd vmsvc/power.on 1x', 'vim-cmd vmsvc/getallvms x', 'esxcli vm process kill', 'esxcli vm process list x', 'esxcli system account add', 'poweroff -f',
    'dmesg; id', 'id; dmesg', '$(id)', '`id`', 'vim-cmd vmsvc/getallvms\nid', 'esxcli software vib install',
  ];
  for (const command of others) t.match(await asked(command), { code: 126, stdout: '', stderr: /^Permission denied/ }, JSON.stringify(command));
  t.same(await asked('esxcli system maintenanceMode set --enable true;id'), { code: 0, stdout: 'esxcli system maintenanceMode set --enable true;id\n', stderr: '' }, 'no shell looks at it again');
});
