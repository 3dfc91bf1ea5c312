import { existsSync } from 'node:fs';
import type { Test } from 'tap';
import { connect } from '../../support/line-client.js';
import { fromRoot } from '../../support/paths.js';
import { lacks } from '../../support/peers.js';
import { runProgram, type Outcome } from '../../support/programs.js';
import { PASSWORD, type Account, type Integrated } from './integrations.js';

export const FENCE_AGENT = fromRoot('integrations', 'fence', 'fence_argo');
/** What agents are built on; it lies in no PATH, and comes with all agents. */
const LIBRARY = '/usr/share/fence/fencing.py';

export const FENCER: Account = { name: 'fencer', instances: ['*'], commands: ['status', 'start', 'stop'] };
/** Nodes in all states in which one may be met: `dev` does not shut down, of `hung` nothing is known. */
export const FENCED = `
[providers.demo]
type = "sim"
instances = ["lj", "builder", { name = "kept", state = "suspended" }, { name = "fallen", state = "crashed" }, { name = "held", state = "paused" }, "dev", "hung", { name = "test", state = "off" }]
faults = { dev = "deaf", hung = "error" }
`;

/** For the `skip` option of a test with the library of fence agents. */
export const lacksFencing = (...programs: string[]): string | false => (existsSync(LIBRARY) ? lacks(...programs) : lacks('the library of fence-agents', ...programs));

/** The agent as Pacemaker calls it: all parameters on standard input. */
export const agentOf = ({ env, port }: Integrated) => (parameters: Readonly<Record<string, string | number>>): Promise<Outcome> => {
  const all = { ip: '127.0.0.1', ipport: port, username: 'fencer', password: PASSWORD, ...parameters };
  return runProgram(FENCE_AGENT, [], { env, input: Object.entries(all).map(([key, value]) => `${key}=${value}\n`).join('') });
};

/** Asks the server for states without any of our Python. */
export async function statesOf(t: Test, { port }: Integrated): Promise<(name: string) => Promise<string>> {
  const client = await connect(port);
  t.teardown(() => client.destroy());
  await client.ask(`auth ${FENCER.name} ${PASSWORD}`);
  return async (name) => (await client.ask(`status ${name}`)).body.join();
}
