import type { Endpoint } from '../../../config/values.js';
import { afterFailures } from '../../../kit/backoff.js';
import { formatEndpoint } from '../../../kit/text.js';
import { ZABBIX_RETRY_FIRST, ZABBIX_RETRY_LONGEST } from '../../../kit/zabbix-gateway-limits.js';
import type { ProxyIdentity } from '../../../protocols/zabbix/conversation.js';
import { ZabbixError } from '../../../protocols/zabbix/errors.js';
import type { ServerAddress } from '../../../protocols/zabbix/exchange.js';
import type { TlsSettings } from '../../../protocols/zabbix/tls.js';
import { VersionChoice } from '../../../protocols/zabbix/version.js';
import type { Contact, Matter } from './contact.js';

/** What is asked of a server. */
type Question<T> = (where: ServerAddress, proxy: ProxyIdentity) => Promise<T>;

/** The servers of a proxy in active mode: the first that answers is asked until it does not. */
export class Servers {
  readonly #contact: Contact;
  #version = new VersionChoice();
  #servers: readonly Endpoint[] = [];
  #tls: TlsSettings | undefined;
  #name = '';
  #at = 0;
  /** in a row */
  #failures = 0;
  #notBefore = 0;

  constructor(contact: Contact) {
    this.#contact = contact;
  }

  /** The table has changed: all is tried at once. */
  set(servers: readonly Endpoint[], tls: TlsSettings | undefined, name: string): void {
    const isSame = JSON.stringify(servers) === JSON.stringify(this.#servers);
    this.#servers = servers;
    this.#tls = tls;
    this.#name = name;
    if (!isSame) {
      this.#at = 0;
      this.#version = new VersionChoice();
    }
    this.#failures = this.#notBefore = 0;
  }

  get version(): string {
    return this.#version.current;
  }

  /** Milliseconds until the next attempt. */
  get pause(): number {
    return Math.max(0, this.#notBefore - performance.now());
  }

  /** The one that is asked: `10.0.0.1:10051`. */
  get place(): string {
    return formatEndpoint(this.#servers[this.#at]!);
  }

  /**
   * Asks. Where a server wants another version, it is asked with that at once.
   * @returns undefined where it came to nothing, which is told
   */
  async ask<T>(matter: Matter, question: Question<T>, signal: AbortSignal): Promise<{ readonly answer: T } | { readonly error: ZabbixError }> {
    for (;;) {
      const place = this.place;
      const version = this.#version.current;
      try {
        const answer = await question({ ...this.#servers[this.#at]!, tls: this.#tls }, { name: this.#name, version });
        this.#answered(place, matter);
        return { answer };
      } catch (error) {
        if (!(error instanceof ZabbixError)) throw error;
        if (signal.aborted) return { error };
        // somebody else may have asked meanwhile, and know better
        if (error.code === 'VERSION' && (version !== this.#version.current || this.#version.refused(error))) continue;
        this.#failed(place, matter, error);
        return { error };
      }
    }
  }

  /** It is not asked that any more. */
  needless(matter: Matter): void {
    this.#contact.needless(matter);
  }

  #answered(place: string, matter: Matter): void {
    // a server takes heartbeats of any version, and up to 6.2 tells all its configuration
    if (matter === 'values') this.#version.taken();
    this.#failures = this.#notBefore = 0;
    this.#contact.answered(place, matter);
  }

  #failed(place: string, matter: Matter, error: ZabbixError): void {
    const reason = error.code === 'VERSION' ? this.#version.refusals || error.message : error.message;
    if (error.code === 'VERSION') this.#version.forget();
    this.#contact.failed(place, matter, reason);
    if (place !== this.place || this.pause > 0) return;
    this.#failures += 1;
    this.#at = (this.#at + 1) % this.#servers.length;
    // each of them once, then a pause
    const rounds = Math.floor(this.#failures / this.#servers.length);
    if (this.#failures % this.#servers.length === 0) {
      const pause = afterFailures(rounds, ZABBIX_RETRY_FIRST, ZABBIX_RETRY_LONGEST);
      this.#notBefore = performance.now() + pause * (0.8 + 0.4 * Math.random());
    }
  }
}
