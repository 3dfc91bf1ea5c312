import { setTimeout as sleep } from 'node:timers/promises';
import { ArgoError } from '../../../kit/errors.js';
import { beforeSending, onAbort, unlessAborted, within } from '../../../kit/within.js';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { DomainState, JobOperation, JobType, MigrateFlag } from '../../../protocols/libvirt/constants.js';
import { formatUuid, type StateAndReason } from '../../../protocols/libvirt/types.js';
import type { Destination, MigrationAbility } from '../../management/machine.js';
import type { WorkCall } from '../../management/work.js';
import type { VmContext } from '../context.js';
import { explain } from '../errors.js';
import { requireIdle } from '../refusals.js';
import type { Transport } from '../transport.js';
import { isHandedOver, isMigratedAway, stateInWords, toPowerState } from '../states.js';

/** Moving a machine to another libvirt, by the two libvirtds themselves (VIR_MIGRATE_PEER2PEER). */

/** Milliseconds between two looks at how far it is. */
const LOOK = 1000;
/** Milliseconds for what libvirt does at the end of one that is given up, and for a look at each side after one that failed: half a minute in all. */
const ENDING = 14_000;
const JUDGING = 7000;
/** Milliseconds for the good-bye to a libvirt. */
const CLOSING = 2000;

/** Of connection URIs: the one hypervisor with which this was tried. libvirt-lxc has no migration at all. */
const MOVABLE = 'qemu';
const NOT_MOVED = 'libvirt moves machines of QEMU alone from host to host';

/** Where others can move machines to, in the words of a provider's table. */
export interface MigrationOptions {
  /** by which another libvirtd reaches this one */
  readonly 'migrate-uri'?: string | undefined;
  /** to which the memory is sent; undefined: the host's name, and a port that is free */
  readonly 'migrate-data-uri'?: string | undefined;
  /** whether disks lie where both hosts have them */
  readonly 'migrate-disks': 'shared' | 'copied';
}

/** @param scheme of its connection URI; @param state of one of its machines, by uuid. @throws ArgoError NOT SUPPORTED */
export function destinationOf(provider: string, scheme: string, options: MigrationOptions, state: NonNullable<Destination['state']>): Destination {
  const { 'migrate-uri': uri, 'migrate-data-uri': data, 'migrate-disks': disks } = options;
  if (scheme !== MOVABLE) throw new ArgoError('NOT SUPPORTED', NOT_MOVED);
  if (uri === undefined) throw new ArgoError('NOT SUPPORTED', `${provider} is not set up for it: its migrate-uri does not say how another libvirtd reaches it`);
  return { provider, access: { scheme, uri, disks, ...(data === undefined ? {} : { data }) }, state };
}

/**
 * Of one machine. Each migration has a connection of its own, since its call lasts as long as it does.
 * @param scheme of the connection URI
 */
export function migrationOf(context: VmContext, scheme: string, transport: Transport): MigrationAbility {
  return {
    to: async ({ destination }, call) => {
      if (scheme !== MOVABLE || destination.access.scheme !== MOVABLE) throw new ArgoError('NOT SUPPORTED', NOT_MOVED);
      const { before, client } = await beforeSending(call.signal, async () => ({
        before: await prepare(context, destination, call.signal),
        client: await transport.connect(call.signal, () => undefined).catch((error: unknown) => { throw explain(error, 'reads'); }),
      }));
      try {
        await move(context, client, { destination, ...before }, call);
      } catch (error) {
        await judge(context, destination, before.state, call.signal.aborted ? GIVEN_UP : explain(error, 'acts'), call.signal);
      } finally {
        void client.close(AbortSignal.timeout(CLOSING)).catch(() => undefined);
      }
    },
  };
}

const GIVEN_UP = new ArgoError('UNREACHABLE', 'the migration was given up');

interface Before {
  readonly state: StateAndReason;
  readonly isPersistent: boolean;
}

/** @throws ArgoError where it cannot be moved as it is */
async function prepare({ connection, domain }: VmContext, { access }: Destination, signal: AbortSignal): Promise<Before> {
  return connection.use('reads', signal, async (client) => {
    const state = await client.state(domain, signal);
    await requireIdle(client, domain, state, signal);
    const isOff = state.state === DomainState.SHUTOFF;
    if (!isOff && state.state !== DomainState.RUNNING && state.state !== DomainState.PAUSED) throw new ArgoError('WRONG STATE', `it is ${stateInWords(state)}`);
    if (isMigratedAway(state)) throw new ArgoError('WRONG STATE', 'it was migrated to another host, and may run there');
    if (isOff && await client.hasManagedSave(domain, signal)) throw new ArgoError('WRONG STATE', 'it is saved to disk; resume it first');
    if (isOff && access.disks === 'copied') throw new ArgoError('WRONG STATE', 'libvirt copies the disks of a machine that is on; start it first');
    return { state, isPersistent: await client.isPersistent(domain, signal) };
  });
}

