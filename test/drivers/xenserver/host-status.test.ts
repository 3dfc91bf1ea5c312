import t from 'tap';
import type { Fault } from '../../peers/xapi.js';
import { setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

/** A name that nobody has (RFC 6761): nothing can be asked there. */
const NOBODY = 'nobody.invalid';
const POOL = [{ name: 'xen1', address: '127.0.0.1' }, { name: 'xen2', address: '127.0.0.2' }];
const hasty = { ping: { timeout: '200ms', retries: 0 } };

void t.test('a host that drops pings is on, since the pool is in touch with it', async (t) => {
  const { driver, peer, told } = await setUp(t, { hosts: [{ name: 'xen1', address: '127.0.0.1' }], vms: [] }, hasty);
  peer.world.set('host', peer.world.refs('host')[0]!, { address: NOBODY });
  const host = await findMachine(driver, 'xen1');
  t.equal(await host.status(soon()), 'on');
  t.same(told.changed.filter(({ state }) => state === 'off'), [], 'and never listed as off');
  await host.shutdown?.(soon());
  t.same(peer.down, ['shutdown xen1']);
});

void t.test('a host that does not answer the pool either', async (t) => {
  const { driver, peer } = await setUp(t, { hosts: POOL, vms: [] }, hasty);
  const lost = peer.world.refs('host')[1]!;
  peer.world.set('host', lost, { address: NOBODY });
  const host = await findMachine(driver, 'xen2');
  t.equal(await host.status(soon()), 'on');
  const faults: readonly Fault[] = [
    { kind: 'refuse', code: 'CANNOT_CONTACT_HOST', params: [lost] }, { kind: 'refuse', code: 'INTERNAL_ERROR', params: ['timed out'] }, { kind: 'garbage' },
  ];
  for (const fault of faults) {
    peer.fault('host.get_servertime', fault);
    t.equal(await host.status(soon()), 'unknown', 'the pool counts it as on, and nothing shows that it is');
  }
  peer.fault('host.get_servertime', { kind: 'refuse', code: 'MESSAGE_METHOD_UNKNOWN', params: ['host.get_servertime'] });
  t.equal(await host.status(soon()), 'on', 'the pool\'s own word');
  peer.world.setLive(1, false);
  const silent = await outcome(host.status(soon()));
  // By what stands between this machine and other networks: silence, a refusal, no way at all.
  t.ok(silent.value === 'off' || silent.value === 'unknown' || silent.phrase === 'UNREACHABLE', 'the pool has lost it, and it is silent');
  peer.world.setLive(0, false);
  t.equal(await (await findMachine(driver, 'xen1')).status(soon()), 'on', 'one that the pool has lost and that answers is on');
});

void t.test('a pool that answers, but not us, leaves its hosts unknown rather than off', async (t) => {
  const { driver, peer } = await setUp(t, { hosts: POOL, vms: [] }, hasty);
  peer.world.set('host', peer.world.refs('host')[1]!, { address: NOBODY });
  const host = await findMachine(driver, 'xen2');
  peer.sessions.clear();
  peer.fault('session.login_with_password', { kind: 'refuse', code: 'SESSION_AUTHENTICATION_FAILED', params: [] });
  t.equal(await host.status(soon()), 'unknown');
});
