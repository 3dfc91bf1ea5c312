import type { PowerState } from '../../../src/drivers/driver.js';
import { POWER_STATES } from '../../../src/drivers/driver.js';
import type { EventRow, OrderMode, PreviewRow, ProviderRow, OrderRow, TaskTarget, View } from '../../../src/gateways/web/messages.js';
import type { PowerAction } from '../../../src/instances/operation-table.js';

/** Machines that are only told of, for the page's tests and pictures: what they do, they do at once and always alike. */

export interface Told {
  readonly name: string;
  readonly provider: string;
  readonly type: 'vm' | 'container' | 'host';
  readonly groups: readonly string[];
  state: PowerState;
  since: number;
  /** an order to stop ends so, where it does not end well */
  readonly stubborn?: string;
  /** one may look, but not touch */
  readonly isLocked?: boolean;
}

/** The double's clock stands still, so that pictures are alike. */
export const NOW = Date.UTC(2026, 10, 28, 14, 3, 0);

const ROLES = ['web', 'db', 'build', 'mail', 'cache', 'edge'] as const;
const PROVIDERS: readonly ProviderRow[] = [
  { name: 'kvm1', type: 'libvirt', answers: true, stale: null },
  { name: 'kvm2', type: 'libvirt', answers: true, stale: null },
  { name: 'esx-berlin', type: 'esxi', answers: true, stale: null },
  { name: 'lxc-ci', type: 'libvirt', answers: false, stale: 'lxc-ci does not answer: connection refused' },
  { name: 'rack-a', type: 'board', answers: true, stale: null },
];
const ALL = ['start', 'stop', 'stop --force', 'reboot', 'reboot --force', 'pause', 'unpause', 'suspend', 'resume', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk', 'console vnc', 'console text'];
const POWER = ['start', 'stop', 'reboot', 'pause', 'unpause', 'suspend', 'resume'];
const READ = ['status', 'info', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk'];
const CAPABILITIES = [ALL, ['start', 'stop', 'stop --force', 'reboot', 'ip', 'uptime']];
const PERMISSIONS = [[...POWER, ...READ, 'console.open'], READ];

function stateOf(index: number): PowerState {
  if (index % 29 === 17) return 'crashed';
  if (index % 41 === 23) return 'unknown';
  if (index % 37 === 9) return 'paused';
  return index % 5 === 3 ? 'off' : 'on';
}

/** A few dozen, or ten thousand, always the same. */
export function tellOf(count: number): Told[] {
  return Array.from({ length: count }, (_, index): Told => {
    const role = ROLES[index % ROLES.length]!;
    return {
      name: `${role}-${String(1 + Math.floor(index / ROLES.length)).padStart(2, '0')}`, provider: PROVIDERS[(index * 7 + Math.floor(index / 9)) % PROVIDERS.length]!.name,
      type: index % 11 === 4 ? 'host' : index % 5 === 1 ? 'container' : 'vm', groups: [role], state: stateOf(index), since: NOW - ((index * 7919) % 400_000) * 1000,
      ...(index % 13 === 6 ? { stubborn: 'TIMEOUT: accepted, but it is still on after 60 s' } : {}), ...(index % 17 === 16 ? { isLocked: true } : {}),
    };
  });
}

export const fullName = ({ provider, name }: Told): string => `${provider}/${name}`;

/** `undefined`: nothing is to be done. */
const GOAL: Readonly<Record<PowerAction, PowerState>> = { start: 'on', stop: 'off', reboot: 'on', pause: 'paused', unpause: 'on', suspend: 'suspended', resume: 'on' };

const isThere = (told: Told, action: PowerAction): boolean => action !== 'reboot' && told.state === GOAL[action];

export function previewOf(told: Told, action: PowerAction, mode: OrderMode = 'soft'): PreviewRow {
  const row = { instance: fullName(told), state: told.state };
  if (told.isLocked === true) return { ...row, effect: 'refused', words: 'NOT ALLOWED' };
  if (isThere(told, action)) return { ...row, effect: 'nothing', words: `nothing, it is ${told.state} already` };
  if (action === 'stop' && mode !== 'hard' && told.state === 'paused') return { ...row, effect: 'refused', words: 'WRONG STATE: it is paused; use --force' };
  const words = action !== 'stop' ? `${action} (it is ${told.state})` : mode === 'hard' ? 'power off (it is on)' : mode === 'soft' ? 'clean shutdown (it is on)' : `clean shutdown, then power off after ${mode.softFor / 1000} s`;
  return { ...row, effect: 'order', words };
}

/** What becomes of an order once it has been sent. */
export function endOf(told: Told, action: PowerAction, mode: OrderMode): Pick<TaskTarget, 'state' | 'detail'> {
  const { effect, words } = previewOf(told, action, mode);
  if (effect === 'refused') return { state: 'failed', detail: words };
  if (effect === 'nothing') return { state: 'already', detail: '' };
  if (action === 'stop' && mode !== 'hard' && told.stubborn !== undefined) return { state: 'failed', detail: told.stubborn };
  return { state: 'done', detail: '' };
}

export const goalOf = (action: PowerAction): PowerState => GOAL[action];
export const stateCode = (state: PowerState): number => POWER_STATES.indexOf(state);

export function viewOf(machines: readonly Told[], v: number): View {
  const types = ['vm', 'container', 'host'] as const;
  const groups = [...new Set(machines.flatMap((one) => one.groups))].sort();
  return {
    v, now: NOW, states: POWER_STATES, types, providers: PROVIDERS, capabilities: CAPABILITIES, permissions: PERMISSIONS,
    groups: groups.map((name) => ({ name, members: machines.flatMap((one, at) => (one.groups.includes(name) ? [at] : [])) })),
    columns: {
      name: machines.map(({ name }) => name), provider: machines.map(({ provider }) => PROVIDERS.findIndex(({ name }) => name === provider)), id: machines.map((_, at) => `id-${at}`),
      type: machines.map(({ type }) => types.indexOf(type)), state: machines.map(({ state }) => stateCode(state)), since: machines.map(({ since }) => since),
      capabilities: machines.map(({ type }) => (type === 'host' ? 1 : 0)), permissions: machines.map(({ isLocked }) => (isLocked === true ? 1 : 0)),
    },
  };
}

export const eventsOf = (machines: readonly Told[]): readonly EventRow[] => machines.slice(0, 12).flatMap((told, index): EventRow[] => [
  { cursor: `a-${index}1`, at: NOW - (13 - index) * 60_000, type: 'action', facts: { instance: fullName(told), command: 'stop', options: '', outcome: 'begun', account: 'kim', audit: 800 + index } },
  { cursor: `a-${index}2`, at: NOW - (13 - index) * 60_000 + 2900, type: 'state', facts: { instance: fullName(told), now: told.state, before: told.state === 'off' ? 'on' : 'off' } },
  ...(index % 4 === 3 ? [{ cursor: `a-${index}3`, at: NOW - (13 - index) * 60_000 + 60_000, type: 'action', facts: { instance: fullName(told), command: 'stop', options: '', outcome: 'TIMEOUT: still on after 60 s', account: 'kim', ms: 60_000 } }] : []),
]);

export const auditOf = (machines: readonly Told[]) => machines.slice(0, 18).map((told, index) => ({
  id: 900 - index, at: NOW - index * 190_000, account: index % 3 === 0 ? 'kim' : 'night-plan', from: index % 3 === 0 ? '192.0.2.17:50122' : 'plan', command: index % 2 === 0 ? 'stop' : 'start',
  instance: fullName(told), options: index % 5 === 0 ? '--force' : '', outcome: index === 0 ? null : index % 6 === 5 ? 'TIMEOUT: still on after 60 s' : 'done', ms: index === 0 ? null : 1200 + index * 340,
}));

export const newTask = (id: string, action: PowerAction, mode: OrderMode, machines: readonly Told[], began: number): OrderRow => ({
  kind: 'order', id, account: 'kim', action, mode, state: 'running', began, ended: null, targets: machines.map((told) => ({ instance: fullName(told), state: 'waiting', detail: '' })),
});
