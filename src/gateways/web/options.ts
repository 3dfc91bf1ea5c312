import * as v from 'valibot';
import { flag, positiveDuration } from '../../config/values.js';
import { SESSION_IDLE, SESSION_LONGEST } from '../../kit/web-limits.js';
import { entranceEntries } from '../../listening/options.js';
import type { GatewayOptions } from '../contract.js';

/** RFC 1123, 2.1; without a port. */
const hostName = v.pipe(v.string('a host name in quotes is expected'), v.regex(/^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*$/, 'a host name is expected, without a port: "argo.example.net"'));

/** The keys of a table of type `web`. */
export const options = {
  ...entranceEntries,
  names: v.optional(v.array(hostName, 'a list is expected, such as ["argo.example.net"]'), []),
  'idle-timeout': v.optional(positiveDuration, SESSION_IDLE),
  'session-limit': v.optional(positiveDuration, SESSION_LONGEST),
  hsts: v.optional(flag, false),
};

export type WebOptions = GatewayOptions<typeof options>;
