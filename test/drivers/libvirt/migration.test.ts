import t, { type Test } from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import type { Destination } from '../../../src/drivers/management/machine.js';
import { until } from '../../support/until.js';
import { findMachine, outcome, soon } from '../driving.js';
import { FakeDaemon, fakeDomain, type FakeDomain } from './fake-daemon.js';
import { openDriver } from './open-driver.js';

/** Where a machine is whose migration did not end well, by what both sides say. */

const PERFORM = 305;
const ABORT = 164;
/** virDomainJobOperation */
const MIGRATING = 5;
const WAIT_MS = 20_000;
/** virDomainState and reason */
const RUNNING = [1, 1] as const;
const PAUSED = [3, 1] as const;
const HANDED_OVER = [3, 2] as const;
const SHUT_DOWN = [5, 1] as const;
const MIGRATED = [5, 4] as const;
const NONE = 'none';

type State = typeof RUNNING | typeof PAUSED | typeof HANDED_OVER | typeof SHUT_DOWN | typeof MIGRATED;

function place(domain: FakeDomain, [state, reason]: State): void {
  domain.state = state;
  domain.reason = reason;
}

async function open(t: Test) {
  const daemon = new FakeDaemon();
  const domain = fakeDomain('web', 1, 1);
  place(domain, RUNNING);
  daemon.domains = [domain];
  await daemon.start();
  const { driver } = openDriver(`qemu:///system?socket=${daemon.socket}`);
  t.teardown(async () => {
    await driver.close(soon());
    await daemon.remove();
  });
  const machine = await findMachine(driver, 'web');
  const move = (there: string, signal = soon()) => {
    const destination: Destination = {
      provider: 'kvm2', access: { scheme: 'qemu', uri: 'qemu+tls://kvm2/system', disks: 'shared' },
      state: () => (there === NONE ? Promise.reject(new ArgoError('NO SUCH INSTANCE')) : Promise.resolve(there)),
    };
    return outcome(machine.abilities!.migration!.to!({ destination }, { signal, task: 'x', progress: () => undefined }));
  };
  /** What libvirt does when it is told to move it: `after` is what it says of it from then on. */
  const perform = (after: State | typeof NONE, how: 'fails' | 'is cut off', operation = 0): void => {
    daemon.override = (call, peer) => {
      if (call.procedure !== PERFORM) return false;
      daemon.operation = operation;
      if (after === NONE) daemon.domains = [];
      else place(domain, after);
      if (how === 'fails') peer.fail(call, 38, 'cannot');
      else peer.stream.destroy();
      return true;
    };
  };
  return { daemon, domain, move, perform };
}

const STAYS = { phrase: 'FAILED', detail: /^it stays on the host where it was: / };
const UNCERTAIN = { phrase: 'UNCERTAIN', detail: /^it is not known on which of the two hosts it is: / };
const DONE = { value: undefined };
type Expected = typeof STAYS | typeof UNCERTAIN | typeof DONE;

const check = (t: Test, result: object, expected: Expected): void => {
  if (expected === DONE) t.same(result, DONE);
  else t.match(result, expected);
};

await t.test('what both sides say of it decides', async (t) => {
  for (const how of ['fails', 'is cut off'] as const) {
    for (const [name, before, after, there, expected] of [
      ['it runs here alone', RUNNING, RUNNING, NONE, STAYS],
      ['it runs here, and is only defined there', RUNNING, RUNNING, 'off', STAYS],
      ['it runs here, and begins there', RUNNING, RUNNING, 'unknown', STAYS],
      ['it ended here meanwhile', RUNNING, SHUT_DOWN, NONE, STAYS],
      ['it runs here and there', RUNNING, RUNNING, 'on', UNCERTAIN],
      ['it is between the two', RUNNING, HANDED_OVER, NONE, UNCERTAIN],
      ['it is between the two, and runs there', RUNNING, HANDED_OVER, 'on', UNCERTAIN],
      ['it is nowhere', RUNNING, NONE, NONE, UNCERTAIN],
      ['it is gone here, and not as it was there', RUNNING, NONE, 'paused', UNCERTAIN],
      ['it is gone here, and there as it was', RUNNING, NONE, 'on', DONE],
      ['it is left here, and there as it was', RUNNING, MIGRATED, 'on', DONE],
      ['paused', PAUSED, NONE, 'paused', DONE],
      ['off', SHUT_DOWN, NONE, 'off', DONE],
      ['off, and it stays', SHUT_DOWN, SHUT_DOWN, NONE, STAYS],
    ] as const) {
      await t.test(`it ${how}: ${name}`, async (t) => {
        const { domain, move, perform } = await open(t);
        place(domain, before);
        perform(after, how);
        check(t, await move(there), expected);
      });
    }
  }
});

await t.test('a migration that goes on behind a connection that was cut is followed to its end', async (t) => {
  const { daemon, move, perform } = await open(t);
  perform(RUNNING, 'is cut off', MIGRATING);
  const moved = move('on');
  await until(() => daemon.count(298) >= 3, WAIT_MS, 'looks at it');
  daemon.domains = [];
  t.same(await moved, DONE);
});

await t.test('one that goes on behind a connection that was cut, and is given up', async (t) => {
  const { daemon, move, perform } = await open(t);
  const controller = new AbortController();
  perform(RUNNING, 'is cut off', MIGRATING);
  const moved = move(NONE, controller.signal);
  await until(() => daemon.count(298) >= 3, WAIT_MS, 'looks at it');
  daemon.override = (call, peer) => {
    if (call.procedure !== ABORT) return false;
    daemon.operation = 0;
    peer.reply(call);
    return true;
  };
  controller.abort();
  t.match(await moved, STAYS);
});

await t.test('libvirt\'s own reason, where it has one', async (t) => {
  const { daemon, move } = await open(t);
  daemon.override = (call, peer) => {
    if (call.procedure !== PERFORM) return false;
    peer.fail(call, 84, 'not here');
    return true;
  };
  t.match(await move(NONE), { phrase: 'NOT SUPPORTED', detail: 'not here' });
});

await t.test('given up', async (t) => {
  const { daemon, move } = await open(t);
  const controller = new AbortController();
  daemon.override = (call, peer) => {
    if (call.procedure === PERFORM) return true;
    if (call.procedure !== ABORT) return false;
    peer.reply(call);
    const asked = daemon.peers.flatMap((one) => one.calls.filter(({ procedure }) => procedure === PERFORM).map((asking) => ({ one, asking })));
    asked.forEach(({ one, asking }) => one.fail(asking, 78, 'canceled by client'));
    return true;
  };
  const moved = move(NONE, controller.signal);
  await until(() => daemon.count(PERFORM) === 1, WAIT_MS, 'its beginning');
  controller.abort();
  t.match(await moved, { phrase: 'UNREACHABLE', detail: /given up/ }, 'it stays');
  t.equal(daemon.count(ABORT), 1);
  t.match(await move(NONE, controller.signal), { phrase: 'UNREACHABLE' }, 'and is not even begun');
  t.equal(daemon.count(PERFORM), 1);
});

await t.test('what is being done with it already', async (t) => {
  const { daemon, move } = await open(t);
  daemon.operation = 2;
  t.match(await move(NONE), { phrase: 'BUSY', detail: 'it is being saved to disk' });
  t.equal(daemon.count(PERFORM), 0);
});
