import { createHmac, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import * as v from 'valibot';
import { flag, text } from '../../config/values.js';
import { ArgoError } from '../../kit/errors.js';
import { dcomAvailable } from '../../protocols/dcom/helper.js';
import { CHANNEL_BINDINGS } from '../../protocols/wsman/options.js';
import { credentialsOf, loginEntries } from '../tls/options.js';

/** The keys of every driver that speaks WMI, and what they mean. */

/** WinRM's own ports; those of the schemes count only where they are written. */
const WINRM_PORTS: Readonly<Record<string, number>> = { 'https:': 5986, 'http:': 5985 };
const DEFAULT_URL = 'https://{address}:5986/wsman';

/** Stands for the host's address in a URL that is for several. */
const withAddress = (template: string, address: string): string =>
  // A URL cannot hold the zone of an address.
  template.replaceAll('{address}', isIP(address) === 6 ? `[${address.replace(/%.*/, '')}]` : address);

const isServiceUrl = (template: string): boolean => {
  const url = withAddress(template, 'host.example');
  return URL.canParse(url) && new URL(url).protocol in WINRM_PORTS;
};

const serviceUrl = v.pipe(
  text,
  v.check(isServiceUrl, `a URL such as "${DEFAULT_URL}" is expected`),
  v.check((template) => !isServiceUrl(template) || new URL(withAddress(template, 'host.example')).username === '', 'user and password do not belong into the URL'),
);

/** What carries WMI. */
const transport = v.pipe(
  v.picklist(['winrm', 'dcom'], '"winrm" or "dcom" is expected'),
  v.check((name) => name !== 'dcom' || dcomAvailable().isAvailable, () => dcomAvailable().reason),
);

/** Kerberos' own marks in names do not belong into one part of a name. */
const principalPart = v.pipe(text, v.regex(/^[^\s/@\\]+$/, 'a name without "/", "@" and spaces is expected'));

export const wmiEntries = {
  transport: v.optional(transport, 'winrm'),
  url: v.optional(serviceUrl, DEFAULT_URL),
  ...loginEntries,
  auth: v.optional(v.picklist(['ntlm', 'kerberos', 'basic'], '"ntlm", "kerberos" or "basic" is expected'), 'ntlm'),
  /** of the principal of the hosts' services, where it is not `HTTP/` and their address */
  kerberos: v.optional(v.strictObject({ service: v.optional(principalPart), host: v.optional(principalPart) })),
  /** NetBIOS name, where it does not stand before the user's name */
  domain: v.optional(text),
  'allow-unencrypted': v.optional(flag, false),
  'channel-binding': v.optional(v.picklist(CHANNEL_BINDINGS, '"required", "if-offered" or "off" is expected'), 'if-offered'),
};

export type WmiOptions = v.InferOutput<v.ObjectSchema<typeof wmiEntries, undefined>>;

/**
 * Where a host's WinRM listens, with the port that is meant.
 * @throws ArgoError FAILED for an address that no URL can hold, such as a name whose last part is a number
 */
export function serviceOrigin(template: string, address: string): URL {
  const written = withAddress(template, address);
  if (!URL.canParse(written)) throw new ArgoError('FAILED', `"${address}" cannot stand in the url ${template}`);
  const url = new URL(written);
  const hasPort = /^https?:\/\/(?:\[[^\]]*\]|[^/:?#]*):\d+/i.test(written);
  if (!hasPort) url.port = String(WINRM_PORTS[url.protocol]);
  if (url.pathname === '/') url.pathname = '/wsman';
  return url;
}

/** The port that a URL stands for. */
export const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === 'https:' ? 443 : 80);

export interface Credentials {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  /** tells these credentials from others, without telling them */
  readonly mark: string;
}

const markKey = randomBytes(32);

/** @throws ArgoError, which names a file or variable that cannot be read */
export function wmiCredentials(given: WmiOptions): Credentials {
  const { user: written, password } = credentialsOf(given);
  const { user, domain } = parseUser(written, given.domain);
  // Windows' own names know no case.
  const mark = createHmac('sha256', markKey).update(JSON.stringify([user.toLowerCase(), domain.toLowerCase(), password])).digest('base64');
  return { user, domain, password, mark };
}

/** `LAB\argo`, `.\argo` and `argo`; `argo@lab.example` stays as it is, and has no other domain. */
export function parseUser(written: string, given = ''): { user: string; domain: string } {
  const at = written.indexOf('\\');
  if (at < 0) return { user: written, domain: written.includes('@') ? '' : given };
  const before = written.slice(0, at);
  return { user: written.slice(at + 1), domain: before === '.' ? '' : before };
}

/** Whether one account is good for several hosts, so that failures on all of them add up. */
export function isDomainAccount(given: Pick<WmiOptions, 'user' | 'domain'>): boolean {
  return given.user.includes('@') || parseUser(given.user, given.domain).domain !== '';
}
