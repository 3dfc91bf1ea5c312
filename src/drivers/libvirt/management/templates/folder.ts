import { ArgoError } from '../../../../kit/errors.js';
import { wholeName } from '../names.js';
import { checkEnvelope, LISTING, LISTING_MOST, parseListing } from './archive.js';
import { DESCRIPTOR_MOST, mostOf, parseDescriptor, type Descriptor } from './descriptor.js';
import type { HostFiles } from './host-files.js';
import { descriptorOf, isFileName, templateInFile } from './names.js';

/** A template as it lies in the folder of templates. */
export interface Found {
  readonly name: string;
  /** a folder with its files, or an archive of such a folder */
  readonly kind: 'folder' | 'archive';
  /** on the host */
  readonly path: string;
  /** differs after each change of its descriptor or archive */
  readonly stamp: string;
  /** file names and bytes; of an archive not known yet */
  readonly files: ReadonlyMap<string, bigint>;
}

/** Bytes of a listing of the folder; beyond them there is more in it than templates. */
const FOLDER_LISTING_MOST = 4 * 1024 * 1024;

/** Templates that are looked at at the same time, and descriptors that are remembered. */
const AT_A_TIME = 4;
const REMEMBERED = 1000;

/** The folder of templates on a provider's host. Nothing in it is followed that is a link. */
export class TemplateFolder {
  readonly #files: HostFiles;
  /** descriptors by stamp, of those that are in order; why not, of the others */
  #known = new Map<string, Descriptor | ArgoError>();

  /** @param path as it is configured */
  constructor(readonly path: string, files: HostFiles) {
    this.#files = files;
  }

  /** The folder itself, which may be a link. @throws ArgoError FAILED where it is not there */
  async root(signal: AbortSignal): Promise<string> {
    const root = await this.#files.realPath(this.path, signal, false);
    if (root === undefined) throw new ArgoError('FAILED', `there is no folder ${this.path} for templates on the host`);
    return root;
  }

  /** Makes the folder where it is not there yet. */
  async makeRoot(signal: AbortSignal): Promise<string> {
    await this.#files.makeFolder(this.path, signal, '0755');
    return this.root(signal);
  }

