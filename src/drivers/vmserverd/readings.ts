import { ArgoError } from '../../kit/errors.js';
import { harmless, oneLine } from '../../kit/text.js';
import { VM_GET_LAST_N_EVENTS, VM_INFO, VM_STATES } from '../../protocols/vmserverd/messages.js';
import type { Told } from '../../protocols/vmserverd/shape.js';
import { POWER_STATES, type Facts, type PowerState } from '../driver.js';
import type { ServerContext } from './context.js';

/** What VM_INFO says of a machine. */
export type VmInfo = Told<typeof VM_INFO.out>['vm'];
export type VmEvent = Told<typeof VM_GET_LAST_N_EVENTS.out>['events'] extends Iterable<infer One> ? One : never;

const MIB = 1024n * 1024n;

/** Characters of what a server says in one value. */
const MOST_WORDS = 300;

const STATES: Readonly<Record<number, PowerState>> = { [VM_STATES.on]: 'on', [VM_STATES.off]: 'off', [VM_STATES.suspended]: 'suspended' };

/** One that waits for an answer is `unknown`: what it will do depends on that. @param name the state in an argo-server's own word */
export function toPowerState(number: number | undefined, name: string | undefined): PowerState {
  return POWER_STATES.find((state) => state === name) ?? STATES[number ?? VM_STATES.unknown] ?? 'unknown';
}

const words = (text: string): string => harmless(oneLine(text, MOST_WORDS));

export const readVm = async (context: ServerContext, config: string, signal: AbortSignal): Promise<VmInfo> =>
  (await context.use('reads', () => context.connections.ask('VM_INFO', VM_INFO, { config }, signal))).vm;

export async function readState(context: ServerContext, config: string, signal: AbortSignal): Promise<PowerState> {
  const { state, stateName } = await readVm(context, config, signal);
  return toPowerState(state, stateName);
}

export async function readFacts(context: ServerContext, config: string, signal: AbortSignal): Promise<Facts> {
  const [vm, [last]] = await Promise.all([readVm(context, config, signal), readEvents(context, config, 1, signal).catch(() => [])]);
  const { memsize, numvcpus, guestOS, owner, permissions, question } = vm;
  return {
    ...(numvcpus !== undefined && { cpus: numvcpus }),
    ...(memsize !== undefined && { memory: BigInt(memsize) * MIB }),
    host: context.address,
    more: {
      config: words(config),
      ...(guestOS !== undefined && { guest: words(guestOS) }),
      ...(owner !== undefined && { owner: words(owner) }),
      ...(permissions !== undefined && { permissions: words(permissions) }),
      ...(question !== undefined && question !== '' && { question: words(question) }),
      ...(last !== undefined && { 'last event': eventLine(last) }),
    },
  };
}

/** @throws ArgoError WRONG STATE for one that does not run; FAILED where the server does not tell */
export async function readUptime(context: ServerContext, config: string, signal: AbortSignal): Promise<number> {
  const { uptime, state, stateName } = await readVm(context, config, signal);
  if (uptime !== undefined) return uptime;
  const now = toPowerState(state, stateName);
  throw now === 'off' || now === 'suspended' ? new ArgoError('WRONG STATE', `it is ${now}`) : new ArgoError('FAILED', 'the server does not tell its uptime');
}

/** Newest first. */
export async function readEvents(context: ServerContext, config: string, n: number, signal: AbortSignal): Promise<readonly VmEvent[]> {
  const { events } = await context.use('reads', () => context.connections.ask('VM_GetLastNEvents', VM_GET_LAST_N_EVENTS, { config, n }, signal));
  return [...events].slice(0, n);
}

/** `2026-11-29T16:00:00Z action by kim: start done` @param machine its name, where it is one among others */
export function eventLine({ time, type, user, text }: VmEvent, machine?: string): string {
  const when = new Date(time * 1000);
  const at = Number.isNaN(when.getTime()) ? String(time) : `${when.toISOString().slice(0, 19)}Z`;
  return words(`${at} ${machine === undefined ? '' : `${machine}: `}${type}${user === undefined || user === '' ? '' : ` by ${user}`}: ${text}`);
}
