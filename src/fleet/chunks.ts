import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import * as v from 'valibot';
import { MACHINE_TYPES, POWER_STATES } from '../drivers/driver.js';
import { FLEET_CHUNK_MACHINES, FLEET_CHUNK_SIZE, FLEET_CHUNK_UNPACKED, FLEET_CHUNKS } from '../kit/fleet-limits.js';
import { chunkOf } from './chunk-of.js';
import { chunkMessage, encoded, MessageFault, readMessage, type ChunkMessage } from './messages.js';
import { SEAL_SIZE } from './sealed.js';
import { chunkKey, FLEET_NAME, nameOfToken } from './subjects.js';

/** The values of an inventory, for those who write and those who read them. */

const packed = promisify(gzip);
const unpacked = promisify(gunzip);

/** What a value of the usual size unpacks to comes in one piece. */
const PIECE = 64 * 1024;
/** Bytes that are packed and unpacked at once, in some 0.2 ms: to hand them to a thread costs the event loop more than that. */
const AT_ONCE = 128 * 1024;
/** The values take little more room than with more work, which a million machines would make seconds of. */
const LEVEL = 1;
/** Bytes of a value, without its signature. */
const PACKED = FLEET_CHUNK_SIZE - SEAL_SIZE;
/** Values become fewer where so few machines are left, as a part of what they may hold: else one that comes and goes would have all written anew each time. */
const SHRINKS_BELOW = 0.25;

/**
 * Over how many values a provider's machines are spread: a power of two.
 * @param now how many there are; 1 at the beginning
 */
export function chunksFor(machines: number, now: number): number {
  const fitting = Math.min(FLEET_CHUNKS, 2 ** Math.ceil(Math.log2(Math.max(1, machines / FLEET_CHUNK_MACHINES))));
  return fitting > now || machines < now * FLEET_CHUNK_MACHINES * SHRINKS_BELOW ? fitting : now;
}

/**
 * @param text a {@link ChunkMessage} in JSON
 * @param machines how many are in it
 * @throws MessageFault where it is too large
 */
export async function packChunk(text: string, machines: number): Promise<Uint8Array> {
  if (machines > MOST_MACHINES) throw new MessageFault(`${machines} machines are more than one value may hold`);
  const plain = encoded(text, FLEET_CHUNK_UNPACKED);
  const options = { level: LEVEL, chunkSize: PIECE };
  const bytes = plain.length <= AT_ONCE ? gzipSync(plain, options) : await packed(plain, options);
  if (bytes.length > PACKED) throw new MessageFault(`it would have ${bytes.length} bytes, and at most ${PACKED} can be`);
  return bytes;
}

/** How long it is shows only when it is unpacked. */
async function unzipped(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return gunzipSync(bytes, { maxOutputLength: AT_ONCE, chunkSize: PIECE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw error;
  }
  return unpacked(bytes, { maxOutputLength: FLEET_CHUNK_UNPACKED, chunkSize: PIECE });
}

/** Machines of one value: more than there are as a rule, since a hash spreads them by chance. */
const MOST_MACHINES = FLEET_CHUNK_MACHINES * 8;

/** Without a look at each machine, which takes long by a schema: they are looked at below. */
const outline = v.object({ ...chunkMessage.entries, machines: v.pipe(v.array(v.any()), v.maxLength(MOST_MACHINES)) });

/** Which value it is: its key says so, and so does the value itself. */
export type ChunkPlace = Pick<ChunkMessage, 'site' | 'provider' | 'chunk'>;

/** What a key says, as {@link chunkKey} writes it. @throws MessageFault where it is none */
export function placeOfKey(key: string): ChunkPlace {
  const [site = '', token = '', digits = '', ...more] = key.split('.');
  const place = { site, provider: nameOfToken(token), chunk: Number(digits) };
  if (
    more.length > 0
    || !FLEET_NAME.test(site)
    || chunkKey(place.site, place.provider, place.chunk) !== key
    || !(place.chunk >= 0 && place.chunk < FLEET_CHUNKS)
  ) {
    throw new MessageFault('it is no key of an inventory');
  }
  return place;
}

/**
 * @param place what the key says under which it stands
 * @throws MessageFault where it is not what it should be, belongs under another key, or holds a machine of another value
 */
export async function unpackChunk(bytes: Uint8Array, place: ChunkPlace): Promise<ChunkMessage> {
  if (bytes.length > PACKED) throw new MessageFault(`it has ${bytes.length} bytes, and at most ${PACKED} can be`);
  const text = await unzipped(bytes).catch((error: unknown) => {
    throw new MessageFault(`it cannot be unpacked: ${(error as Error).message}`);
  });
  const message = readMessage(outline, text, FLEET_CHUNK_UNPACKED);
  const { site, provider, chunk, chunks, capabilities } = message;
  if ((chunks & (chunks - 1)) !== 0 || chunk >= chunks) throw new MessageFault(`there is no value ${chunk} of ${chunks}`);
  if (site !== place.site || provider !== place.provider || chunk !== place.chunk) throw new MessageFault('what is in it belongs under another key');
  const ids = new Set<string>();
  for (const one of message.machines as unknown[]) {
    if (!isMachine(one, capabilities.length)) throw new MessageFault('machines: one of them is none');
    const [id] = one;
    if (chunkOf(id, chunks) !== chunk || ids.has(id)) throw new MessageFault(`machines: ${JSON.stringify(id)} does not belong there`);
    ids.add(id);
  }
  return message;
}

type MachineRow = ChunkMessage['machines'][number];

const isPlace = (value: unknown, end: number): boolean => Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;

function isMachine(row: unknown, capabilities: number): row is MachineRow {
  if (!Array.isArray(row) || row.length !== 5) return false;
  const [id, name, type, state, can] = row as unknown[];
  return typeof id === 'string' && typeof name === 'string' && isPlace(type, MACHINE_TYPES.length) && isPlace(state, POWER_STATES.length) && isPlace(can, capabilities);
}
