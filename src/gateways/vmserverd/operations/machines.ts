import type { OperationName } from '../../../instances/operation-table.js';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import type { Facts } from '../../../drivers/driver.js';
import type { ToldEvent } from '../../../instances/subscription.js';
import { toArgoError } from '../../../kit/errors.js';
import { harmless } from '../../../kit/text.js';
import { VMSERVERD_EVENTS, VMSERVERD_EVENTS_USUAL } from '../../../kit/vmserverd-limits.js';
import { fields, list, nothing, oneOf, optional, text, whole } from '../../../protocols/vmserverd/shape.js';
import { CODES, OperationError } from '../../../protocols/vmserverd/codes.js';
import { config, configPath, machineOf } from '../machines/config-path.js';
import { STATE_NUMBERS } from '../machines/states.js';
import { fault, wrongState } from '../faults.js';
import { row, type Call, type Rows } from './parts.js';

/** What is known of a machine, and what makes it come and go. Its power is in a file of its own. */

/** The machine that a request names; this connection has to do with it from now on. */
export async function named({ actor, args, parts }: Call<{ readonly config: string }>): Promise<InstanceInfo> {
  const machine = await machineOf(actor, args.config);
  parts.touch(machine);
  return machine;
}

/** @throws ArgoError NOT ALLOWED before anything else is looked at */
export function requireRight(actor: Actor, operation: OperationName, machine: InstanceInfo): void {
  if (!actor.may(operation, machine)) throw fault('NO_PERMISSION', 'NOT ALLOWED');
}

/** What a machine may be unable to say, or its manager at present: it is then left out. */
const ifKnown = <T>(work: Promise<T>): Promise<T | undefined> => work.catch(() => undefined);

/** Rights in the letters of a configuration file: r reads, x switches, w changes. */
const permissionsOf = (actor: Actor, machine: InstanceInfo): string => {
  const has = (operation: OperationName, letter: string): string => (actor.may(operation, machine) ? letter : '-');
  return `${has('status', 'r')}${has('hardware.change', 'w')}${has('start', 'x')}`;
};

const MIB = 1024n * 1024n;

function detailsOf(facts: Facts | undefined): { readonly memsize: number | undefined; readonly numvcpus: number | undefined } {
  return { memsize: facts?.memory === undefined ? undefined : Number(facts.memory / MIB), numvcpus: facts?.cpus };
}

const user = fields({ name: text(), address: optional(text()), since: whole(), type: oneOf(['api', 'console']) });
const seconds = (ms: number): number => Math.floor(ms / 1000);

/** Who has a console of it, as far as the account may know. */
function consoleUsers(actor: Actor, machine: InstanceInfo): readonly { readonly name: string; readonly since: number; readonly type: 'console' }[] {
  try {
    return actor.consoleHolders(machine).map(({ account, since }) => ({ name: account, since: seconds(since.getTime()), type: 'console' as const }));
  } catch (thrown) {
    if (toArgoError(thrown).phrase === 'NOT ALLOWED') return [];
    throw thrown;
  }
}

/** An event in one line. */
function eventOf({ time, facts }: ToldEvent): { readonly time: number; readonly type: string; readonly user?: string; readonly text: string } {
  const common = { time: seconds(time.getTime()), type: facts.type };
  switch (facts.type) {
    case 'action': return { ...common, ...(facts.account === '' || facts.account === '-' ? {} : { user: harmless(facts.account) }), text: harmless([facts.command, facts.options, facts.outcome].filter((one) => one !== '').join(' ')) };
    case 'state': return { ...common, text: `${facts.before} → ${facts.now}` };
    case 'added': case 'removed': return { ...common, text: facts.now };
    default: return { ...common, text: '' };
  }
}

