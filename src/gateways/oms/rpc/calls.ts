import * as v from 'valibot';
import type { Actor } from '../../../instances/actor.js';
import type { InstanceInfo } from '../../../instances/info.js';
import { OPERATIONS, type OperationName } from '../../../instances/operation-table.js';
import { ArgoError } from '../../../kit/errors.js';
import { OMS_CACHE_LONGEST, OMS_CALL_LONGEST, OMS_CALLS_OF_SESSION } from '../../../kit/oms-limits.js';
import { mapInSlices } from '../../../kit/slices.js';
import { Tally } from '../../../kit/tally.js';
import { formatDuration } from '../../../kit/text.js';
import { underAll, unlessAborted } from '../../../kit/within.js';
import { HttpError, type Visit } from '../../../listening/http.js';
import type { Session } from '../../shared/sessions.js';
import { OmsError } from '../faults.js';
import { AUTH_METHODS, AUTH_NAMES, sessionOf, type AuthParts, type AuthRow } from '../services/auth.js';
import { METHODS } from '../services/index.js';
import { machinesOf } from '../services/machines.js';
import { hostName, machineName, wholeText } from '../services/params.js';
import type { MachineAsked, Row, Tools } from '../services/row.js';
import { jsonInSlices, type OmsResult } from './answer.js';
import { AnswerCache } from './cache.js';
import type { RpcCall } from './request.js';

const SERVICE_NAME = /^[\w.]{1,64}$/;
const cacheTimeout = v.pipe(wholeText(0, Number.MAX_SAFE_INTEGER), v.transform((seconds) => Math.min(seconds, OMS_CACHE_LONGEST)));

export interface CallParts extends AuthParts {
  /** of the configuration as it is now */
  tools(): Tools;
  /** aborted when the server ends: nothing is begun any longer, and what is read ends */
  readonly ending: AbortSignal;
  /** aborted when the last moment has come to say something of what was begun */
  readonly lastWord: AbortSignal;
}

/** What ends a call. */
interface Ends {
  /** what is read, and what is not begun */
  readonly signal: AbortSignal;
  /** the wait for what was begun */
  readonly waiting: AbortSignal;
}

/** Carries calls out: finds the row, checks who asks and what, and runs it. */
export class Calls {
  readonly #parts: CallParts;
  readonly #cache = new AnswerCache();
  /** calls under way, by the id of their session */
  readonly #underWay = new Tally();

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** @throws OmsError, ArgoError, HttpError */
  async run({ service, method, params }: RpcCall, visit: Visit): Promise<OmsResult> {
    if (service === null) throw new OmsError('MethodNotFound', 'no service is named');
    if (!SERVICE_NAME.test(service)) throw new OmsError('IllegalService', 'this is no name of a service');
    if ((AUTH_NAMES as readonly string[]).includes(service))
      return { type: 'auth', json: JSON.stringify(await this.#runAuth(rowOf(AUTH_METHODS, service, method), params, visit)) };
    const row = rowOf(METHODS.get(service), service, method);
    const [key, ...given] = params;
    const session = sessionOf(key, visit.address, this.#parts.sessions);
    return this.#counted(session, () => this.#runRow(row, { service, method, given, session }, visit));
  }

  #runAuth({ params, run }: AuthRow, given: readonly unknown[], visit: Visit): Promise<unknown> {
    return run(named(params, read({ entries: Object.entries(params), before: [] }, given).values) as never, visit, this.#parts);
  }

  async #runRow(
    row: Row,
    {
      service,
      method,
      given,
      session,
    }: { readonly service: string; readonly method: string; readonly given: readonly unknown[]; readonly session: Session },
    visit: Visit,
  ): Promise<OmsResult> {
    const tools = this.#parts.tools();
    const entries = [
      ['cache_timeout', cacheTimeout] as const,
      ...(row.on === 'server' ? [] : [['host', hostName] as const]),
      ...(row.on === 'machine' ? [['machine', machineName] as const] : []),
      ...Object.entries(row.params),
    ];
    const { values, rest } = read({ entries, rest: row.rest, before: ['SESSID'] }, given);
    const all = named(Object.fromEntries(entries), values) as {
      readonly cache_timeout: number;
      readonly host?: string;
      readonly machine?: string;
    };
    const { cache_timeout: cacheFor, host = '', machine: name = '' } = all;
    const args = named(row.params, values.slice(entries.length - Object.keys(row.params).length));
    const actor = session.member.actor(visit.from);
    const provider = row.on === 'server' ? '' : await providerFor(actor, host, tools.providerOf(host, row.kind));
    const machine = row.on === 'machine' ? await machineFor(actor, provider, name, row) : undefined;
    authorise(actor, row, provider, machine);
    // what is switched, copied or moved lasts as long as it lasts
    if (!row.reads) visit.lasting();
    const work = (): Promise<string> =>
      this.#limited(session, visit, row.reads, async ({ signal, waiting }) => {
        const order = (): { readonly signal: AbortSignal } => {
          signal.throwIfAborted();
          return { signal: waiting };
        };
        return jsonInSlices(
          await row.run({ actor, session, args, rest, signal, order, tools, host, provider, machine } as unknown as MachineAsked<never>),
        );
      });
    const json = row.reads
      ? await this.#cache.get(await questionOf(row, { actor, service, method, given: given.slice(1), provider }), cacheFor, work)
      : await work();
    return { type: row.type, ...(row.isOfClient && { client: host }), json };
  }

