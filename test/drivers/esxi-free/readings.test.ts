import t from 'tap';
import { isAgent, parseGetAllVms, parseProcessList } from '../../../src/drivers/esxi-free/readings.js';

/** Tables as ESXi 4 to 9 printed them. */
const TABLES: readonly [string, string, number[], number[]][] = [
  ['6.5: an invalid machine before the header, ids not in order', `Skipping invalid VM '6'
Vmid          Name                               File                             Guest OS       Version   Annotation
1      ubuntu-desktop       [HDD] ubuntu-desktop/ubuntu-desktop.vmx           ubuntu64Guest      vmx-13
11     ubuntu-server-1710   [HDD] ubuntu-server-1710/ubuntu-server-1710.vmx   ubuntu64Guest      vmx-13
2      ubuntu-server        [HDD] ubuntu-server/ubuntu-server.vmx             ubuntu64Guest      vmx-13
3      windows-7            [HDD] windows-7/windows-7.vmx                     windows7_64Guest   vmx-13
`, [1, 2, 3, 6, 11], [6]],
  ['6.7: an annotation of two lines', `Vmid     Name                    File                     Guest OS       Version         Annotation       
2      xx         [datastore1] xx/xx.vmx               rhel8_64Guest     vmx-14                           
3      makemake   [datastore1] makemake/makemake.vmx   centos8_64Guest   vmx-14    Rocky linux 8
autostart
`, [2, 3], []],
  ['5: a datastore with blanks and brackets', `Vmid      Name                        File                           Guest OS        Version   Annotation
1424   sap-router   [datastore1 (4)] sap-router/win2k8x64.vmx   winLonghorn64Guest   vmx-07              
1440   RAS-3.250    [datastore1 (4)] RAS/win2k8x64.vmx          winLonghorn64Guest   vmx-07
`, [1424, 1440], []],
  ['9: no datastore', `Vmid                     Name                                                                          File                                                          Guest OS     Version   Annotation
1698   vCLS-6b723342-8292-1962-f970-0422f48bc6ea   [] /var/run/crx/infra/vCLS-6b723342-8292-1962-f970-0422f48bc6ea/vCLS-6b723342-8292-1962-f970-0422f48bc6ea.vmx   crxSys1Guest   vmx-21              
`, [1698], []],
  ['brackets in the name', `Vmid   Name          File              Guest OS      Version   Annotation
18     win-214 [maintenance]                       [datastore1] win-214/win-214.vmx                                       windows9_64Guest  vmx-19    
`, [18], []],
  ['no machines', 'Vmid   Name   File   Guest OS   Version   Annotation\n', [], []],
  ['an annotation that imitates a row is no more than a question to ask', `Vmid   Name          File              Guest OS      Version   Annotation
1      x7     [pve-esx] x7/x7.vmx   solaris10Guest   vmx-19   see
99     evil   [pve-esx] evil/evil.vmx   solaris10Guest   vmx-19
2019 was a good year
1      x7     twice\r
`, [1, 99], []],
];

void t.test('getallvms', async (t) => {
  for (const [name, output, candidates, invalid] of TABLES) t.same(parseGetAllVms(output), { candidates, invalid: new Set(invalid) }, name);
  t.equal(parseGetAllVms(''), undefined);
  t.equal(parseGetAllVms('Failed to login: Connection reset by peer\n'), undefined, 'trouble is not an empty table');
  const many = `Vmid   Name   File   Guest OS   Version   Annotation\n${Array.from({ length: 10_000 }, (_, id) => `${id}      x   [d] x/x.vmx   g   vmx-1\n`).join('')}`;
  t.equal(parseGetAllVms(many)?.candidates.length, 2048);
});

void t.test('what the kernel runs', async (t) => {
  const output = `Git lab
   World ID: 2099532
   Process ID: 0
   VMX Cartel ID: 2099517
   UUID: 56 4d 48 08 86 8b 8f 67-a5 4a 33 f3 87 a8 d0 59
   Display Name: Git lab
   Config File: /vmfs/volumes/6107a9c3-0511c860-9122-fcaa144d4e7d/Gitlab/Gitlab.vmx

`;
  t.same(parseProcessList(output), [{ name: 'Git lab', file: '/vmfs/volumes/6107a9c3-0511c860-9122-fcaa144d4e7d/Gitlab/Gitlab.vmx' }]);
  t.same(parseProcessList(`${output}${output.replaceAll('Git lab', 'b')}`)?.length, 2);
  t.same(parseProcessList('\n'), []);
  t.equal(parseProcessList(output.slice(0, output.length / 2)), undefined, 'half a list is none');
  t.equal(parseProcessList('Connect to localhost failed: Connection failure'), undefined);
});

void t.test('agents', async (t) => {
  const file = '[d] a/a.vmx';
  t.ok(isAgent({ name: 'vCLS-6b723342-8292-1962-f970-0422f48bc6ea', file }));
  t.ok(isAgent({ name: 'vCLS (1)', file }));
  t.ok(isAgent({ name: 'x', file: '[] /var/run/crx/infra/x/x.vmx' }));
  t.ok(isAgent({ name: 'x', file: '/var/run/crx/infra/x/x.vmx' }));
  t.ok(isAgent({ name: 'x', file, guestId: 'crxSys1Guest' }));
  t.notOk(isAgent({ name: 'vCLS-notes', file, guestId: 'debian10_64Guest' }), 'people may name a machine so');
});
