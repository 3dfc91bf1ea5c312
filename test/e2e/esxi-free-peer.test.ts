import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { must, run } from '../peers/enclosure.js';
import { ESXI_PROGRAMS, startEsxi } from '../peers/esxi/host.js';
import { EsxiModel } from '../peers/esxi/model.js';
import { ACCOUNTS } from '../peers/hosts.js';
import { lacksRoot } from '../support/peers.js';
import { until } from '../support/until.js';

/** The simulated ESXi as OpenSSH's client sees it, which we did not write either. */

const WITHIN = 60_000;

void t.test('ssh to a simulated ESXi', { skip: lacksRoot(...ESXI_PROGRAMS), timeout: 170_000 }, async (t) => {
  const model = new EsxiModel('9');
  model.add('web', { vmid: 1 });
  model.add('my vm', { vmid: 12, annotation: 'Rocky linux 8\nautostart', state: 'suspended' });
  const peer = await startEsxi(model);
  t.teardown(() => peer.stop());
  const { address, name, mac } = peer.hosts[0]!;
  const ssh = (command: string) => run('ssh', [
    '-F', 'none', '-i', peer.network.privateKeyFile, '-o', `UserKnownHostsFile=${peer.network.knownHostsFile}`, '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR',
    '-l', ACCOUNTS.free.name, address, command,
  ], WITHIN);

  t.same(await ssh('vim-cmd vmsvc/getallvms'), {
    code: 0,
    stdout: 'Vmid   Name                File                   Guest OS       Version   Annotation\n'
      + '1      web     [datastore1] web/web.vmx       debian10_64Guest   vmx-13              \n'
      + '12     my vm   [datastore1] my vm/my vm.vmx   debian10_64Guest   vmx-13    Rocky linux 8\nautostart\n',
    stderr: '',
  });
  t.same((await ssh('vim-cmd vmsvc/power.getstate 12')).stdout, 'Retrieved runtime info\nSuspended\n');
  t.same(await ssh('vim-cmd vmsvc/power.on 1'), { code: 0, stdout: 'Powering on VM:\n', stderr: '' });
  t.match(await ssh('vim-cmd vmsvc/power.on 1'), { code: 1, stdout: /^Powering on VM:\nPower on failed: \(vim\.fault\.InvalidPowerState\) \{\n/ });
  t.match(await ssh('vim-cmd vmsvc/get.summary 1'), { code: 0, stdout: /powerState = "poweredOn", \n/ });
  t.match(await ssh('vim-cmd vmsvc/get.summary 2'), { code: 1, stdout: /Unable to find a VM corresponding to "2""\n\}\n$/ });
  t.match(await ssh('vim-cmd vmsvc/power.on'), { code: 1, stdout: /^Insufficient arguments\./ });
  t.match(await ssh('vim-cmd vmsvc/power.on 1 2'), { code: 1 });
  t.match(await ssh('vim-cmd vmsvc/explode 1'), { code: 1, stdout: /^Invalid command/ });
  t.same(await ssh('esxcli system uptime get'), { code: 1, stdout: 'Error: Unknown command or namespace system uptime get\n\n', stderr: '' });
  t.match(await ssh('esxcli system shutdown poweroff --delay 5 --reason x'), { code: 1, stderr: /delay/ });
  t.match(await ssh('esxcli system shutdown poweroff --delay 10'), { code: 1, stderr: /reason/ });
  t.match(await ssh('esxcli system shutdown poweroff --delay 10 --reason x'), { code: 1, stdout: /not in maintenance mode/ });
  t.match(await ssh('ls /'), { code: 127, stderr: 'sh: ls: not found\n' });
  for (const line of ['vim-cmd vmsvc/getallvms; id', 'vim-cmd vmsvc/getallvms | sh', 'vim-cmd vmsvc/power.on $(id)', 'vim-cmd `id`']) {
    t.match(await ssh(line), { code: 2, stdout: /syntax error/ }, line);
  }
  t.match(await ssh('esxcli vm process list'), { stdout: /^web\n {3}World ID: 2099001\n/ });

  model.faults.push({ on: /power\.off/, does: 'lost', times: 1 });
  t.match(await ssh('vim-cmd vmsvc/power.off 1'), { code: 255, stdout: '' }, 'the connection is cut');
  t.equal(model.get('web').state, 'poweredOff', 'after the order was carried out');
  model.faults.push({ on: /getallvms/, does: 'cut', times: 1 });
  t.match(await ssh('vim-cmd vmsvc/getallvms'), { code: 255, stdout: /^Vmid/ });
  model.faults.push({ on: /getallvms/, does: 'killed', times: 1 });
  t.match(await ssh('vim-cmd vmsvc/getallvms'), { code: 137, stdout: /^Vmid/ });

  t.match(await ssh('esxcli system maintenanceMode set --enable true --timeout 60'), { code: 0, stdout: '' });
  t.match(await ssh("esxcli system shutdown poweroff -d 10 -r 'for a test'"), { code: 0, stdout: '' });
  await until(async () => !await peer.network.pings(name), WITHIN, 'the host to leave the network');
  const script = join(peer.network.folderOf(name), 'wake.py');
  writeFileSync(script, 'import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n'
  + 's.sendto(b"\\xff" * 6 + bytes.fromhex(sys.argv[2].replace(":", "")) * 16, (sys.argv[1], 9))\n');
  await must('python3', [script, peer.network.broadcast, mac]);
  await until(async () => (await ssh('esxcli system maintenanceMode get')).stdout === 'Enabled\n', WITHIN, 'the host to come back, still in maintenance mode');
});
