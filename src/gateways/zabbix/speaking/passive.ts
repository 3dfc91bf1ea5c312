import type { Socket } from 'node:net';
import type { Log } from '../../../kit/log.js';
import { Places } from '../../../kit/places.js';
import { underAll } from '../../../kit/within.js';
import { ZABBIX_LONG_MESSAGES, ZABBIX_LONG_WAITING, ZABBIX_REQUEST, ZABBIX_SILENCE_LEAST, ZABBIX_SILENCE_TIMES } from '../../../kit/zabbix-gateway-limits.js';
import type { HalfOpen, Place } from '../../../listening/half-open.js';
import type { ServerAnswer } from '../../../protocols/zabbix/conversation.js';
import { ZabbixError } from '../../../protocols/zabbix/errors.js';
import { answerServer, type Upload } from '../../../protocols/zabbix/passive.js';
import { acceptSecure, type TlsSettings } from '../../../protocols/zabbix/tls.js';
import { VersionGuess, type Asked } from '../../../protocols/zabbix/version-guess.js';
import { FIRST_VERSION } from '../../../protocols/zabbix/version.js';
import type { History } from '../../../store/history.js';
import { Absence } from './absence.js';
import type { Configurations } from './configurations.js';
import type { Contact } from './contact.js';
import { KeptNote } from './kept-note.js';
import type { Sender, Shipment } from './sender.js';
import type { Tasks } from './tasks.js';

interface PassiveParts {
  readonly history: Pick<History, 'open' | 'note' | 'setNote'>;
  readonly sender: Sender;
  readonly tasks: Tasks;
  readonly configurations: Configurations;
  readonly contact: Contact;
  readonly log: Log;
  /** those that have asked nothing yet */
  readonly halfOpen: HalfOpen;
  /** how long nobody may ask until that is told, milliseconds; other in tests */
  readonly absentAfter?: number | undefined;
  /** as the table says now */
  tls(): TlsSettings | undefined;
  /** which version the server takes, where the table says it: `5.4` */
  serverVersion(): string | undefined;
}

/** Passive mode: the server connects, brings the configuration and tasks, and fetches values. */
export class Passive {
  readonly #parts: PassiveParts;
  readonly #aborter = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** that values are on their way: nobody else gets them meanwhile */
  #isSending = false;
  #polls = new Polls();
  /** messages as long as configurations: each takes hundreds of megabytes at the worst */
  readonly #long = new Places(ZABBIX_LONG_MESSAGES, ZABBIX_LONG_WAITING);
  /** which version the server took */
  readonly #note: KeptNote;
  #versions: Promise<VersionGuess> | undefined;
  /** the table's version when that was made */
  #fixed: string | undefined;
  readonly #absence: Absence;

  constructor(parts: PassiveParts) {
    this.#parts = parts;
    this.#absence = new Absence(() => parts.contact.absent(), parts.absentAfter);
    this.#note = new KeptNote(parts.history, 'version');
  }

  /** Serves a connection that was admitted. */
  connected(socket: Socket, address: string): void {
    // told where it is read
    socket.on('error', () => undefined);
    if (this.#aborter.signal.aborted) {
      socket.destroy();
      return;
    }
    const serving = this.#serve(socket, address).finally(() => this.#underWay.delete(serving));
    this.#underWay.add(serving);
  }

