import { createSocket } from 'node:dgram';
import t from 'tap';
import { HostPower } from '../../../src/drivers/host/power.js';
import { LinuxHost } from '../../../src/drivers/linux/machine.js';
import { Pinger } from '../../../src/protocols/ping/pinger.js';
import { parseMagicPacket } from '../../../src/protocols/wol/magic-packet.js';
import { SshSession } from '../../../src/protocols/ssh/session.js';
import { FakeSocket } from '../../protocols/ping/fake-socket.js';
import { replyTo } from '../../protocols/ping/packets.js';
import { until } from '../../support/until.js';

/** A host whose name is known only while it is on, as by mDNS. */

const WAIT_MS = 30_000;
const MAC = '52:54:00:aa:00:11';
const soon = (): AbortSignal => AbortSignal.timeout(WAIT_MS);

await t.test('it is started without its name, which is looked up again', async (t) => {
  const socket = createSocket('udp4');
  const woken: (string | undefined)[] = [];
  socket.on('message', (bytes) => woken.push(parseMagicPacket(bytes)?.mac));
  await new Promise<void>((resolve) => { socket.bind(0, '127.0.0.1', resolve); });
  t.teardown(() => socket.close());

  let isOn = false;
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
  const { open } = FakeSocket.opener((fake) => {
    fake.onSend = ({ packet, address }) => { setImmediate(() => fake.receive(replyTo(packet, address), address)); };
  });
  const pinger = new Pinger({
    open: (_, ...callbacks) => open(...callbacks), lookup: () => isOn ? Promise.resolve(['10.0.0.11']) : Promise.reject(unknown),
  });
  t.teardown(() => pinger.close());
  const hostWith = (mac: string | undefined): LinuxHost => new LinuxHost({
    power: new HostPower({
      name: 'web1', address: 'web1.local', mac, wol: { address: '127.0.0.1', port: socket.address().port }, ping: { timeout: 40 },
    }, { pinger, log: () => undefined }),
    session: new SshSession(() => { throw new Error('nobody logs in'); }),
    commands: { shutdown: 'x', reboot: 'x', powerOff: undefined, reset: undefined, uptime: 'x', bootId: 'x' },
    account: 'argo@web1.local:22', rights: () => ({ by: 'nobody' }), sshPort: socket.address().port, commandTimeout: 100, witness: undefined, log: () => undefined,
  });
  const host = hostWith(MAC);
  t.equal(await host.status(soon()), 'unknown', 'so that it may be started');
  await t.rejects(hostWith(undefined).status(soon()), { message: /^UNREACHABLE: .*no host of the name web1.local/ }, 'what cannot be woken is told why');
  await host.start!(soon());
  await until(() => woken.length >= 3, WAIT_MS, 'the packets');
  t.same(woken, [MAC, MAC, MAC]);
  isOn = true;
  t.match(await host.status(soon()), /^(on|starting)$/);
});
