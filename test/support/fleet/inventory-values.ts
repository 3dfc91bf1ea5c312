import { MACHINE_TYPES, POWER_STATES, type PowerState } from '../../../src/drivers/driver.js';
import { chunkOf } from '../../../src/fleet/chunk-of.js';
import { packChunk } from '../../../src/fleet/chunks.js';
import type { Bus } from '../../../src/fleet/contract.js';
import { writeMessage, type ChunkMessage } from '../../../src/fleet/messages.js';
import { chunkKey, eventSubject, INVENTORY_BUCKET } from '../../../src/fleet/subjects.js';

/** What a site writes of its machines, as a test says it. */

export const INCARNATION = 'incarnation-one-0001';

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
    v: 1, site, provider, type, chunk, chunks, incarnation, seq, capabilities: sets,
    machines: rows.filter(([id]) => chunkOf(id, chunks) === chunk).map(([id, name, state = 'on', can = ['start']]) =>
      [id, name, MACHINE_TYPES.indexOf('vm'), POWER_STATES.indexOf(state), sets.findIndex((set) => set.join() === can.join())]),
  }));
}

export async function putValues(bus: Bus, values: readonly ChunkMessage[]): Promise<void> {
  for (const value of values) await bus.bucket(INVENTORY_BUCKET).put(chunkKey(value.site, value.provider, value.chunk), await packChunk(value));
}

/** An event about a machine of berlin's. */
export function tellState(bus: Bus, seq: number, event: Record<string, unknown>, incarnation = INCARNATION): void {
  bus.publish(eventSubject('berlin', 'state'), writeMessage({ v: 1, site: 'berlin', incarnation, seq, type: 'state', at: '2026-11-29T20:00:00.000Z', event }));
}
