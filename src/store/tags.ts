import { STATE_KEY, TAGS_PAGE } from '../kit/limits.js';
import { StateError } from './state-error.js';
import type { AskState } from './tasks.js';

/** A tag of a machine, or of a provider as a whole. */
export interface TagRow {
  readonly provider: string;
  /** of the machine, as its provider's manager has it; empty: of the provider */
  readonly id: string;
  readonly level: number;
  readonly tag: string;
}

/** By provider and id. */
export type BearerKey = readonly [provider: string, id: string];

/**
 * The tags as they are kept. What each of these writes is on the disk when it resolves, and is written as a whole or not at all.
 * All may throw StateError. How many there may be is the caller's to say.
 */
export interface TagStore {
  /** All of them, in pages. `absent`: milliseconds for which its bearer was known to be gone. */
  all(): AsyncGenerator<readonly (TagRow & { readonly absent: number })[]>;
  add(row: TagRow): Promise<void>;
  remove(row: TagRow): Promise<void>;
  /** Gives a tag another name, on all but some; one that has the new one already has it once. */
  rename(from: string, to: string, level: number, keep: readonly BearerKey[]): Promise<void>;
  /** Of that level, each of these providers has then this tag and no other. */
  replace(level: number, tags: readonly (readonly [provider: string, tag: string])[]): Promise<void>;
  /** Notes for how long bearers were known to be gone. */
  setAbsent(bearers: readonly (readonly [...BearerKey, ms: number])[]): Promise<void>;
  /** These are there again. */
  setPresent(bearers: readonly BearerKey[]): Promise<void>;
  /** Drops all tags of some bearers. */
  forget(bearers: readonly BearerKey[]): Promise<void>;
}

export function tagsIn(ask: AskState): TagStore {
  const write = async (operation: string, ...args: Parameters<AskState>[1]): Promise<void> => void await ask(operation, args, true);
  return {
    all: async function* () {
      let [provider, id, level, tag] = ['', '', 0, ''];
      for (;;) {
        const rows = await ask('tag.page', [provider, id, level, tag, TAGS_PAGE], false) as (TagRow & { absent: number })[];
        if (rows.length > 0) yield rows;
        const last = rows.at(-1);
        if (last === undefined || rows.length < TAGS_PAGE) return;
        ({ provider, id, level, tag } = last);
      }
    },
    add: async (row) => write('tag.add', ...valuesOf(row)),
    remove: async (row) => write('tag.remove', ...valuesOf(row)),
    rename: (from, to, level, keep) => write('tag.rename', from, to, level, JSON.stringify(keep)),
    replace: (level, tags) => write('tag.replace', level, JSON.stringify(tags)),
    setAbsent: (bearers) => write('tag.absent', JSON.stringify(bearers)),
    setPresent: (bearers) => write('tag.present', JSON.stringify(bearers)),
    forget: (bearers) => write('tag.forget', JSON.stringify(bearers)),
  };
}

/** @throws StateError */
function valuesOf({ provider, id, level, tag }: TagRow): [string, string, number, string] {
  if (id.length > STATE_KEY) throw new StateError('too large', `an id has at most ${STATE_KEY} characters`);
  return [provider, id, level, tag];
}
