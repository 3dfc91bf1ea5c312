import type { Config } from '../config/config.js';
import type { Desk } from '../enrolment/desk.js';
import type { Principal } from '../instances/principal.js';
import type { TagBook } from '../instances/tag-book.js';
import type { Log } from '../kit/log.js';
import type { Change } from '../listening/change.js';
import type { AuditLog } from '../store/audit-entry.js';
import type { State } from '../store/state.js';
import type { ServerFileParts } from './server-file.js';

export interface EnrolmentsParts extends ServerFileParts {
  readonly audit: AuditLog;
  readonly log: Log;
  readonly state: State;
  readonly tags: TagBook;
  account(name: string): Principal | undefined;
}

/** Enrolment, as the configuration says. What it is made of is loaded when it is first configured. */
export class Enrolments {
  readonly #parts: EnrolmentsParts;
  #desk: Desk | undefined;

  constructor(parts: EnrolmentsParts) {
    this.#parts = parts;
  }

  /** Where accounts ask for it; undefined where it was never configured. */
  get desk(): Desk | undefined {
    return this.#desk;
  }

  /** Loads what a configuration needs. To be committed when its providers are open. @throws Error where that cannot be loaded */
  async prepare({ enrolment, server }: Config): Promise<Change> {
    const desk = this.#desk ?? (enrolment && await this.#load(server.stateDir));
    return {
      commit: () => {
        if (desk === this.#desk) return;
        this.#desk = desk;
        desk?.start().catch((error: unknown) => this.#parts.log('error', 'what is known of enrolled hosts cannot be read', { reason: (error as Error).message }));
      },
      cancel: () => Promise.resolve(),
    };
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    await this.#desk?.close();
  }

  async #load(stateDir: string): Promise<Desk> {
    const [{ Desk }, { OwnKeys }, { HostRecords }, { EnrolmentTokens }, { ServerFile }] = await Promise.all([
      import('../enrolment/desk.js'), import('../enrolment/own-keys.js'), import('../enrolment/records.js'), import('../enrolment/tokens.js'), import('./server-file.js'),
    ]);
    const { audit, log, state, tags, config, account } = this.#parts;
    const store = state.keyValue('enrolment');
    return new Desk({
      records: new HostRecords(store),
      tokens: new EnrolmentTokens(store),
      account,
      keys: new OwnKeys(stateDir),
      configuration: new ServerFile(this.#parts),
      audit,
      log,
      tags: {
        forget: (provider) => tags.forget(provider),
        setType: (provider, type) => tags.setTypes([[provider, type]], () => undefined),
      },
      settings: () => config().enrolment,
    });
  }
}
