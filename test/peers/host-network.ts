import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { Enclosure, makeFolders, must, type Outcome } from './enclosure.js';
import { networkBy, routesBy } from './host-state.js';
import type { NetworkRequest } from './network-cli.js';
import { NETWORK_FOLDERS, ownEtc, ownPasswd } from './own-etc.js';

/**
 * A host whose network may be changed, in a network namespace with a real sshd, and beside it the machine that manages it.
 * Results are judged by `ip` in the namespace.
 */
export const HOST_NETWORK_PROGRAMS = ['sshd', 'ssh-keygen', 'ip', 'flock', 'setsid', 'nsenter', 'unshare'] as const;

/** Nobody is at the other end of the host's default way: what leads there is cut off. The host's end of the cable by which it is managed, and the manager's address: the host needs a route to answer it. */
export const HOST = '10.99.1.2';
export const MANAGER = '10.98.0.1';

const START_TIMEOUT_MS = 60_000;

const SETUP = `set -e
ip netns add host
for n in 0 1 2 3; do ip link add a$n type veth peer name eth$n netns host; ip link set a$n up; done
ip addr add 10.99.1.1/24 dev a0
ip addr add ${MANAGER}/32 dev lo
ip -n host link set lo up
ip -n host link set eth0 up
ip -n host link set eth1 up
ip -n host addr add ${HOST}/24 dev eth0
ip -n host addr add 10.99.2.2/24 broadcast + dev eth1
ip -n host route add 10.98.0.0/16 via 10.99.1.1 dev eth0
ip -n host route add default via 10.99.2.1 dev eth1
ip route add ${HOST}/32 dev a0 src ${MANAGER}`;

/** What one change came to: what it answered, or the error that was thrown. */
export interface ChangeOutcome {
  readonly value?: unknown;
  readonly phrase?: string;
  readonly detail?: string;
  readonly logged: readonly string[];
}

type ChangeOptions = Omit<NetworkRequest, 'ssh' | 'task' | 'calls'>;
type ChangeRequest = ChangeOptions & NetworkRequest['calls'][number];

export class HostNetworkPeer {
  #requests = 0;

  private constructor(readonly enclosure: Enclosure, readonly folder: string) {}

  /** @param etc folders below /etc that are the host's own, with files in them: `netplan/50-host.yaml` */
  static async start(etc: Readonly<Record<string, string>> = {}): Promise<HostNetworkPeer> {
    const enclosure = await Enclosure.start((scratch) => {
      makeFolders(scratch, 'run/sshd', 'run/peer/bin');
      return { [join(scratch, 'run')]: '/run', ...ownPasswd(join(scratch, 'etc')), ...ownEtc(join(scratch, 'etc'), NETWORK_FOLDERS, etc) };
    });
    try {
      const { code, stderr } = await enclosure.run('sh', '-c', SETUP);
      if (code !== 0) throw new Error(`the host's network could not be made: ${stderr}`);
      const peer = new HostNetworkPeer(enclosure, join(enclosure.scratch, 'run', 'peer'));
      await peer.#startSshd();
      return peer;
    } catch (error) {
      await enclosure.stop();
      throw error;
    }
  }

  /** `ip` on the host. @throws Error where it fails */
  async ip(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.enclosure.run('ip', '-n', 'host', ...args);
    if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The main table of the host, a route a line. */
  routes(): Promise<string[]> {
    return routesBy((...args) => this.ip(...args));
  }

  /** All of the host's network that a change may concern, to be compared. */
  all(): Promise<string> {
    return networkBy((...args) => this.ip(...args));
  }

  /** A file as it is seen from outside. */
  inside(path: string): string {
    return join(this.enclosure.scratch, path);
  }

  /** Runs one method of the ability as a process of the manager, to its end. */
  async change({ method, args, ...options }: ChangeRequest): Promise<ChangeOutcome> {
    const [outcome] = await this.changes([{ method, args }], options);
    return outcome!;
  }

  /** The same of several, one after the other. */
  async changes(calls: NetworkRequest['calls'], options: ChangeOptions = {}): Promise<ChangeOutcome[]> {
    const run = this.begin(calls, options);
    await this.enclosure.ended(run.process);
    return run.outcomes();
  }

  /** Begins it. `kill` ends it as kill -9 does. */
  begin(calls: NetworkRequest['calls'], options: ChangeOptions = {}): { readonly process: ChildProcess; outcomes(): ChangeOutcome[]; kill(): Promise<void> } {
    const number = this.#requests += 1;
    const log = join(this.folder, `log-${number}`);
    const request: NetworkRequest = { ...options, calls, task: `task-${number}`, ssh: { key: '/run/peer/user_key', known: '/run/peer/known_hosts', host: HOST } };
    const cli = fromRoot('dist', 'test', 'peers', 'network-cli.js');
    const mark = `/run/peer/pid-${number}`;
    const run = this.enclosure.daemon([process.execPath, cli, JSON.stringify(request), mark], log);
    return {
      process: run,
      outcomes: () => {
        const text = readFileSync(log, 'utf8');
        const lines = text.split('\n').filter((line) => line.startsWith('{'));
        if (lines.length !== calls.length) throw new Error(`network-cli ended with: ${text}`);
        return lines.map((line) => JSON.parse(line) as ChangeOutcome);
      },
      kill: async () => {
        await this.enclosure.run('kill', '-9', readFileSync(this.inside(mark), 'utf8'));
        await this.enclosure.ended(run);
      },
    };
  }

  /** Puts a program before those that the host has; gives the way of taking it out again. */
  double(name: string, script: string): () => void {
    const path = join(this.folder, 'bin', name);
    writeFileSync(path, script, { mode: 0o755 });
    return () => rmSync(path);
  }

  /** Runs a program on the host. */
  onHost(...args: readonly string[]): Promise<Outcome> {
    return this.enclosure.run('ip', 'netns', 'exec', 'host', ...args);
  }

  stop(): Promise<void> {
    return this.enclosure.stop();
  }

  async #startSshd(): Promise<void> {
    const file = (name: string): string => join(this.folder, name);
    for (const name of ['host_key', 'user_key']) await must('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', file(name)]);
    chmodSync(file('user_key.pub'), 0o644);
    const [type = '', key = ''] = readFileSync(file('host_key.pub'), 'utf8').split(' ');
    writeFileSync(file('known_hosts'), `${HOST} ${type} ${key}\n`);
    writeFileSync(file('sshd_config'), [
      `ListenAddress ${HOST}:22`, 'HostKey /run/peer/host_key', 'AuthorizedKeysFile /run/peer/user_key.pub', 'PidFile none',
      'PasswordAuthentication no', 'PermitRootLogin prohibit-password', 'UsePAM no', 'UseDNS no', 'StrictModes no', 'MaxStartups 100',
      'SetEnv PATH=/run/peer/bin:/usr/local/bin:/usr/bin:/bin', '',
    ].join('\n'));
    const log = file('sshd-log');
    this.enclosure.daemon(['ip', 'netns', 'exec', 'host', '/usr/sbin/sshd', '-D', '-e', '-f', '/run/peer/sshd_config'], log);
    await until(() => existsSync(log) && readFileSync(log, 'utf8').includes('Server listening on'), START_TIMEOUT_MS, 'sshd');
  }
}
