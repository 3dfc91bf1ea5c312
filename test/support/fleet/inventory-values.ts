import { MACHINE_TYPES, POWER_STATES, type PowerState } from '../../../src/drivers/driver.js';
import { chunkOf } from '../../../src/fleet/chunk-of.js';
import { packChunk } from '../../../src/fleet/chunks.js';
import { keysSubject } from '../../../src/fleet/bus-store.js';
import { signedBy, type Bus, type Signer } from '../../../src/fleet/contract.js';
import { writeMessage, type ChunkMessage } from '../../../src/fleet/messages.js';
import { seal } from '../../../src/fleet/sealed.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { SiteKeys } from '../../../src/fleet/site-keys.js';
import { chunkKey, INVENTORY_BUCKET, newsSubject } from '../../../src/fleet/subjects.js';

/** What a site writes of its machines, as a test says it. */

export const INCARNATION = 'incarnation-one-0001';

/** The key of all sites of a test, where it does not say otherwise. */
export const SITE_SIGNER = new NkeySigner(newSeed());
export const keysOf = (...sites: string[]): SiteKeys => new SiteKeys(new Map(sites.map((site) => [site, SITE_SIGNER.publicKey])));

/** each value is written after those before */
let turns = 0;

export type Rows = readonly (readonly [id: string, name: string, state?: PowerState | undefined, capabilities?: readonly string[]])[];

export interface Written {
  readonly site?: string;
  readonly provider?: string;
  readonly chunks?: number;
  readonly seq?: number;
  readonly incarnation?: string;
  readonly type?: string;
}

/** The values of a listing. */
export function valuesOf(rows: Rows, { site = 'berlin', provider = 'kvm1', chunks = 1, seq = 0, incarnation = INCARNATION, type = 'libvirt' }: Written = {}): ChunkMessage[] {
  const sets = [...new Map(rows.map(([, , , can = ['start']]) => [can.join(), [...can]])).values()];
  return Array.from({ length: chunks }, (_, chunk) => ({
    v: 1, site, provider, type, chunk, chunks, incarnation, seq, life: 1, turn: (turns += 1), capabilities: sets,
    machines: rows.filter(([id]) => chunkOf(id, chunks) === chunk).map(([id, name, state = 'on', can = ['start']]) =>
      [id, name, MACHINE_TYPES.indexOf('vm'), POWER_STATES.indexOf(state), sets.findIndex((set) => set.join() === can.join())]),
  }));
}

/** A value without its signature. */
export const packedValue = (value: ChunkMessage): Promise<Uint8Array> => packChunk(JSON.stringify(value), value.machines.length);

/** As a site has it written under a key. */
export const sealedFor = async (key: string, value: ChunkMessage, signer: Signer = SITE_SIGNER): Promise<Uint8Array> =>
  seal(signer, keysSubject(INVENTORY_BUCKET, key), await packedValue(value));

export async function putValues(bus: Bus, values: readonly ChunkMessage[], signer: Signer = SITE_SIGNER): Promise<void> {
  for (const value of values) {
    const key = chunkKey(value.site, value.provider, value.chunk);
    await bus.bucket(INVENTORY_BUCKET).put(key, await sealedFor(key, value, signer));
  }
}

/** An event about a machine of berlin's. */
export function tellState(bus: Bus, seq: number, event: Record<string, unknown>, incarnation = INCARNATION): void {
  tellNews(bus, writeMessage({ v: 1, site: 'berlin', events: [{ incarnation, seq, type: 'state', at: '2026-11-29T20:00:00.000Z', event }] }));
}

/** What berlin's signer has signed, whatever it is. */
export function tellNews(bus: Bus, data: Uint8Array, signer: Signer = SITE_SIGNER): void {
  const subject = newsSubject('berlin');
  bus.publish(subject, data, signedBy('berlin', signer, subject, data));
}
