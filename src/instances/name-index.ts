import { TextIndex } from '../kit/text-index.js';
import type { Instance } from './instance.js';

/** Up to so many of one name stand in an array, which is smaller. */
const FEW = 16;

/** The instances of one short name, where there are several. */
class Namesakes {
  all: Instance[] | Set<Instance>;

  constructor(readonly name: string, first: Instance, second: Instance) {
    this.all = [first, second];
  }

  add(instance: Instance): void {
    if (!Array.isArray(this.all)) this.all.add(instance);
    else if (this.all.push(instance) > FEW) this.all = new Set(this.all);
  }

  /** @returns whether it was there */
  delete(instance: Instance): boolean {
    if (!Array.isArray(this.all)) return this.all.delete(instance);
    const at = this.all.indexOf(instance);
    if (at !== -1) this.all.splice(at, 1);
    return at !== -1;
  }

  /** undefined: there are several still */
  get only(): Instance | undefined {
    const [first, second] = this.all;
    return second === undefined ? first : undefined;
  }
}

const NONE: readonly Instance[] = [];

/** Instances by their short names, which nearly all of them have alone: then nothing stands around one. */
export class NameIndex {
  readonly #entries = new TextIndex<Instance | Namesakes>(({ name }) => name);

  /** @param hash of its name, where that is known already */
  add(instance: Instance, hash?: number): void {
    // nearly each is alone, so that it is looked for its place once
    const entry = this.#entries.put(instance, hash);
    if (entry === undefined) return;
    instance.sharesName = true;
    if (entry instanceof Namesakes) {
      entry.add(instance);
      this.#entries.put(entry, hash);
    } else {
      entry.sharesName = true;
      this.#entries.put(new Namesakes(instance.name, entry, instance), hash);
    }
  }

  /** @returns false where it is not there */
  delete(instance: Instance): boolean {
    const entry = this.#entries.get(instance.name);
    if (entry === instance) {
      this.#entries.delete(instance.name);
      return true;
    }
    if (!(entry instanceof Namesakes) || !entry.delete(instance)) return false;
    const { only } = entry;
    if (only === undefined) return true;
    only.sharesName = false;
    this.#entries.put(only);
    return true;
  }

  /** All of one name. It must stay as it is until who asks is done. @param hash of the name, where that is known already */
  of(name: string, hash?: number): Iterable<Instance> {
    const entry = this.#entries.get(name, hash);
    if (entry === undefined) return NONE;
    return entry instanceof Namesakes ? entry.all : [entry];
  }
}
