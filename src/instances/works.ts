import { randomUUID } from 'node:crypto';
import type { Work, WorkCall } from '../drivers/management/contract.js';
import { explainDeadline } from '../kit/deadline.js';
import { ArgoError, SettingsFault, toArgoError } from '../kit/errors.js';
import { READ_TIMEOUT } from '../kit/limits.js';
import type { LinkedList } from '../kit/linked-list.js';
import type { Signals } from '../kit/signals.js';
import { mapInSlices } from '../kit/slices.js';
import { Tally } from '../kit/tally.js';
import { unlessAborted } from '../kit/within.js';
import { NETWORK_MARGIN, SLOW_READ_TIMEOUT, WORK_TASK_TIMEOUT, WORK_TIMEOUT, WORKS_OF_ACCOUNT } from '../kit/work-limits.js';
import type { Instance } from './instance.js';
import type { Call, WorkRequest } from './order.js';
import type { Owner } from './owner.js';
import { allows, allowsProvider } from './permits.js';
import { requireMeant, type Mandate } from './principal.js';
import type { Asking, Question } from './readings.js';
import type { Registry } from './registry.js';
import type { RunningTasks } from './running-tasks.js';
import { fullNameOf, instanceOf, ownerOf, type Subject } from './subject.js';
import { Turn } from './turn.js';
import { copyArgs } from './work-args.js';
import { WorkRun } from './work-run.js';
import { workRow, WORKS, type WorkArgs, type WorkName, type WorkResult } from './work-table.js';
import type { WorkTasks } from './work-tasks.js';
import { describeArgs, EXPECTED, MAKES_MACHINE, plannedWords } from './work-words.js';

export interface WorksParts {
  readonly registry: Registry;
  readonly tasks: RunningTasks;
  /** work that is a task, as it is written down */
  readonly written: WorkTasks;
  readonly signals: Signals;
  /** Asks a provider in its turn, until the signal ends that. */
  ask<T>(provider: Owner, question: Question<T>, signal: AbortSignal | undefined, open: LinkedList<Asking> | undefined): Promise<T>;
}

/** Work that may be begun: it is allowed, offered, and its arguments have their form. */
interface Prepared {
  readonly name: WorkName;
  readonly subject: Subject;
  readonly args: object;
  /** where it goes, of a machine that is moved */
  readonly destination: Owner | undefined;
  isAllowed(): boolean;
}

const NAMES = Object.keys(WORKS) as readonly WorkName[];

/** Management beyond power: each piece of work is authorised, checked, given its turn and time, and recorded by its row of the table. */
export class Works {
  readonly #parts: WorksParts;
  /** of hosts' networks: by the host, where a driver says which that is, else by the provider's name, since one that is configured anew is the same host */
  readonly #networks = new Map<string, Turn>();
  /** what changes something, under way, by account */
  readonly #acting = new Tally();

  constructor(parts: WorksParts) {
    this.#parts = parts;
  }

