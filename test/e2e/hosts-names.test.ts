import { createSocket, type Socket } from 'node:dgram';
import t from 'tap';
import { hashPassword } from '../../src/auth/passwords.js';
import { parseMagicPacket } from '../../src/protocols/wol/magic-packet.js';
import { startDaemon } from '../support/daemon.js';
import { connect } from '../support/line-client.js';
import { until } from '../support/until.js';

/** Hosts whose names are known only while they are on: whichever driver they are of, their magic packets need none. */

const WAIT_MS = 60_000;
const MACS = { linux: '52:54:00:aa:00:01', windows: '52:54:00:aa:00:02', hyperv: '52:54:00:aa:00:03', 'esxi-free': '52:54:00:aa:00:04', esxi: '52:54:00:aa:00:05', xenserver: '52:54:00:aa:00:06' };
type Type = keyof typeof MACS;
/** The keys of a provider for a list of hosts, or for one. `.invalid` has no addresses (RFC 6761). */
const listed = (type: Type): string => `hosts = [{ name = "${type}", address = "host.invalid", mac = "${MACS[type]}" }]`;
const single = (type: Type): string => `address = "host.invalid"\nmac = "${MACS[type]}"`;
const KEYS: Record<Type, string> = {
  linux: listed('linux'),
  windows: `insecure = true\n${listed('windows')}`,
  hyperv: `insecure = true\n${single('hyperv')}`,
  'esxi-free': single('esxi-free'),
  esxi: `insecure = true\nurl = "https://manager.invalid"\n${listed('esxi')}`,
  xenserver: `insecure = true\nurl = ["https://manager.invalid"]\n${listed('xenserver')}`,
};

async function listen(): Promise<{ socket: Socket; woken: Set<string | undefined> }> {
  const socket = createSocket('udp4');
  const woken = new Set<string | undefined>();
  socket.on('message', (bytes) => woken.add(parseMagicPacket(bytes)?.mac));
  await new Promise<void>((resolve) => { socket.bind(0, '127.0.0.1', resolve); });
  return { socket, woken };
}

await t.test('they are started, and nothing else is done with them', { timeout: 170_000 }, async (t) => {
  const { socket, woken } = await listen();
  t.teardown(() => socket.close());
  const tables = Object.entries(KEYS).map(([type, keys]) => `[providers.${type}]
type = "${type}"
user = "somebody"
password-file = "password"
${keys}
wol = { address = "127.0.0.1", port = ${socket.address().port} }
`);
  const accounts = `[accounts.admin]\npassword = "${await hashPassword('secret')}"\ngrants = [{ instances = ["*"], commands = ["*"] }]\n`;
  const daemon = await startDaemon({ config: accounts + tables.join(''), files: { password: 'sesame' } });
  t.teardown(() => daemon.stop());
  const client = await connect(daemon.port);
  t.teardown(() => client.destroy());
  t.equal((await client.ask('auth admin secret')).code, 300);
  const types = Object.keys(MACS) as Type[];
  await until(async () => (await client.ask('list')).body.length === types.length, WAIT_MS, 'all of them');
  for (const type of types) {
    t.same((await client.ask(`status ${type}`, WAIT_MS)).body, ['unknown'], type);
    t.equal((await client.ask(`start ${type}`, WAIT_MS)).code, 300, type);
    await until(() => woken.has(MACS[type]), WAIT_MS, `the packet for ${type}`);
    t.match((await client.ask(`stop ${type} --timeout=10`, WAIT_MS)).comment, /^UNREACHABLE/, type);
  }
});
