import type { NatsConnection } from '@nats-io/transport-node';
import { BUS_STORE_TIMEOUT } from '../../kit/fleet-limits.js';
import { BusLink, type LinkOptions, type Nats } from '../bus-link.js';

/** A connection to the bus for as long as somebody looks after it: made once, and not again. */
export interface AdminConnection {
  readonly connection: NatsConnection;
  /** as of LinkOptions */
  readonly isApart: boolean;
  readonly nats: Nats;
  /** what the bus has refused so far */
  readonly refused: readonly Error[];
  close(): Promise<void>;
}

/** @param fault of whom that is, in words @throws Error with the reasons of all servers where none takes us */
export async function connectOnce(options: LinkOptions, fault = 'the bus cannot be reached'): Promise<AdminConnection> {
  const refused: Error[] = [];
  let link: BusLink | undefined;
  try {
    const { connection, nats } = await new Promise<Pick<AdminConnection, 'connection' | 'nats'>>((resolve, reject) => {
      link = new BusLink(options, {
        up: (made, library) => resolve({ connection: made, nats: library }),
        down: (why, server) => reject(new Error(`${fault}: ${server === undefined ? '' : `${server}: `}${why}`)),
        tooSmall: () => undefined,
        refused: (error) => void refused.push(error),
      });
    });
    return { connection, nats, refused, isApart: options.isApart, close: () => link!.close() };
  } catch (error) {
    await link?.close();
    throw error;
  }
}

/** Tries each server, since the connection of another says nothing of it. @returns what is wrong with those that do not take us */
export async function refusingServers(options: LinkOptions): Promise<string[]> {
  const tried = await Promise.allSettled(options.servers.map(async (server) => {
    await (await connectOnce({ ...options, servers: [server] }, 'one of the bus\'s servers cannot be used')).close();
  }));
  return tried.flatMap((one) => (one.status === 'rejected' ? [(one.reason as Error).message] : []));
}

/** What the store of the bus says where it does not do something. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault';

  /** @param code as nats-server's errors.json has it */
  constructor(readonly code: number, message: string) {
    super(message);
  }
}

interface StoreAnswer {
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/**
 * Asks JetStream, the bus's store (docs.nats.io, JetStream wire API).
 * @param subject behind `$JS.API.`
 * @throws StoreFault where it refuses; Error where it does not answer
 */
export const askStore = <Answer>(admin: Pick<AdminConnection, 'connection'>, subject: string, content?: object): Promise<Answer> => askAt<Answer>(admin, `$JS.API.${subject}`, content);

/** As {@link askStore}. @param subject the whole of it */
export async function askAt<Answer>({ connection }: Pick<AdminConnection, 'connection'>, subject: string, content?: object): Promise<Answer> {
  let answer: Answer & StoreAnswer;
  try {
    const { data } = await connection.request(subject, content === undefined ? '' : JSON.stringify(content), { timeout: BUS_STORE_TIMEOUT });
    answer = JSON.parse(Buffer.from(data).toString()) as Answer & StoreAnswer;
  } catch (error) {
    const { name, message: words } = reasonOf(error as Error);
    throw new Error(name === 'PermissionViolationError' ? `the bus does not let this key ask its store (${words})` : `the bus's store does not answer (${words}): is JetStream on, for this account, and are most of its servers up?`, { cause: error });
  }
  if (answer.error !== undefined) throw new StoreFault(answer.error.err_code ?? 0, answer.error.description ?? 'no reason');
  return answer;
}

/** The client's own errors have their reason in what they come from. */
const reasonOf = (error: Error): Error => (error.cause instanceof Error && error.cause.message !== '' ? error.cause : error);
