import type { Mandate } from './principal.js';

interface Listener<Task> {
  readonly mandate: Mandate;
  tell(task: Task): void;
}

/** Who wants to be told how tasks go on: each of those that it may know of at that moment. */
export class TaskListeners<Task> {
  readonly #listeners = new Set<Listener<Task>>();
  readonly #mayKnow: (mandate: Mandate, task: Task) => boolean;

  constructor(mayKnow: (mandate: Mandate, task: Task) => boolean) {
    this.#mayKnow = mayKnow;
  }

  /** @returns ends that */
  listen(mandate: Mandate, tell: (task: Task) => void): () => void {
    const listener = { mandate, tell };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(task: Task): void {
    for (const { mandate, tell } of [...this.#listeners]) if (this.#mayKnow(mandate, task)) tell(task);
  }
}
