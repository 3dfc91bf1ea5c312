import t from 'tap';
import { lacksVcsim, startVcsim } from '../peers/vcsim.js';

/** VMware's simulator and its client, which are built here where this machine does not have them yet: other files find them. */

await t.test('vcsim and govc understand each other', { skip: await lacksVcsim() }, async (t) => {
  const vcsim = await startVcsim({ esx: true, vms: 1 });
  t.teardown(() => vcsim.stop());
  t.match(await vcsim.govc('about'), /govmomi simulator/);
  t.match(await vcsim.govc('find', '/', '-type', 'm'), /ha-host_VM0/);
});
