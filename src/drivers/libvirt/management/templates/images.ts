import * as v from 'valibot';
import { ArgoError } from '../../../../kit/errors.js';
import { mostOf, type DescribedDisk } from './descriptor.js';
import type { HostFiles } from './host-files.js';

/** Disk images, by the host's own qemu-img. Formats are always said: an image whose format is guessed from what is in it may name any file of the host. */

/** Of `qemu-img info --output=json`, what is looked at. */
const Info = v.object({
  'virtual-size': v.pipe(v.number(), v.integer(), v.minValue(0)),
  'actual-size': v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
  'backing-filename': v.optional(v.string()),
  encrypted: v.optional(v.boolean()),
  'format-specific': v.optional(v.object({ data: v.optional(v.object({ 'data-file': v.optional(v.string()), corrupt: v.optional(v.boolean()) })) })),
});

export interface ImageInfo {
  /** bytes that a machine sees, and that it takes on the host */
  readonly capacity: bigint;
  readonly allocation: bigint;
  /** why it cannot stand for itself; undefined for one that can */
  readonly fault: string | undefined;
}

/** @param isLive whether it may be in use at the time @throws ArgoError FAILED where it is no image of that format */
export async function readImage(files: HostFiles, path: string, format: string, signal: AbortSignal, isLive = false): Promise<ImageInfo> {
  const answer = await files.readAsRoot(['qemu-img', 'info', '--output=json', ...(isLive ? ['-U'] : []), '-f', format, '--', path], signal);
  let info;
  try {
    info = v.parse(Info, JSON.parse(answer));
  } catch (error) {
    throw new ArgoError('FAILED', `what qemu-img says of ${path} cannot be read`, { cause: error });
  }
  const { data } = info['format-specific'] ?? {};
  const faults = [
    info['backing-filename'] !== undefined && 'it is a change to another image',
    data?.['data-file'] !== undefined && 'its data is in another file',
    data?.corrupt === true && 'it is marked as broken',
    info.encrypted === true && 'it is encrypted',
  ];
  const fault = faults.find((one) => one !== false);
  return { capacity: BigInt(info['virtual-size']), allocation: BigInt(info['actual-size']), fault };
}

/**
 * As {@link readImage}, of a disk of a template.
 * @param folder in which the template's files are
 * @throws ArgoError FAILED also where it cannot be copied, or is far larger than its descriptor says
 */
export async function readTemplateDisk(files: HostFiles, folder: string, { file, format, capacity }: DescribedDisk, signal: AbortSignal): Promise<ImageInfo> {
  const image = await readImage(files, `${folder}/${file}`, format, signal);
  if (image.fault !== undefined) throw new ArgoError('FAILED', `${file} cannot be used: ${image.fault}`);
  if (image.capacity > mostOf(capacity)) throw new ArgoError('FAILED', `${file} is a disk of ${image.capacity} bytes, and its descriptor says ${capacity}`);
  return image;
}

/** `    (12.50/100%)` */
const PERCENT = /\(\s*(\d+(?:\.\d+)?)\/100%\)[^(]*$/;

export interface Conversion {
  readonly from: string;
  readonly format: string;
  /** a new file, of the format qcow2 */
  readonly to: string;
  readonly compressed?: boolean;
}

/** Copies an image to a new one that stands for itself. @param told how far it is, from 0 to 1 */
export async function convertImage(
  files: HostFiles,
  { from, format, to, compressed = false }: Conversion,
  told: (part: number) => void,
  signal: AbortSignal,
): Promise<void> {
  // Pieces of two megabytes in whatever order: they are compressed on several CPUs at a time, and read while others are written.
  await files.copy(
    ['qemu-img', 'convert', '-p', '-W', '-f', format, '-O', 'qcow2', ...(compressed ? ['-c'] : []), '--', from, to],
    signal,
    (recent) => {
      const percent = PERCENT.exec(recent)?.[1];
      if (percent !== undefined) told(Number(percent) / 100);
    },
  );
}

/** Tells how far several steps are together, each as long as its weight. */
export function shares(weights: readonly bigint[], told: (part: number) => void): ((part: number) => void)[] {
  const all = Number(weights.reduce((sum, one) => sum + one, 0n)) || 1;
  let before = 0;
  return weights.map((weight) => {
    const begin = before;
    before += Number(weight) / all;
    return (part) => told(Math.min(1, begin + part * Number(weight) / all));
  });
}