  /**
   * The provider that is meant. Who may do nothing there does not learn whether there is one.
   * @throws ArgoError NO SUCH PROVIDER, NOT ALLOWED
   */
  provider(mandate: Mandate, name: WorkName, provider: string): Owner {
    const owner = this.#parts.registry.providerNamed(provider);
    if (owner && this.#allows(mandate, name, owner)) return owner;
    throw allowsProvider(mandate, name, provider) ? new ArgoError('NO SUCH PROVIDER', provider) : new ArgoError('NOT ALLOWED');
  }

  /** Carries it out. @throws ArgoError; SettingsFault */
  async carryOut<Name extends WorkName>(
    mandate: Mandate,
    name: Name,
    subject: Subject,
    args: WorkArgs<Name>,
    call: WorkRequest,
    open?: () => LinkedList<Asking>,
  ): Promise<WorkResult<Name>> {
    const prepared = this.#prepare(mandate, name, subject, args);
    call.signal?.throwIfAborted();
    const { right, task } = workRow(name);
    if (right !== 'read') requireMeant(mandate);
    if (call.once !== undefined && !task) throw new ArgoError('BAD REQUEST', `once: ${name} is no task`);
    const result
      = right === 'read'
        ? await this.#read(mandate, prepared, call, open?.())
        : task
          ? await this.#asTask(mandate, prepared, call)
          : await this.#act(mandate, prepared, call);
    return result as WorkResult<Name>;
  }

  /** What it would do, in words. @throws ArgoError as {@link carryOut}, as far as that can be known */
  async plan<Name extends WorkName>(
    mandate: Mandate,
    name: Name,
    subject: Subject,
    given: WorkArgs<Name>,
    call: Call,
    open?: () => LinkedList<Asking>,
  ): Promise<string> {
    const { args } = this.#prepare(mandate, name, subject, given);
    const words = `${plannedWords(name, args as WorkArgs<Name>)}${await this.#doubt(mandate, name, subject, args, call, open)}`;
    const instance = instanceOf(subject);
    const state = instance && workRow(name).right !== 'read' ? ` (it was last seen ${instance.state})` : '';
    const holder = this.#turnOf(name, subject)?.holder;
    return holder === undefined ? `${words}${state}` : `${words}${state}, after another action that holds it: ${holder.title}`;
  }

  /** What stands against it, where a list tells that: empty where nothing does, or it cannot be told. */
  async #doubt(
    mandate: Mandate,
    name: WorkName,
    subject: Subject,
    args: object,
    call: Call,
    open?: () => LinkedList<Asking>,
  ): Promise<string> {
    const owner = ownerOf(subject);
    const named = args as Readonly<Record<string, string>>;
    const expected = EXPECTED[name];
    const isTaken = MAKES_MACHINE.has(name) && this.#parts.registry.find(`${owner.name}/${named.name}`).length > 0;
    const machine = isTaken ? `; there is a machine ${named.name} already` : '';
    if (expected === undefined || !this.#allows(mandate, expected.list, owner) || !methodOf(expected.list, owner)) return machine;
    const wanted = named[expected.of]!;
    try {
      const there = await this.carryOut(mandate, expected.list, owner, {}, call, open);
      if (there.some((one) => one.name === wanted) === expected.isThere) return machine;
      return `${expected.isThere ? `; there is no ${wanted} now` : `; there is ${wanted} already`}${machine}`;
    } catch (thrown) {
      call.signal?.throwIfAborted();
      return `; whether ${wanted} is there cannot be told (${toArgoError(thrown).phrase})${machine}`;
    }
  }

  /** What can be done with an instance, and whoever asks may do. */
  offered(mandate: Mandate, subject: Subject): readonly WorkName[] {
    return NAMES.filter(
      (name) =>
        workRow(name).on === (instanceOf(subject) ? 'instance' : 'provider')
        && this.#allows(mandate, name, subject)
        && methodOf(name, subject) !== undefined,
    );
  }

  /** The same with a provider. @throws ArgoError NO SUCH PROVIDER, NOT ALLOWED */
  offeredBy(mandate: Mandate, provider: string): readonly WorkName[] {
    const owner = this.#parts.registry.providerNamed(provider);
    const names = NAMES.filter((name) => workRow(name).on === 'provider');
    if (owner && names.some((name) => this.#allows(mandate, name, owner))) return this.offered(mandate, owner);
    throw names.some((name) => allowsProvider(mandate, name, provider))
      ? new ArgoError('NO SUCH PROVIDER', provider)
      : new ArgoError('NOT ALLOWED');
  }

  #allows(mandate: Mandate, name: WorkName, subject: Subject): boolean {
    const instance = instanceOf(subject);
    if (instance) return allows(mandate, name, instance);
    const owner = ownerOf(subject);
    if (allowsProvider(mandate, name, owner.name)) return true;
    return workRow(name).perMachine === true && this.#parts.registry.of(owner).some((one) => allows(mandate, name, one));
  }

  /** @throws ArgoError */
  #prepare<Name extends WorkName>(mandate: Mandate, name: Name, subject: Subject, given: WorkArgs<Name>): Prepared {
    if (!this.#allows(mandate, name, subject)) throw new ArgoError('NOT ALLOWED');
    requireMethod(name, subject);
    const args = copyArgs(name, given);
    const instance = instanceOf(subject);
    const to = name === 'machine.migrate' && instance ? (args as WorkArgs<'machine.migrate'>).to : undefined;
    const destination = to === undefined ? undefined : this.#destination(mandate, instance!, to);
    const isAllowed = (): boolean =>
      this.#allows(mandate, name, subject) && (destination === undefined || allowsProvider(mandate, name, destination.name));
    return { name, subject, args, destination, isAllowed };
  }

  /** Where a machine is to go: who moves it needs the right on both sides. @throws ArgoError */
  #destination(mandate: Mandate, instance: Instance, to: string): Owner {
    const owner = this.provider(mandate, 'machine.migrate', to);
    if (owner.name === instance.provider) throw new SettingsFault({ to: `${instance.name} is on ${to} already` });
    const [from, other] = [instance.owner.settings.type, owner.settings.type];
    if (from !== other)
      throw new ArgoError('NOT SUPPORTED', `${instance.name} is a machine of type ${from}, and ${to} is of type ${other}`);
    // what it says of itself is asked for again when the turn has come
    owner.destination();
    return owner;
  }

  async #read(
    mandate: Mandate,
    { name, subject, args, isAllowed }: Prepared,
    call: WorkRequest,
    open: LinkedList<Asking> | undefined,
  ): Promise<unknown> {
    const { slow, perMachine } = workRow(name);
    const owner = ownerOf(subject);
    const instance = instanceOf(subject);
    const answer = await this.#parts
      .ask(
        owner,
        {
          id: instance?.id ?? '',
          name: `${name} ${JSON.stringify(args)}`,
          account: mandate.identity.name,
          ms: call.deadline ?? (slow ? SLOW_READ_TIMEOUT : READ_TIMEOUT),
          maxAge: call.maxAge,
          isWork: true,
          isAllowed,
          ask: (signal) => requireMethod(name, subject)(args, { signal, task: randomUUID(), progress: () => undefined }),
        },
        call.signal,
        open,
      )
      .catch((thrown: unknown) => {
        throw explainDeadline(thrown, instance?.name ?? owner.name);
      });
    return perMachine && !allowsProvider(mandate, name, owner.name)
      ? this.#ofAllowed(mandate, name, owner, answer as readonly { readonly id: string }[])
      : answer;
  }

