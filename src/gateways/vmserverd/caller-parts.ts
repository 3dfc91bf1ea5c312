import type { Actor } from '../../instances/actor.js';
import type { InstanceRef } from '../../instances/info.js';
import type { Product } from '../../protocols/vmserverd/envelope.js';
import type { Security } from './door/security.js';
import type { Files } from './files/files.js';
import { OPERATIONS } from './operations/index.js';
import type { ApiUser, Parts } from './operations/parts.js';
import type { BackgroundTasks } from './tasks/background-tasks.js';

/** What the gateway has for all connections, as its table says now. */
export interface GatewayParts {
  readonly tasks: BackgroundTasks;
  readonly files: Files;
  readonly security: Security;
  readonly product: Product;
  readonly requests: number;
  readonly stopTimeout: number;
  hasAccount(name: string): boolean;
  hostProvider(): Promise<string>;
  usersOf(machine: InstanceRef): readonly ApiUser[];
}

/** What the operations of one connection work with. */
export class CallerParts implements Parts {
  readonly #gateway: GatewayParts;
  readonly #touch: (machine: InstanceRef) => void;
  readonly tasks: BackgroundTasks;

  /** @param keep that the account's signal is needed for a task, beyond the connection; what it returns says that it is no longer */
  constructor(gateway: GatewayParts, touch: (machine: InstanceRef) => void, keep: () => () => void) {
    this.#gateway = gateway;
    this.#touch = touch;
    const { tasks } = gateway;
    this.tasks = {
      begin: async (operation, owner, work) => {
        const free = keep();
        try {
          return await tasks.begin(operation, owner, (call) => work(call).finally(free));
        } catch (error) {
          free();
          throw error;
        }
      },
      get: (...asked) => tasks.get(...asked),
      stop: (...asked) => tasks.stop(...asked),
      delete: (...asked) => tasks.delete(...asked),
    };
  }

  get files(): Files {
    return this.#gateway.files;
  }

  get security(): Security {
    return this.#gateway.security;
  }

  get product(): Product {
    return this.#gateway.product;
  }

  get requests(): number {
    return this.#gateway.requests;
  }

  get stopTimeout(): number {
    return this.#gateway.stopTimeout;
  }

  hasEveryRight(actor: Actor): boolean {
    return actor.mayAll();
  }

  hasAccount(name: string): boolean {
    return this.#gateway.hasAccount(name);
  }

  hostProvider(): Promise<string> {
    return this.#gateway.hostProvider();
  }

  usersOf(machine: InstanceRef): readonly ApiUser[] {
    return this.#gateway.usersOf(machine);
  }

  touch(machine: InstanceRef): void {
    this.#touch(machine);
  }

  *operations(): Iterable<{ readonly name: string; readonly access: string }> {
    for (const [name, { access }] of OPERATIONS) yield { name, access };
  }
}
