import { hash } from 'bcrypt';
import type { Test } from 'tap';
import { BCRYPT_COST } from '../../src/kit/limits.js';
import { startDaemon, type Daemon } from '../support/daemon.js';

/** A daemon as the examples of gateways have it: `steve`, who may do everything, `kim`, who may read `lj`, two machines and one gateway. */
export async function startDemo(t: Test, { server = '', tables }: { readonly server?: string; readonly tables: string }): Promise<Daemon> {
  const hashed = await hash('steve', BCRYPT_COST);
  const daemon = await startDaemon({
    config: `
[server]
${server}
[accounts.steve]
password = "${hashed}"
grants = [{ instances = ["*"], commands = ["*"] }]
[accounts.kim]
password = "${hashed}"
grants = [{ instances = ["lj"], commands = ["read"] }]
[providers.demo]
type = "sim"
instances = ["lj", "web1"]
${tables}`, listeners: 2,
  });
  t.teardown(() => daemon.stop());
  return daemon;
}
