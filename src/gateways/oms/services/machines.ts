import * as v from 'valibot';
import type { PowerState } from '../../../drivers/driver.js';
import type { GuestFigures } from '../../../drivers/management/statistics.js';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo, InstanceRef } from '../../../instances/info.js';
import type { PowerOrder } from '../../../instances/order.js';
import { ArgoError, toArgoError } from '../../../kit/errors.js';
import { mapInSlices, Slices } from '../../../kit/slices.js';
import { OmsError } from '../faults.js';
import { figureOf, guestStatistics, guestStatus, known, STATISTICS } from './figures.js';
import { hostName } from './params.js';
import { hostRow, machineRow, type HostAsked, type MachineAsked, type MachineKind, type Row } from './row.js';

/** The power of machines, and what there are: of KVMService and OpenVZService alike. */

/** Names of statistics; none: none are wanted. */
const statistic = v.picklist(STATISTICS, `the name of a statistic is expected: ${STATISTICS.join(', ')}`);

/** The machines of a kind that a host has, as far as they are seen. Gives way to others while it looks. */
export async function machinesOf({ actor, provider }: Pick<HostAsked<unknown>, 'actor' | 'provider'>, kind: MachineKind | undefined): Promise<InstanceInfo[]> {
  const found: InstanceInfo[] = [];
  const slices = new Slices();
  for (const { instance } of actor.visible()) {
    if (slices.isOver()) await slices.pause();
    if (instance.provider === provider && (kind === undefined || instance.type === kind)) found.push(instance);
  }
  return found;
}

/** The same as they are now: what was known of them counts no longer where their provider does not answer. */
async function machinesNow(asked: Pick<HostAsked<unknown>, 'actor' | 'provider'>, kind: MachineKind): Promise<InstanceInfo[]> {
  const [machines, { providers }] = [await machinesOf(asked, kind), await asked.actor.overview()];
  const isSilent = providers.some(({ provider, answers }) => provider === asked.provider && !answers);
  return isSilent ? machines.map((machine) => ({ ...machine, state: 'unknown' })) : machines;
}

/** What a host may be unable to say of all, or to this account: it is then left out, as nothing is known of it. */
async function figuresOf({ actor, provider, signal }: HostAsked<unknown>): Promise<ReadonlyMap<string, GuestFigures>> {
  try {
    return new Map((await actor.work('stats.guests', provider, {}, { signal })).map((one) => [one.id, one]));
  } catch (error) {
    if (error instanceof ArgoError && (error.phrase === 'NOT SUPPORTED' || error.phrase === 'NOT ALLOWED')) return new Map();
    throw error;
  }
}

/** 1: it runs, 0: it does not, null: nobody knows. */
const statusOf = (state: PowerState): 0 | 1 | null => (state === 'unknown' ? null : state === 'on' || state === 'starting' || state === 'stopping' ? 1 : 0);

/** States in the words of func's virt module; what it has no word for is said as it is. */
const STATES: Readonly<Record<PowerState, string>> = { on: 'running', starting: 'running', stopping: 'running', off: 'shutdown', paused: 'paused', crashed: 'crashed', suspended: 'suspended', unknown: 'unknown' };

/** @returns undefined where they cannot be known: nobody is told that there are none */
export async function tagsOf(actor: Actor, subject: string | InstanceRef): Promise<readonly { readonly tag: string; readonly level: number }[] | undefined> {
  try {
    return (await actor.tags.of(subject)).map(({ tag, level }) => ({ tag, level }));
  } catch (error) {
    if (error instanceof ArgoError) return undefined;
    throw error;
  }
}

/** What only helps, where the account may not do it: undefined. */
export const ifAllowed = <T>(work: Promise<T>): Promise<T | undefined> => work.catch((error: unknown) => {
  if (error instanceof ArgoError && error.phrase === 'NOT ALLOWED') return undefined;
  throw error;
});

