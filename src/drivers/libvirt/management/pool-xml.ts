import { posix } from 'node:path';
import { child, createReader, text } from '../xml.js';

/** The description of a pool (https://libvirt.org/formatstorage.html). */

export interface PoolDescription {
  /** dir, logical, rbd, … */
  readonly type: string;
  /** of the folder in which its volumes are, on the host; undefined where they are in none */
  readonly path: string | undefined;
}

const read = createReader([]);

/** @throws Error where it is not XML */
export function parsePoolXml(xml: string): PoolDescription {
  const pool = child(read(xml), 'pool');
  const path = text(child(pool, 'target'), 'path');
  return { type: text(pool, '@type') ?? '', path: path?.startsWith('/') ? posix.normalize(path) : undefined };
}
