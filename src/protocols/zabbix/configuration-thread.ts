import { parentPort, workerData } from 'node:worker_threads';
import { readTables, type FromThread } from './configuration-tables.js';
import { ZabbixError } from './errors.js';

/** The entry of a thread that reads one long configuration and ends. */

const port = parentPort!;
const tell = (message: FromThread): void => port.postMessage(message);

try {
  tell({ outline: readTables(Buffer.from(workerData as Uint8Array), tell) });
} catch (error) {
  const { code, message, serverVersion } = error instanceof ZabbixError ? error : new ZabbixError('GARBAGE', (error as Error).message);
  tell({ fault: { code, message, serverVersion } });
}
