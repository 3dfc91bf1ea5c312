import { gzipSync } from 'node:zlib';
import t from 'tap';
import { chunkOf } from '../../src/fleet/chunk-of.js';
import { chunksFor, placeOfKey, unpackChunk } from '../../src/fleet/chunks.js';
import { MessageFault, type ChunkMessage } from '../../src/fleet/messages.js';
import { chunkKey } from '../../src/fleet/subjects.js';
import { FLEET_CHUNK_MACHINES, FLEET_CHUNK_SIZE, FLEET_CHUNK_UNPACKED, FLEET_CHUNKS } from '../../src/kit/fleet-limits.js';
import { packedValue } from '../support/fleet/inventory-values.js';

const idsOf = (chunk: number, chunks: number, count: number): string[] => {
  const found: string[] = [];
  for (let number = 0; found.length < count; number += 1) if (chunkOf(`m${number}`, chunks) === chunk) found.push(`m${number}`);
  return found;
};

const message = (ids: readonly string[], more: Partial<ChunkMessage> = {}): ChunkMessage => ({
  v: 1, site: 'berlin', provider: 'kvm1', type: 'libvirt', chunk: 0, chunks: 1, incarnation: '0123456789abcdef', seq: 7, life: 1, turn: 1,
  capabilities: [['start']], machines: ids.map((id) => [id, `${id} ü`, 0, 0, 0]), ...more,
});

const FIRST = placeOfKey('berlin.kvm1.0');

void t.test('a key says which value it is, or is none', (t) => {
  t.same(FIRST, { site: 'berlin', provider: 'kvm1', chunk: 0 });
  t.same(placeOfKey(chunkKey('berlin', 'my.kvm', 12)), { site: 'berlin', provider: 'my.kvm', chunk: 12 });
  for (const key of ['', 'berlin', 'berlin.kvm1', 'berlin.kvm1.x', 'berlin.kvm1.01', 'berlin.kvm1.-1', `berlin.kvm1.${FLEET_CHUNKS}`, 'berlin.kvm1.0.0', 'Berlin.kvm1.0', 'berlin.=a3ZtMQ.0']) {
    t.throws(() => placeOfKey(key), MessageFault, key);
  }
  t.end();
});

void t.test('values are a power of two, and neither become more nor fewer by one machine that comes and goes', (t) => {
  t.equal(chunksFor(0, 1), 1);
  t.equal(chunksFor(FLEET_CHUNK_MACHINES, 1), 1);
  t.equal(chunksFor(FLEET_CHUNK_MACHINES + 1, 1), 2);
  t.equal(chunksFor(FLEET_CHUNK_MACHINES, 2), 2);
  t.equal(chunksFor(FLEET_CHUNK_MACHINES / 2, 2), 2);
  t.equal(chunksFor(FLEET_CHUNK_MACHINES / 2 - 1, 2), 1);
  t.equal(chunksFor(1_000_000, 1), 2048);
  t.equal(chunksFor(0, 2048), 1);
  t.equal(chunksFor(1e9, 1), FLEET_CHUNKS);
  const all = Array.from({ length: 3000 }, (_, at) => [1, 2, 16, 64].map((now) => ({ machines: at * 7, chunks: chunksFor(at * 7, now) }))).flat();
  t.same(all.filter(({ machines, chunks }) => (chunks & (chunks - 1)) !== 0 || chunksFor(machines, chunks) !== chunks), [], 'each is a power of two, and stays so');
  t.end();
});

void t.test('a hash spreads uuids and numbered names alike', (t) => {
  for (const nameOf of [(at: number) => `m${at}`, (at: number) => `${at.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`, (at: number) => String(at)]) {
    const counts = Array.from({ length: 64 }, () => 0);
    for (let at = 0; at < 32_000; at += 1) counts[chunkOf(nameOf(at), 64)]! += 1;
    t.ok(Math.max(...counts) < 2 * FLEET_CHUNK_MACHINES, `${nameOf(1)}: at most ${Math.max(...counts)}`);
    t.ok(Math.min(...counts) > FLEET_CHUNK_MACHINES / 2, `${nameOf(1)}: at least ${Math.min(...counts)}`);
  }
  t.end();
});

