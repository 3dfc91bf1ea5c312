import { closeClass } from '../kit/closed.js';
import type { InstanceInfo } from './info.js';
import type { Instance } from './instance.js';
import type { View } from './view.js';

/** What a request's words select, for the one who serves the request. */
export class Choice implements Iterable<InstanceInfo> {
  readonly #instances: readonly Instance[];
  readonly #view: View;

  /** @param stale why patterns may have missed some: `kvm1 (reason)` */
  constructor(instances: readonly Instance[], readonly isSingle: boolean, readonly stale: readonly string[], view: View) {
    this.#instances = instances;
    this.#view = view;
  }

  get size(): number {
    return this.#instances.length;
  }

  *[Symbol.iterator](): Generator<InstanceInfo> {
    for (const instance of this.#instances) yield this.#view.info(instance);
  }
}

closeClass(Choice);
