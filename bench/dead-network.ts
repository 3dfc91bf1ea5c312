import { spawnSync } from 'node:child_process';

/** A part of the networks for benchmarks, RFC 2544: nobody's hosts are in it. */
const NETWORK = '198.19.0.0/17';
const GATEWAY = '198.19.255.2';
const OURS = '198.19.255.1';
const NAME = 'argobench';

/** What is absent for it, or undefined. */
export function deadNetworkLacks(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a network of silent hosts';
  return ip('-V').status === 0 ? undefined : 'ip is not installed (iproute2)';
}

const ip = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' });

function must(...args: string[]): void {
  const { status, stderr } = ip(...args);
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

/** Ends the network; also one that a killed run left behind. */
export function removeDeadNetwork(): void {
  ip('link', 'del', NAME);
  ip('netns', 'del', NAME);
}

/** A network behind a gateway, in a namespace of its own, that forwards nothing and says nothing. */
export function makeDeadNetwork(): void {
  removeDeadNetwork();
  process.once('exit', removeDeadNetwork);
  must('netns', 'add', NAME);
  must('link', 'add', NAME, 'type', 'veth', 'peer', 'name', 'gate', 'netns', NAME);
  must('addr', 'add', `${OURS}/30`, 'dev', NAME);
  must('link', 'set', NAME, 'up');
  must('-n', NAME, 'addr', 'add', `${GATEWAY}/30`, 'dev', 'gate');
  must('-n', NAME, 'link', 'set', 'gate', 'up');
  must('route', 'add', NETWORK, 'via', GATEWAY);
}

/** The silent hosts of the network, in order. */
export const deadAddress = (index: number): string => `198.19.${index >> 8}.${index & 255}`;
