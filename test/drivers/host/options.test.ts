import t from 'tap';
import * as v from 'valibot';
import { hostSettings, listedHostEntries, manyHostsEntries, singleHostEntries, singleHostSettings } from '../../../src/drivers/host/options.js';

const many = v.strictObject(manyHostsEntries(v.strictObject({ ...listedHostEntries, user: v.optional(v.string()) })));
const single = v.strictObject(singleHostEntries);

const faults = (schema: v.GenericSchema, input: unknown): string[] => {
  const result = v.safeParse(schema, input);
  return result.success ? [] : result.issues.map(({ message }) => message);
};

await t.test('a list of hosts', (t) => {
  const options = v.parse(many, {
    hosts: [{ name: 'web1', address: '10.0.0.11', mac: '5254.00AA.0011', user: 'root' }, { name: 'web2.lab' }],
    wol: { broadcast: '10.0.0.255', password: '01:23:45:67:89:ab' },
    ping: { timeout: '2s', 'tcp-port': 22 },
  });
  t.match(options.hosts, [{ name: 'web1', mac: '52:54:00:aa:00:11', user: 'root' }, { name: 'web2.lab' }]);
  t.match(options.wol, { broadcast: ['10.0.0.255'] });
  t.notMatch(JSON.stringify(options), /01:23:45/, 'the password is a secret');
  t.same(v.parse(many, {}).hosts, []);
  t.end();
});

await t.test('what is said of one host goes over what is said for all', (t) => {
  const shared = v.parse(single, { address: '10.0.0.1', wol: { broadcast: ['10.0.0.255'], port: 7 }, ping: { retries: 1 } });
  const settings = hostSettings({ name: 'web1', wol: { port: 9 }, ping: { 'tcp-port': 22 } }, shared);
  t.match(settings, { name: 'web1', address: 'web1', mac: undefined, wol: { broadcast: ['10.0.0.255'], port: 9 }, ping: { retries: 1, 'tcp-port': 22 } });
  t.match(singleHostSettings('esx2', shared), { name: 'esx2', address: '10.0.0.1', wol: { port: 7 } });
  t.end();
});

await t.test('what is wrong', (t) => {
  const host = (more: object) => ({ address: '10.0.0.1', ...more });
  for (const [input, message] of [
    [{ address: '10.1' }, /host name or an IP address/], [{ address: '10.0.0.256' }, /host name or an IP/], [{ address: 'a b' }, /host name or an IP/],
    [{ address: '-n' }, /host name or an IP/],
    [host({ mac: '52:54:00:aa:00' }), /not a MAC address; write it as/], [host({ mac: '01:00:5e:00:00:01' }), /of a group/],
    [host({ wol: { password: 'sesame' } }), /not a SecureOn password/], [host({ wol: { broadcast: 'everyone' } }), /broadcast address is expected/],
    [host({ wol: { port: 0 } }), /at least 1/], [host({ wol: { address: 'web1' } }), /IPv4 address/],
    [host({ ping: { timeout: '6s' } }), /at most "5s"/], [host({ ping: { timeout: '1ms' } }), /at least "100ms"/], [host({ ping: { retries: 4 } }), /at most 3/],
    [host({ ping: { 'tcp-port': 70_000 } }), /at most 65535/], [host({ ping: { port: 1 } }), /./],
  ] as const) t.match(faults(single, input), [message], JSON.stringify(input));
  t.same(faults(many, { hosts: [{ name: 'a' }, { name: 'b' }, { name: 'a' }] }), ['there are two hosts of the name "a"']);
  t.same(faults(many, { hosts: [{ name: 'The Server' }] }), ['"The Server" is no host name, so the host needs an address']);
  t.same(faults(many, { hosts: [{ name: 'The Server', address: '10.0.0.1' }] }), []);
  t.notMatch(faults(single, host({ wol: { password: 'sesame' } })).join(), /sesame/);
  t.end();
});
