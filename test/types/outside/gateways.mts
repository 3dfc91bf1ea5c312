/**
 * A gateway as others write them: what docs/gateways.md promises is used, and each `@ts-expect-error` is a mistake that the
 * types have to find. Nothing of this runs.
 */
import { entranceEntries, entranceSettings, HttpError } from 'argo-server';
import type { Accounts, Actor, Change, Doors, EntranceOptions, Gateway, GatewayHost, GatewayModule, GatewayOptions, HttpHandler, HttpMount, Listener, Member, Visit } from 'argo-server';
import { exactly } from './exactly.mjs';

export async function login(accounts: Accounts, { address, from, signal }: Visit): Promise<Actor> {
  const member: Member = await accounts.login('steve', 'steve', address, signal);
  exactly<Member>()(await accounts.token('argo_1', address, signal));
  exactly<Member>()(await accounts.code('123-456', address, signal));
  exactly<string | undefined>()(accounts.mark('steve'));
  exactly<Member | undefined>()(accounts.again('steve', 'a mark', address));
  exactly<Member>()(accounts.service('steve'));
  const listener: Listener = member;
  void listener.told;
  member.signal.addEventListener('abort', () => member.release());
  // @ts-expect-error: from where somebody comes has to be said
  await accounts.login('steve', 'steve');
  // @ts-expect-error: from where a request comes is in the audit
  member.actor();
  return member.actor(from);
}

const handler: HttpHandler = async (request, response, visit) => {
  exactly<string>()(visit.path);
  if (request.method !== 'GET') throw new HttpError(405, 'only GET', { allow: 'GET' });
  visit.lasting();
  response.end(`${visit.isTls} ${visit.query.get('name') ?? ''} ${(await visit.body(1024)).length}`);
  // @ts-expect-error: how much is read is a number of bytes
  await visit.body('1 KiB');
};

class Hello implements Gateway<EntranceOptions> {
  readonly #mount: HttpMount;

  constructor({ doors, log, name, metrics, state, own, events }: GatewayHost) {
    this.#mount = doors.http.mount(handler, (_request, socket) => void socket.destroy());
    log('warn', 'made', { name, own: own.length });
    metrics.counter('hello_total', 'How often somebody said so.');
    void [state.kv, state.outbox, state.once, events.reader(), events.test];
    sockets(doors);
  }

  prepare(options: EntranceOptions): Promise<Change> {
    return this.#mount.prepare(entranceSettings(options), '/hello');
  }

  drain(...[deadline]: Parameters<Gateway['drain']>): Promise<void> {
    exactly<number>()(deadline.left);
    return this.#mount.drain(deadline);
  }

  async close(): Promise<void> {
    this.#mount.close();
  }

  addresses(): string[] {
    return this.#mount.addresses();
  }
}

function sockets(doors: Doors): void {
  const door = doors.sockets({ connected: (socket, address) => void socket.end(address) });
  door.close();
  // @ts-expect-error: somebody has to be told who comes
  doors.sockets({});
}

export const module = {
  options: entranceEntries,
  open: (options, host) => { exactly<GatewayOptions<typeof entranceEntries>>()(options); return new Hello(host); },
  faults: ({ listen }) => (listen.length === 0 ? [{ message: 'it listens nowhere', path: ['listen'] }] : []),
  ownFaults: (_options, own) => own.map((path) => ({ message: path })),
} satisfies GatewayModule<typeof entranceEntries>;

const prepare = async () => ({ commit: () => undefined, cancel: async () => undefined });
// @ts-expect-error: no end
export const endless: GatewayModule = { options: {}, open: () => ({ prepare, drain: async () => undefined }) };
// @ts-expect-error: what is prepared may have to be undone
export const change: Change = { commit: () => undefined };
// @ts-expect-error: a status is a number
export const status = new HttpError('404', 'not found');
