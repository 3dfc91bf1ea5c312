import t, { type Test } from 'tap';
import type { PingReport } from '../peers/hosts-cli.js';
import { startCapture } from '../peers/capture.js';
import { ADDRESSES as at, CABLES, Network, NETWORK_PROGRAMS } from '../peers/network.js';
import { lacksRoot } from '../support/peers.js';

/** Pings in a real network, with and without the right to send them. */

const MAC = '52:54:00:aa:00:11';
/** Becomes an ordinary user who may read this project wherever it lies. */
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all,+dac_read_search', '--ambient-caps=-all,+dac_read_search'];
/** As the daemon is run by a hardened systemd unit: programs give no further rights. */
const CONFINED = [...NOBODY, '--no-new-privs'];

await t.test('hosts in a network', { skip: lacksRoot(...NETWORK_PROGRAMS, 'ping', 'setpriv', 'tcpdump'), timeout: 170_000 }, async (t) => {
  const network = await Network.start();
  t.teardown(() => network.stop());
  const ask = (hosts: readonly string[], options = {}, prefix: readonly string[] = []): Promise<PingReport> =>
    network.ask<PingReport>('ping', { hosts, options }, prefix);

  await t.test('every address has its outcome', async (t) => {
    const { results, notes } = await ask(Object.values(at));
    const expected: Record<keyof typeof at, object> = {
      alive: { alive: true, address: at.alive, by: 'icmp' },
      alive6: { alive: true, address: at.alive6, by: 'icmp' },
      drops: { alive: false, reason: 'no answer to 4 requests' },
      shares: { alive: false }, forged: { alive: false }, forgedHere: { alive: false },
      rejects: { alive: true },
      silent: { alive: false },
      walled: { alive: true },
      halfWalled: { alive: false },
      forbidden: { kind: 'not sent', message: /not permitted/ },
      lossy: { alive: true },
      nobody: { alive: false, reason: 'host unreachable, says 10.77.0.1' },
      nobody6: { alive: false, reason: 'address unreachable, says fd77::1' },
      unreachable: { alive: false, reason: 'host unreachable, says 10.77.0.2' },
      unreachable6: { kind: 'not sent', message: 'no route to the host, says fd77::2' },
      tooFar: { kind: 'not sent', message: 'time to live exceeded, says 10.77.0.2' },
      prohibited: { kind: 'prohibited', message: 'communication administratively prohibited, says 10.77.0.2' },
      noRoute: { kind: 'not sent', message: /unreachable|No route/ },
    };
    for (const [name, address] of Object.entries(at)) t.match(results[address], expected[name as keyof typeof at], name);
    t.same(notes, []);
  });

  await t.test('a TCP port speaks for a host that drops pings', async (t) => {
    const { results } = await ask([at.drops, at.nobody, at.silent, at.walled, at.halfWalled, at.unreachable], { tcpPorts: [22] });
    t.match(results[at.drops], { alive: true, by: 'tcp' });
    for (const down of [at.nobody, at.silent, at.unreachable]) t.match(results[down], { alive: false }, down);
    t.match(results[at.walled], { alive: true, by: 'icmp' }, 'its firewall speaks');
    t.match(results[at.halfWalled], { kind: 'silent' }, 'somebody speaks, who may be its firewall');
  });

  await t.test('a port that refuses speaks for a host only where its own card does', async (t) => {
    const { results } = await ask([at.drops, at.shares, at.forged, at.forgedHere], { tcpPorts: [22], timeout: 2000 });
    t.match(results[at.drops], { alive: true, by: 'tcp' });
    for (const doubtful of [at.shares, at.forged]) t.match(results[doubtful], { kind: 'ambiguous', message: /port 22 refuses connections, which a firewall may do/ }, doubtful);
    t.match(results[at.forgedHere], { alive: false, reason: 'nobody in our network has its address' }, 'our own firewall spoke');
    const capture = await startCapture(network.enclosure, 'h1', 'udp port 9');
    const keys = { hosts: [{ name: 'db', address: at.forged, mac: MAC }], user: 'argo', wol: { broadcast: CABLES.second.broadcast }, ping: { timeout: '1s' } };
    t.same(await network.ask('start', { keys }), { db: 'unknown' }, 'so that an order to start is not spared');
    t.not((await capture.frames(1)).length, 0);
  });

  await t.test('a flood of others\' replies is no answer, and hides none', async (t) => {
    const flood = network.run('ping', '-f', '-q', '-w', '8', at.alive);
    const { results } = await ask([at.alive, at.alive6, at.drops, at.unreachable, at.lossy]);
    t.match(results, {
      [at.alive]: { alive: true }, [at.alive6]: { alive: true }, [at.drops]: { alive: false, reason: 'no answer to 4 requests' },
      [at.unreachable]: { alive: false }, [at.lossy]: { alive: true },
    });
    t.match((await flood).stdout, /(\d{3,}) received/, 'it was a flood');
  });

  await t.test('without the right, the system\'s ping is asked', async (t) => {
    const hosts = [at.alive, at.alive6, at.drops, at.unreachable, at.rejects, at.prohibited, at.noRoute];
    checkFallback(t, await ask(hosts, {}, NOBODY));
  });

  await t.test('where that has the right by a group alone', async (t) => {
    await network.run('sysctl', '-qw', 'net.ipv4.ping_group_range=0 2147483647');
    const { results } = await ask([at.alive, at.alive6, at.drops], {}, CONFINED);
    t.match(results, { [at.alive]: { alive: true, by: 'program' }, [at.alive6]: { alive: true, by: 'program' }, [at.drops]: { alive: false } });
    await network.run('sysctl', '-qw', 'net.ipv4.ping_group_range=1 0');
  });

  await t.test('where that has no right either, only a TCP port can tell', async (t) => {
    const without = await ask([at.alive, at.nobody], {}, CONFINED);
    for (const host of [at.alive, at.nobody]) t.match(without.results[host], { kind: 'no right', message: /CAP_NET_RAW.*no tcp-port/ });
    t.equal(without.notes.length, 1);
    t.match(without.notes[0], /CAP_NET_RAW, and the system's ping cannot be used/);
    const asked = [at.alive, at.drops, at.nobody, at.silent, at.walled, at.unreachable];
    const { results } = await ask(asked, { tcpPorts: [22] }, CONFINED);
    t.match(results, {
      [at.alive]: { alive: true, by: 'tcp' }, [at.drops]: { alive: true, by: 'tcp' },
      [at.nobody]: { alive: false, reason: 'nobody in our network has its address' },
      [at.silent]: { kind: 'silent', message: /no answer from port 22, and ICMP needs/ },
      [at.walled]: { kind: 'silent', message: /port 22 is said to be unreachable, by a router or a firewall/ },
      [at.unreachable]: { kind: 'silent' },
    });
  });
});

function checkFallback(t: Test, { results, notes }: PingReport): void {
  t.match(results, {
    [at.alive]: { alive: true, by: 'program' },
    [at.alive6]: { alive: true, by: 'program' },
    [at.drops]: { alive: false },
    [at.unreachable]: { alive: false, reason: /unreachable, says 10\.77\.0\.2/ },
    [at.rejects]: { alive: true },
    [at.prohibited]: { kind: 'prohibited' },
    [at.noRoute]: { kind: 'not sent' },
  });
  t.equal(notes.length, 1, 'it is noted once');
  t.match(notes[0], /CAP_NET_RAW; the system's ping is used instead/);
}