  async stop(): Promise<void> {
    this.#aborter.abort();
    this.#absence.stop();
    await Promise.all(this.#underWay);
  }

  async #serve(plain: Socket, address: string): Promise<void> {
    const { contact, log, tls: settings, halfOpen } = this.#parts;
    const { signal } = this.#aborter;
    const place = halfOpen.enter(address, () => plain.destroy());
    let isRequest = false;
    try {
      const tls = settings();
      const socket = tls === undefined ? plain : await acceptSecure(plain, tls, ZABBIX_REQUEST, signal);
      socket.on('error', () => undefined);
      place.closeBy(() => socket.destroy());
      const request = await this.#answer(socket, address, place, () => {
        isRequest = true;
        this.#absence.heard();
      });
      if (request !== undefined) contact.answered(address, 'request');
    } catch (error) {
      plain.destroy();
      if (signal.aborted) return;
      if (error instanceof ZabbixError && isRequest) contact.failed(address, 'request', error.message);
      else if (error instanceof ZabbixError) contact.strange(address, error.message);
      else log('error', 'answering the Zabbix server failed', { address, reason: (error as Error).message });
    } finally {
      place.leave();
    }
  }

  /** @param begun called when it is known that somebody asks what servers ask */
  async #answer(socket: Socket, address: string, place: Place, begun: () => void): Promise<string | undefined> {
    const { sender, configurations } = this.#parts;
    const versions = await this.#guess();
    return underAll([this.#aborter.signal], (limited) => answerServer(socket, {
      asked: (what) => {
        place.leave();
        begun();
        return this.#asked(versions, what);
      },
      room: async (limited) => {
        const giveBack = await this.#room(limited);
        // a configuration on its way, which takes long: there are few of these at a time
        place.leave();
        return giveBack;
      },
      known: configurations.known,
      configure: (content) => configurations.take(content),
      data: async () => {
        // no sign that a server has died: what the other connection has is not to go again for that
        if (this.#isSending) {
          this.#parts.contact.strange(address, 'it asks for values while it gets some already: it gets none until those have arrived');
          return this.#upload(sender.composeNothing(), address, () => undefined);
        }
        this.#isSending = true;
        if (this.#polls.areLate()) sender.doubt();
        try {
          return this.#upload(versions.isSettled ? await sender.compose() : sender.composeNothing(), address, () => { this.#isSending = false; });
        } catch (error) {
          this.#isSending = false;
          throw error;
        }
      },
      tasks: () => Promise.resolve(this.#upload(versions.isSettled ? sender.composeResults() : sender.composeNothing(), address, () => undefined)),
    }, limited));
  }

  async #room(signal: AbortSignal): Promise<() => void> {
    try {
      return await this.#long.take(signal);
    } catch {
      throw new ZabbixError('LARGE', 'too many long messages come at a time');
    }
  }

  #guess(): Promise<VersionGuess> {
    const fixed = this.#parts.serverVersion();
    if (fixed !== this.#fixed) this.#versions = undefined;
    this.#fixed = fixed;
    return this.#versions ??= this.#firstGuess(fixed && `${fixed}.0`);
  }

  /** Where the disk cannot be read, the server shows again what it takes. */
  async #firstGuess(fixed: string | undefined): Promise<VersionGuess> {
    // whoever brought one before its version was noted took the first
    const known = await this.#note.read().catch(() => undefined) ?? (await this.#parts.configurations.isKept() ? FIRST_VERSION : undefined);
    return new VersionGuess(performance.now(), { known, fixed });
  }

  #asked(versions: VersionGuess, what: Asked): string {
    const { log } = this.#parts;
    const before = { version: versions.current, isSettled: versions.isSettled };
    const version = versions.asked(what, performance.now());
    if (versions.isSettled && !before.isSettled) {
      log('info', 'the Zabbix server takes the version that it is told', { version });
      this.#note.set(version);
    }
    void this.#note.keep();
    if (!versions.isSettled && version !== before.version) log('warn', 'the Zabbix server brings no configuration: it is told another version, and gets no values until it does', { version });
    return version;
  }

  #upload(shipment: Shipment, address: string, done: () => void): Upload<Shipment['parts']> {
    const { sender, tasks } = this.#parts;
    return {
      parts: shipment.parts,
      settle: (answer: ServerAnswer | undefined) => {
        done();
        if (answer === undefined || !answer.accepted) sender.lost();
        if (answer !== undefined) {
          sender.settle(shipment, answer);
          tasks.take(answer.tasks, address);
        }
        return Promise.resolve();
      },
    };
  }
}

/** How often a server asks, and whether it was silent for so long that it may have been started anew. */
class Polls {
  #lastAt: number | undefined;
  /** the usual time between two, milliseconds */
  #usual: number | undefined;

  /** One more has come. */
  areLate(): boolean {
    const now = performance.now();
    const silence = this.#lastAt === undefined ? undefined : now - this.#lastAt;
    this.#lastAt = now;
    if (silence === undefined) return true;
    const usual = this.#usual;
    const isLate = usual !== undefined && silence > Math.max(usual * ZABBIX_SILENCE_TIMES, usual + ZABBIX_SILENCE_LEAST);
    // several at once are of a backlog: they say nothing of what is usual
    if (!isLate && silence > 200) this.#usual = usual === undefined ? silence : usual * 0.8 + silence * 0.2;
    return isLate;
  }
}
