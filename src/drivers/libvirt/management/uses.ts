import { posix } from 'node:path';
import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { XmlFlag } from '../../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../../protocols/libvirt/errors.js';
import { formatUuid, type Domain } from '../../../protocols/libvirt/types.js';
import type { LibvirtConnection } from '../connection.js';
import { createReader, isElement, text, type Element } from '../xml.js';
import { inParts } from './in-parts.js';
import { NamedVolumes, volumeKey } from './named-volumes.js';

/** Which files, devices and volumes the domains have: as they run, and as they will be started next. */

/** What one domain has. */
export interface DomainUse {
  /** its uuid */
  readonly id: string;
  readonly name: string;
  /** all paths that its description names: disks, what they are made on, kernels, variables of its firmware; and those of the volumes below */
  readonly paths: ReadonlySet<string>;
  /** of these, what its disks are */
  readonly sources: ReadonlySet<string>;
  /** by {@link volumeKey}, where the description names a pool and its volume */
  readonly volumes: ReadonlySet<string>;
}

/** Milliseconds for which a description is taken for unchanged: libvirt tells of no disk that is added for the next start. */
const KEPT_MS = 60_000;

/** What so many questions are counted under. */
const PLACE = 'descriptions';

const read = createReader([]);

/**
 * Remembers what each domain has, so that a listing of images costs one call, and not one for each domain. What events
 * tell of is asked for anew. Decisions do not go by it: what is to be deleted is looked for in all descriptions.
 */
export class DomainUses {
  readonly #connection: LibvirtConnection;
  readonly #known = new Map<string, { readonly use: DomainUse; readonly at: number }>();
  readonly #named = new NamedVolumes();
  /** grows with each event: what was being read meanwhile may be out of date already */
  #events = 0;

  constructor(connection: LibvirtConnection) {
    this.#connection = connection;
  }

  /** An event told of a domain; left out: of any may have been missed. */
  forget(id?: string): void {
    this.#events += 1;
    if (id === undefined) this.#known.clear();
    else this.#known.delete(id);
  }

  /** @param isFresh asks for all of them */
  read(signal: AbortSignal, isFresh = false): Promise<DomainUse[]> {
    return this.#connection.useAt(PLACE, 'reads', signal, (client) => this.#read(client, signal, isFresh));
  }

  async #read(client: LibvirtClient, signal: AbortSignal, isFresh: boolean): Promise<DomainUse[]> {
    const domains = await client.domains(0, signal);
    this.#keepOnly(new Set(domains.map(({ uuid }) => formatUuid(uuid))));
    const uses = await inParts(domains, (domain) => this.#of(client, domain, signal, isFresh));
    return this.#withNamed(client, uses.filter((use) => use !== undefined), signal, isFresh);
  }

  async #withNamed(client: LibvirtClient, uses: readonly DomainUse[], signal: AbortSignal, isFresh: boolean): Promise<DomainUse[]> {
    const paths = await this.#named.paths(client, new Set(uses.flatMap(({ volumes }) => [...volumes])), signal, isFresh);
    return uses.map((use) => {
      const named = [...use.volumes].flatMap((key) => paths.get(key) ?? []);
      return named.length === 0 ? use : { ...use, paths: new Set([...use.paths, ...named]), sources: new Set([...use.sources, ...named]) };
    });
  }

  #keepOnly(present: ReadonlySet<string>): void {
    for (const id of this.#known.keys()) if (!present.has(id)) this.#known.delete(id);
  }

  async #of(client: LibvirtClient, domain: Domain, signal: AbortSignal, isFresh: boolean): Promise<DomainUse | undefined> {
    const id = formatUuid(domain.uuid);
    const known = isFresh ? undefined : this.#known.get(id);
    if (known !== undefined && known.use.name === domain.name && performance.now() - known.at < KEPT_MS) return known.use;
    const events = this.#events;
    const use = await readUse(client, domain, signal);
    if (use !== undefined && events === this.#events) this.#known.set(id, { use, at: performance.now() });
    return use;
  }
}

/** @returns undefined for a domain that is gone */
async function readUse(client: LibvirtClient, domain: Domain, signal: AbortSignal): Promise<DomainUse | undefined> {
  try {
    const next = client.xml(domain, signal, XmlFlag.INACTIVE);
    const descriptions = await Promise.all(domain.id === -1 ? [next] : [next, client.xml(domain, signal)]);
    return parseUse(formatUuid(domain.uuid), domain.name, descriptions);
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_DOMAIN) return undefined;
    throw error;
  }
}

/**
 * What a description says itself; where the volumes are that it names by their pools is libvirt's to say.
 * Every absolute path in a description counts, wherever it stands: that libvirt will have a further place for one some
 * day is more likely than that a path which is none of the domain's is a volume's.
 */
export function parseUse(id: string, name: string, descriptions: readonly string[]): DomainUse {
  const paths = new Set<string>();
  const sources = new Set<string>();
  const volumes = new Set<string>();
  const look = (value: unknown, isSource: boolean): void => {
    if (typeof value === 'string') {
      if (!value.startsWith('/')) return;
      paths.add(posix.normalize(value));
      if (isSource) sources.add(posix.normalize(value));
    } else if (Array.isArray(value)) {
      value.forEach((each) => look(each, isSource));
    } else if (isElement(value)) {
      noteVolume(value, volumes);
      for (const [key, each] of Object.entries(value)) look(each, key === 'source' || (isSource && key.startsWith('@')));
    }
  };
  for (const description of descriptions) look(read(description), false);
  return { id, name, paths, sources, volumes };
}

function noteVolume(element: Element, volumes: Set<string>): void {
  const [pool, volume] = [text(element, '@pool'), text(element, '@volume')];
  if (pool !== undefined && volume !== undefined) volumes.add(volumeKey(pool, volume));
}
