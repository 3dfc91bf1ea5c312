import type { LoginGuard } from './login-guard.js';
import { WmiLink } from './link.js';
import { portOf, serviceOrigin, wmiCredentials, type WmiOptions } from './options.js';
import { openDcom, openWinRm } from './transport.js';

/** Of the endpoint mapper, over which each DCOM connection begins ([MS-RPCE] 2.1.1.1). */
const DCOM_PORT = 135;

/** The way to the WMI of one host. Nothing is opened before it is used. */
export function linkTo(given: WmiOptions, address: string, guard: LoginGuard): WmiLink {
  const shared = { guard, mark: () => wmiCredentials(given).mark };
  if (given.transport === 'dcom') {
    return new WmiLink({ ...shared, address, port: DCOM_PORT, service: 'DCOM', open: async () => openDcom(address, wmiCredentials(given)) });
  }
  const origin = serviceOrigin(given.url, address);
  return new WmiLink({
    ...shared,
    address: origin.hostname.replace(/^\[|\]$/g, ''),
    port: portOf(origin),
    service: 'WinRM',
    open: async () => openWinRm(given, origin, wmiCredentials(given)),
  });
}