  /** What has a good descriptor; what has not is left out. Nothing where the folder is not there. */
  async list(signal: AbortSignal): Promise<{ readonly found: Found; readonly descriptor: Descriptor }[]> {
    if (await this.#files.realPath(this.path, signal, false) === undefined) return [];
    const all = [...(await this.#scan(signal)).values()].filter((found) => found !== 'twice');
    const listed: { found: Found; descriptor: Descriptor }[] = [];
    for (let at = 0; at < all.length; at += AT_A_TIME) {
      await Promise.all(all.slice(at, at + AT_A_TIME).map(async (found) => {
        const descriptor = await this.descriptor(found, signal).catch((error: unknown) => {
          if (error instanceof ArgoError && error.phrase === 'FAILED') return undefined;
          throw error;
        });
        if (descriptor !== undefined) listed.push({ found, descriptor });
      }));
    }
    return listed.sort((a, b) => (a.found.name < b.found.name ? -1 : 1));
  }

  /** @throws ArgoError WRONG STATE where there is none of that name; FAILED where it cannot be one */
  async find(name: string, signal: AbortSignal): Promise<Found> {
    const found = (await this.#scan(signal)).get(name);
    if (found === undefined) throw new ArgoError('WRONG STATE', `there is no template ${name}`);
    if (found === 'twice') throw new ArgoError('FAILED', `there are two templates ${name}: folders and archives of one name`);
    return found;
  }

  /** Whether a template of this name could be made. @throws ArgoError WRONG STATE where there is one */
  async requireFree(name: string, signal: AbortSignal): Promise<void> {
    if ((await this.#scan(signal)).has(name)) throw new ArgoError('WRONG STATE', `there is a template ${name} already`);
  }

  /**
   * Looks whether all that its descriptor names is there.
   * @throws ArgoError FAILED where it cannot be a template, as with links, devices or paths in its archive that lead out of it
   */
  async check(found: Found, descriptor: Descriptor, signal: AbortSignal): Promise<void> {
    const files = found.kind === 'folder' ? found.files : await this.#archived(found, signal);
    for (const { file, capacity } of descriptor.disks) {
      const size = files.get(file);
      if (size === undefined) throw new ArgoError('FAILED', `the template ${found.name} has no file ${file}`);
      if (size > mostOf(capacity)) throw new ArgoError('FAILED', `${file} has ${size} bytes, far more than the ${capacity} of its descriptor`);
    }
  }

  /**
   * A folder with its files: its own, or that of an archive, into which they are unpacked.
   * @param into does not exist; the caller's to remove, however this ends
   */
  async unpacked(found: Found, { disks }: Descriptor, into: string, signal: AbortSignal): Promise<string> {
    if (found.kind === 'folder') return found.path;
    await this.#files.makeFolder(into, signal);
    const members = await this.#members(found, signal);
    const wanted = members.filter(({ name }) => disks.some(({ file }) => file === name)).map(({ rawName }) => rawName);
    await this.#files.copy(['tar', '--extract', '--force-local', '--no-same-owner', '--no-same-permissions', '--directory', into, '--file', found.path, '--', ...wanted], signal);
    // The archive may have been another one by now.
    const strange = await this.#files.readAsRoot(['find', into, '-mindepth', '1', '!', '(', '-type', 'f', '-links', '1', ')', '-print', '-quit'], signal);
    if (strange !== '') throw new ArgoError('FAILED', 'its archive holds something other than files');
    return into;
  }

  async #scan(signal: AbortSignal): Promise<Map<string, Found | 'twice'>> {
    const root = await this.root(signal);
    const words = ['find', root, '-mindepth', '1', '-maxdepth', '2', '-printf', '%d %y %s %C@ %i %P\\0'] as const;
    const entries = (await this.#files.read(words, signal, FOLDER_LISTING_MOST)).split('\0').map((line) => ENTRY.exec(line)?.slice(1) ?? []);
    const inside = new Map<string, Map<string, bigint>>();
    const stamps = new Map<string, string>();
    const found = new Map<string, Found | 'twice'>();
    for (const [depth, kind, size = '', changed = '', inode = '', name = ''] of entries) {
      if (depth !== '2' || kind !== 'f') continue;
      const [folder = '', file = ''] = name.split('/');
      inside.set(folder, (inside.get(folder) ?? new Map<string, bigint>()).set(file, BigInt(size)));
      if (file === descriptorOf(folder)) stamps.set(folder, `${name} ${size} ${changed} ${inode}`);
    }
    const note = (one: Found): void => { found.set(one.name, found.has(one.name) ? 'twice' : one); };
    for (const [depth, kind, size = '', changed = '', inode = '', name = ''] of entries) {
      if (depth !== '1' || wholeName(name) !== undefined) continue;
      const path = `${root}/${name}`;
      const stamp = stamps.get(name);
      if (kind === 'd' && isFileName(name) && stamp !== undefined) note({ name, kind: 'folder', path, stamp, files: inside.get(name)! });
      const template = kind === 'f' ? templateInFile(name) : undefined;
      if (template !== undefined) note({ name: template, kind: 'archive', path, stamp: `${name} ${size} ${changed} ${inode}`, files: new Map() });
    }
    return found;
  }

  /** The files of an archive, each member of which has been looked at. */
  async #archived(found: Found, signal: AbortSignal): Promise<ReadonlyMap<string, bigint>> {
    const members = await this.#members(found, signal);
    return new Map(members.map(({ name, size }) => [name, size]));
  }

  async #members({ path }: Found, signal: AbortSignal) {
    const members = parseListing(await this.#files.read(['tar', ...LISTING, '--force-local', '--file', path], signal, LISTING_MOST));
    checkEnvelope(members);
    return members;
  }

  /** @throws ArgoError FAILED where it has none that is good */
  async descriptor(found: Found, signal: AbortSignal): Promise<Descriptor> {
    const known = this.#known.get(found.stamp);
    if (known instanceof ArgoError) throw known;
    if (known !== undefined) return known;
    let descriptor: Descriptor | ArgoError;
    try {
      descriptor = parseDescriptor(await this.#text(found, signal));
    } catch (error) {
      if (!(error instanceof ArgoError) || error.phrase !== 'FAILED') throw error;
      descriptor = error;
    }
    if (this.#known.size >= REMEMBERED) this.#known = new Map();
    this.#known.set(found.stamp, descriptor);
    if (descriptor instanceof ArgoError) throw descriptor;
    return descriptor;
  }

  /** Of an archive, tar takes its first file of that name, with or without `./` before, and looks at nothing behind it. */
  #text({ name, kind, path }: Found, signal: AbortSignal): Promise<string> {
    const file = descriptorOf(name);
    if (kind === 'folder') return this.#files.read(['head', '-c', String(DESCRIPTOR_MOST + 1), '--', `${path}/${file}`], signal);
    return this.#files.read(['tar', '--extract', '--to-stdout', '--occurrence=1', '--no-anchored', '--force-local', '--file', path, '--', file], signal, DESCRIPTOR_MOST + 1);
  }
}

/** depth, kind, bytes, time of change, inode, path */
const ENTRY = /^(\d) (\w) (\d+) ([\d.]+) (\d+) ([^]*)$/;
