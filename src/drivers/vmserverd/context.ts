import { ArgoError } from '../../kit/errors.js';
import type { DriverHost } from '../driver.js';
import type { Connections } from './connections.js';
import { explain, type Effect } from './errors.js';

/** What the machines of a server share. */
export class ServerContext {
  /** @param address of the server, for people */
  constructor(readonly connections: Connections, readonly address: string, readonly host: DriverHost) {}

  /** Several requests as one step, with errors in a user's words. @throws ArgoError, or the signal's reason */
  async use<T>(effect: Effect, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const explained = explain(error, effect);
      if (explained instanceof ArgoError && explained.phrase === 'NO SUCH INSTANCE') this.host.relist();
      throw explained;
    }
  }
}
