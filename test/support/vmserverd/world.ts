import { hash } from 'bcrypt';
import type { Test } from 'tap';
import { BCRYPT_COST } from '../../../src/kit/limits.js';
import { startDaemon, type Daemon } from '../daemon.js';

/** Grants of an account, as in argo-server.conf. */
export type Grants = readonly { readonly instances: readonly string[]; readonly commands: readonly string[] }[];

export const PASSWORD = 'secret';
let hashed: Promise<string> | undefined;

/** The tables of accounts that all have {@link PASSWORD}. */
export async function accountTables(accounts: Readonly<Record<string, Grants>>): Promise<string> {
  hashed ??= hash(PASSWORD, BCRYPT_COST);
  const password = await hashed;
  return Object.entries(accounts).map(([name, grants]) => `[accounts.${name}]\npassword = "${password}"\n${grants.map((grant) =>
    `[[accounts.${name}.grants]]\ninstances = ${JSON.stringify(grant.instances)}\ncommands = ${JSON.stringify(grant.commands)}\n`).join('')}`).join('');
}

export const EVERYTHING: Grants = [{ instances: ['*'], commands: ['*'] }];

/** Simulated hosts: `demo`, which "the host" means, and another one. */
export const HOSTS = `
[providers.demo]
type = "sim"
instances = ["lj", { name = "web1", state = "off" }, { name = "old", state = "off" }]
faults = { web1 = "deaf" }
[providers.other]
type = "sim"
instances = ["x"]
`;

/** The gateway's table. Both places have port 0: they differ by their address. */
export const gatewayTable = (keys = ''): string => `
[gateways.vm]
type = "vmserverd"
listen = ["127.0.0.1:0"]
tls-listen = ["127.0.0.2:0"]
host = "demo"
${keys}
`;

export interface VmserverdWorld {
  readonly daemon: Daemon;
  /** where it speaks in the clear */
  readonly port: number;
  /** where it speaks TLS, at 127.0.0.2 */
  readonly tlsPort: number;
  /** Puts other tables into force. */
  reload(tables: string): void;
}

/** A daemon with this gateway. @param tables of accounts, hosts and the gateway */
export async function startVmserverd(t: Test, tables: string, server = ''): Promise<VmserverdWorld> {
  const configOf = (given: string): string => `[server]\n${server}\n${given}`;
  const daemon = await startDaemon({ config: configOf(tables), listeners: 3 });
  t.teardown(() => daemon.stop());
  const [, port = 0, tlsPort = 0] = daemon.ports;
  return {
    daemon, port, tlsPort,
    reload: (given) => {
      daemon.reconfigure(configOf(given));
      daemon.signal('SIGHUP');
    },
  };
}
