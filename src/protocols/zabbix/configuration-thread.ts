import { parentPort, workerData } from 'node:worker_threads';
import { readTables, type FromThread } from './configuration-tables.js';
import { ZabbixError } from './errors.js';

/**
 * The entry of a thread that reads one long configuration. It hands over one part for each question: many at once would
 * be unpacked in one go by who asks.
 */

const port = parentPort!;
const parts: FromThread[] = [];

try {
  const outline = readTables(Buffer.from(workerData as Uint8Array), (batch) => parts.push(batch));
  parts.push({ outline });
} catch (error) {
  const { code, message, serverVersion } = error instanceof ZabbixError ? error : new ZabbixError('GARBAGE', (error as Error).message);
  parts.splice(0, parts.length, { fault: { code, message, serverVersion } });
}
parts.reverse();
port.on('message', () => port.postMessage(parts.pop()));
