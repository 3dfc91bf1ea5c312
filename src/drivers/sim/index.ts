import * as v from 'valibot';
import { duration, text, whole } from '../../config/values.js';
import type { DriverModule } from '../driver.js';
import { SimDriver } from './sim.js';

const state = v.picklist(['on', 'off', 'paused', 'suspended', 'crashed'], 'one of "on", "off", "paused", "suspended", "crashed" is expected');

const options = {
  instances: v.optional(v.array(v.union([
    text,
    v.strictObject({ name: text, state: v.optional(state, 'on') }),
  ], 'a name or { name = "…", state = "off" } is expected')), []),
  count: v.optional(whole(0, 1_000_000), 0),
  latency: v.optional(duration, '0ms'),
  faults: v.optional(v.record(v.string(), v.picklist(['hang', 'error', 'flapping', 'deaf'], 'one of "hang", "error", "flapping", "deaf" is expected')), {}),
};

/** What `count` calls its machines. */
const COUNTED = /^vm\d{5,}$/;

/** Machines in memory: for a first look, for tests and for benches. */
const driver: DriverModule<typeof options> = {
  options,
  defaults: { concurrency: 4096 },
  check: ({ instances, count, faults }) => {
    const names = new Set(instances.map((one) => (typeof one === 'string' ? one : one.name)));
    return Object.keys(faults).filter((name) => !names.has(name) && !(count > 0 && COUNTED.test(name)))
      .map((name) => ({ message: `faults: ${name} is none of the instances`, path: ['faults', name] }));
  },
  open: (settings, host) => new SimDriver(settings, host),
};

export default driver;