  /** What is told of machines to who may read only some of them. */
  async #ofAllowed<T extends { readonly id: string }>(
    mandate: Mandate,
    name: WorkName,
    owner: Owner,
    answer: readonly T[],
  ): Promise<readonly T[]> {
    const allowed = await mapInSlices(answer, (one) => {
      const instance = this.#parts.registry.byId(owner.name, one.id);
      return instance?.owner === owner && allows(mandate, name, instance) ? one : undefined;
    });
    return allowed.filter((one) => one !== undefined);
  }

  /** It is begun once for each key, and goes on when nobody waits for it any longer. */
  async #asTask(mandate: Mandate, prepared: Prepared, call: WorkRequest): Promise<void> {
    const { name, subject, args } = prepared;
    const { id, over } = await this.#parts.written.begin(
      mandate,
      { operation: name, subject: fullNameOf(subject), options: describeArgs(args), once: call.once },
      async ({ id: task, cancelled, progress }) => {
        await this.#act({ ...mandate, cancelled }, prepared, call, { id: task, progress });
      },
    );
    call.begun?.(id);
    await (call.signal ? unlessAborted(over, call.signal) : over);
  }

  /** What changes something: recorded, in its turn. */
  async #act(
    mandate: Mandate,
    prepared: Prepared,
    call: WorkRequest,
    task?: { readonly id: string; progress(part: number): void },
  ): Promise<unknown> {
    const { name, subject, args, destination, isAllowed } = prepared;
    const { lists } = workRow(name);
    const owners = destination ? [ownerOf(subject), destination] : [ownerOf(subject)];
    const leave = this.#enter(mandate.identity.name);
    try {
      const { value } = await this.#parts.tasks.carryOut(mandate, subject, {
        operation: name,
        options: describeArgs(args),
        isAllowed,
        holds: owners.slice(1),
        ...(task ? { id: task.id } : {}),
        begin: () =>
          new WorkRun({
            subject,
            owners,
            title: name,
            account: mandate.identity.name,
            task: task?.id ?? randomUUID(),
            isTask: task !== undefined,
            ms: call.deadline ?? timeOf(name, args),
            signals: this.#parts.signals,
            turn: this.#turnOf(name, subject),
            listAgain: lists ? () => this.#listAgain(owners) : undefined,
            permit: () => {
              if (!isAllowed()) throw new ArgoError('NOT ALLOWED');
            },
            work: (asked) => requireMethod(name, subject)(destination ? { destination: destination.destination() } : args, asked),
            ...(task ? { progress: (part: number) => task.progress(part) } : {}),
          }),
      });
      return value;
    } finally {
      leave();
    }
  }

  /** Also the one that a reload has put in the place of one of them. */
  async #listAgain(owners: readonly Owner[]): Promise<void> {
    await Promise.all(owners.map((owner) => (this.#parts.registry.providerNamed(owner.name) ?? owner).relist()));
  }

  /** @throws ArgoError BUSY */
  #enter(account: string): () => void {
    if (this.#acting.of(account) >= WORKS_OF_ACCOUNT) throw new ArgoError('BUSY', 'too many works of this account are under way');
    this.#acting.add(account);
    return () => this.#acting.take(account);
  }

  #turnOf(name: WorkName, subject: Subject): Turn | undefined {
    const { turn } = workRow(name);
    if (turn === undefined) return undefined;
    if (turn === 'instance') return instanceOf(subject)?.turn;
    const { name: provider, place } = ownerOf(subject);
    const host = place === undefined ? `provider ${provider}` : `host ${place}`;
    let network = this.#networks.get(host);
    if (network === undefined) this.#networks.set(host, (network = new Turn()));
    return network;
  }
}

