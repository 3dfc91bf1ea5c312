import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { SshSession } from '../../src/protocols/ssh/session.js';
import { ACCOUNTS, HOSTS_PROGRAMS, HostsPeer } from '../../test/peers/hosts.js';
import { lacksRoot } from '../../test/support/peers.js';
import { LOGIN, startOurs } from '../ours.js';
import { ask, stop } from '../process.js';
import { atLeast, type Row } from '../report.js';
import type { Scenario } from '../scenario.js';
import { interleave, pairedRatio, summarise } from '../stats.js';

/** Commands of one run; a process is so slow that a few tell enough. */
const COMMANDS = { ours: 50, peer: 5 };
const COMMAND_DEADLINE = 10_000;
const MANY = 50;
/** How much longer many hosts may take than one. */
const PARALLEL = 1.5;
/** Between two looks at whether the hosts are up again, ms. */
const LOOK_EVERY = 50;

/** `true` on a kept SSH session, beside a process of OpenSSH's client for each. */
export const ssh: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = 'a command over SSH';
  const lacks = lacksRoot(...HOSTS_PROGRAMS, 'ssh');
  if (lacks !== false) return void (yield { what, unit: 'ms', note: lacks });
  const peers = await HostsPeer.start({ count: 1 });
  const { address } = peers.host('h1');
  const session = new SshSession(() => ({
    host: address, user: ACCOUNTS.bash.name,
    privateKey: readFileSync(peers.privateKeyFile, 'utf8'), hostKey: { knownHosts: readFileSync(peers.knownHostsFile, 'utf8') },
  }));
  const ours = (): Promise<unknown> => session.run('acts', 'true', { signal: AbortSignal.timeout(COMMAND_DEADLINE) });
  const peer = (): Promise<void> => openssh(peers, `${ACCOUNTS.bash.name}@${address}`);
  try {
    await ours();
    const [mine = [], theirs = []] = await interleave(settings.rounds, [
      () => timeOfEach(COMMANDS.ours, ours), () => timeOfEach(COMMANDS.peer, peer),
    ]);
    const ratio = 1 / pairedRatio(mine, theirs);
    yield { what, unit: 'ms', ours: summarise(mine), peer: { name: 'ssh HOST true', figure: summarise(theirs) }, ratio, target: atLeast(ratio, 10) };
  } finally {
    session.close();
    await peers.stop();
  }
};

/** `stop --wait` of many hosts at once beside that of one: silence included, as people wait for it. */
export const hosts: Scenario = async function* (settings): AsyncGenerator<Row> {
  const what = `stop --wait of ${MANY} hosts`;
  const lacks = lacksRoot(...HOSTS_PROGRAMS);
  if (lacks !== false) return void (yield { what, unit: 'ms', note: lacks });
  const peers = await HostsPeer.start({ count: MANY });
  const server = await startOurs(providerOf(peers));
  const names = peers.hosts.map(({ name }) => name);
  const running = async (): Promise<string> => ask(server.port, 'list running\n', /[34]00 .*\n$/);
  while (!(await running()).includes(`\nh${MANY}\n`)) await pause(LOOK_EVERY);
  const stopOf = (selection: string, stopped: readonly string[]) => async (): Promise<number> => {
    const began = performance.now();
    const reply = await ask(server.port, `${LOGIN}stop ${selection} --wait\n`, /\n300 DONE\n(?:.*\n)*[34]00 .*\n$/);
    const ms = performance.now() - began;
    if (stopped.some((name) => peers.isOn(name))) throw new Error(`not all hosts have stopped: ${reply.slice(-200)}`);
    await Promise.all(stopped.map((name) => peers.order('on', name)));
    while (!stopped.every((name) => peers.isOn(name) && peers.isReady(name))) await pause(LOOK_EVERY);
    return ms;
  };
  try {
    const [many = [], one = []] = await interleave(settings.rounds, [stopOf('h*', names), stopOf('h1', ['h1'])]);
    const ratio = pairedRatio(many, one);
    yield {
      what, unit: 'ms', ours: summarise(many), peer: { name: 'ours, one host', figure: summarise(one) }, ratio,
      target: { text: `≤ ${PARALLEL}`, met: ratio <= PARALLEL },
    };
  } finally {
    await stop(server.child);
    await peers.stop();
  }
};

/** Milliseconds of one, of several in a row. */
async function timeOfEach(count: number, command: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < count; i += 1) await command();
  return (performance.now() - began) / count;
}

function openssh(peers: HostsPeer, host: string): Promise<void> {
  const args = ['-F', 'none', '-o', 'BatchMode=yes', '-o', `UserKnownHostsFile=${peers.knownHostsFile}`, '-i', peers.privateKeyFile, host, 'true'];
  return new Promise((resolve, reject) => {
    execFile('ssh', args, { timeout: COMMAND_DEADLINE }, (error) => error ? reject(error) : resolve());
  });
}

/** Everything as it is by default, but for what these hosts need. */
function providerOf(peers: HostsPeer): string {
  const table = peers.hosts.map(({ name, address, mac }) => `{ name = "${name}", address = "${address}", mac = "${mac}" }`);
  return `[providers.lab]
type = "linux"
hosts = [${table.join(', ')}]
user = "${ACCOUNTS.bash.name}"
private-key-file = "${peers.privateKeyFile}"
known-hosts-file = "${peers.knownHostsFile}"
sudo-password = '${ACCOUNTS.bash.password}'
`;
}
