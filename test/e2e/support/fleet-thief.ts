import { connect, headers, nkeyAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { readFileSync } from 'node:fs';
import { FROM_HEADER, SIGNATURE_HEADER } from '../../../src/fleet/contract.js';
import { newId } from '../../../src/fleet/ids.js';
import { answerMessage, checkMessage, type AnswerMessage, type OrderMessage } from '../../../src/fleet/messages.js';
import { unpacked } from '../../../src/fleet/parcels.js';
import { inboxPrefix, orderSubject } from '../../../src/fleet/subjects.js';
import type { NatsUser } from '../../peers/nats.js';
import { nameOf, SEND_TIMEOUT, type Fleet } from './fleet.js';

/** Somebody with a key on the bus, and a client of NATS that is not ours. */

/** For an answer that should come at once, ms. */
const ANSWER_MS = 10_000;
/** For one that should not come, ms. */
export const SILENCE_MS = 1500;

export interface Sent {
  readonly order: OrderMessage;
  readonly bytes: Uint8Array;
  readonly signature: string;
}

export class Thief {
  /** what the bus has refused */
  readonly violations: string[] = [];

  private constructor(
    readonly key: NatsUser,
    readonly connection: NatsConnection,
  ) {
    void (async () => {
      for await (const status of connection.status()) if (status.type === 'error') this.violations.push(String(status.error));
    })();
  }

  /** Logs in at the bus with a key. @throws where the bus refuses it */
  static async logIn(fleet: Fleet, key: NatsUser): Promise<Thief> {
    return new Thief(
      key,
      await connect({
        servers: [...fleet.nats.urls],
        tls: { ca: readFileSync(fleet.nats.caFile!, 'utf8') },
        inboxPrefix: inboxPrefix(nameOf(key)),
        authenticator: nkeyAuthenticator(new TextEncoder().encode(key.seed)),
        reconnect: false,
      }),
    );
  }

  /** An order as a front writes it. @param more what is different */
  order(site: string, machine: string, more: Partial<OrderMessage> = {}): OrderMessage {
    const now = Date.now();
    return {
      v: 1,
      id: newId(),
      site,
      provider: 'kvm1',
      machine: `id-${machine}`,
      instance: machine,
      do: 'reboot',
      mode: 'soft',
      wait: false,
      principal: { account: 'kim', from: '10.1.2.3', front: nameOf(this.key) },
      at: now,
      sendBy: now + SEND_TIMEOUT,
      answerBy: now + 60_000,
      ...more,
    };
  }

  /** @param as whose name it bears @param key that signs it @param purpose that it is signed for, if not where it is sent */
  sign(
    order: OrderMessage,
    {
      as = nameOf(this.key),
      key = this.key,
      purpose = orderSubject(order.site),
    }: { as?: string; key?: NatsUser; purpose?: string } = {},
  ): Sent & { readonly from: string } {
    const bytes = Buffer.from(JSON.stringify(order));
    return { order, bytes, from: as, signature: key.signer.sign(purpose, bytes) };
  }

  /** Sends it. @returns the first answer; undefined where none comes */
  async send(
    sent: Sent & { readonly from: string },
    { to = orderSubject(sent.order.site), ms = ANSWER_MS, signed = true } = {},
  ): Promise<AnswerMessage | undefined> {
    const made = headers();
    made.set(FROM_HEADER, sent.from);
    if (signed) made.set(SIGNATURE_HEADER, sent.signature);
    try {
      const [first] = unpacked((await this.connection.request(to, sent.bytes, { timeout: ms, headers: made })).data);
      return checkMessage(answerMessage, first);
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') return undefined;
      throw error;
    }
  }

  /** Whether the bus lets it listen to a subject. */
  async mayListen(subject: string): Promise<boolean> {
    const before = this.violations.length;
    const subscription = this.connection.subscribe(subject, { callback: () => undefined });
    await this.connection.flush();
    await this.connection.flush();
    subscription.unsubscribe();
    return this.violations.length === before;
  }

  /** Whether the bus lets it send to a subject. */
  async maySend(subject: string): Promise<boolean> {
    const before = this.violations.length;
    this.connection.publish(subject, new Uint8Array());
    await this.connection.flush();
    await this.connection.flush();
    return this.violations.length === before;
  }

  /** Has the bus's store answer elsewhere than here. It asks nobody whether that is allowed. */
  async haveAnswered(subject: string, bytes: Uint8Array, reply: string): Promise<void> {
    this.connection.publish(subject, bytes, { reply });
    await this.connection.flush();
  }

  /** Asks the bus's store. @returns what it says was wrong; undefined: nothing */
  async store(subject: string, content: object = {}): Promise<string | undefined> {
    const answer = await this.connection.request(`$JS.API.${subject}`, JSON.stringify(content), { timeout: ANSWER_MS });
    return answer.json<{ readonly error?: { readonly description: string } }>().error?.description;
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}
