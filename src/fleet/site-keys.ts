import { FROM_HEADER, SIGNATURE_HEADER, type BusMessage } from './contract.js';
import { MessageFault } from './messages.js';
import { unseal } from './sealed.js';
import { KnownKey } from './signer.js';
import { FLEET_NAME } from './subjects.js';

const UNSIGNED = 'it is not signed';
const FOREIGN = 'its signature is not by the key of that site';

/** Which sites there are, and by which keys what they say is known to be theirs. */
export class SiteKeys {
  /** undefined: the bus alone says which site is which */
  #keys: ReadonlyMap<string, KnownKey> | undefined;

  readonly #own: string | undefined;

  /**
   * @param table public keys by sites, as configured
   * @param own this server's own name where it is a site, too: what that one has is here already
   */
  constructor(table: ReadonlyMap<string, string> | undefined, own?: string) {
    this.#own = own;
    this.replace(table);
  }

  /** @throws Error where one is no key */
  replace(table: ReadonlyMap<string, string> | undefined): void {
    this.#keys = table && new Map(Array.from(table, ([site, key]) => [site, new KnownKey(key)]));
  }

  isOwn(name: string): boolean {
    return name === this.#own;
  }

  /** Whether that may be another site of ours. */
  isSite(name: string): boolean {
    if (this.isOwn(name)) return false;
    return this.#keys === undefined ? FLEET_NAME.test(name) : this.#keys.has(name);
  }

  /** Whether none are configured, so that nothing that sites sign can be looked at. */
  get areOpen(): boolean {
    return this.#keys === undefined;
  }

  /** Those that are configured: they are there also before they were heard of. */
  get configured(): readonly string[] {
    return [...this.#keys?.keys() ?? []].filter((name) => this.isSite(name));
  }

  /** Why a message is not believed to be a site's; undefined where it is. */
  doubt(site: string, purpose: string, message: BusMessage): string | undefined {
    if (!this.isSite(site)) return 'there is no such site';
    if (this.#keys === undefined) return undefined;
    const signature = message.header(SIGNATURE_HEADER);
    if (signature === undefined) return UNSIGNED;
    if (message.header(FROM_HEADER) !== site) return 'it is signed as somebody else';
    return this.#keys.get(site)!.verifies(purpose, message.data, signature) ? undefined : FOREIGN;
  }

  /** By which key a site is known; undefined: there is none. */
  keyOf(site: string): string | undefined {
    return this.#keys?.get(site)?.publicKey;
  }

  /**
   * What is in a value of a bucket that a site has written.
   * @param subject of the key under which it stands
   * @throws MessageFault with why it is not believed
   */
  unsealed(site: string, subject: string, value: Uint8Array): Uint8Array {
    if (!this.isSite(site)) throw new MessageFault('there is no such site');
    return unsealed(this.#keys?.get(site), subject, value);
  }
}

/** @param key by whom it has to be signed; undefined: nobody's is known @throws MessageFault with why it is not believed */
export function unsealed(key: KnownKey | undefined, subject: string, value: Uint8Array): Uint8Array {
  const parts = unseal(value);
  if (parts === undefined) throw new MessageFault(UNSIGNED);
  if (key?.verifies(subject, parts.content, parts.signature) === false) throw new MessageFault(FOREIGN);
  return parts.content;
}
