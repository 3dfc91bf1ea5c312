import { statSync } from 'node:fs';
import type { Config, GatewaySettings } from '../config/config.js';
import type { Warning } from '../config/document.js';
import type { SecretOptions } from '../config/secret.js';
import { nearest } from '../kit/nearest.js';
import { WEBHOOK_PREFIX, WEBHOOK_TYPE } from '../config/webhooks.js';

/** What of gateways and webhooks is allowed, and probably not meant. */
export const gatewayWarnings = (config: Config): Warning[] => [
  ...webhookWarnings(config),
  ...keyWarnings(config),
  ...twinWarnings(config),
  ...hostWarnings(config),
];

/** A file with a secret is not for everybody. */
export function openToAll(file: string): string[] {
  return ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o004) !== 0 ? [`${file} can be read by every user of this machine; chmod 640 it`] : [];
}

/** Webhooks whose receiver cannot tell who sends, or whose secret others can read. */
function webhookWarnings({ gateways }: Config): Warning[] {
  return [...gateways.values()].filter(({ type }) => type === WEBHOOK_TYPE).flatMap(({ name, options }, index) => {
    const { 'secret-file': file, secret, 'secret-env': variable } = options as SecretOptions<'secret'>;
    const path = ['webhooks', index];
    if (file === undefined && secret === undefined && variable === undefined) {
      return [{ message: `the webhook ${name.replace(WEBHOOK_PREFIX, '')} has no secret: its receiver cannot tell whether its messages are forged`, path }];
    }
    return file === undefined ? [] : openToAll(file).map((message) => ({ message, path: [...path, 'secret-file'] }));
  });
}

const KEYS = ['tls-key', 'psk-file'] as const;

/** Keys that others can read: whoever has one can pretend to be what it belongs to. */
function keyWarnings({ server, gateways }: Config): Warning[] {
  const own = server.tls === undefined ? [] : openToAll(server.tls.key).map((message) => ({ message, path: ['server', 'tls-key'] }));
  return [...own, ...[...gateways.values()].flatMap(({ name, options }) => KEYS.flatMap((key) => {
    const file = (options as Readonly<Record<string, unknown>>)[key];
    return typeof file === 'string' ? openToAll(file).map((message) => ({ message, path: ['gateways', name, key] })) : [];
  }))];
}

/** What of a table says which proxy of which server it is. */
type Proxy = Readonly<Record<'mode' | 'proxy-name', string> & Record<'server', readonly string[]>>;

/** Two proxies of Zabbix by one name at one server: it takes them for one, and gives each the other's orders. */
function twinWarnings({ gateways }: Config): Warning[] {
  const seen = new Map<string, string>();
  return [...gateways.values()].filter(({ type }) => type === 'zabbix').flatMap(({ name, options }: GatewaySettings) => {
    const { mode, server, 'proxy-name': proxy } = options as Proxy;
    if (mode !== 'active') return [];
    const twins = new Set(server.flatMap((one) => seen.get(`${one} ${proxy}`) ?? []));
    server.forEach((one) => seen.set(`${one} ${proxy}`, name));
    return [...twins].map((twin) => ({ message: `the gateway ${twin} is the proxy "${proxy}" of the same server, too: Zabbix takes both for one`, path: ['gateways', name, 'proxy-name'] }));
  });
}

/** Names of hosts that are to be providers which there are not: every call that names one is refused. */
function hostWarnings({ gateways, providers }: Config): Warning[] {
  return [...gateways.values()].filter(({ type }) => type === 'oms').flatMap(({ name, options }) => {
    const { hosts } = options as { readonly hosts: Readonly<Record<string, Readonly<Record<'kvm' | 'ovz', string>>>> };
    return Object.entries(hosts).flatMap(([host, { kvm, ovz }]) => [...new Set([kvm, ovz])].filter((provider) => !providers.has(provider)).map((provider) => {
      const near = nearest(provider, [...providers.keys()]);
      return { message: `the host "${host}" is the provider "${provider}", which there is not${near === undefined ? '' : `; is "${near}" meant?`}`, path: ['gateways', name, 'hosts', host] };
    }));
  });
}
