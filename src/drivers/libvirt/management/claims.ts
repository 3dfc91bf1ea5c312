import { ArgoError } from '../../../kit/errors.js';

/** Names on which work is under way, so that no two pieces of work make or remove one thing at a time. */
export class Claims {
  readonly #held = new Set<string>();

  /** @param names of images and machines, with what they are: `image a.qcow2` @throws ArgoError WRONG STATE where one is worked on already */
  async during<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
    const held = names.find((name) => this.#held.has(name));
    if (held !== undefined) throw new ArgoError('WRONG STATE', `the ${held} is being made or removed already`);
    names.forEach((name) => this.#held.add(name));
    try {
      return await work();
    } finally {
      names.forEach((name) => this.#held.delete(name));
    }
  }
}

export const imageClaim = (name: string): string => `image ${name}`;
export const machineClaim = (name: string): string => `machine ${name}`;
