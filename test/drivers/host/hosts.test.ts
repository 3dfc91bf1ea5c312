import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Log } from '../../../src/kit/log.js';
import { HostList, parseHostsFile, warnOfSharedMacs } from '../../../src/drivers/host/hosts.js';

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
  t.same(parseHostsFile('hosts', source), [
    { name: 'web1', address: '10.0.0.11', mac: '52:54:00:aa:00:11' },
    { name: 'web2', address: '10.0.0.12' },
    { name: 'web3', address: 'web3', mac: '52:54:00:aa:00:13' },
    { name: 'web4.lab.example', address: 'web4.lab.example' },
    { name: 'db', address: '2001:db8::5', mac: '52:54:00:aa:00:14' },
    { name: 'face:1::2', address: 'face:1::2', mac: 'fe:ed:00:00:00:01' },
  ]);
  t.same(parseHostsFile('hosts', ''), []);
  t.end();
});

await t.test('a hosts file that is wrong is refused with the line', (t) => {
  for (const [source, message] of [
    ['a\nb 10.1', /hosts line 2: "10.1" is neither/], ['a 10.0.0.1 zz', /line 1: "zz": not a MAC address/],
    ['a 10.0.0.1 52:54:00:aa:00', /line 1: .*not a MAC address/], ['a 52:54:00:aa:00:1', /line 1|^$/],
    ['a 10.0.0.1 52:54:00:aa:00:11 x', /a name, an address and a MAC/], ['a\n\na', /line 3: there are two hosts of the name "a"/],
    ['a 01:00:5e:00:00:01', /of a group/],
  ] as const) {
    try {
      parseHostsFile('hosts', source);
      t.equal(source, 'a 52:54:00:aa:00:1', 'a last digit alone is good');
    } catch (error) {
      t.match(error, { phrase: 'FAILED', detail: message }, source);
    }
  }
  t.end();
});

await t.test('the hosts of a provider', (t) => {
  const file = join(t.testdir({ hosts: 'web1 10.0.0.1\nweb2 10.0.0.2\n' }), 'hosts');
  const { log, lines } = remember();
  const list = new HostList([{ name: 'web1', address: '10.9.9.9' }], file, log);
  t.same(list.read().map(({ name, address }) => [name, address]), [['web1', '10.9.9.9'], ['web2', '10.0.0.2']], 'the table goes over the file');
  writeFileSync(file, 'web3 10.0.0.3\nweb1 10.0.0.1\nweb4\n');
  t.same(list.read().map(({ name }) => name), ['web1', 'web3', 'web4']);

  writeFileSync(file, 'web3 10.0\n');
  t.same(list.read().map(({ name }) => name), ['web1', 'web3', 'web4'], 'what it said before holds on');
  list.read();
  rmSync(file);
  t.equal(list.read().length, 3);
  t.match(lines, [/warn: the hosts file is not used as it is now .*line 1/, /warn: .*cannot be read/]);
  t.throws(() => new HostList([], file, log).read(), { message: /^FAILED: .*cannot be read/ });
  t.same(new HostList([{ name: 'a' }], undefined, log).read(), [{ name: 'a' }]);
  t.end();
});

await t.test('two hosts with one MAC address', (t) => {
  const { log, lines } = remember();
  const mac = '52:54:00:aa:00:11';
  warnOfSharedMacs([{ name: 'a', mac }, { name: 'b', mac: '52:54:00:aa:00:12' }, { name: 'c', mac }, { name: 'd' }, { name: 'e' }], log);
  t.same(lines.length, 1);
  t.match(lines[0], /warn: several hosts have the same MAC address.*"hosts":\["a","c"\]/);
  t.end();
});
