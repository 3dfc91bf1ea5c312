import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import * as v from 'valibot';
import { parseHostsFile } from '../../../src/drivers/host/hosts.js';
import { hostSettings, listedHostEntries, manyHostsEntries, singleHostEntries, singleHostSettings } from '../../../src/drivers/host/options.js';

/** An ipmitool is there, whether or not this machine has one. */
const folder = mkdtempSync(join(tmpdir(), 'argo-board-'));
const path = process.env.PATH ?? '';
writeFileSync(join(folder, 'ipmitool'), '#!/bin/sh\n', { mode: 0o755 });
writeFileSync(join(folder, 'secret'), 'from-a-file\n');
process.env.PATH = `${folder}:${path}`;
t.teardown(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

const many = v.strictObject(manyHostsEntries(v.strictObject(listedHostEntries)));
const single = v.strictObject(singleHostEntries);
const ipmi = (more: object = {}) => ({ type: 'ipmi', user: 'argo', password: 'sesame', ...more });
const redfish = (more: object = {}) => ({ type: 'redfish', user: 'argo', password: 'sesame', ...more });

const faults = (schema: v.GenericSchema, input: unknown): string[] => {
  const result = v.safeParse(schema, input);
  return result.success ? [] : result.issues.map(({ message }) => message);
};

await t.test('one board for one host', (t) => {
  const options = v.parse(single, { address: '10.0.0.1', power: ipmi({ host: 'bmc1', 'cipher-suite': 17 }) });
  t.match(singleHostSettings('esx1', options).power, { type: 'ipmi', host: 'bmc1', port: 623, privilege: 'operator', 'cipher-suite': 17 });
  t.notMatch(JSON.stringify(options), /sesame/);
  const other = v.parse(single, { address: '10.0.0.1', power: redfish({ url: 'https://bmc1.lab:8443/', system: '1' }) });
  t.match(singleHostSettings('esx1', other).power, { type: 'redfish', url: 'https://bmc1.lab:8443/', system: '1' });
  t.equal(singleHostSettings('esx1', v.parse(single, { address: '10.0.0.1' })).power, undefined);
  t.end();
});

await t.test('what is said for all hosts, with the place of each one\'s board', (t) => {
  const powerIn = (power: unknown, host: object) => {
    const options = v.parse(many, { power, hosts: [{ name: 'web1', address: '10.0.0.11', ...host }] });
    return hostSettings(options.hosts[0]!, options).power;
  };
  t.match(powerIn(ipmi(), { board: '10.0.1.11' }), { host: '10.0.1.11' });
  t.match(powerIn(ipmi({ host: '{name}-bmc.lab' }), {}), { host: 'web1-bmc.lab' });
  t.match(powerIn(redfish(), { board: 'fd00::11' }), { url: 'https://[fd00::11]' });
  t.match(powerIn(redfish({ url: 'https://bmc-{address}' }), {}), { url: 'https://bmc-10.0.0.11' });
  t.equal(powerIn(ipmi(), {}), undefined, 'without a board it is as it was');
  t.match(powerIn(ipmi(), { power: redfish({ url: 'https://bmc1' }) }), { type: 'redfish', url: 'https://bmc1' }, 'its own goes over what is said for all');
  t.same(parseHostsFile('hosts', 'web1 10.0.0.11 board=10.0.1.11 52:54:00:aa:00:11\nweb2 board=web2-bmc').hosts, [
    { name: 'web1', address: '10.0.0.11', mac: '52:54:00:aa:00:11', board: '10.0.1.11' }, { name: 'web2', address: 'web2', board: 'web2-bmc' },
  ]);
  t.match(parseHostsFile('hosts', 'web1 board=10.1').faults, [{ file: 'hosts', line: 1, column: 12, message: /"10.1" is neither/ }]);
  t.match(parseHostsFile('hosts', 'web1 board=a board=b').faults, [{ file: 'hosts', line: 1, column: 14, message: /one board/ }]);
  t.end();
});

await t.test('what is wrong', (t) => {
  const own = (power: unknown) => ({ address: '10.0.0.1', power });
  for (const [power, message] of [
    [{ type: 'apc' }, /type = "ipmi"/], [ipmi(), /host is missing/], [redfish(), /url is missing/],
    [ipmi({ host: '-x' }), /a host name or an IP address/], [ipmi({ host: '{mac}' }), /stand for something/],
    [ipmi({ host: 'b', password: 'x'.repeat(21) }), /20 bytes for a password/], [ipmi({ host: 'b', user: 'x'.repeat(17) }), /16 bytes for a user/],
    [ipmi({ host: 'b', password: undefined }), /password.* is missing/], [ipmi({ host: 'b', password: undefined, 'password-file': '/nonexistent' }), /nonexistent/],
    [ipmi({ host: 'b', 'cipher-suite': 0 }), /3 or 17/], [ipmi({ host: 'b', privilege: 'root' }), /operator/], [ipmi({ host: 'b', url: 'https://b' }), /./],
    [redfish({ url: 'bmc1' }), /a URL such as/], [redfish({ url: 'https://bmc1/redfish/v1' }), /without a path/],
    [redfish({ url: 'https://me:word@bmc1' }), /do not belong into/], [redfish({ url: 'ftp://bmc1' }), /a URL such as/],
  ] as const) t.match(faults(single, own(power)), [message], JSON.stringify(power));
  t.same(faults(single, own(ipmi({ host: 'b', password: undefined, 'password-file': join(folder, 'secret') }))), []);
  process.env.PATH = '/nonexistent';
  t.match(faults(many, { power: ipmi() }), [/needs the program ipmitool: apt-get install ipmitool/]);
  t.same(faults(many, { power: redfish() }), []);
  process.env.PATH = `${folder}:${path}`;
  t.end();
});