void t.test('what is packed is unpacked', async (t) => {
  const whole = message(idsOf(3, 4, 500), { chunk: 3, chunks: 4 });
  const bytes = await packedValue(whole);
  t.ok(bytes.length < 20_000, `${bytes.length} bytes`);
  t.same(await unpackChunk(bytes, whole), whole);
  t.same(await unpackChunk(await packedValue(message([])), FIRST), message([]));
});

void t.test('so is one that unpacks to much more than the usual ones', async (t) => {
  const whole = message(Array.from({ length: 3000 }, (_, at) => `${'x'.repeat(100)}${at}`));
  t.ok(JSON.stringify(whole).length > 300_000);
  t.same(await unpackChunk(await packedValue(whole), FIRST), whole);
});

void t.test('a provider is called as one can be in a configuration', async (t) => {
  for (const more of [{ provider: 'kvm1/web' }, { provider: 'kvm\n1' }, { provider: '' }, { type: 'lib virt' }]) await t.rejects(packedValue(message([], more)).then((bytes) => unpackChunk(bytes, { ...FIRST, ...more })), MessageFault, JSON.stringify(more));
});

void t.test('what would be too large is not packed', async (t) => {
  const random = (): string => Array.from({ length: 400 }, () => String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 0x5000))).join('');
  await t.rejects(packedValue(message(Array.from({ length: FLEET_CHUNK_MACHINES * 8 + 1 }, (_, at) => `m${at}`))), MessageFault);
  await t.rejects(packedValue(message(Array.from({ length: 1000 }, random))), MessageFault);
  await t.rejects(packedValue(message(Array.from({ length: 1000 }, () => 'x'.repeat(5000)))), MessageFault);
});

void t.test('what is no value is refused with the reason', async (t) => {
  const packed = (content: unknown): Uint8Array => gzipSync(JSON.stringify(content));
  const cases: [string, Uint8Array, RegExp][] = [
    ['no gzip', Buffer.from('x'), /unpacked/],
    ['cut off', gzipSync(JSON.stringify(message(['a']))).subarray(0, 60), /unpacked/],
    ['too large', new Uint8Array(FLEET_CHUNK_SIZE + 1), /bytes/],
    ['too large when unpacked', gzipSync(Buffer.alloc(FLEET_CHUNK_UNPACKED + 1, 0x20)), /unpacked/],
    ['of another version', packed({ ...message([]), v: 2 }), /version 2/],
    ['no power of two', packed(message([], { chunks: 3 })), /no value 0 of 3/],
    ['beyond the last', packed(message([], { chunk: 2, chunks: 2 })), /no value 2 of 2/],
    ...([{ site: 'paris' }, { provider: 'kvm2' }, { chunk: 1, chunks: 2 }] as const)
      .map((other): [string, Uint8Array, RegExp] => [`of another key: ${JSON.stringify(other)}`, packed(message([], other)), /another key/]),
    ['too many machines', packed(message(Array.from({ length: FLEET_CHUNK_MACHINES * 8 + 1 }, (_, at) => `m${at}`))), /machines/],
    ['of another value', packed(message(idsOf(1, 2, 1), { chunk: 0, chunks: 2 })), /does not belong/],
    ['one twice', packed(message(['a', 'a'])), /does not belong/],
    ...[['id', 'name', 9, 0, 0], ['id', 'name', 0, 99, 0], ['id', 'name', 0, 0, 1], ['id', 'name', 0, 0, -1], ['id', 'name', 0.5, 0, 0], [1, 'name', 0, 0, 0], ['id', 'name', 0, 0], 'id', null]
      .map((row): [string, Uint8Array, RegExp] => [`machine ${JSON.stringify(row)}`, packed({ ...message([]), machines: [row] }), /machines/]),
  ];
  for (const [name, bytes, reason] of cases) await t.rejects(unpackChunk(bytes, FIRST), { name: 'MessageFault', message: reason }, name);
});
