import { toArgoError, ArgoError } from '../kit/errors.js';
import type { Log } from '../kit/log.js';
import { InstancePatterns, resolvePatterns, type Groups, type TagTest } from '../kit/patterns.js';
import { Slices } from '../kit/slices.js';
import { quoted } from '../kit/text.js';
import type { AuditLog } from '../store/audit-entry.js';
import { Instance } from './instance.js';
import type { OperationName } from './operation-table.js';
import type { Owner } from './owner.js';
import { allows, allowsProvider } from './permits.js';
import type { Mandate, Permission } from './principal.js';
import { recorded, type EndedRecord } from './recorded.js';
import type { Registry } from './registry.js';
import { commandOf } from './running-tasks.js';
import type { Bearer, TagBook } from './tag-book.js';
import type { BorneTag, HostTypeChange, Tag, TagLevel, TagOutcome } from './tags.js';

export interface TagDeskParts {
  readonly registry: Registry;
  readonly audit: AuditLog;
  readonly log: Log;
  /** of the configuration as it is now */
  groups(): Groups;
  /** left out: there are none */
  readonly tags?: TagBook;
}

/** What bears tags: a machine, or a provider's host. */
export type TaggedSubject = Instance | Owner;

const READ: Permission = { word: 'tag', right: 'read' };

/** In the audit, what is done to all that has a tag: it is shown to whoever may read everything. */
const ALL = '*';

const isInstance = (subject: TaggedSubject): subject is Instance => subject instanceof Instance;
const nameOf = (subject: TaggedSubject): string => (isInstance(subject) ? subject.fullName : subject.name);
const keyOf = (subject: TaggedSubject): readonly [provider: string, id: string] => (isInstance(subject) ? [subject.provider, subject.id] : [subject.name, '']);

const byLevelAndName = (one: Tag, other: Tag): number => one.level - other.level || (one.tag < other.tag ? -1 : Number(one.tag > other.tag));

/** The groups of a configuration, ready to be held against instances. */
const compiled = new WeakMap<Groups, ReadonlyMap<string, InstancePatterns>>();

function patternsOf(groups: Groups): ReadonlyMap<string, InstancePatterns> {
  let known = compiled.get(groups);
  if (known === undefined) compiled.set(groups, known = new Map([...groups.keys()].map((name) => [name, new InstancePatterns(resolvePatterns([`@${name}`], groups))])));
  return known;
}

/** Decides who may see and change which tags, and has changes recorded. */
export class TagDesk {
  readonly #parts: TagDeskParts;
  readonly #running = new Set<Promise<unknown>>();
  #isEnding = false;

  constructor(parts: TagDeskParts) {
    this.#parts = parts;
  }

  /** What says who has a tag, for names. @throws ArgoError FAILED, NOT SUPPORTED */
  async test(): Promise<TagTest> {
    return this.#book.test();
  }

  /** The tags of levels 1 and 3 of all that may be read. @throws ArgoError */
  async list(mandate: Mandate): Promise<readonly Tag[]> {
    const found = new Map<string, Tag>();
    for await (const { type, tags } of this.#readable(mandate)) {
      for (const tag of levelsOf({ type, tags })) found.set(`${tag.level} ${tag.tag}`, tag);
    }
    return [...found.values()].sort(byLevelAndName);
  }

