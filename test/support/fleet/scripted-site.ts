import { randomUUID } from 'node:crypto';
import { FROM_HEADER, refusalPurpose, REPLY_PURPOSE, SIGNATURE_HEADER, type BusMessage, type Signer } from '../../../src/fleet/contract.js';
import {
  aliveMessage,
  askMessage,
  checkMessage,
  orderMessage,
  readMessage,
  resultMessage,
  settingMessage,
  writeMessage,
  type AliveMessage,
  type AnswerMessage,
  type AskMessage,
  type OrderMessage,
  type ResultMessage,
  type SettingMessage,
} from '../../../src/fleet/messages.js';
import { unpacked } from '../../../src/fleet/parcels.js';
import { KnownKey, newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { aliveSubject, askSubject, orderSubject, resultSubject, SITE_QUEUE } from '../../../src/fleet/subjects.js';
import type { MemoryBus, MemoryHub } from './memory-bus.js';
import * as v from 'valibot';

/** An answer without what stands in every one, which a test may also have otherwise. */
export type Said = AnswerMessage extends infer One ? One extends AnswerMessage ? Omit<One, 'v' | 'id' | 'incarnation'> & { id?: string; incarnation?: string } : never : never;

/** How an answer is signed instead of the usual. */
export interface Signing {
  readonly signer?: Signer | undefined;
  readonly from?: string;
  readonly purpose?: string;
  readonly isSigned?: boolean;
  /** as to one whose signature is not known */
  readonly isToStranger?: boolean;
}

export type Reply = (said: Said, signing?: Signing) => void;

/** A site that does what a test says. It refuses to work where a front sends what a site would refuse. */
export class ScriptedSite {
  incarnation: string = randomUUID();
  readonly signer = new NkeySigner(newSeed());
  readonly bus: MemoryBus;
  readonly orders: (OrderMessage | SettingMessage)[] = [];
  readonly results: ResultMessage[] = [];
  readonly asks: AskMessage[] = [];
  started = Date.now();
  onOrder: (order: OrderMessage | SettingMessage, reply: Reply) => void = () => undefined;
  onResult: (question: ResultMessage, reply: Reply) => void = () => undefined;
  onAsk: (question: AskMessage, reply: Reply) => void = () => undefined;
  readonly #frontKey: KnownKey;
  readonly #ends: (() => void)[];

  constructor(
    readonly hub: MemoryHub,
    readonly name: string,
    frontKey: string,
  ) {
    this.#frontKey = new KnownKey(frontKey);
    this.bus = hub.connect(name);
    this.#ends = [
      this.#listen(orderSubject(name), v.union([orderMessage, settingMessage]), (order, reply) => {
        this.orders.push(order);
        this.onOrder(order, reply);
      }),
      this.#listen(resultSubject(name), resultMessage, (question, reply) => {
        this.results.push(question);
        this.onResult(question, reply);
      }),
      this.#listen(askSubject(name), askMessage, (question, reply) => {
        this.asks.push(question);
        this.onAsk(question, reply);
      }),
    ];
  }

  /** A sign of life. */
  alive(more: Partial<AliveMessage> = {}, signing: Signing = {}): void {
    const message: AliveMessage = {
      v: 1,
      site: this.name,
      incarnation: this.incarnation,
      at: Date.now(),
      started: this.started,
      version: '1.0.0',
      interval: 5000,
      providers: [{ name: 'kvm1', type: 'libvirt', held: true, dmesg: true }],
      orders: 0,
      outbox: 0,
      ...more,
    };
    const data = writeMessage(readMessage(aliveMessage, writeMessage(message)));
    this.bus.publish(aliveSubject(this.name), data, this.#headers(aliveSubject(this.name), data, signing));
  }

  /** Nobody is there any longer. */
  close(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  #listen<Message extends { readonly id: string }>(
    subject: string,
    schema: v.GenericSchema<unknown, Message>,
    told: (message: Message, reply: Reply) => void,
  ): () => void {
    return this.bus.subscribe(
      subject,
      (asked) => {
        if (!this.#frontKey.verifies(subject, asked.data, asked.header(SIGNATURE_HEADER)))
          throw new Error(`what came at ${subject} is not signed by the front`);
        for (const content of unpacked(asked.data)) {
          const message = checkMessage(schema, content);
          told(message, (said, signing) => this.#reply(asked, message.id, said, signing));
        }
      },
      SITE_QUEUE,
    );
  }

  #reply(asked: BusMessage, id: string, said: Said, signing: Signing = {}): void {
    const front = signing.isToStranger ? undefined : asked.header(FROM_HEADER);
    const data = writeMessage({ v: 1, id, incarnation: this.incarnation, front, ...said });
    const purpose = signing.isToStranger ? refusalPurpose(asked.data, asked.header(SIGNATURE_HEADER)) : REPLY_PURPOSE;
    asked.respond(data, this.#headers(purpose, data, signing));
  }

  #headers(
    usual: string,
    data: Uint8Array,
    { signer = this.signer, from = this.name, purpose = usual, isSigned = true }: Signing,
  ): Record<string, string> {
    return isSigned ? { [FROM_HEADER]: from, [SIGNATURE_HEADER]: signer.sign(purpose, data) } : {};
  }
}