  /**
   * Ends a call with its client, its session, the server, or its longest time. What it has begun goes on, and its end is told also
   * when the session is over or the server ends, as long as there is time for it.
   */
  #limited<T>(session: Session, visit: Visit, reads: boolean, work: (ends: Ends) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const timer = reads
      ? undefined
      : setTimeout(
          () => late.abort(new ArgoError('TIMEOUT', `no end in ${formatDuration(OMS_CALL_LONGEST)}; what was begun goes on`)),
          OMS_CALL_LONGEST,
        );
    const { ending, lastWord } = this.#parts;
    return underAll([visit.signal, late.signal, lastWord], (waiting) =>
      underAll([waiting, session.signal, ending], (signal) => unlessAborted(work({ signal, waiting }), reads ? signal : waiting)),
    )
      .catch((error: unknown) => {
        // the shared server's own word for it
        throw error instanceof HttpError && error.status === 504 ? new ArgoError('TIMEOUT', error.message) : error;
      })
      .finally(() => clearTimeout(timer));
  }

  async #counted<T>(session: Session, work: () => Promise<T>): Promise<T> {
    const { id } = session;
    if (this.#underWay.of(id) >= OMS_CALLS_OF_SESSION)
      throw new ArgoError('BUSY', `${OMS_CALLS_OF_SESSION} calls of this session are under way already`);
    this.#underWay.add(id);
    // a call may last longer than a session may be idle
    const release = this.#parts.sessions.hold(session);
    try {
      return await work();
    } finally {
      release();
      this.#underWay.take(id);
    }
  }
}

/** @throws OmsError */
function rowOf<T>(methods: ReadonlyMap<string, T> | undefined, service: string, method: string): T {
  if (methods === undefined) throw new OmsError('ServiceNotFound', `there is no service ${service}`);
  const row = methods.get(method);
  if (row === undefined) throw new OmsError('MethodNotFound', `${service} has no such method`);
  return row;
}