/** What the audit has of a machine from before the events that are remembered, newest first; nothing where it cannot be read. */
async function earlier(actor: Actor, { fullName }: InstanceInfo, most: number, before = new Date()): Promise<readonly ReturnType<typeof eventOf>[]> {
  if (most <= 0) return [];
  try {
    const { rows } = await actor.audit({ instance: fullName, until: before.getTime() - 1, most });
    return rows.filter(({ instance }) => instance === fullName).map(({ at, account, command, options, outcome }) => ({
      time: seconds(Date.parse(at)), type: 'action', ...(account === '-' ? {} : { user: harmless(account) }), text: harmless([command, options, outcome ?? ''].filter((one) => one !== '').join(' ')),
    }));
  } catch (thrown) {
    const { phrase } = toArgoError(thrown);
    if (phrase === 'AUDIT UNAVAILABLE' || phrase === 'NOT SUPPORTED') return [];
    throw thrown;
  }
}

export const machineRows: Rows = {
  VM_INFO: row({
    handler: 'VMware::VMServerd::Info::VM_Info_Handler',
    access: 'authuser',
    operation: 'info',
    in: fields({ config }),
    out: fields({
      vm: fields({
        config: text(),
        displayName: text(),
        state: whole(),
        stateName: text(),
        memsize: optional(whole()),
        numvcpus: optional(whole()),
        uptime: optional(whole()),
        permissions: text(),
        remoteConnections: whole(),
      }),
    }),
    run: async (asked) => {
      const { actor, signal, parts } = asked;
      const machine = await named(asked);
      requireRight(actor, 'info', machine);
      const [state, facts, uptime] = await Promise.all([
        actor.may('status', machine) ? actor.read(machine, 'status', { signal }) : machine.state,
        ifKnown(actor.read(machine, 'info', { signal })),
        machine.capabilities.includes('uptime') && actor.may('uptime', machine)
          ? ifKnown(actor.read(machine, 'uptime', { signal }))
          : undefined,
      ]);
      return {
        vm: {
          config: configPath(machine),
          displayName: harmless(machine.name),
          state: STATE_NUMBERS[state],
          stateName: state,
          ...detailsOf(facts),
          uptime: uptime === undefined ? undefined : Math.floor(uptime),
          permissions: permissionsOf(actor, machine),
          remoteConnections: consoleUsers(actor, machine).length + parts.usersOf(machine).length,
        },
      };
    },
  }),
  VM_Who: row({
    handler: 'VMware::VMServerd::Who::VM_Who_Handler',
    access: 'authuser',
    operation: 'status',
    in: fields({ config }),
    out: fields({ users: list('user', user) }),
    run: async (asked) => {
      const { actor, account, parts } = asked;
      const machine = await named(asked);
      requireRight(actor, 'status', machine);
      // who else works here, and from where, is for those who administer: as in the audit
      const api = parts.usersOf(machine).filter((one) => actor.mayAll() || one.account === account);
      return {
        users: [
          ...api.map(({ account: name, address, since }) => ({ name, address, since: seconds(since), type: 'api' as const })),
          ...consoleUsers(actor, machine),
        ],
      };
    },
  }),
  VM_GetLastNEvents: row({
    handler: 'VMware::VMServerd::EventLog::VM_GetLastNEvents_Handler',
    access: 'authuser',
    operation: 'status',
    in: fields({ config, n: optional(whole(1, VMSERVERD_EVENTS)) }),
    out: fields({ events: list('event', fields({ time: whole(), type: text(), user: optional(text()), text: text() })) }),
    run: async (asked) => {
      const {
        actor,
        args: { n = VMSERVERD_EVENTS_USUAL },
      } = asked;
      const machine = await named(asked);
      requireRight(actor, 'status', machine);
      // in a pattern it would be something else: these are looked at among all
      const isPlain = /^[\w./:-]+$/.test(machine.fullName);
      const told = await actor.lastEvents(
        { ...(isPlain && { names: [machine.fullName] }), types: ['state', 'added', 'removed', 'action'] },
        isPlain ? n : VMSERVERD_EVENTS,
      );
      const own = told
        .filter(({ facts }) => 'instance' in facts && facts.instance === machine.fullName)
        .slice(-n)
        .reverse();
      const events = own.map(eventOf);
      return { events: [...events, ...(await earlier(actor, machine, n - events.length, own.at(-1)?.time))] };
    },
  }),
  VMRegister: row({
    handler: 'VMware::VMServerd::VMList::Register_Handler',
    access: 'authuser',
    in: fields({ config }),
    out: fields({ config: text() }),
    run: async (asked) => {
      const machine = await machineOf(asked.actor, asked.args.config).catch((thrown: unknown) => {
        // whether there is one of which he may not know he is not told either
        if (thrown instanceof OperationError && thrown.code === CODES.NO_SUCH_MACHINE)
          throw fault(
            'NOT_SUPPORTED',
            'machines come from their hosts: what a host has is known here by itself, and nothing else can be registered',
          );
        throw thrown;
      });
      throw fault('MACHINE_EXISTS', `Virtual machine already exists: ${configPath(machine)}`);
    },
  }),
  VMUnRegister: row({
    handler: 'VMware::VMServerd::VMList::UnRegister_Handler',
    access: 'authuser',
    operation: 'machine.delete',
    in: fields({ config }),
    out: nothing,
    run: async (asked) => {
      const machine = await named(asked);
      await inState('unregister', asked, machine, () =>
        asked.actor.work('machine.delete', machine, { disks: false }, { signal: asked.signal }),
      );
      return {};
    },
  }),
  VMDeleteInfo_DeleteVMInfo: row({
    handler: 'VMware::VMServerd::VMDeleteInfo::DeleteVMInfo_Handler',
    access: 'authuser',
    operation: 'machine.delete',
    in: fields({ config }),
    out: fields({ would: text(), files: optional(list('file', fields({ path: text(), size: optional(whole()) }))) }),
    run: async (asked) => {
      const machine = await named(asked);
      const would = await inState('delete', asked, machine, () =>
        asked.actor.planWork('machine.delete', machine, { disks: true }, { signal: asked.signal }),
      );
      return { would: harmless(would), files: await filesOf(asked, machine) };
    },
  }),
  VMDeleteEdit_DeleteVM: row({
    handler: 'VMware::VMServerd::VMDeleteEdit::DeleteVM_Handler',
    access: 'authuser',
    operation: 'machine.delete',
    in: fields({ config, files: optional(list('file', text())) }),
    out: fields({ task: text() }),
    run: async (asked) => {
      const { actor, account, args, parts } = asked;
      const machine = await named(asked);
      // what stands against it is told at once, not in a task that nobody looks at
      await inState('delete', asked, machine, () =>
        actor.planWork('machine.delete', machine, { disks: true }, { signal: asked.signal }),
      );
      if (args.files !== undefined) await requireAll(asked, machine, [...args.files]);
      const { id } = await parts.tasks.begin('VMDeleteEdit_DeleteVM', { account, signal: asked.accountSignal }, async () => {
        await actor.work('machine.delete', machine, { disks: true });
      });
      return { task: id };
    },
  }),
};

