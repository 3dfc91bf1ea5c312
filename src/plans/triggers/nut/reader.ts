import type { Secret } from '../../../config/secret.js';
import { UPSD_LOGIN_RETRY } from '../../../kit/trigger-limits.js';
import type { Log } from '../../../kit/log.js';
import { UpsdClient } from '../../../protocols/nut/client.js';
import type { Trust } from '../../../protocols/tls/connect.js';
import type { Clock } from '../../clock.js';
import type { Variables } from './status.js';

/** Where a UPS is. */
export interface UpsPlace {
  readonly host: string;
  readonly port: number;
  readonly ups: string;
}

/** How upsd is spoken to. What is read from files is read anew for each connection. */
export interface UpsAccess {
  readonly user: string | undefined;
  password(): Secret | undefined;
  /** undefined: in the clear */
  trust(): Trust | undefined;
  /** makes us one for whom the primary waits */
  readonly login: boolean;
}

/** Reads one UPS, over a connection that is kept and made anew when it has ended. */
export class UpsReader {
  readonly #place: UpsPlace;
  readonly #access: UpsAccess;
  readonly #log: Log;
  readonly #clock: Clock;
  #client: UpsdClient | undefined;
  #isLoggedIn = false;
  #nextLogin = 0;
  #complaint: string | undefined;
  #isClosed = false;

  constructor(place: UpsPlace, access: UpsAccess, log: Log, clock: Clock) {
    this.#place = place;
    this.#access = access;
    this.#log = log;
    this.#clock = clock;
  }

  /** All that it says now. @throws Error, in words that hold no secret, where that cannot be told */
  async read(): Promise<Variables> {
    const client = await this.#connected();
    if (this.#access.login && !this.#isLoggedIn && this.#clock.elapsed() >= this.#nextLogin) await this.#login(client);
    return client.variables(this.#place.ups);
  }

  /** Logs out where it is logged in, and closes. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#isLoggedIn && this.#client?.isClosed === false) await this.#client.logout().catch(() => undefined);
    this.#client?.close();
  }

  async #connected(): Promise<UpsdClient> {
    if (this.#client?.isClosed === false) return this.#client;
    const { host, port } = this.#place;
    const trust = this.#access.trust();
    const client = this.#client = await UpsdClient.connect({ host, port, ...(trust !== undefined && { trust }) });
    this.#isLoggedIn = false;
    this.#nextLogin = 0;
    if (this.#isClosed) client.close();
    const password = this.#access.password();
    if (this.#access.user !== undefined && password !== undefined) await client.identify(this.#access.user, password.reveal());
    return client;
  }

  /** One that is refused keeps nothing from being read: that needs no right. */
  async #login(client: UpsdClient): Promise<void> {
    try {
      await client.login(this.#place.ups);
      this.#isLoggedIn = true;
      this.#complaint = undefined;
    } catch (error) {
      this.#nextLogin = this.#clock.elapsed() + UPSD_LOGIN_RETRY;
      const { message } = error as Error;
      if (message !== this.#complaint) this.#log('error', 'login at upsd failed: its primary will not wait for us', { ups: this.#place.ups, reason: message });
      this.#complaint = message;
      if (client.isClosed) throw error;
    }
  }
}