const named = (entries: v.ObjectEntries, values: readonly unknown[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.keys(entries).map((name, index) => [name, values[index]]));

/** What a call has to say. */
interface Form {
  readonly entries: readonly (readonly [name: string, schema: v.GenericSchema])[];
  /** what may come beyond them */
  readonly rest?: v.GenericSchema<unknown, string> | undefined;
  /** names of what comes before them, and was taken already */
  readonly before: readonly string[];
}

/** Parameters in their order. @throws OmsError ParameterMismatch */
function read(form: Form, given: readonly unknown[]): { readonly values: readonly unknown[]; readonly rest: readonly string[] } {
  const { entries, rest } = form;
  if (rest === undefined && given.length > entries.length) throw new OmsError('ParameterMismatch', `${given.length - entries.length} too many${expected(form)}`);
  const check = <T>(name: string, schema: v.GenericSchema<unknown, T>, value: unknown): T => {
    const checked = v.safeParse(schema, value);
    if (checked.success) return checked.output;
    throw new OmsError('ParameterMismatch', value === undefined ? `${name} is missing${expected(form)}` : `${name}: ${checked.issues[0].message}`);
  };
  const values = entries.map(([name, schema], index) => check(name, schema, given[index]));
  return { values, rest: rest === undefined ? [] : given.slice(entries.length).map((one) => check('statistic', rest, one)) };
}

/** All that a call takes, in the words of the document. */
const expected = ({ entries, rest, before }: Form): string =>
  `; expected: ${[...before, ...entries.map(([name, { type }]) => (type === 'optional' ? `(${name})` : name)), ...(rest ? ['(statistic …)'] : [])].join(', ')}`;

/**
 * The provider of a host of which the account sees something.
 * @throws ArgoError as for an instance: whoever does not see everything is not told whether there is one
 */
async function providerFor(actor: Actor, host: string, provider: string): Promise<string> {
  if (actor.providers('image.list').includes(provider)) return provider;
  for (const one of actor.states()) if (one.provider === provider) return provider;
  const { isWhole, providers } = await actor.overview();
  if (providers.some((one) => one.provider === provider)) return provider;
  throw isWhole ? new ArgoError('NO SUCH PROVIDER', host === provider ? host : `${provider}, which the host ${host} is to be`) : new ArgoError('NOT ALLOWED');
}

/** The machine of a name, if it is of the kind that the service is about. @throws ArgoError as `select` */
async function machineFor(actor: Actor, provider: string, name: string, { kind }: Row): Promise<InstanceInfo> {
  const { instances: [found] } = await actor.select([{ text: `${provider}/${name}`, quoted: true }]);
  if (found?.type !== kind || found?.provider !== provider) throw new ArgoError('NO SUCH INSTANCE', `${provider}/${name}`);
  return found;
}

/** Before anything else is looked at. The gate checks it once more where something is done. @throws ArgoError NOT ALLOWED */
function authorise(actor: Actor, { operation }: Row, provider: string, machine: InstanceInfo | undefined): void {
  if (operation === undefined) return;
  const isAllowed = machine !== undefined && OPERATIONS[operation].on === 'instance' ? actor.may(operation, machine) : actor.providers(operation).includes(provider);
  if (!isAllowed) throw new ArgoError('NOT ALLOWED');
}

/** What lists of machines tell of each beside its state, where the account may know it. */
const TOLD_OF_MACHINES: readonly OperationName[] = ['stats.guests', 'tag.list'];

/** What tells a reading from all others: who asks, what, and, where the answer is about machines, which of them he sees, and what of them. */
async function questionOf(
  { operation, kind }: Row,
  {
    actor,
    service,
    method,
    given,
    provider,
  }: {
    readonly actor: Actor;
    readonly service: string;
    readonly method: string;
    readonly given: readonly unknown[];
    readonly provider: string;
  },
): Promise<string> {
  const seen
    = operation === undefined
      ? await mapInSlices(await machinesOf({ actor, provider }, kind), (machine) =>
          JSON.stringify([machine.id, ...TOLD_OF_MACHINES.filter((one) => actor.may(one, machine))]),
        )
      : [];
  return `${JSON.stringify([actor.name, service, method, provider, given])}${seen.join()}`;
}
