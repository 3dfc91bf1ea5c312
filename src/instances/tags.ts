import type { InstanceRef } from './info.js';

/**
 * What a host may be said to be: a tag of level 1, of which a host has one at most. The words are those of OpenNode's
 * Management Server, whose clients know them.
 */
export const HOST_TYPES = ['physical', 'OpenNode', 'KVM', 'OpenVZ', 'KVM+OpenVZ'] as const;
export type HostType = (typeof HOST_TYPES)[number];

/** 1: what a host is. 2: a group of the configuration, which only that changes. 3: of anybody's choice. */
export type TagLevel = 1 | 2 | 3;

export interface Tag {
  readonly tag: string;
  readonly level: TagLevel;
}

/** A tag of something. */
export interface BorneTag extends Tag {
  /** a machine has it because its provider has it */
  readonly isInherited: boolean;
}

/** What bears tags: a host, by the name of its provider, or an instance. */
export type TagSubject = string | InstanceRef;

export interface HostTypeChange {
  /** name */
  readonly provider: string;
  readonly type: HostType;
}

/** `already`: it was so before, and nothing was written. */
export type TagOutcome = 'done' | 'already';

/**
 * Tags through an actor. To see them needs the right to read what bears them; to change them `configure` on it, of a provider on
 * all that it has; to say what a host is, `host`. A machine keeps its tags by its manager's id, whatever it is called.
 * Where the tags cannot be read, all of this throws FAILED: nobody is told that there are none.
 */
export interface Tags {
  /** Those of all that may be read, each once, by level and name. @throws ArgoError */
  list(): Promise<readonly Tag[]>;
  /** By level and name; of an instance also those of its provider. @throws ArgoError NO SUCH PROVIDER, NO SUCH INSTANCE, NOT ALLOWED */
  of(subject: TagSubject): Promise<readonly BorneTag[]>;
  /** The providers and instances that bear a tag themselves, of those that may be read. @returns full names; a provider's has no `/` @throws ArgoError */
  bearers(tag: string): Promise<readonly string[]>;
  /** Adds one of level 3. @throws ArgoError also BAD REQUEST for what is no tag, FAILED where there are too many */
  add(subject: TagSubject, tag: string): Promise<TagOutcome>;
  /** Takes one of level 3 away. @throws ArgoError as `add` */
  remove(subject: TagSubject, tag: string): Promise<TagOutcome>;
  /**
   * Gives one of level 3 another name on all that bears it and may be configured; nothing is changed where something that may be
   * read bears it and may not be configured.
   * @returns full names of those that bear it
   * @throws ArgoError NO MATCH where none bears it, NOT ALLOWED
   */
  rename(from: string, to: string): Promise<readonly string[]>;
  /** Says what hosts are, of all or of none. @throws ArgoError NO SUCH PROVIDER with those that there are none of, NOT ALLOWED */
  setHostType(changes: readonly HostTypeChange[]): Promise<void>;
  /** What a change would do, in words. Nothing is changed. @throws ArgoError as the change would */
  plan(change: TagChange): Promise<string>;
}

/** A change that somebody may want to hear of first. */
export type TagChange =
  | { readonly what: 'add' | 'remove'; readonly subject: TagSubject; readonly tag: string }
  | { readonly what: 'rename'; readonly from: string; readonly to: string };
