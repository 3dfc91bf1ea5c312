import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import { askPort, stateOfHost, type Witness, type Word } from '../../../src/drivers/xenserver/host-status.js';
import type { Fault } from '../../peers/xapi.js';
import { setUp } from './open-driver.js';
import { findMachine, outcome, soon } from '../driving.js';

/** An address of RFC 5737 that nobody has: no ping is answered there, and no port. */
const NOBODY = '198.51.100.7';
const POOL = [{ name: 'xen1', address: '127.0.0.1' }, { name: 'xen2', address: '127.0.0.2' }];
const hasty = { ping: { timeout: '200ms', retries: 0 } };

const never = (signal: AbortSignal): Promise<Word> => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(signal.reason as Error)); });
const cannotTell = new ArgoError('UNREACHABLE', 'it cannot be told');

void t.test('who says what of a host, and what is made of it', async (t) => {
  type Says = Word | 'hangs' | 'cannot tell';
  const cases: readonly (readonly [Says, Says, Says, Word | 'UNREACHABLE'])[] = [
    ['on', 'off', 'off', 'on'], ['on', 'hangs', 'hangs', 'on'], ['on', 'cannot tell', 'unknown', 'on'], ['hangs', 'on', 'hangs', 'on'], ['off', 'on', 'off', 'on'],
    ['unknown', 'on', 'off', 'on'], ['off', 'off', 'on', 'on'], ['unknown', 'off', 'off', 'unknown'], ['off', 'off', 'unknown', 'unknown'],
    ['unknown', 'cannot tell', 'off', 'unknown'], ['off', 'off', 'off', 'off'], ['off', 'cannot tell', 'off', 'UNREACHABLE'],
  ];
  const witness = (says: Says): Witness => (signal) => (says === 'hangs' ? never(signal) : says === 'cannot tell' ? Promise.reject(cannotTell) : Promise.resolve(says));
  for (const [pool, echo, port, state] of cases) {
    const told = await outcome(stateOfHost([pool, echo, port].map(witness), soon()));
    t.equal(told.phrase ?? told.value, state, `the pool: ${pool}, ping: ${echo}, port: ${port}`);
  }
});

void t.test('who gives up is told his own reason', async (t) => {
  const stop = new AbortController();
  const asked = outcome(stateOfHost([never, never], stop.signal));
  const reason = new Error('enough');
  stop.abort(reason);
  t.equal((await asked).error, reason);
  t.equal((await outcome(stateOfHost([never], stop.signal))).error, reason);
});

void t.test('a port that is open proves life; one that refuses may be a router\'s', async (t) => {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  t.equal(await askPort('127.0.0.1', port, 1000, soon()), 'on');
  server.close();
  await once(server, 'close');
  t.equal(await askPort('127.0.0.1', port, 1000, soon()), 'unknown');
  t.equal(await askPort('no.such.host.invalid', port, 1000, soon()), 'off', 'is left to the others');
});

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
