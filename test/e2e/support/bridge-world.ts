import { hash } from 'bcrypt';
import type { Test } from 'tap';
import { BCRYPT_COST } from '../../../src/kit/limits.js';
import { Mosquitto, type MosquittoOptions, type Onlooker } from '../../peers/mosquitto.js';
import { startDaemon, type Daemon } from '../../support/daemon.js';
import { ADMIN } from '../../support/faults.js';
import { until } from '../../support/until.js';

/** A server, a mosquitto and somebody who looks on, for tests of what bridges do with a broker. */

const WITHIN_MS = 60_000;
export const PASSWORD = 'gate-secret';
export const BROKER_PASSWORD = 'broker-secret';
export const HASH = await hash(PASSWORD, BCRYPT_COST);

/** Two machines of a manager that has more, which it does not tell of; and one of a manager that tells nothing any more. */
const DRIVER = `
const machine = (name) => ({ id: name, name, type: 'vm', status: async () => 'on', start: async () => {}, shutdown: async () => {} });
const sightings = [machine('one'), machine('two')].map((one) => ({ machine: one, state: 'on' }));
export default {
  kind: 'driver', options: {},
  open: () => ({ list: async () => Object.assign([...sightings], { incomplete: 'another host does not answer' }), close: async () => {} }),
};
`;

export const FILES = { 'plugins/half.mjs': DRIVER };

/** The server's. */
export const serverConfig = (more = ''): string => `
[server]
plugin-path = ["plugins"]
${ADMIN}
[accounts.ha]
password = "${HASH}"
grants = [{ instances = ["demo/*", "other/*"], commands = ["read", "power"] }, { instances = ["half/one"], commands = ["read", "power"] }]
[providers.demo]
type = "sim"
instances = ["lj", "builder"]
[providers.half]
type = "half"
${more}`;

/** A bridge's. @param more at the top @param ofBroker in the broker's table */
export const bridgeConfig = (server: number, broker: Mosquitto, more = '', ofBroker = ''): string => `
server = "127.0.0.1:${server}"
account = "ha"
password = "${PASSWORD}"
${more}
[broker]
server = "localhost:${broker.port}"
account = "bridge"
password = "${BROKER_PASSWORD}"
${ofBroker}
`;

export interface World {
  readonly broker: Mosquitto;
  readonly daemon: Daemon;
  readonly onlooker: Onlooker;
}

/** @returns all of it, which ends with the test */
export async function startWorld(t: Test, options: Omit<MosquittoOptions, 'users'> = {}): Promise<World> {
  const broker = await Mosquitto.start(t, { users: { bridge: BROKER_PASSWORD }, ...options });
  const daemon = await startDaemon({ config: serverConfig(), files: FILES });
  t.teardown(() => daemon.stop());
  return { broker, daemon, onlooker: broker.watch(t) };
}

/** An order is carried out, of which nobody else knows. */
export async function obeys(t: Test, { broker, onlooker }: World): Promise<void> {
  const before = onlooker.count('argo/demo/lj/last_order');
  await broker.publish('argo/demo/lj/set', 'ON');
  await until(() => onlooker.count('argo/demo/lj/last_order') > before, WITHIN_MS, 'an order');
  t.match(onlooker.last('argo/demo/lj/last_order'), /"order":"ON","outcome":"done"/);
}
