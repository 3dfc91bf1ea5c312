import type { LoginGuard } from './login-guard.js';
import { WmiLink } from './link.js';
import { portOf, serviceOrigin, wmiCredentials, type WmiOptions } from './options.js';
import { openConnection } from './transport.js';

/** The way to the WMI of one host. Nothing is opened before it is used. */
export function linkTo(given: WmiOptions, address: string, guard: LoginGuard): WmiLink {
  const origin = serviceOrigin(given.url, address);
  return new WmiLink({
    address: origin.hostname.replace(/^\[|\]$/g, ''),
    port: portOf(origin),
    guard,
    mark: () => wmiCredentials(given).mark,
    open: async () => openConnection(given, origin, wmiCredentials(given)),
  });
}