/** Milliseconds, where the caller says nothing. */
function timeOf(name: WorkName, args: object): number {
  if (workRow(name).task) return WORK_TASK_TIMEOUT;
  return 'rollback' in args ? Number(args.rollback) + NETWORK_MARGIN : WORK_TIMEOUT;
}

type Method = (args: object, call: WorkCall) => Promise<unknown>;

/** The method that carries it out, as the driver has it now. */
function methodOf(name: WorkName, subject: Subject): Method | undefined {
  const { ability, method } = workRow(name);
  const abilities = (instanceOf(subject)?.machine ?? ownerOf(subject)).abilities as
    Readonly<Record<string, Readonly<Record<string, Work<object, unknown>>>>> | undefined;
  const group = abilities?.[ability];
  return group?.[method] && ((args, call) => group[method]!(args, call));
}

/** @throws ArgoError NOT SUPPORTED */
function requireMethod(name: WorkName, subject: Subject): Method {
  const method = methodOf(name, subject);
  if (method) return method;
  const owner = ownerOf(subject);
  const instance = instanceOf(subject);
  const farPlace = instance ? instance.machine.far?.place : owner.farPlace;
  const subjectName = instance?.name ?? owner.name;
  if (farPlace !== undefined) throw new ArgoError('NOT SUPPORTED', `${subjectName} is at ${farPlace}, and ${name} is done there`);
  throw new ArgoError('NOT SUPPORTED', `${subjectName} (${owner.settings.type}) has no ${name}`);
}