async function move(context: VmContext, client: LibvirtClient, how: Before & { readonly destination: Destination }, call: WorkCall): Promise<void> {
  const { access: { uri = '', data, disks } } = how.destination;
  const { domain } = context;
  const isOff = how.state.state === DomainState.SHUTOFF;
  const flags = MigrateFlag.PEER2PEER | (isOff ? MigrateFlag.OFFLINE : MigrateFlag.LIVE)
    | (how.isPersistent ? MigrateFlag.PERSIST_DEST | MigrateFlag.UNDEFINE_SOURCE : 0)
    | (disks === 'copied' ? MigrateFlag.NON_SHARED_DISK : 0);
  const [stop, looking] = [new AbortController(), new AbortController()];
  let ending: NodeJS.Timeout | undefined;
  call.signal.throwIfAborted();
  // A call that is given up would leave libvirt moving it: first that is ended, and its own end waited for.
  const forget = onAbort(call.signal, () => {
    ending = setTimeout(() => stop.abort(new ArgoError('UNCERTAIN', 'libvirt does not end the migration')), ENDING);
    void endIt(context);
  });
  void tellProgress(context, call, looking.signal);
  try {
    await client.migrate(domain, uri, data === undefined ? {} : { migrate_uri: data }, flags, stop.signal);
  } finally {
    clearTimeout(ending);
    forget();
    looking.abort();
  }
}

/** How that ends, the migration's own call says. */
const endIt = ({ connection, domain }: VmContext): Promise<void> =>
  within(ENDING, [], (limit) => connection.use('acts', limit, (client) => client.abortJob(domain, limit))).catch(() => undefined);

async function tellProgress({ connection, domain }: VmContext, call: WorkCall, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await sleep(LOOK, undefined, { signal, ref: false });
      const { part } = await connection.use('reads', signal, (client) => client.job(domain, signal));
      if (part !== undefined && !signal.aborted) call.progress(part);
    }
  } catch {
    // It is at its end, or libvirt does not tell: its end will.
  }
}

/** What a host says of a machine after a migration that did not end well. `between`: neither here nor handed over; `not told`: of it nothing can be learnt */
type Trace = 'here' | 'moving' | 'between' | 'gone' | 'not told';

/**
 * What became of one that did not end well, by what both sides say of it now.
 * @returns where it is at its destination as it was here, and here no longer
 * @throws what went wrong, where it certainly stayed here; else ArgoError UNCERTAIN
 */
async function judge(context: VmContext, destination: Destination, before: StateAndReason, fault: unknown, signal: AbortSignal): Promise<void> {
  let here = await traceOf(context);
  // Where the connection alone was lost, libvirt goes on with it.
  while (here === 'moving' && !signal.aborted) {
    await sleep(LOOK, undefined, { signal }).catch(() => undefined);
    here = await traceOf(context);
  }
  if (here === 'moving') {
    await endIt(context);
    here = await traceOf(context);
  }
  const there = await within(JUDGING, [], (limit) => stateThere(context, destination, limit)).catch(() => undefined);
  if (here === 'here' && there !== 'on' && there !== 'paused') throw stayed(fault);
  const isThere = there === toPowerState(before, false);
  if (isThere && (here === 'gone' || (here === 'not told' && there !== 'off'))) return;
  throw new ArgoError('UNCERTAIN', `it is not known on which of the two hosts it is: ${wordsOf(fault)}`, { cause: fault });
}

const stateThere = async ({ domain }: VmContext, { state }: Destination, signal: AbortSignal): Promise<string | undefined> =>
  state && unlessAborted(state(formatUuid(domain.uuid), signal), signal);

const wordsOf = (fault: unknown): string => (fault instanceof ArgoError && fault.detail !== '' ? fault.detail : 'the migration was cut off');

/** That it was not known what became of it is known better now. */
function stayed(fault: unknown): unknown {
  if (!(fault instanceof ArgoError) || !STAYED.has(fault.phrase)) return fault;
  return new ArgoError(fault.phrase === 'UNCERTAIN' ? 'FAILED' : fault.phrase, `it stays on the host where it was: ${wordsOf(fault)}`, { cause: fault });
}

const STAYED: ReadonlySet<string> = new Set(['FAILED', 'UNCERTAIN', 'UNREACHABLE', 'ACCESS DENIED']);

async function traceOf({ connection, domain }: VmContext): Promise<Trace> {
  try {
    return await within(JUDGING, [], (limit) => connection.use('reads', limit, async (client) => {
      const state = await client.state(domain, limit);
      if (isMigratedAway(state)) return 'gone';
      if (state.state === DomainState.SHUTOFF) return 'here';
      const { type, operation } = await client.job(domain, limit);
      if ((type === JobType.BOUNDED || type === JobType.UNBOUNDED) && operation === JobOperation.MIGRATION_OUT) return 'moving';
      return isHandedOver(await client.state(domain, limit)) ? 'between' : 'here';
    }));
  } catch (error) {
    return error instanceof ArgoError && error.phrase === 'NO SUCH INSTANCE' ? 'gone' : 'not told';
  }
}
