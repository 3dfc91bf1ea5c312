import t from 'tap';
import type { Autostart, Machine } from '../../src/drivers/driver.js';
import { capabilitiesOf } from '../../src/fleet/capabilities.js';

const done = (): Promise<void> => Promise.resolve();

abstract class Base implements Machine {
  readonly id = 'u1';
  readonly name = 'web1';
  readonly type = 'vm';

  status(): Promise<'on'> {
    return Promise.resolve('on');
  }

  shutdown(): Promise<void> {
    return done();
  }
}

/** Of which some can more than others. */
class Mixed extends Base {
  readonly reset?: () => Promise<void>;
  readonly bootMarkLasts: boolean;
  readonly #startsWithHost: boolean;

  constructor({ resets = false, startsWithHost = false, lasts = false }) {
    super();
    if (resets) this.reset = done;
    this.#startsWithHost = startsWithHost;
    this.bootMarkLasts = lasts;
  }

  start(): Promise<void> {
    return done();
  }

  bootMark(): Promise<string> {
    return Promise.resolve('b1');
  }

  /** As a driver that is not checked may have it. */
  get autostart(): Autostart {
    return (this.#startsWithHost ? { read: () => Promise.resolve(true), set: done } : undefined) as Autostart;
  }
}

await t.test('a machine can what its class can, and what it has for itself', (t) => {
  t.same(capabilitiesOf(new Mixed({})), ['start', 'shutdown']);
  t.same(capabilitiesOf(new Mixed({ resets: true })), ['start', 'shutdown', 'reset'], 'another one of the class');
  t.same(capabilitiesOf(new Mixed({ startsWithHost: true })), ['start', 'shutdown', 'autostart'], 'by what a getter says of it');
  t.same(capabilitiesOf(new Mixed({ lasts: true })), ['start', 'shutdown', 'bootMark'], 'that does not end with this process');
  t.equal(capabilitiesOf(new Mixed({})), capabilitiesOf(new Mixed({})), 'the same list for those that can the same');
  t.end();
});

await t.test('one without a class is looked at by itself', (t) => {
  const plain: Machine = { id: 'u1', name: 'web1', type: 'host', status: () => Promise.resolve('on') };
  t.same(capabilitiesOf({ ...plain, start: done }), ['start']);
  t.same(capabilitiesOf({ ...plain, uptime: () => Promise.resolve(1) }), ['uptime']);
  t.same(capabilitiesOf(plain), []);
  t.same(capabilitiesOf(Object.assign(Object.create(null) as object, plain, { info: () => Promise.resolve({}) })), ['info'], 'of no prototype');
  t.end();
});
