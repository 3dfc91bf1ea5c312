import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Log } from '../../../src/kit/log.js';
import { ArgoError } from '../../../src/kit/errors.js';
import { faultsOfHosts, HostList, parseHostsFile } from '../../../src/drivers/host/hosts.js';

/** A log that remembers. */
function remember(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: (level, message, facts) => { lines.push(`${level}: ${message} ${JSON.stringify(facts)}`); }, lines };
}

await t.test('a hosts file', (t) => {
  const source = `# the lab
web1 10.0.0.11 52:54:00:aa:00:11   # rack 1
web2\t10.0.0.12
web3 5254.00aa.0013

  web4.lab.example\r
db 2001:db8::5 52-54-00-aa-00-14
face:1::2 fe:ed:00:00:00:01
`;
  const { hosts, places, faults } = parseHostsFile('hosts', source);
  t.same(hosts, [
    { name: 'web1', address: '10.0.0.11', mac: '52:54:00:aa:00:11' },
    { name: 'web2', address: '10.0.0.12' },
    { name: 'web3', address: 'web3', mac: '52:54:00:aa:00:13' },
    { name: 'web4.lab.example', address: 'web4.lab.example' },
    { name: 'db', address: '2001:db8::5', mac: '52:54:00:aa:00:14' },
    { name: 'face:1::2', address: 'face:1::2', mac: 'fe:ed:00:00:00:01' },
  ]);
  t.same(places.get('web3'), { file: 'hosts', line: 4, column: 1 });
  t.same(places.get('web4.lab.example'), { file: 'hosts', line: 6, column: 3 });
  t.same(faults, []);
  t.same(parseHostsFile('hosts', '').hosts, []);
  t.end();
});

await t.test('a line that is wrong is refused with its place, and no other', (t) => {
  for (const [line, column, message] of [
    ['b 10.1', 3, /"10.1" is neither/], ['b 10.0.0.1 zz', 12, /"zz": not a MAC address/], ['\tb  10.0.0.1 52:54:00:aa:00 # x', 14, /not a MAC address/],
    ['b 10.0.0.1 52:54:00:aa:00:11 x', 30, /a name, an address and a MAC/], ['  a', 3, /there are two hosts of the name "a"/],
    ['b 01:00:5e:00:00:01', 3, /of a group/], ['the_server! ', 1, /neither a host name/],
  ] as const) {
    const { hosts, faults } = parseHostsFile('hosts', `a\n\n${line}\nc 10.0.0.3`);
    t.same(hosts.map(({ name }) => name), ['a', 'c'], line);
    t.match(faults, [{ file: 'hosts', line: 3, column, message }], line);
  }
  t.same(parseHostsFile('hosts', 'a 52:54:00:aa:00:1').faults, [], 'a last digit alone is good');
  t.end();
});

await t.test('what is wrong beyond the table', (t) => {
  const folder = t.testdir({ hosts: 'web1 10.0.0.1\nweb2 10.1\nbad fe80::1%lo\n' });
  const file = join(folder, 'hosts');
  const refuse = ({ name }: { name: string }): void => { if (name === 'bad') throw new ArgoError('FAILED', 'cannot stand there'); };
  t.same(faultsOfHosts({ hosts: [{ name: 'good' }, { name: 'bad' }], 'hosts-file': file }, refuse), [
    { message: 'bad: cannot stand there', path: ['hosts', 1] },
    { message: '"10.1" is neither a host name nor an IP address', file, position: { line: 2, column: 6 } },
    { message: 'bad: cannot stand there', file, position: { line: 3, column: 1 } },
  ]);
  t.match(faultsOfHosts({ hosts: [], 'hosts-file': join(folder, 'none') }), [{ message: /none cannot be read: there is no such file/, path: ['hosts-file'] }]);
  t.same(faultsOfHosts({ hosts: [{ name: 'a' }] }), []);
  const boards = join(t.testdir({ boards: 'a\nb board=10.0.0.9\n' }), 'boards');
  t.match(faultsOfHosts({ hosts: [{ name: 'c', board: '10.0.0.8' }], 'hosts-file': boards }), [
    { message: /^c: its board is used only where/, path: ['hosts', 0] }, { message: /^b: its board/, position: { line: 2, column: 1 } },
  ], 'a board that nothing speaks to');
  t.same(faultsOfHosts({ hosts: [{ name: 'c', board: '10.0.0.8' }], 'hosts-file': boards, power: { type: 'ipmi' } }), []);
  t.end();
});

await t.test('the hosts of a provider', (t) => {
  const file = join(t.testdir({ hosts: 'web1 10.0.0.1\nweb2 10.0.0.2\n' }), 'hosts');
  const { log, lines } = remember();
  const list = new HostList({ hosts: [{ name: 'web1', address: '10.9.9.9' }], 'hosts-file': file }, log);
  t.same(list.read().map(({ name, address }) => [name, address]), [['web1', '10.9.9.9'], ['web2', '10.0.0.2']], 'the table goes over the file');
  writeFileSync(file, 'web3 10.0.0.3\nweb1 10.0.0.1\nweb4\n');
  t.same(list.read().map(({ name }) => name), ['web1', 'web3', 'web4']);

  writeFileSync(file, 'web3 10.0\nweb5\n');
  const now = list.read();
  t.same(now.map(({ name }) => name), ['web1', 'web5'], 'without the line that is wrong');
  t.same(now.map((entry) => list.placeOf(entry)), [undefined, `${file}:2:1`]);
  list.read();
  rmSync(file);
  t.equal(list.read().length, 2, 'what it said before holds on');
  list.read();
  t.match(lines, [/warn: a host is left out .*hosts:1:6","reason":".*neither/, /warn: the hosts file is not used as it is now .*cannot be read/]);
  t.equal(lines.length, 2, 'each is told once');
  t.throws(() => new HostList({ hosts: [], 'hosts-file': file }, log).read(), { message: /^FAILED: .*cannot be read/ });
  t.same(new HostList({ hosts: [{ name: 'a' }] }, log).read(), [{ name: 'a' }]);
  t.end();
});

await t.test('two hosts with one MAC address', (t) => {
  const { log, lines } = remember();
  const mac = '52:54:00:aa:00:11';
  new HostList({ hosts: [{ name: 'a', mac }, { name: 'b', mac: '52:54:00:aa:00:12' }, { name: 'c', mac }, { name: 'd' }, { name: 'e' }] }, log);
  t.same(lines.length, 1);
  t.match(lines[0], /warn: several hosts have the same MAC address.*"hosts":\["a","c"\]/);
  t.end();
});
