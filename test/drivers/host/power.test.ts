import { createSocket } from 'node:dgram';
import t, { type Test } from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import type { Log } from '../../../src/kit/log.js';
import type { HostSettings } from '../../../src/drivers/host/options.js';
import { HostPower, leasePinger } from '../../../src/drivers/host/power.js';
import { CannotTell } from '../../../src/protocols/ping/outcome.js';
import { Pinger } from '../../../src/protocols/ping/pinger.js';
import { SendFailure } from '../../../src/protocols/ping/socket.js';
import { parseMagicPacket } from '../../../src/protocols/wol/magic-packet.js';
import { FakeSocket } from '../../protocols/ping/fake-socket.js';
import { replyTo } from '../../protocols/ping/packets.js';
import { freePort } from '../../support/ports.js';
import { until } from '../../support/until.js';

const WAIT_MS = 30_000;
const MAC = '52:54:00:aa:00:11';
const never = new AbortController().signal;

/** A host in memory, with a real socket that gets its magic packets. */
async function host(t: Test, settings: Partial<HostSettings> = {}, wakeFor = 60_000) {
  const socket = createSocket('udp4');
  const woken: (string | undefined)[] = [];
  socket.on('message', (bytes) => woken.push(parseMagicPacket(bytes)?.mac));
  await new Promise<void>((resolve) => { socket.bind(0, '127.0.0.1', resolve); });
  t.teardown(() => socket.close());
  const world = { on: false, failure: undefined as Error | undefined };
  const { open } = FakeSocket.opener((fake) => {
    fake.onSend = ({ packet, address }) => {
      if (world.failure) throw world.failure;
      if (world.on) setImmediate(() => fake.receive(replyTo(packet, address), address));
    };
  });
  const lines: string[] = [];
  const log: Log = (level, message, facts) => { lines.push(`${level}: ${message} ${JSON.stringify(facts)}`); };
  const pinger = new Pinger({ open: (_, ...callbacks) => open(...callbacks) });
  const power = new HostPower({
    name: 'web1', address: '10.0.0.11', mac: MAC, wol: { address: '127.0.0.1', port: socket.address().port }, ping: { timeout: 40 }, ...settings,
  }, { pinger, log, wakeFor });
  return { power, world, woken, lines, pinger };
}

await t.test('on and off', async (t) => {
  const { power, world, woken } = await host(t);
  t.equal(await power.status(never), 'off');
  t.match(await power.check(never), { alive: false, reason: 'no answer to 4 requests' });
  world.on = true;
  t.equal(await power.status(never), 'on');
  t.same(woken, [], 'who asks wakes nobody');
});

await t.test('what cannot be told is neither', async (t) => {
  const { power, world, lines } = await host(t);
  world.failure = new SendFailure('Network is unreachable', false);
  for (let time = 0; time < 3; time += 1) {
    await t.rejects(power.status(never), { message: /^UNREACHABLE: .*cannot be told whether web1 is on: .*Network is unreachable/ });
  }
  t.equal(lines.length, 1, 'it is logged once');
  const lacking = new HostPower(power.host, { pinger: new Pinger({ open: () => Promise.reject(new CannotTell('no right', 'none')), program: '/nonexistent' }), log: () => undefined });
  await t.rejects(lacking.status(never), { message: /^UNREACHABLE/ });
});

await t.test('silence of pings alone is not off', async (t) => {
  const port = await freePort();
  const { power: { host: settings }, pinger, world } = await host(t, { address: '127.0.0.1' });
  const parts = { pinger, log: () => undefined };
  t.equal(await new HostPower(settings, parts).status(never), 'off', 'where nothing else can be asked');
  t.equal(await new HostPower(settings, { ...parts, port }).status(never), 'on', 'a refused connection is an answer');
  t.equal(await new HostPower({ ...settings, ping: { timeout: 40, 'tcp-port': port } }, parts).status(never), 'on');
  const says = (alive: boolean) => () => Promise.resolve(alive ? { alive, ms: 1, address: '127.0.0.1', by: 'tcp' } as const : { alive, reason: 'silent too' } as const);
  t.equal(await new HostPower(settings, { ...parts, otherwise: says(true) }).status(never), 'on');
  t.equal(await new HostPower(settings, { ...parts, otherwise: says(false) }).status(never), 'off');
  const doubtful = new HostPower(settings, { ...parts, otherwise: () => Promise.reject(new CannotTell('ambiguous', 'who knows')) });
  t.equal(await doubtful.status(never), 'unknown', 'what answers may be it: orders are not kept from it');
  world.on = true;
  t.equal(await doubtful.status(never), 'on');
});

await t.test('a name that is known only while the host is on', async (t) => {
  const { power: { host: settings } } = await host(t, { address: 'web1.example' });
  const pinger = new Pinger({ lookup: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })) });
  const parts = { pinger, log: () => undefined };
  const nameless = new HostPower(settings, parts);
  t.same([await nameless.status(never), await nameless.sign(never)], ['unknown', 'unknown'], 'so that it can be woken');
  await t.rejects(new HostPower({ ...settings, mac: undefined }, parts).status(never), { message: /^UNREACHABLE: .*no host of the name web1.example/ });
});

