import type { Log } from '../../../kit/log.js';
import { notLonger } from '../../../kit/within.js';
import { ZABBIX_FIRST_WORD } from '../../../kit/zabbix-gateway-limits.js';
import { askConfiguration, sendData, sendHeartbeat } from '../../../protocols/zabbix/active.js';
import { ZabbixError } from '../../../protocols/zabbix/errors.js';
import { isIncremental } from '../../../protocols/zabbix/version.js';
import type { Bell } from '../../../kit/bell.js';
import type { Configurations } from './configurations.js';
import { PackedAhead } from './packed-ahead.js';
import type { Sender } from './sender.js';
import type { Servers } from './servers.js';
import type { Tasks } from './tasks.js';

/** Milliseconds. */
interface Frequencies {
  readonly config: number;
  readonly heartbeat: number;
  readonly data: number;
}

interface ActiveParts {
  readonly servers: Servers;
  readonly sender: Sender;
  readonly tasks: Tasks;
  readonly configurations: Configurations;
  readonly log: Log;
  /** rung when there is something new to send, or to try */
  readonly bell: Bell;
  frequencies(): Frequencies;
}

/** Active mode: the proxy asks its server for the configuration and for tasks, and brings it values. */
export class Active {
  readonly #parts: ActiveParts;
  readonly #aborter = new AbortController();
  readonly #packed = new PackedAhead();
  #running: Promise<unknown> | undefined;
  #saidStrange = '';
  /** that somebody waits for what there is to send */
  #isUrgent = false;
  /** that a server has yet to say what it wants: what was kept may be for another */
  #isUnsure = true;

  constructor(parts: ActiveParts) {
    this.#parts = parts;
  }

  /**
   * The server first hears that the proxy is there. What was kept at the last end is looked for only then, since the
   * thread that does it would be in the way.
   * @param recover begins to, or waits for it. Never rejects
   */
  start(recover: () => Promise<void>): void {
    let beat: Promise<unknown> = Promise.resolve();
    const beating = this.#loop(() => {
      const now = this.#heartbeat();
      beat = now;
      return now;
    }, ({ heartbeat }) => heartbeat);
    this.#running = Promise.all([
      beating,
      notLonger(ZABBIX_FIRST_WORD, beat.catch(() => undefined)).then(recover).then(() => Promise.all([
        this.#loop(() => this.#configure(), ({ config }) => (this.#isUnsure ? 0 : config)),
        this.#loop(() => this.#send(), ({ data }) => (this.#isUrgent ? 0 : data)),
      ])),
    ]);
  }

  /** Sends what there is at once: the result of a command, for which somebody waits. */
  hurry(): void {
    this.#isUrgent = true;
    this.#parts.bell.ring();
  }

  /** It may be another server now, or another proxy to it: it is asked what it wants before it gets values. */
  unsure(): void {
    this.#isUnsure = true;
    this.#parts.bell.ring();
  }

  async stop(): Promise<void> {
    this.#aborter.abort();
    await this.#running;
  }

  /** One last message, with what there is: results of commands that have just ended. */
  async last(signal: AbortSignal): Promise<void> {
    if (this.#parts.servers.pause === 0) await this.#exchange(signal);
  }

  /** @param work returns true where it is to be done again at once */
  async #loop(work: () => Promise<boolean>, every: (frequencies: Frequencies) => number): Promise<void> {
    const { signal } = this.#aborter;
    const { servers, bell, log, frequencies } = this.#parts;
    while (!signal.aborted) {
      const begun = performance.now();
      const again = await work().catch((error: unknown) => {
        log('error', 'speaking with the Zabbix server failed', { reason: (error as Error).message });
        return false;
      });
      const pause = (): number => Math.max(servers.pause, again ? 0 : begun + every(frequencies()) - performance.now());
      // a table that has changed may ask for less
      while (!signal.aborted && pause() > 0) await bell.wait(signal, bell.rings, pause());
    }
  }

  async #heartbeat(): Promise<boolean> {
    const { servers } = this.#parts;
    const { signal } = this.#aborter;
    if (isIncremental(servers.version)) {
      servers.needless('heartbeat');
      return false;
    }
    const asked = await servers.ask('heartbeat', (where, proxy) => (isIncremental(proxy.version) ? Promise.resolve() : sendHeartbeat(where, proxy, signal)), signal);
    return 'error' in asked;
  }

  async #configure(): Promise<boolean> {
    const { servers, configurations } = this.#parts;
    const { signal } = this.#aborter;
    const asked = await servers.ask('configuration', (where, proxy) => askConfiguration(where, proxy, configurations.known, signal, (content) => this.#take(content)), signal);
    return 'error' in asked;
  }

  /** One that is of no use holds no values back for ever. */
  async #take(content: Buffer): Promise<void> {
    try {
      await this.#parts.configurations.take(content);
    } finally {
      this.#isUnsure = false;
    }
  }

  #send(): Promise<boolean> {
    this.#isUrgent = false;
    return this.#exchange(this.#aborter.signal);
  }

  /** @returns whether there is more */
  async #exchange(signal: AbortSignal): Promise<boolean> {
    const { servers, sender, tasks } = this.#parts;
    let shipment = this.#isUnsure ? sender.composeResults() : await sender.compose();
    const place = servers.place;
    const asked = await servers.ask('values', async (where, proxy) => {
      // it may be another server since values were looked for, which has not said yet what it wants
      if (this.#isUnsure) shipment = sender.composeResults();
      const sending = sendData(where, proxy, shipment.parts, signal, await this.#packed.take(proxy.name, shipment.parts));
      if (shipment.parts.more) this.#packed.pack(proxy.name, sender.next());
      const answer = await sending;
      // while it wants no values it is there, and well
      if (!answer.accepted && answer.upload === undefined) throw new ZabbixError('FAILED', answer.reason ?? 'without a reason');
      return answer;
    }, signal);
    if ('error' in asked) {
      sender.lost();
      return true;
    }
    const { answer } = asked;
    sender.settle(shipment, answer);
    this.#tellStrange(answer.strange);
    tasks.take(answer.tasks, place);
    return answer.accepted && sender.hasMore && shipment.parts.more === true;
  }

  #tellStrange(strange: readonly string[]): void {
    const words = strange.join('; ');
    if (words !== '' && words !== this.#saidStrange) this.#parts.log('warn', 'the Zabbix server sent tasks that are not known here', { tasks: words.slice(0, 500) });
    if (words !== '') this.#saidStrange = words;
  }
}
