import { createHash } from 'node:crypto';
import type { Deadline } from '../../kit/deadline.js';
import { WEBHOOK_LAST_SENDS } from '../../kit/webhook-limits.js';
import type { Change } from '../../listening/change.js';
import type { Gateway, GatewayHost, Listener } from '../contract.js';
import { Bell } from '../../kit/bell.js';
import { Delivery } from './delivery.js';
import { figuresIn } from './figures.js';
import { Intake } from './intake.js';
import { Keys } from './keys.js';
import { Losses } from './losses.js';
import type { WebhookOptions } from './options.js';
import { Receiver } from './receiver.js';

/** What one table makes. */
interface Setup {
  readonly options: WebhookOptions;
  readonly receiver: Receiver;
  readonly listener: Listener;
  /** tells tables apart, also after a restart; says nothing of the URL */
  readonly mark: string;
}

/** Where it is kept that the receiver is gone: the mark of the table that named it. */
const OFF = 'off';

/** One webhook: takes events to the disk, and from there to their receiver. */
export class Sink implements Gateway<WebhookOptions> {
  readonly #host: GatewayHost;
  readonly #name: string;
  readonly #bell = new Bell();
  readonly #aborter = new AbortController();
  readonly #intakeAborter = new AbortController();
  readonly #delivery: Delivery;
  readonly #losses: Losses;
  #setup: Setup | undefined;
  #intake: Promise<void> | undefined;
  #sending: Promise<void> | undefined;
  #isOff = false;

  constructor(host: GatewayHost) {
    this.#host = host;
    // a table [[webhooks]] is the gateway webhooks/NAME
    this.#name = host.name.replace(/^webhooks\//, '');
    const { state: { kv, outbox }, log, metrics, events } = host;
    const { deliveries } = figuresIn(metrics);
    this.#losses = new Losses(kv, events, log);
    this.#delivery = new Delivery({
      outbox, log, losses: this.#losses, bell: this.#bell,
      outlet: () => {
        const { receiver, listener, options } = this.#now();
        return { receiver, listener, test: this.#test(), isOrdered: options.order, giveUpAfter: options['give-up-after'] };
      },
      rests: () => this.#isOff,
      gone: () => this.#gone(),
      count: (result, by = 1) => { if (by > 0) deliveries.add({ sink: this.#name, result }, by); },
    });
  }

  async prepare(options: WebhookOptions): Promise<Change> {
    const { accounts, log, state: { kv } } = this.#host;
    const keys = new Keys(options, (reason) => log('warn', 'webhook goes on with its former secret', { reason }));
    const receiver = new Receiver(options, keys);
    const listener = options.account === undefined ? accounts.listener() : accounts.service(options.account);
    const mark = createHash('sha256').update(JSON.stringify(options)).digest('hex');
    // a disk that cannot be read keeps nobody from starting
    const off = await kv.get(OFF).catch(() => undefined);
    return {
      commit: () => {
        this.#setup?.receiver.retire();
        this.#setup = { options, receiver, listener, mark };
        this.#isOff = off === mark;
        if (this.#isOff) log('warn', 'webhook is switched off: its receiver said that it is gone; change its table to try again', { receiver: receiver.place });
        else if (off !== undefined) void kv.delete(OFF).catch(() => undefined);
        if (this.#intake === undefined) this.#begin();
        this.#delivery.retry();
      },
      cancel: async () => receiver.retire(),
    };
  }

  /** At the server's end what happens until then is kept, and sent to a receiver that answers; a webhook that was taken away ends at once. */
  async drain(deadline: Deadline): Promise<void> {
    if (!this.#host.events.isEnding) {
      this.#intakeAborter.abort();
      this.#delivery.end('now');
    } else {
      await this.#intake;
      this.#delivery.end('when-empty');
    }
    const timer = setTimeout(() => this.#delivery.end('now'), Math.min(WEBHOOK_LAST_SENDS, deadline.left / 2));
    await this.#sending;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.#intakeAborter.abort();
    this.#delivery.end('now');
    this.#aborter.abort();
    await Promise.all([this.#intake, this.#sending]);
    this.#setup?.receiver.retire();
    const { metrics, events } = this.#host;
    figuresIn(metrics).sinks.delete(this.#name);
    if (this.#setup !== undefined && !events.isEnding) await this.#forget();
  }

  #begin(): void {
    const { state: { outbox }, log, metrics, events: feed } = this.#host;
    const delivery = this.#delivery;
    figuresIn(metrics).sinks.set(this.#name, { backlog: () => delivery.backlog });
    const intake = new Intake({
      feed, outbox, log, bell: this.#bell,
      filter: () => ({ test: this.#test(), listener: this.#now().listener }),
      rests: () => this.#isOff,
      appended: (last) => delivery.appended(last),
    });
    this.#intake = intake.run(this.#intakeAborter.signal);
    this.#sending = delivery.run(this.#aborter.signal);
  }

  #now(): Setup {
    return this.#setup!;
  }

  /** With the groups as they are now. */
  #test(): ReturnType<GatewayHost['events']['test']> {
    const { options: { events: types, instances } } = this.#now();
    return this.#host.events.test({ types, instances });
  }

  async #gone(): Promise<void> {
    const { log, state: { kv } } = this.#host;
    const { receiver, mark } = this.#now();
    this.#isOff = true;
    log('warn', 'webhook is switched off: its receiver says that it is gone; change its table to try again', { receiver: receiver.place });
    await kv.set(OFF, mark).catch(() => undefined);
  }

  /** Its table was taken away: a later one of the same name begins anew. */
  async #forget(): Promise<void> {
    const { log, state: { kv, outbox } } = this.#host;
    const waiting = this.#delivery.backlog;
    if (waiting > 0) log('warn', 'webhook was taken away, what waited is dropped', { dropped: waiting });
    await kv.delete(OFF);
    await this.#losses.forget();
    const { last } = await outbox.read(0, 1);
    await outbox.acknowledge(last);
  }
}
