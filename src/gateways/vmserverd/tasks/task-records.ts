import { BACKGROUND_KEPT } from '../../../kit/vmserverd-files-limits.js';
import type { KeyValue } from '../../../store/state.js';
import type { BackgroundTask, TaskState } from './background-tasks.js';

/** How background tasks are written down: a text for each, by its id. */

export type TaskRecord = BackgroundTask;

const PREFIX = 'task:';
const CUT_OFF = 'the server ended while it was under way; nobody knows how far it came';

/** As it is when it has ended. One that is done is so by all its parts. */
export const endedRecord = (record: TaskRecord, state: TaskState, error: string | undefined): TaskRecord =>
  ({ ...record, state, ended: Date.now(), error, percent: state === 'done' ? 100 : record.percent });

export class TaskRecords {
  readonly #kv: KeyValue;

  constructor(kv: KeyValue) {
    this.#kv = kv;
  }

  /** Those of an earlier process, oldest first. What it had under way is `unknown`. @throws StateError */
  async all(): Promise<readonly TaskRecord[]> {
    const found: TaskRecord[] = [];
    for (let after = PREFIX; found.length <= BACKGROUND_KEPT;) {
      const page = await this.#kv.list(PREFIX, after);
      const last = page.at(-1);
      if (last === undefined) break;
      found.push(...page.flatMap(({ value }) => readRecord(value)));
      after = last.key;
    }
    const cutOff = found.filter(({ state }) => state === 'running');
    for (const record of cutOff) await this.save({ ...record, state: 'unknown', error: CUT_OFF });
    return found.map((record): TaskRecord => (cutOff.includes(record) ? { ...record, state: 'unknown', error: CUT_OFF } : record)).sort((one, other) => one.started - other.started);
  }

  /** On the disk when it resolves. @throws StateError */
  save(record: TaskRecord): Promise<void> {
    return this.#kv.set(`${PREFIX}${record.id}`, JSON.stringify(record));
  }

  /** @throws StateError */
  remove(id: string): Promise<void> {
    return this.#kv.delete(`${PREFIX}${id}`);
  }
}

const STATES: readonly string[] = ['running', 'done', 'failed', 'stopped', 'unknown'] satisfies readonly TaskState[];

/** Nothing where it is no record of ours, as a later version may have written it. */
function readRecord(text: string): readonly TaskRecord[] {
  try {
    const { id, operation, owner, state, percent, started, ended, error } = JSON.parse(text) as Partial<TaskRecord>;
    if (typeof id !== 'string' || typeof operation !== 'string' || typeof owner !== 'string' || typeof started !== 'number' || !STATES.includes(state as string)) return [];
    return [{ id, operation, owner, state: state!, started, percent: percent ?? undefined, ended: ended ?? undefined, error: error ?? undefined }];
  } catch {
    return [];
  }
}
