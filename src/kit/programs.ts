import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/** Programs that we begin: what they get to know, and how those that were started `detached`, each the head of a group of its own, are ended with what they have begun. */

/** Milliseconds from SIGTERM to SIGKILL. */
const TERM_GRACE = 2000;
/** Milliseconds for which what one left behind may hold its outputs open. */
const PIPES_DRAIN = 250;
/** How much longer it may go on to write. */
const PIPES_DRAIN_AT_MOST = 2000;

/** What a program gets of our environment: nothing but the path, since passwords may be in the rest. @param usual the path where we have none */
export const bareEnvironment = (usual = '/usr/local/bin:/usr/bin:/bin'): NodeJS.ProcessEnv => ({ PATH: process.env.PATH ?? usual, LC_ALL: 'C' });

/** Signals it and what it has begun, unless that has left its group. */
export function signalGroup({ pid }: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, name);
  } catch {
    // nothing of it is left
  }
}

/**
 * Asks it to end, and kills it some time later.
 * @param killed called after that
 * @returns to be called when it has ended: it is killed no more
 */
export function endGroup(child: ChildProcess, killed: () => void = () => undefined): () => void {
  // the number of one that has ended long ago may be another's by now
  if (child.exitCode !== null || child.signalCode !== null) return () => undefined;
  signalGroup(child, 'SIGTERM');
  const killer = setTimeout(() => {
    signalGroup(child, 'SIGKILL');
    killed();
  }, TERM_GRACE);
  return () => clearTimeout(killer);
}

/**
 * Waits until the outputs of one that has ended have ended too, for a moment, since what it left behind may hold them open. Then lets
 * go of them. What it has written is read before: that it has ended may be told first, and a process that stood still meanwhile finds its
 * timers due before it has looked at what came.
 */
export function pipesDrained(child: ChildProcess): Promise<void> {
  const outputs = [child.stdout, child.stderr].filter((one) => one !== null && one !== undefined);
  const bytesRead = (): number => outputs.reduce((sum, one) => sum + (one as Socket).bytesRead, 0);
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      clearImmediate(look);
      for (const one of outputs) one.destroy();
      resolve();
    };
    let look: NodeJS.Immediate | undefined;
    // until nothing more comes, but not for as long as something left behind goes on to write
    const lookOn = (before: number, until: number): void => {
      look = setImmediate(() => {
        const now = bytesRead();
        if (now === before || performance.now() > until) done();
        else lookOn(now, until);
      });
    };
    const timer = setTimeout(() => lookOn(bytesRead(), performance.now() + PIPES_DRAIN_AT_MOST), PIPES_DRAIN);
    child.once('close', done);
  });
}