/** The machine's disks that are files of its host; undefined where nobody can say, or not to this account. */
async function filesOf(
  { actor, signal }: Call<unknown>,
  machine: InstanceInfo,
): Promise<readonly { readonly path: string; readonly size: number | undefined }[] | undefined> {
  if (!machine.capabilities.includes('disk') || !actor.may('disk', machine)) return undefined;
  const disks = await actor.read(machine, 'disk', { signal });
  return disks.flatMap(({ source, size }) =>
    source === undefined ? [] : [{ path: harmless(source), size: size === undefined ? undefined : Number(size) }],
  );
}

/** Argo takes a machine's disks away together with it, all of them: who wants some of them kept is not misunderstood. */
async function requireAll(asked: Call<unknown>, machine: InstanceInfo, files: readonly string[]): Promise<void> {
  const known = (await filesOf(asked, machine) ?? []).map(({ path }) => path);
  const [wanted, all] = [new Set(files), new Set(known)];
  if (wanted.size !== all.size || [...wanted].some((one) => !all.has(one))) throw fault('INVALID_ARGUMENT', '<files>: only all that VMDeleteInfo_DeleteVMInfo names, or none to mean all: parts of a machine cannot be kept');
}

/** That a machine is in a state in which that cannot be done is said in VMware's words, with the state. */
export async function inState<T>(action: string, { actor }: Pick<Call<unknown>, 'actor'>, machine: InstanceInfo, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const error = toArgoError(thrown);
    if (error.phrase !== 'WRONG STATE') throw thrown;
    throw wrongState(action, actor.known(machine).state, error.detail);
  }
}
