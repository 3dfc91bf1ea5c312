import type { Log } from '../../kit/log.js';
import type { WmiConnection } from '../../protocols/wmi/connection.js';
import { tlsTrust } from '../tls/options.js';
import type { Credentials, WmiOptions } from './options.js';

/** Where a host's WinRM is reached. */
export interface ServicePlace {
  readonly origin: URL;
  /** of the origin, with its zone where it has one */
  readonly address: string;
}

/** Connections to WMI. What carries one is loaded with the first, so that others do not pay for it. */

/** WMI over WS-Management. @throws ArgoError where an authority's file cannot be read */
export async function openWinRm(given: WmiOptions, { origin, address }: ServicePlace, { user, domain, password }: Credentials): Promise<WmiConnection> {
  const { WsmanSession } = await import('../../protocols/wsman/session.js');
  return new WsmanSession({
    origin,
    ...(address.includes('%') && { address }),
    trust: tlsTrust(given),
    login: { kind: given.auth, user, password, domain },
    allowUnencrypted: given['allow-unencrypted'],
    channelBinding: given['channel-binding'],
  });
}

/** WMI over DCOM, by a helper process. Sealed always. */
export async function openDcom(host: string, { user, domain, password }: Credentials): Promise<WmiConnection> {
  const { DcomSession } = await import('../../protocols/dcom/session.js');
  return new DcomSession({ host, user, domain, password });
}

/** Tells at the start of a provider what its configuration leaves open to others. */
export function warnOfOpenness(given: WmiOptions, log: Log): void {
  if (given.insecure) log('warn', 'insecure = true: whoever answers in the place of the host gets the login');
  if (given['allow-unencrypted']) log('warn', 'allow-unencrypted = true: whoever listens may read what is said to the host, and with auth = "basic" the password');
}
