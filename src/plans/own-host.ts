import { readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import type { Actor } from '../instances/actor.js';
import type { InstanceInfo } from '../instances/info.js';
import type { InstancePattern } from '../kit/patterns.js';
import { PLAN_OWN_HOST_LOOK } from '../kit/plan-limits.js';

/** Which of the machines runs this server, so that a plan switches it off last. */

export interface OwnHost {
  /** of the board, or of the virtual machine that this process runs in: in lower case, in both ways of writing it */
  readonly uuids: readonly string[];
  /** names and addresses of the system that this process runs on, in lower case */
  readonly names: readonly string[];
  /** what the configuration says of it; left out: nothing */
  readonly patterns?: readonly InstancePattern[];
}

/** Asks the system. Never rejects. */
export type OwnHostReader = () => Promise<OwnHost>;

/** Readable for root alone; absent in containers. */
const PRODUCT_UUID = '/sys/class/dmi/id/product_uuid';

export const readOwnHost: OwnHostReader = async () => {
  const uuid = await readFile(PRODUCT_UUID, 'utf8').then((text) => text.trim().toLowerCase(), () => '');
  const name = hostname().toLowerCase();
  const addresses = Object.values(networkInterfaces()).flat().filter((one) => one !== undefined && !one.internal).map((one) => one!.address.toLowerCase());
  return { uuids: waysOfWriting(uuid), names: [...new Set([name, shortName(name), ...addresses])].filter((one) => one !== '' && one !== 'localhost') };
};

const UUID = /^([\da-f]{2})([\da-f]{2})([\da-f]{2})([\da-f]{2})-([\da-f]{2})([\da-f]{2})-([\da-f]{2})([\da-f]{2})-(.{4}-.{12})$/;

/**
 * Firmware older than SMBIOS 2.6 has the first three fields the other way round, and so have some
 * hypervisors' (SMBIOS 2.6, 7.2.1); boards without one say nothing but zeros or ones.
 */
export function waysOfWriting(uuid: string): string[] {
  const [, a, b, c, d, e, f, g, h, rest] = UUID.exec(uuid) ?? [];
  if (rest === undefined || /^[0-]+$|^[f-]+$/.test(uuid)) return [];
  return [uuid, `${d}${c}${b}${a}-${f}${e}-${h}${g}-${rest}`];
}

/** A full name's first label; an address has none. */
const shortName = (name: string): string => (/^[\d.]+$|:/.test(name) ? name : name.split('.')[0]!);

/** Tells the machines that carry this server from the others. */
export class OwnHostTest {
  readonly #uuids: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;
  readonly #patterns: readonly InstancePattern[];

  constructor({ uuids, names, patterns = [] }: OwnHost) {
    this.#uuids = new Set(uuids);
    this.#names = new Set(names);
    this.#patterns = patterns;
  }

  /**
   * Asks also for the hypervisor under the virtual machine that this is, where an account may see that machine.
   * What is not told in time is not known.
   */
  static async find(read: OwnHostReader, actor: Actor): Promise<OwnHostTest> {
    const own = await read();
    const carriers = await Promise.all(own.uuids.map(async (uuid) => {
      const { instances } = await actor.select([`*/#${uuid}`]);
      const facts = await Promise.all(instances.filter(({ type }) => type !== 'host').map((one) => actor.read(one, 'info', { deadline: PLAN_OWN_HOST_LOOK }).catch(() => undefined)));
      return facts.map((fact) => fact?.host?.toLowerCase()).filter((name) => name !== undefined);
    }).map((names) => names.catch(() => [])));
    return new OwnHostTest({ ...own, names: [...own.names, ...carriers.flat().flatMap((name) => [name, shortName(name)])] });
  }

  /** A name that the system has tells of hosts alone: a guest may be called like any of them. */
  isOwn({ provider, id, name, type }: Pick<InstanceInfo, 'provider' | 'id' | 'name' | 'type'>): boolean {
    if (this.#uuids.has(id.toLowerCase()) || this.#patterns.some((pattern) => pattern.matches({ provider, id, name }))) return true;
    const lower = name.toLowerCase();
    return type === 'host' && (this.#names.has(lower) || this.#names.has(shortName(lower)));
  }
}
