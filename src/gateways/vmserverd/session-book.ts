import type { InstanceRef } from '../../instances/info.js';
import { VMSERVERD_TOUCHED } from '../../kit/vmserverd-limits.js';
import type { ApiUser } from './operations/parts.js';

const keyOf = ({ provider, id }: InstanceRef): string => `${provider}/${id}`;

/** What one connection has to do with. */
class Session {
  /** since when, by machine; the one that was first is forgotten first */
  readonly touched = new Map<string, number>();

  constructor(readonly account: string, readonly address: string) {}

  touch(machine: InstanceRef): void {
    const key = keyOf(machine);
    if (this.touched.has(key)) return;
    this.touched.set(key, Date.now());
    if (this.touched.size > VMSERVERD_TOUCHED) this.touched.delete(this.touched.keys().next().value!);
  }
}

/** Which connections of this gateway have asked for which machines: who is there, to whoever asks for one of them. */
export class SessionBook {
  readonly #sessions = new Set<Session>();

  /** @param address without its port */
  begin(account: string, address: string): { touch(machine: InstanceRef): void; end(): void } {
    const session = new Session(account, address);
    this.#sessions.add(session);
    return { touch: (machine) => session.touch(machine), end: () => this.#sessions.delete(session) };
  }

  usersOf(machine: InstanceRef): readonly ApiUser[] {
    const key = keyOf(machine);
    return [...this.#sessions].flatMap(({ account, address, touched }) => {
      const since = touched.get(key);
      return since === undefined ? [] : [{ account, address, since }];
    });
  }
}
