import { isIP } from 'node:net';
import { HOLDS, Lockout, type Holds } from '../../kit/lockout.js';
import type { Log } from '../../kit/log.js';
import { addressBytes } from '../../protocols/ping/address.js';
import { CannotTell } from '../../protocols/ping/outcome.js';
import { probeTcp } from '../../protocols/ping/tcp.js';
import type { WmiConnection } from '../../protocols/wmi/connection.js';
import { WmiFault, WmiLoginRefusedError } from '../../protocols/wmi/errors.js';
import type { HostPowerParts } from '../host/power.js';
import { tlsTrust } from '../tls/options.js';
import { detailOf } from './errors.js';
import { WmiLink } from './link.js';
import { type Credentials, isDomainAccount, portOf, serviceOrigin, wmiCredentials, type WmiOptions } from './options.js';

/** Of the endpoint mapper, over which each DCOM connection begins ([MS-RPCE] 2.1.1.1). */
const DCOM_PORT = 135;

interface Place {
  readonly address: string;
  readonly port: number;
}

/** Where the WMI service of a host is reached. */
function placeOf(given: WmiOptions, address: string): Place {
  if (given.transport === 'dcom') return { address, port: DCOM_PORT };
  const origin = serviceOrigin(given.url, address);
  const written = origin.hostname.replace(/^\[|\]$/g, '');
  return { address: isSameAddress(written, address) ? address : written, port: portOf(origin) };
}

/** A host that has just booted may not reach its domain yet. */
const LOGIN_HOLDS: Holds = { ...HOLDS, known: 30_000 };

/** What keeps an account from being locked out: one of a domain wherever it logs in, or one of the host's own. */
export function loginGuard(given: Pick<WmiOptions, 'user' | 'domain'>, address: string, log: Log): Lockout {
  return new Lockout(asRefusal, {
    realm: isDomainAccount(given) ? 'wmi' : `wmi ${address}`, holds: LOGIN_HOLDS,
    // Each machine of a domain is one, and each transport and way of logging in of one machine.
    hasManyDoors: true,
    // Whoever refuses in WMI's own words has let us in before.
    isAdmission: (error) => error instanceof WmiFault,
    onRefusal: ({ message }, until) => log('warn', 'a login was refused; it is held back, so that the account is not locked out', { reason: detailOf(message), until }),
  });
}

const asRefusal = (error: unknown, hint: string): WmiLoginRefusedError | undefined =>
  error instanceof WmiLoginRefusedError ? new WmiLoginRefusedError(`${detailOf(error.message)}; ${hint}`, { cause: error }) : undefined;

/** The way to the WMI of one host. Nothing is opened before it is used. */
export function linkTo(given: WmiOptions, address: string, guard: Lockout): WmiLink {
  const place = placeOf(given, address);
  const shared = { ...place, guard, mark: () => wmiCredentials(given).mark };
  if (given.transport === 'dcom') {
    return new WmiLink({ ...shared, service: 'DCOM', open: async () => openDcom(address, wmiCredentials(given)) });
  }
  const origin = serviceOrigin(given.url, address);
  return new WmiLink({ ...shared, service: 'WinRM', open: async () => openWinRm(given, { origin, address: place.address }, wmiCredentials(given)) });
}

/**
 * How the WMI service shows whether a host is up: by its port at the host's own address. Where the URL
 * leads elsewhere, what answers there may be another machine, such as a proxy: it proves nothing, but
 * only with its silence too is the host silent.
 */
export function serviceSign(given: WmiOptions, address: string): Pick<HostPowerParts, 'port' | 'otherwise'> {
  const place = placeOf(given, address);
  if (isSameAddress(place.address, address)) return { port: place.port };
  return {
    port: place.port,
    otherwise: async (signal) => {
      const found = await probeTcp(place.address, place.port, { signal });
      if (found.alive) throw new CannotTell('ambiguous', `it is silent itself, but its service answers at ${place.address}`);
      return found;
    },
  };
}

function isSameAddress(one: string, other: string): boolean {
  if (isIP(one) === 0 || isIP(other) === 0) return one.toLowerCase() === other.toLowerCase();
  return Buffer.from(addressBytes(one)).equals(addressBytes(other));
}

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
    login: { kind: given.auth, user, password, domain, kerberos: given.kerberos },
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
