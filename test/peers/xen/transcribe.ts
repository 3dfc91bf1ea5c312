import { writeFile } from 'node:fs/promises';
import { fromRoot } from '../../support/paths.js';
import { startXen } from './start.js';

/**
 * Writes down what the real xl prints over the simulated host, for the unit tests:
 * `node dist/test/peers/xen/transcribe.js`.
 */
const host = await startXen();
const keep = async (file: string, ...args: string[]): Promise<void> =>
  writeFile(fromRoot('test', 'drivers', 'xen', 'fixtures', file), await host.type(...args));
try {
  await host.seed(
    { domid: 3, name: 'web1' }, { domid: 4, name: 'name with blanks', flags: 'p' }, { domid: 5, name: 'long-name-'.repeat(6) },
    { domid: 6, name: '17' }, { domid: 7, name: 'was', flags: 'dZ' }, { domid: 8, name: 'broken', flags: 's', reason: 3 },
    { domid: 9, name: 'watched', flags: 's', reason: 4 }, { domid: 10, name: 'saving', flags: 's', reason: 2 },
    { domid: 11, name: 'restarting', flags: 's', reason: 1 }, { domid: 12, name: 'kept', flags: 's', reason: 0 },
    { domid: 13, name: 'x 1 2 3 r----- 4.5' }, { domid: 14, name: '' },
  );
  await keep('list-v.txt', 'list', '-v');
  await keep('uptime.txt', 'uptime');
  await keep('uptime-3.txt', 'uptime', '--', '3');
  await host.faults(['create', '*', 'delay', 0]);
  const cfg = await host.configure('win.cfg', `
type = 'hvm'
name = "hvm win"
memory = 1024
vcpus = 2
disk = [ 'format=qcow2, vdev=hda, access=rw, target=/srv/win disk,1.qcow2', 'phy:/dev/vg0/data,hdb,w', ',hdc:cdrom,r' ]
vif = [ 'mac=00:16:3E:00:00:01,bridge=xenbr0,ip=10.0.0.1 10.0.0.2', 'vifname=lan-win' ]
`);
  await host.type('create', '-q', '-e', '-f', cfg);
  await keep('list-l.json', 'list', '-l', '--', '1');
} finally {
  await host.stop();
}
