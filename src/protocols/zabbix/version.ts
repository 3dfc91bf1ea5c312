import type { ZabbixError } from './errors.js';

/** The versions that proxies and servers claim, `6.0.14`; what they can do goes by the first two numbers. */

/** What is claimed first: of the long-term release whose words these are. Servers 4.2 to 6.0 take its data. */
export const FIRST_VERSION = '6.0.14';
/** Of the protocol's text that has tasks of types 1 and 0. */
const OLD_VERSION = '5.4.0';

/** From this version on a server tells what has changed in the configuration, and knows no heartbeat. */
const INCREMENTAL = [6, 4] as const;

/** @returns major and minor number; undefined where it is no version */
function parseVersion(version: string): readonly [number, number] | undefined {
  const found = /^(\d{1,3})\.(\d{1,3})(?:\.\d{1,5})?(?:[a-z]{1,5}\d{0,3})?$/.exec(version);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

/** Whether configurations come as changes. Such a server wants no heartbeat either. */
export function isIncremental(version: string): boolean {
  const [major, minor] = parseVersion(version) ?? [0, 0];
  return major > INCREMENTAL[0] || (major === INCREMENTAL[0] && minor >= INCREMENTAL[1]);
}

/** Whether rows and results are written as the text of 5.4 has them. */
export const isOld = (version: string): boolean => (parseVersion(version)?.[0] ?? 0) < 6;

/** Active mode: finds out which version a server takes, from what it answers. */
export class VersionChoice {
  #version: string;
  readonly #refused = new Map<string, string>();

  /** @param first what is claimed first */
  constructor(first = FIRST_VERSION) {
    this.#version = first;
  }

  /** what is to be claimed now */
  get current(): string {
    return this.#version;
  }

  /** why each version was refused, for people: `6.0.14: current proxy version is not supported by server` */
  get refusals(): string {
    return [...this.#refused].map(([version, reason]) => `${version}: ${reason}`).join('; ');
  }

  /** The server has taken what was sent: what was refused before counts no more. */
  taken(): void {
    this.#refused.clear();
  }

  /**
   * A server did not take the version that is claimed.
   * @param error VERSION; its own version is tried next where it names one, else that of the old text
   * @returns whether there is another one to claim; false: all were refused, and the first is claimed again
   */
  refused(error: ZabbixError): boolean {
    const first = this.#refused.keys().next().value ?? this.#version;
    this.#refused.set(this.#version, error.message);
    const { serverVersion } = error;
    const next = [serverVersion !== undefined && parseVersion(serverVersion) ? serverVersion : undefined, OLD_VERSION]
      .find((version) => version !== undefined && !this.#refused.has(version));
    if (next === undefined) {
      this.#version = first;
      return false;
    }
    this.#version = next;
    return true;
  }

  /** All that can be claimed was refused: the next round may begin anew. */
  forget(): void {
    this.#refused.clear();
  }
}
