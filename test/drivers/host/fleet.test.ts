import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import { HostFleet, type FleetHost } from '../../../src/drivers/host/fleet.js';
import type { HostEntry } from '../../../src/drivers/host/options.js';
import { argoServer } from '../../daemon/cli.js';
import { startDaemon } from '../../support/daemon.js';
import { connect } from '../../support/line-client.js';

function setUp(t: Test, options: { hosts?: HostEntry[]; 'hosts-file'?: string }) {
  const closed: string[] = [];
  const lines: string[] = [];
  const create = ({ name, address }: HostEntry): FleetHost => {
    if (address === 'bad') throw new ArgoError('FAILED', 'no such place');
    return { id: name, name, type: 'host', status: () => Promise.resolve('on'), close: () => void closed.push(name) };
  };
  const host = { name: 'lab', log: (level: string, message: string, facts: object = {}) => { lines.push(`${level}: ${message} ${JSON.stringify(facts)}`); }, changed: () => undefined, relist: () => undefined, lost: () => undefined };
  const fleet = new HostFleet({ hosts: [], ...options }, host, create);
  t.teardown(() => fleet.close());
  const list = async () => (await fleet.list()).map(({ machine: { name }, state }) => `${name} ${state}`);
  return { fleet, list, closed, lines };
}

await t.test('hosts are kept, made anew and let go as the file says', async (t) => {
  const file = join(t.testdir({ hosts: 'a 10.0.0.1\nb 10.0.0.2\n' }), 'hosts');
  const { fleet, list, closed } = setUp(t, { hosts: [{ name: 'x' }], 'hosts-file': file });
  t.same(await list(), ['x on', 'a on', 'b on']);
  const before = await fleet.refresh();
  writeFileSync(file, '# moved down\na 10.0.0.1\nb 10.0.0.3\nc\n');
  const after = await fleet.refresh();
  t.same(after.map(({ name }) => name), ['x', 'a', 'b', 'c']);
  t.equal(after[1], before[1], 'what has not changed is the same machine');
  t.not(after[2], before[2]);
  t.same(closed, ['b']);
  await fleet.close();
  t.same(closed.toSorted(), ['a', 'b', 'b', 'c', 'x']);
});

await t.test('a host that there cannot be leaves the others alone', async (t) => {
  const file = join(t.testdir({ hosts: 'a 10.0.0.1\nb bad\n' }), 'hosts');
  const { list, lines } = setUp(t, { 'hosts-file': file });
  t.same(await list(), ['a on']);
  t.same(await list(), ['a on']);
  t.same(lines, [`warn: a host is left out ${JSON.stringify({ host: 'b', line: `${file}:2:1`, reason: 'no such place' })}`], 'it is told once, with its line');
});

await t.test('argo-server check names each wrong line, and the daemon starts with the others', async (t) => {
  const folder = t.testdir({ password: 'x', hosts: 'web1 127.0.0.1\n  web2 10.1\nweb3 127.0.0.1 52:54:00:aa\n', zones: 'win1 127.0.0.1\nwin2 fe80::1%lo\nwin3 srv.1a.0x5\n' });
  const at = (name: string): string => join(folder, name);
  const config = `[server]
anonymous-list = true
[providers.lab]
type = "linux"
user = "root"
password-file = "${at('password')}"
hosts-file = "${at('hosts')}"
[providers.win]
type = "windows"
user = "admin"
password-file = "${at('password')}"
insecure = true
hosts-file = "${at('zones')}"
hosts = [{ name = "win9", address = "srv.0x9" }]
`;
  writeFileSync(at('argo.conf'), config, { mode: 0o600 });
  const { code, stderr } = await argoServer(folder, ['check', '--config', at('argo.conf')]);
  t.equal(code, 1);
  t.same(stderr.trimEnd().split('\n').map((line) => line.replace('argo-server: ', '').replace(`${folder}/`, '')), [
    'hosts:2:8: "10.1" is neither a host name nor an IP address',
    'hosts:3:16: "52:54:00:aa": not a MAC address; write it as "52:54:00:aa:00:11"',
    'argo.conf:14:10: win9: "srv.0x9" cannot stand in the url https://{address}:5986/wsman',
    'zones:3:1: win3: "srv.1a.0x5" cannot stand in the url https://{address}:5986/wsman',
  ]);
  const single = `[providers.hv]\ntype = "hyperv"\nuser = "admin"\npassword-file = "${at('password')}"\ninsecure = true\naddress = "srv.0x9"\n`;
  writeFileSync(at('hv.conf'), single, { mode: 0o600 });
  t.match(await argoServer(folder, ['check', '--config', at('hv.conf')]), { code: 1, stderr: /hv\.conf:6:1: "srv\.0x9" cannot stand in the url/ }, 'a provider that is one host');
  const daemon = await startDaemon({ config });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.same((await client.ask('list')).body.map((line) => line.split(/[:\s]/)[0]).toSorted(), ['web1', 'win1', 'win2']);
  t.ok(await daemon.logs(/hosts:2:8".*a host is left out/));
});