/** Stops a machine: asks its guest, and pulls the plug when that was in vain; one of the two where it can do no other. */
async function stop({ actor, machine, order, tools }: MachineAsked<unknown>): Promise<void> {
  const [asks, pulls] = [machine.capabilities.includes('stop'), machine.capabilities.includes('stop --force')];
  const mode: PowerOrder['mode'] = asks && pulls ? { softFor: tools.stopTimeout } : pulls ? 'hard' : 'soft';
  await actor.power(machine, { action: 'stop', mode, wait: true }, order());
}

/**
 * Takes a machine away: a virtual one without its disks, since what is on them may be all that somebody has; a container with its
 * root, where its manager can remove that. A caller has no way to ask for it without, so elsewhere the root stays.
 */
async function remove({ actor, machine, signal }: MachineAsked<unknown>, kind: MachineKind): Promise<void> {
  const removeIt = (disks: boolean) => actor.work('machine.delete', machine, { disks }, { signal });
  if (kind === 'vm') {
    await removeIt(false);
    return;
  }
  await removeIt(true).catch((error: unknown) => {
    if (!(error instanceof ArgoError) || error.phrase !== 'NOT SUPPORTED') throw error;
    return removeIt(false);
  });
}

/** @param type in which the results of what changes something are wrapped */
export const powerRows = (kind: MachineKind, type: Row['type']): Readonly<Record<string, Row>> => ({
  list_vms: hostRow({
    kind, rest: statistic, reads: true,
    run: async (asked) => {
      const wanted: ReadonlySet<string> = new Set(asked.rest.map(figureOf));
      const figures = wanted.size === 0 ? undefined : await figuresOf(asked);
      return mapInSlices(await machinesNow(asked, kind), async (machine) => {
        const figure = figures?.get(machine.id);
        return known({
          id: machine.name, name: machine.name, status: statusOf(machine.state),
          tags: await tagsOf(asked.actor, machine), stats: figure ? guestStatistics(figure, wanted) : {},
        });
      });
    },
  }),
  list_vms_status: hostRow({
    kind, reads: true,
    run: async (asked) => {
      const figures = await figuresOf(asked);
      return Object.fromEntries(
        await mapInSlices(
          await machinesNow(asked, kind),
          ({ id, name, state }) => [name, { state: STATES[state], ...guestStatus(figures.get(id) ?? { id }) }] as const,
        ),
      );
    },
  }),
  start_vm: machineRow(kind, {
    operation: 'start', type,
    run: async ({ actor, machine, signal }) => {
      await actor.power(machine, { action: 'start', mode: 'soft', wait: true }, { signal });
      return 0;
    },
  }),
  stop_vm: machineRow(kind, {
    operation: 'stop', type,
    run: async (asked) => {
      await stop(asked);
      return 0;
    },
  }),
  delete_vm: machineRow(kind, {
    operation: 'machine.delete', type,
    run: async (asked) => {
      // one that cannot be deleted is not to be stopped for it
      await asked.actor.planWork('machine.delete', asked.machine, { disks: false }, { signal: asked.signal });
      // one that is off already is told so by its manager, whatever was known of it
      await stop(asked);
      const { signal, machine } = asked;
      if (signal.aborted) throw new ArgoError(toArgoError(signal.reason).phrase, `${machine.name} was stopped, and is not deleted`);
      await remove(asked, kind);
      return 0;
    },
  }),
});

/** `migrate_vm`, which OMS had for containers alone. */
export const migration: Row = machineRow('container', {
  params: { destination: hostName },
  operation: 'machine.migrate',
  run: async ({ actor, machine, args: { destination }, order, tools }) => {
    const to = tools.providerOf(destination, 'container');
    if (to === machine.provider) throw new OmsError('OpenVZMigrationNotCapable', 'source and target are the same host');
    try {
      await actor.work('machine.migrate', machine, { to }, order());
    } catch (error) {
      if (error instanceof ArgoError && error.phrase === 'NOT SUPPORTED') throw new OmsError('OpenVZMigrationNotCapable', error.message);
      throw error;
    }
    return 0;
  },
});