await t.test('without the right to ping, a silent port is not off, unless we have told the host to go down', async (t) => {
  const { power: { host: settings } } = await host(t, { ping: { timeout: 100, 'off-after': 300 } });
  let refusal: Error = new CannotTell('silent', 'no answer from port 22, and ICMP needs a right');
  let isAlive = false;
  const pinger = Object.assign(new Pinger(), {
    ping: () => (isAlive ? Promise.resolve({ alive: true, ms: 1, address: '10.0.0.11', by: 'tcp' } as const) : Promise.reject(refusal)),
  });
  const power = new HostPower(settings, { pinger, log: () => undefined, wakeFor: 0 });
  const doubt = { message: /^UNREACHABLE: .*no answer from port 22/ };
  await t.rejects(power.status(never), doubt);
  await t.rejects(power.goDown(() => Promise.reject(new ArgoError('UNCERTAIN', 'cut off'))), { message: /cut off/ });
  await t.rejects(power.status(never), doubt, 'nobody knows whether it was told');
  isAlive = true;
  t.equal(await power.status(never), 'on');
  await power.goDown(() => Promise.resolve());
  isAlive = false;
  t.equal(await power.status(never), 'stopping');
  await until(async () => await power.status(never) === 'off', WAIT_MS, 'silence that lasts');
  t.equal(await power.status(never), 'off');
  refusal = new CannotTell('not sent', 'no route');
  await t.rejects(power.status(never), { message: /no route/ }, 'what was not asked is not silent');
  refusal = new CannotTell('silent', 'silent');
  await power.wake(never);
  await t.rejects(power.status(never), { message: /silent/ }, 'after a start it may be up');
});

await t.test('after an order to go down, only silence that lasts is off', async (t) => {
  const { power, world } = await host(t, { ping: { timeout: 40, 'off-after': 1000 } });
  world.on = true;
  await power.goDown(() => Promise.resolve());
  for (let flap = 0; flap < 2; flap += 1) {
    world.on = false;
    t.equal(await power.status(never), 'stopping');
    world.on = true;
    t.equal(await power.status(never), 'on', 'it was the cable');
  }
  world.on = false;
  const began = performance.now();
  await until(async () => await power.status(never) === 'off', WAIT_MS, 'silence that lasts');
  t.ok(performance.now() - began >= 900);
  await t.rejects(power.goDown(() => Promise.reject(new ArgoError('UNREACHABLE', 'nobody there'))), { message: /nobody there/ });
  t.equal(await power.status(never), 'off', 'what was not ordered is not waited for');
  await t.rejects(power.goDown(() => Promise.reject(new ArgoError('UNCERTAIN', 'cut off'))), { message: /cut off/ });
  t.equal(await power.status(never), 'stopping');
});

await t.test('magic packets go out until the host answers', async (t) => {
  const { power, world, woken } = await host(t);
  await power.wake(never);
  await until(() => woken.length === 3, WAIT_MS, 'the packets of the order');
  t.same(woken, [MAC, MAC, MAC]);
  await until(async () => {
    await power.status(never);
    return woken.length >= 5;
  }, WAIT_MS, 'packets of the status checks');
  world.on = true;
  t.equal(await power.status(never), 'on');
  const before = woken.length;
  world.on = false;
  const end = performance.now() + 1500;
  await until(async () => {
    await power.status(never);
    return performance.now() > end;
  }, WAIT_MS, 'time in which another could have gone out');
  t.ok(woken.length <= before + 1, 'none but one that was under way');
});

await t.test('nor after the time, nor after an order to stop', async (t) => {
  for (const end of [(power: HostPower) => power.forgetWake(), () => undefined]) {
    const { power, woken } = await host(t, {}, 0);
    await power.wake(never);
    end(power);
    await until(() => woken.length === 3, WAIT_MS, 'the packets of the order');
    const later = performance.now() + 1500;
    await until(async () => {
      await power.status(never);
      return performance.now() > later;
    }, WAIT_MS, 'time in which another could have gone out');
    t.equal(woken.length, 3);
  }
});

await t.test('what cannot be woken', async (t) => {
  const { power } = await host(t, { mac: undefined });
  t.equal(power.canWake, false);
  await t.rejects(power.wake(never), { message: /^NOT SUPPORTED: .*no mac/ });
  const nowhere = await host(t, { wol: { interface: 'nosuch0' } });
  await t.rejects(nowhere.power.wake(never), { message: /^UNREACHABLE: .*no magic packet could be sent to web1: there is no network interface nosuch0/ });
  const late = await host(t);
  await t.rejects(late.power.wake(AbortSignal.abort(new Error('enough'))), { message: /^UNREACHABLE: .* before anything was sent/ });
  t.equal(await late.power.status(never), 'off');
  t.same(late.woken, [], 'what was not sent is not sent later');
});

await t.test('one pinger serves all providers', (t) => {
  const [one, other] = [leasePinger(() => undefined), leasePinger(() => undefined)];
  t.equal(one.pinger, other.pinger);
  one.release();
  one.release();
  const third = leasePinger(() => undefined);
  t.equal(third.pinger, other.pinger, 'giving back twice counts once');
  other.release();
  third.release();
  const fresh = leasePinger(() => undefined);
  t.not(fresh.pinger, one.pinger);
  fresh.release();
  t.end();
});
