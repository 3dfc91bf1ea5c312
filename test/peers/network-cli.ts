/** Changes of a host's network over SSH, one after the other, as a process, so that it runs inside a network of its own and can be killed. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostNetwork } from '../../src/drivers/management/network/host-network.js';
import type { HostCommands } from '../../src/drivers/management/host-commands.js';
import { localCommands } from '../../src/drivers/management/local-commands.js';
import { SshCommands } from '../../src/drivers/management/ssh-commands.js';
import { sshOptions } from '../../src/drivers/ssh/options.js';
import { SshSession } from '../../src/protocols/ssh/session.js';
import type { Phrase } from '../../src/kit/errors.js';

const DEADLINE_MS = 120_000;

export interface NetworkRequest {
  readonly ssh: { readonly key: string; readonly known: string; readonly host: string };
  /** methods of the ability; `ip`: what the host's own says meanwhile, its words as `args` */
  readonly calls: readonly { readonly method: string; readonly args: object }[];
  readonly task: string;
  /** run on this host itself instead */
  readonly here?: boolean;
  /** no new connection is made before there is this file: the time between the change and its proof */
  readonly holdUntil?: string;
  /** milliseconds after which whoever waits has no more time */
  readonly deadline?: number;
}

const [, , text = '', mark = ''] = process.argv;
writeFileSync(mark, String(process.pid));
const { ssh, calls, task, here = false, holdUntil, deadline = DEADLINE_MS } = JSON.parse(text) as NetworkRequest;
const access = { 'private-key-file': ssh.key, 'known-hosts-file': ssh.known, 'accept-new-host-keys': false };
const remote = new SshCommands(() => new SshSession(() => sshOptions(access, { host: ssh.host, port: undefined, user: 'root' })));
const plain: HostCommands = here ? localCommands : remote;
const commands: HostCommands = {
  run: (words, options) => plain.run(words, options),
  runAnew: async (words, options) => {
    while (holdUntil !== undefined && !existsSync(holdUntil)) await sleep(20);
    return plain.runAnew(words, options);
  },
  way: (signal) => plain.way(signal),
};
const logged: string[] = [];
const network = hostNetwork({ commands, refusal: undefined, log: (_level, message, facts) => { logged.push(`${message} ${JSON.stringify(facts)}`); } });
const works = network as unknown as Record<string, (given: object, call: object) => Promise<unknown>>;
/** What the host's own `ip` says between two of them. */
const ip = (words: readonly string[]): string => execFileSync('ip', ['-n', 'host', ...words], { encoding: 'utf8' });
for (const [number, { method, args }] of calls.entries()) {
  const call = { signal: AbortSignal.timeout(deadline), task: `${task}-${number}`, progress: () => undefined };
  let outcome: object;
  try {
    outcome = { value: method === 'ip' ? ip(args as string[]) : await works[method]!(args, call) ?? null };
  } catch (error) {
    const { phrase, detail, message, stack } = error as Error & { phrase?: Phrase; detail?: string };
    outcome = phrase === undefined ? { phrase: 'thrown', detail: stack ?? message } : { phrase, detail };
  }
  process.stdout.write(`${JSON.stringify({ ...outcome, logged: logged.splice(0) })}\n`);
}
remote.close();
