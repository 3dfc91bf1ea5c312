import { closeClass } from '../kit/closed.js';
import { ArgoError } from '../kit/errors.js';
import { isTag, TAG_RULE } from '../kit/tags.js';
import { checkText } from './entrance.js';
import type { InstanceRef } from './info.js';
import type { Instance } from './instance.js';
import { requireMeant, type Mandate } from './principal.js';
import type { TagDesk, TaggedSubject } from './tag-desk.js';
import { HOST_TYPES, type BorneTag, type HostTypeChange, type Tag, type TagChange, type TagOutcome, type Tags, type TagSubject } from './tags.js';
import { told } from './told.js';
import type { VisibleGroup } from './visible-groups.js';

/** What an actor's tags stand on. */
export interface ActorTagParts {
  readonly desk: TagDesk;
  readonly mandate: Mandate;
  /** Throws once the request is over for which the actor was made. */
  requireOpen(): void;
  /** @throws ArgoError */
  find(on: InstanceRef): Instance;
  groups(): Promise<readonly VisibleGroup[]>;
}

/** Tags through an actor, until its request is over. What is handed in is read once. */
export class ActorTags implements Tags {
  readonly #parts: ActorTagParts;

  constructor(parts: ActorTagParts) {
    this.#parts = parts;
  }

  async list(): Promise<readonly Tag[]> {
    const { desk, mandate, groups } = this.#open();
    const tags = await told(desk.list(mandate));
    const ofGroups = (await groups()).map(({ name }) => ({ tag: name, level: 2 as const }));
    const ofHosts = tags.filter(({ level }) => level === 1);
    return frozen([...ofHosts, ...ofGroups, ...tags.slice(ofHosts.length)]);
  }

  async of(subject: TagSubject): Promise<readonly BorneTag[]> {
    const { desk, mandate } = this.#open();
    const on = typeof subject === 'string' ? desk.readableHost(mandate, subject) : this.#parts.find(subject);
    return frozen(await told(desk.of(mandate, on)));
  }

  async bearers(tag: string): Promise<readonly string[]> {
    const { desk, mandate } = this.#open();
    return Object.freeze([...await told(desk.bearers(mandate, checkText(tag, 'a tag')))]);
  }

  async add(subject: TagSubject, tag: string): Promise<TagOutcome> {
    return this.#change('add', subject, tag);
  }

  async remove(subject: TagSubject, tag: string): Promise<TagOutcome> {
    return this.#change('remove', subject, tag);
  }

  async rename(from: string, to: string): Promise<readonly string[]> {
    const { desk, mandate } = this.#openToChange();
    return Object.freeze([...await told(desk.rename(mandate, checkTag(from), checkTag(to)))]);
  }

  async setHostType(changes: readonly HostTypeChange[]): Promise<void> {
    const { desk, mandate } = this.#openToChange();
    const checked = Array.from(changes, ({ provider, type }) => {
      if (!HOST_TYPES.includes(type)) throw new ArgoError('BAD REQUEST', `a host is one of ${HOST_TYPES.join(', ')}`);
      return { provider: checkText(provider, 'a provider\'s name'), type };
    });
    if (checked.length > 0) await told(desk.setHostTypes(mandate, checked));
  }

  async plan(change: TagChange): Promise<string> {
    const { desk, mandate } = this.#open();
    if (change.what === 'rename') {
      const [from, to] = [checkTag(change.from), checkTag(change.to)];
      return `rename the tag ${from} to ${to}, on ${(await told(desk.planRename(mandate, from))).join(', ')}`;
    }
    const { what, subject, tag } = change;
    if (what !== 'add' && what !== 'remove') throw new ArgoError('BAD REQUEST', 'there is no such change');
    return told(desk.plan(mandate, what, this.#subject(what, subject), checkTag(tag)));
  }

  async #change(what: 'add' | 'remove', subject: TagSubject, tag: string): Promise<TagOutcome> {
    const { desk, mandate } = this.#openToChange();
    return told(desk.change(mandate, what, this.#subject(what, subject), checkTag(tag)));
  }

  /** What is to be changed. @throws ArgoError */
  #subject(what: 'add' | 'remove', subject: TagSubject): TaggedSubject {
    const { desk, mandate, find } = this.#parts;
    return typeof subject === 'string' ? desk.host(mandate, subject, `tag.${what}-host`, () => false) : find(subject);
  }

  /** @throws ArgoError also in a dry run */
  #openToChange(): ActorTagParts {
    requireMeant(this.#parts.mandate);
    return this.#open();
  }

  /** @throws ArgoError */
  #open(): ActorTagParts {
    this.#parts.requireOpen();
    return this.#parts;
  }
}

closeClass(ActorTags);

/** @throws ArgoError BAD REQUEST */
function checkTag(tag: string): string {
  if (isTag(checkText(tag, 'a tag'))) return tag;
  throw new ArgoError('BAD REQUEST', `that is no tag: ${TAG_RULE}`);
}

const frozen = <T extends object>(tags: readonly T[]): readonly T[] => Object.freeze(tags.map((tag) => Object.freeze({ ...tag })));
