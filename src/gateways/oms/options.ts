import * as v from 'valibot';
import { flag, positiveDuration, text } from '../../config/values.js';
import { OMS_PORTS, OMS_ROLLBACK, OMS_STOP_TIMEOUT } from '../../kit/oms-limits.js';
import { SESSION_IDLE, SESSION_LONGEST } from '../../kit/web-limits.js';
import { entranceEntries } from '../../listening/options.js';
import type { GatewayOptions } from '../contract.js';

/** First and last port of a pool. */
export interface PortPool {
  readonly first: number;
  readonly last: number;
}

const portPool = v.pipe(
  v.string('ports are expected, such as "6800-6849"'),
  v.regex(/^\d{1,5}-\d{1,5}$/, 'write the first and the last port: "6800-6849"'),
  v.transform((range): PortPool => {
    const [first = 0, last = 0] = range.split('-').map(Number);
    return { first, last };
  }),
  v.check(({ first, last }) => first >= 1 && first <= last && last <= 65_535 && last - first < OMS_PORTS, `1 to 65535, the first before the last, at most ${OMS_PORTS} of them`),
);

/** What a host is: one provider, or one of virtual machines and one of containers. */
const hostProviders = v.union([v.pipe(text, v.transform((provider) => ({ kvm: provider, ovz: provider }))), v.strictObject({ kvm: text, ovz: text })], 'a provider is expected, or { kvm = "…", ovz = "…" }');

/** The keys of a table of type `oms`. */
export const options = {
  ...entranceEntries,
  path: v.optional(v.pipe(text, v.regex(/^\/(?:[\w.-]+(?:\/[\w.-]+)*)?$/, 'a path is expected: "/" or "/oms"')), '/'),
  'legacy-get': v.optional(flag, false),
  jsonp: v.optional(flag, false),
  hosts: v.optional(v.record(text, hostProviders, 'a table is expected: hosts = { node1 = "kvm1" }'), {}),
  'vnc-ports': v.optional(portPool, '6800-6849'),
  'ssh-ports': v.optional(portPool, '6900-6949'),
  'idle-timeout': v.optional(positiveDuration, SESSION_IDLE),
  'session-limit': v.optional(positiveDuration, SESSION_LONGEST),
  'stop-timeout': v.optional(positiveDuration, OMS_STOP_TIMEOUT),
  'network-rollback': v.optional(positiveDuration, OMS_ROLLBACK),
};

export type OmsOptions = GatewayOptions<typeof options>;
