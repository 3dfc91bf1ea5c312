import { createHash } from 'node:crypto';
import type { KnownSite } from '../instances/fleet.js';
import type { AliveMessage } from './messages.js';

/** What the parts of the fleet need of each other. */

/** A message that came from the bus. */
export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** the value of a header, of several of that name the last; undefined where it is not there */
  header(name: string): string | undefined;
  /** Answers it; may be called several times. Does nothing where no answer is wanted. Whoever keeps it does not keep the message. */
  readonly respond: (this: void, data: Uint8Array, headers?: Headers) => void;
}

export type Headers = Readonly<Record<string, string>>;

/**
 * Why the bus could not be used. `no responders`: nobody listens there, so that nothing was done. `down`: there is no connection
 * now, so that nothing was sent. `late`: no answer came in time, so that nobody knows. `store`: its store of streams and
 * buckets does not answer, or refuses; `conflict`: somebody else has written there meanwhile.
 */
export class BusError extends Error {
  override readonly name = 'BusError';

  constructor(readonly reason: 'no responders' | 'down' | 'late' | 'store' | 'conflict' | 'absent', message: string, options?: { cause?: unknown }) {
    super(message, options);
  }
}

/** Whether somebody has written there since it was looked at: also the very same, by an attempt whose answer was lost. */
export const isConflict = (thrown: unknown): boolean => thrown instanceof BusError && thrown.reason === 'conflict';

/** Answers of one question, in the order in which they come. Ends it by {@link end}. */
export interface Conversation {
  end(): void;
}

export interface KeyEntry {
  readonly key: string;
  /** undefined: the key was deleted */
  readonly value: Uint8Array | undefined;
  readonly revision: number;
}

/** A message of a stream. */
export interface StreamEntry extends Pick<BusMessage, 'data' | 'header'> {
  /** its place there */
  readonly seq: number;
}

export interface Bucket {
  /** @throws BusError down, absent, store */
  get(key: string): Promise<KeyEntry | undefined>;
  /** @throws BusError down, absent, store */
  put(key: string, value: Uint8Array): Promise<number>;
  /** Writes where nobody has written since. @param revision that was seen; 0: there is no such key @throws BusError conflict, down, absent, store */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  /** @throws BusError down, absent, store */
  delete(key: string): Promise<void>;
  /**
   * What is there, then what changes, until the signal is aborted; over breaks of the connection and of the store, too.
   * Each entry comes at least once; after a break, what is there comes again.
   * @param filter keys, with `*` and `>` as in subjects
   * @param settled called when what was there at the beginning has come, as far as the bus says so
   */
  watch(filter: string, told: (entry: KeyEntry) => void | Promise<void>, signal: AbortSignal, settled?: () => void): void;
}

/** The connection to the bus. It is made anew for ever; nobody waits for it. */
export interface Bus {
  /** why there is no connection now, in words for people; undefined while there is one */
  readonly trouble: string | undefined;
  /** Calls back at each loss and return of the connection. @returns ends that */
  onChange(listener: () => void): () => void;
  /** Sends what nobody answers. Lost without a word where there is no connection. */
  publish(subject: string, data: Uint8Array, headers?: Headers): void;
  /** @returns ends it; what has come is handed over still */
  subscribe(subject: string, told: (message: BusMessage) => void, queue?: string): () => void;
  /**
   * Asks, and is told each answer until it is ended.
   * @param failed told once where there is nobody, or no connection: nothing was handed over then
   */
  converse(subject: string, data: Uint8Array, headers: Headers, told: (message: BusMessage) => void, failed: (error: BusError) => void): Conversation;
  /** Asks for one answer. @throws BusError no responders, down, late; the signal's reason */
  request(subject: string, data: Uint8Array, headers: Headers, ms: number, signal?: AbortSignal): Promise<BusMessage>;
  bucket(name: string): Bucket;
  /**
   * Adds an event to a stream, once. Who listens at the subject hears it each time that it is sent, whatever the stream makes of it.
   * @param id of the event, unique
   * @param headers those of the event: who has signed it
   * @param lastSeq sequence of the stream at which the subject's last event was; undefined: not checked
   * @returns the sequence that it has
   * @throws BusError conflict, down, absent, store. Servers look at `lastSeq` before they look whether they have the id, or after
   * that (nats-server 2.9.10 after it, 2.15.1 before it): where it was sent before, what comes may be its sequence or `conflict`
   */
  addToStream(stream: string, subject: string, data: Uint8Array, headers: Headers, id: string, lastSeq?: number): Promise<number>;
  /** The last event of a subject, as any server that keeps the stream has it: it may be a moment behind. @throws BusError down, absent, store */
  lastOfSubject(stream: string, subject: string): Promise<StreamEntry | undefined>;
  /** Lets what was written go out, and closes. */
  close(): Promise<void>;
}

/** Signs with this server's own key, and knows those of others. The bus is not believed. */
export interface Signer {
  /** its public key, as nkeys are written: `U…` */
  readonly publicKey: string;
  /** @param purpose what tells signatures of one kind of message from others: the subject, `reply`, `alive` @returns base64 */
  sign(purpose: string, data: Uint8Array): string;
}

/** Headers of signed messages: who has signed it, and how. */
export const FROM_HEADER = 'Argo-From';
export const SIGNATURE_HEADER = 'Argo-Signature';
/** The headers of what is signed by this server. */
export const signedBy = (name: string, signer: Signer, subject: string, data: Uint8Array): Headers => ({
  [FROM_HEADER]: name,
  [SIGNATURE_HEADER]: signer.sign(subject, data),
});
/** Purposes of signatures that are no subjects. */
export const REPLY_PURPOSE = 'argo.v1.reply';

/** What a front knows of a site. */
export interface SiteInfo extends Pick<KnownSite, 'name' | 'trouble' | 'heard' | 'skew'> {
  /** its last sign of life that counts; undefined: none */
  readonly alive: AliveMessage | undefined;
}

/**
 * Purpose of the signature of an answer to who is not known by the signature: it holds for just what was sent, with just that
 * signature. Else anybody could have it signed that somebody else's order was refused.
 */
export const refusalPurpose = (sent: Uint8Array, signature = ''): string => `argo.v1.refused.${createHash('sha256').update(signature).update('\n').update(sent).digest('base64url')}`;

/** Which machine is meant; of a provider as a whole, `machine` and `instance` are empty. */
export interface Target {
  readonly site: string;
  /** as the site calls it */
  readonly provider: string;
  /** its manager's id */
  readonly machine: string;
  /** by which name it is known here */
  readonly instance: string;
}
