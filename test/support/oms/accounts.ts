import { hash } from 'bcrypt';
import { BCRYPT_COST } from '../../../src/kit/limits.js';
import { freePort } from '../ports.js';

/** The name and the password of OMS' own examples. */
export const LOGIN = { name: 'username', password: 'password' } as const;

/** What may be done with which instances. */
export type Grants = readonly { readonly instances: readonly string[]; readonly commands: readonly string[] }[];

/** Tables of accounts, all with the same password, as TOML. */
export async function accounts(grants: Readonly<Record<string, Grants>>): Promise<string> {
  const hashed = await hash(LOGIN.password, BCRYPT_COST);
  const list = (all: Grants): string => all.map(({ instances, commands }) => `{ instances = ${JSON.stringify(instances)}, commands = ${JSON.stringify(commands)} }`).join(', ');
  return Object.entries(grants).map(([name, all]) => `[accounts.${name}]\npassword = "${hashed}"\ngrants = [${list(all)}]\n`).join('');
}

/** One who may do everything. */
export const everything = (): Promise<string> => accounts({ [LOGIN.name]: [{ instances: ['*'], commands: ['*'] }] });

/** A table of the gateway, with pools of ports that are free now. @returns it, and the first port of each pool */
export async function omsTable(keys = ''): Promise<{ readonly table: string; readonly vnc: number; readonly ssh: number }> {
  const [vnc, ssh] = [await freePort(), await freePort()];
  return { vnc, ssh, table: `[gateways.oms]\ntype = "oms"\nlisten = ["127.0.0.1:0"]\nhosts = { funcclient = { kvm = "funcclient", ovz = "lxc" } }\nvnc-ports = "${vnc}-${vnc}"\nssh-ports = "${ssh}-${ssh}"\n${keys}\n` };
}
