import { TCP_TIMEOUT } from '../../protocols/ping/limits.js';
import { CannotTell, type PingResult } from '../../protocols/ping/outcome.js';
import type { SshSession } from '../../protocols/ssh/session.js';
import { isAbort, within } from '../../kit/within.js';
import type { HostPowerParts } from '../host/power.js';

/** The code by which a jump host says that it has tried, and that its connection failed (RFC 4254, 5.1). */
const CONNECT_FAILED = 2;

/** Where nobody listens on a jump host: to be told so shows that it is not the jump host that hangs. */
const LOOPBACK = '127.0.0.1';
const DISCARD_PORT = 9;

/**
 * How sshd's port shows that a host is up which drops pings: asked by ourselves, or by the jump host that
 * alone may reach it.
 */
export function serviceSign(jump: SshSession | undefined, address: string, port: number): Pick<HostPowerParts, 'port' | 'otherwise'> {
  return jump === undefined ? { port } : { otherwise: (signal) => askThrough(jump, address, port, signal) };
}

/** Whether a host answers to a jump host. @throws CannotTell where the jump host does not tell */
async function askThrough(jump: SshSession, address: string, port: number, signal: AbortSignal): Promise<PingResult> {
  const began = performance.now();
  const refusal = await connectThrough(jump, address, port, signal);
  if (refusal === undefined) return { alive: true, ms: performance.now() - began, address, by: 'tcp' };
  const isTold = jumpHasRefused(refusal);
  if (isTold && /refused/i.test(refusal.message)) {
    throw new CannotTell('ambiguous', `its port ${port} refuses the jump host, which a firewall may do in the name of a host that is off`, { cause: refusal });
  }
  if (isTold || (isAbort(refusal) && jumpHasRefused(await connectThrough(jump, LOOPBACK, DISCARD_PORT, signal)))) {
    return { alive: false, reason: 'no answer to the jump host' };
  }
  throw new CannotTell('not sent', `the jump host does not tell: ${refusal.message}`, { cause: refusal });
}

/** @returns why not; undefined where there is a connection. @throws the signal's reason */
async function connectThrough(jump: SshSession, address: string, port: number, signal: AbortSignal): Promise<Error | undefined> {
  try {
    (await within(TCP_TIMEOUT, [signal], (limit) => jump.openTcp(address, port, limit))).destroy();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error as Error;
  }
}

/** Whether the jump host has tried, and its connection failed: ssh2 gives that reason to the error that it makes of the answer. */
const jumpHasRefused = (error: Error | undefined): boolean =>
  error?.cause instanceof Error && 'reason' in error.cause && error.cause.reason === CONNECT_FAILED;