  /** @throws ArgoError */
  async of(mandate: Mandate, subject: TaggedSubject): Promise<readonly BorneTag[]> {
    if (!this.#mayRead(mandate, subject)) throw new ArgoError('NOT ALLOWED');
    const [provider, id] = keyOf(subject);
    const own = levelsOf(await this.#book.of(provider, id)).map((tag) => ({ ...tag, isInherited: false }));
    const host = isInstance(subject) ? levelsOf(await this.#book.of(provider, '')) : [];
    const inherited = host.filter(({ tag, level }) => !own.some((one) => one.tag === tag && one.level === level)).map((tag) => ({ ...tag, isInherited: true }));
    const groups = [...patternsOf(this.#parts.groups())].filter(([, patterns]) =>
      isInstance(subject) ? patterns.matches(subject) : patterns.coverProvider(provider),
    );
    return [...own, ...inherited, ...groups.map(([tag]) => ({ tag, level: 2 as TagLevel, isInherited: false }))].sort(byLevelAndName);
  }

  /** @throws ArgoError */
  async bearers(mandate: Mandate, tag: string): Promise<readonly string[]> {
    const found: string[] = [];
    for await (const { type, tags, subject } of this.#readable(mandate)) if (type === tag || tags.has(tag)) found.push(nameOf(subject));
    return found.sort();
  }

  /** @throws ArgoError */
  change(mandate: Mandate, what: 'add' | 'remove', subject: TaggedSubject, tag: string): Promise<TagOutcome> {
    requireChange(mandate, what, subject);
    return this.#counted(() => this.#recorded(mandate, [subject], { operation: operationOn(what, subject), options: quoted(tag) }, async () => {
      const isNews = await this.#book[what](keyOf(subject), tag, () => requireChange(mandate, what, subject));
      return isNews ? 'done' : 'already';
    }));
  }

  /** What a change would do, in words. @throws ArgoError */
  async plan(mandate: Mandate, what: 'add' | 'remove', subject: TaggedSubject, tag: string): Promise<string> {
    requireChange(mandate, what, subject);
    const { tags } = await this.#book.of(...keyOf(subject));
    if (what === 'add') return tags.has(tag) ? `nothing, it has the tag ${tag} already` : `add the tag ${tag}`;
    return tags.has(tag) ? `remove the tag ${tag}` : `nothing, it has no tag ${tag}`;
  }

  /** @returns full names @throws ArgoError */
  rename(mandate: Mandate, from: string, to: string): Promise<readonly string[]> {
    return this.#counted(async () => {
      this.#toRename(mandate, from, (await this.#book.all()).filter(({ tags }) => tags.has(from)));
      let renamed: readonly Bearer[] = [];
      await this.#recorded(mandate, [ALL], { operation: 'tag.rename', options: `${quoted(from)} ${quoted(to)}` }, async () => {
        renamed = await this.#book.rename(from, to, (bearers) => {
          const mine = new Set<Bearer>(this.#toRename(mandate, from, bearers));
          return { keep: bearers.filter((one) => !mine.has(one)) };
        });
        return 'done';
      });
      return this.#namesOf(renamed);
    });
  }

  /** The names of those that it would be done to. @throws ArgoError as {@link rename} */
  async planRename(mandate: Mandate, from: string): Promise<readonly string[]> {
    const bearers = (await this.#book.all()).filter(({ tags }) => tags.has(from));
    return this.#namesOf(this.#toRename(mandate, from, bearers));
  }

  /** @throws ArgoError */
  setHostTypes(mandate: Mandate, changes: readonly HostTypeChange[]): Promise<void> {
    const owners = changes.map(({ provider }) => this.host(mandate, provider, 'tag.type', () => false));
    const permit = (): void => {
      if (owners.some(({ name }) => !allowsProvider(mandate, 'tag.type', name))) throw new ArgoError('NOT ALLOWED');
    };
    return this.#counted(async () => {
      const types = new Map(changes.map(({ provider, type }) => [provider, type]));
      await this.#recorded(mandate, [...new Set(owners)], { operation: 'tag.type', options: (subject) => types.get(subject) ?? '' }, async () => {
        await this.#book.setTypes([...types], permit);
        return 'done';
      });
    });
  }

  /**
   * The provider of a name.
   * @param orElse whether somebody may do it to whom the operation is not allowed on the provider as a whole
   * @throws ArgoError NO SUCH PROVIDER, NOT ALLOWED
   */
  host(mandate: Mandate, name: string, operation: OperationName, orElse: (owner: Owner) => boolean): Owner {
    const owner = this.#parts.registry.providerNamed(name);
    const isAllowed = allowsProvider(mandate, operation, name);
    if (owner && (isAllowed || orElse(owner))) return owner;
    throw isAllowed ? new ArgoError('NO SUCH PROVIDER', name) : new ArgoError('NOT ALLOWED');
  }

  /** Whoever may read something of a provider may know the provider's own tags: what it may read has them, too. */
  readableHost(mandate: Mandate, name: string): Owner {
    return this.host(mandate, name, 'tag.list-host', (owner) => this.#readsSomethingOf(mandate, owner));
  }

  /** Takes no further changes, and waits for those under way. */
  async drain(): Promise<void> {
    this.#isEnding = true;
    await Promise.allSettled(this.#running);
  }

  get #book(): TagBook {
    const { tags } = this.#parts;
    if (tags === undefined) throw new ArgoError('NOT SUPPORTED', 'there are no tags');
    return tags;
  }

  /** What may be read and has tags. Gives way to others meanwhile. */
  async*#readable(mandate: Mandate): AsyncGenerator<Bearer & { readonly subject: TaggedSubject }> {
    const slices = new Slices();
    for (const bearer of await this.#book.all()) {
      if (slices.isOver()) await slices.pause();
      const subject = this.#subjectOf(bearer);
      if (subject && this.#mayRead(mandate, subject)) yield { ...bearer, subject };
    }
  }

  /** Undefined where it is gone. */
  #subjectOf({ provider, id }: Bearer): TaggedSubject | undefined {
    const { registry } = this.#parts;
    return id === '' ? registry.providerNamed(provider) : registry.byId(provider, id);
  }

  #namesOf(bearers: readonly Bearer[]): readonly string[] {
    return bearers.flatMap((bearer) => this.#subjectOf(bearer) ?? []).map(nameOf).sort();
  }

  #mayRead(mandate: Mandate, subject: TaggedSubject): boolean {
    if (isInstance(subject)) return mandate.identity.principal.sees(subject) && allows(mandate, 'tag.list', subject);
    return allowsProvider(mandate, 'tag.list-host', subject.name) || this.#readsSomethingOf(mandate, subject);
  }

  /** By another command than the one that is at work, which may be one for less. */
  #mayReadOtherwise({ identity: { principal } }: Mandate, subject: TaggedSubject): boolean {
    return isInstance(subject) ? principal.allows(subject, READ) : principal.allowsProvider(subject.name, READ);
  }

  #readsSomethingOf(mandate: Mandate, owner: Owner): boolean {
    return this.#parts.registry.of(owner).some((instance) => this.#mayRead(mandate, instance));
  }

  /** Those of which a tag may be renamed. What is gone keeps its name: nobody may say anything of it. @throws ArgoError NO MATCH, NOT ALLOWED */
  #toRename(mandate: Mandate, tag: string, bearers: readonly Bearer[]): readonly Bearer[] {
    const known = bearers.flatMap((bearer) => {
      const subject = this.#subjectOf(bearer);
      return subject && (this.#mayRead(mandate, subject) || this.#mayReadOtherwise(mandate, subject)) ? [{ bearer, subject }] : [];
    });
    if (known.length === 0) throw new ArgoError('NO MATCH', `nothing that you may read has the tag ${tag}`);
    if (known.some(({ subject }) => !mayChange(mandate, 'rename', subject))) throw new ArgoError('NOT ALLOWED');
    return known.map(({ bearer }) => bearer);
  }

  #counted<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isEnding) return Promise.reject(new ArgoError('SHUTTING DOWN'));
    const running = work();
    this.#running.add(running);
    const forget = (): void => void this.#running.delete(running);
    running.then(forget, forget);
    return running;
  }

  /** Done once, and recorded for each of several. */
  #recorded(
    mandate: Mandate, on: readonly (TaggedSubject | typeof ALL)[],
    { operation, options }: { readonly operation: OperationName; readonly options: string | ((name: string) => string) },
    work: () => Promise<TagOutcome>,
  ): Promise<TagOutcome> {
    const command = commandOf(mandate, operation);
    const facts = on.map((subject) => {
      const instance = subject === ALL ? ALL : nameOf(subject);
      return { account: mandate.identity.name, from: mandate.origin, command, instance, options: typeof options === 'string' ? options : options(instance) };
    });
    return recorded(this.#parts, facts, work, {
      done: (outcome) => (outcome === 'done' ? 'done' : 'already so'),
      failed: (thrown) => {
        const { message, cause } = toArgoError(thrown);
        return { outcome: message, cause };
      },
      ended: (record, index) => this.#tell(on[index]!, record),
    }).catch((thrown: unknown) => { throw toArgoError(thrown); });
  }

  #tell(subject: TaggedSubject | typeof ALL, { account, command, instance, options, auditId, outcome, ms }: EndedRecord): void {
    const about = typeof subject !== 'string' && isInstance(subject) ? subject : { provider: instance, name: '' };
    this.#parts.registry.events?.add({ type: 'action', instance, account, command, options, auditId, outcome, ms }, about);
  }
}

type Change = 'add' | 'remove' | 'rename';

const operationOn = (what: Change, subject: TaggedSubject): OperationName => (isInstance(subject) ? `tag.${what}` : `tag.${what}-host`);

const mayChange = (mandate: Mandate, what: Change, subject: TaggedSubject): boolean =>
  (isInstance(subject) ? allows(mandate, operationOn(what, subject), subject) : allowsProvider(mandate, operationOn(what, subject), subject.name));

/** @throws ArgoError NOT ALLOWED */
function requireChange(mandate: Mandate, what: Change, subject: TaggedSubject): void {
  if (!mayChange(mandate, what, subject)) throw new ArgoError('NOT ALLOWED');
}

const levelsOf = ({ type, tags }: Pick<Bearer, 'type' | 'tags'>): Tag[] => [
  ...(type === undefined ? [] : [{ tag: type, level: 1 as TagLevel }]), ...[...tags].map((tag) => ({ tag, level: 3 as TagLevel })),
];
