import { giveWay } from '../../../kit/slices.js';
import { beginData } from '../../../protocols/zabbix/active.js';
import type { DataParts } from '../../../protocols/zabbix/conversation.js';
import type { BegunFrame } from '../../../protocols/zabbix/frame.js';

/** What a message begins with. */
type Beginning = Pick<DataParts, 'session' | 'history'>;

/** The values of the next message, which are packed while the server is busy with the one before. */
export class PackedAhead {
  #begun: { readonly name: string; readonly beginning: Beginning; readonly frame: BegunFrame } | undefined;
  #packing: Promise<void> | undefined;

  /**
   * @param name of the proxy
   * @param next what will be in the next message, as far as is known; undefined: nothing is. It never rejects
   */
  pack(name: string, next: Promise<Beginning | undefined>): void {
    this.#packing = this.#pack(name, next);
  }

  /** @returns what a message of these parts begins with, where that was packed; what else was is not wanted any more */
  async take(name: string, { session, history }: Beginning): Promise<BegunFrame | undefined> {
    await this.#packing;
    const begun = this.#begun;
    this.#begun = undefined;
    if (begun?.name === name && begun.beginning.session === session && begun.beginning.history === history) return begun.frame;
    begun?.frame.drop();
    return undefined;
  }

  async #pack(name: string, next: Promise<Beginning | undefined>): Promise<void> {
    const beginning = await next;
    if (beginning === undefined) return;
    await giveWay();
    this.#begun?.frame.drop();
    this.#begun = { name, beginning, frame: beginData(name, beginning) };
  }
}
