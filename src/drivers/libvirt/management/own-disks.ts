import { posix } from 'node:path';
import { child, children, createReader, text, type Element } from '../xml.js';

/** A disk that is meant for one machine, by where it is. */
export type OwnDisk = {
  /** vda */
  readonly target: string;
  /** for people */
  readonly words: string;
} & ({ readonly path: string } | { readonly pool: string; readonly volume: string });

const read = createReader(['domain.devices.disk']);

/** The disks of a description, but for drives, and for those that are shared or only read: others may have them. */
export function parseOwnDisks(xml: string): OwnDisk[] {
  const devices = child(child(read(xml), 'domain'), 'devices');
  return children(devices, 'disk').filter(isOwn).map(toDisk).filter((disk) => disk !== undefined);
}

const isOwn = (disk: Element): boolean =>
  ['disk', 'lun'].includes(text(disk, '@device') ?? 'disk') && !('shareable' in disk) && !('readonly' in disk);

/** @returns undefined for one without a source */
function toDisk(disk: Element): OwnDisk | undefined {
  const source = child(disk, 'source');
  const target = text(child(disk, 'target'), '@dev') ?? '?';
  const [pool, volume] = [text(source, '@pool'), text(source, '@volume')];
  if (pool !== undefined && volume !== undefined) return { target, pool, volume, words: `volume ${volume} of ${pool}` };
  const path = text(source, '@file') ?? text(source, '@dev') ?? text(source, '@dir') ?? text(source, '@name');
  return path === undefined ? undefined : { target, path: posix.normalize(path), words: path };
}
