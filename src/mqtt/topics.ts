/**
 * Topics, and the names in them. In a topic `/` parts levels, `+` and `#` are patterns, and Home Assistant takes
 * letters, digits, `_` and `-` alone where it looks for what is new. So each name is written in such a way that
 * no two names come to one topic, and none changes a topic's levels.
 */

/** What stays as it is on a level of ours: letters and digits of any script, and what means nothing to a broker. */
const KEPT = /[^\p{L}\p{N}_.~:@!-]/gu;
/** The same where Home Assistant looks. `_` is not among them: it begins what is written otherwise. */
const PLAIN = /[^A-Za-z0-9-]/gu;

const hexOf = (character: string, mark: string): string => [...Buffer.from(character, 'utf8')].map((byte) => `${mark}${byte.toString(16).padStart(2, '0')}`).join('');

/** A name as one level of a topic: `web%201`. No two names come to one. */
export const level = (name: string): string => name.replace(KEPT, (character) => hexOf(character, '%'));

/** A name as Home Assistant takes it in ids and in topics of discovery: `web_201`. No two names come to one. */
export const plain = (name: string): string => name.replace(PLAIN, (character) => hexOf(character, '_'));

/** Between names that are {@link plain}: it stands in none of them. */
const SEPARATOR = '__';

/** What is told of a machine, each on a topic of its own below that of the machine. */
export const TOLD = ['availability', 'power', 'state', 'attributes', 'last_order'] as const;
export type Told = (typeof TOLD)[number];
/** By which of them a later life finds a machine that is there no more: it is the last to be cleared. */
export const LEFT_BY = 'attributes' satisfies Told;

/** What Home Assistant finds: an entity each. */
export const ENTITIES = { power: 'switch', power_state: 'binary_sensor', state: 'sensor', last_order: 'sensor', reboot: 'button', force_off: 'button' } as const;
export type Entity = keyof typeof ENTITIES;

export interface Prefixes {
  /** of this bridge among others on a broker */
  readonly id: string;
  /** of all topics of ours */
  readonly topics: string;
  /** where Home Assistant looks for what is new; undefined: it is told nothing */
  readonly discovery: string | undefined;
}

/** Of whom something on a broker tells. */
export interface Owner {
  /** below which all that is told of a machine lies; undefined where it is what Home Assistant is to find */
  readonly base: string | undefined;
  /** of which that is; undefined where {@link base} is not */
  readonly device: string | undefined;
  /** whether it is of a provider's machine */
  isOf(provider: string): boolean;
}

/** All topics of one bridge. */
export class Topics {
  readonly #prefixes: Prefixes;

  constructor(prefixes: Prefixes) {
    this.#prefixes = prefixes;
  }

  /** `online` or `offline`: whether what the topics say is the server's own word. */
  get availability(): string {
    return `${this.#prefixes.topics}/availability`;
  }

  /** Where all that is about a machine lies, and nothing else. @param name without its provider */
  of(provider: string, name: string): string {
    return `${this.#prefixes.topics}/${level(provider)}/${level(name)}`;
  }

  /** Where bridges tell each other that they are there: one has what is below the prefix, and what is to be found by the id. */
  get marks(): string[] {
    return [`${this.#prefixes.topics}/owner`, ...this.#beside('owner')];
  }

  /** Where it is tried whether we may write and read. */
  get trials(): string[] {
    return [`${this.#prefixes.topics}/check`, ...this.#beside('check')];
  }

  /** Among what is to be found by our id, where Home Assistant does not look. */
  #beside(what: string): string[] {
    const { discovery, id } = this.#prefixes;
    return discovery === undefined ? [] : [`${discovery}/bridge/${plain(id)}/${what}`];
  }

  /** Where orders for a machine come in. @param name without its provider */
  orders(provider: string, name: string): string {
    return `${this.of(provider, name)}/set`;
  }

  /** What is retained for each machine of ours, also of an earlier life. */
  get left(): string[] {
    const { discovery, id, topics } = this.#prefixes;
    return [`${topics}/+/+/${LEFT_BY}`, ...(discovery === undefined ? [] : [`${discovery}/+/${plain(id)}/+/config`])];
  }

  /** Unique on a broker, and of the machine for as long as it lives. @param id the manager's */
  device(provider: string, id: string): string {
    return [this.#prefixes.id, provider, id].map(plain).join(SEPARATOR);
  }

  /** Of an entity, unique on a broker. */
  unique(device: string, entity: string): string {
    return `${device}${SEPARATOR}${entity}`;
  }

  /** The bridge itself, as a device. */
  get bridge(): string {
    return plain(this.#prefixes.id);
  }

  /** Where Home Assistant finds an entity. @returns undefined where nobody looks */
  config(component: string, device: string, entity: string): string | undefined {
    const { discovery, id } = this.#prefixes;
    return discovery === undefined ? undefined : `${discovery}/${component}/${plain(id)}/${this.unique(device, entity)}/config`;
  }

  /** Whose what lies on a topic of {@link left} is. @returns undefined for what is not ours */
  ownerOf(topic: string): Owner | undefined {
    const { topics, discovery, id } = this.#prefixes;
    const own = `${topics}/`;
    if (topic.startsWith(own) && topic.endsWith(`/${LEFT_BY}`)) {
      const [provider, name, ...more] = topic.slice(own.length, -`/${LEFT_BY}`.length).split('/');
      if (provider === undefined || name === undefined || more.length > 0) return undefined;
      return { base: topic.slice(0, -`/${LEFT_BY}`.length), device: undefined, isOf: (one) => level(one) === provider };
    }
    if (discovery === undefined || !topic.startsWith(`${discovery}/`)) return undefined;
    const [, node, object, last] = topic.slice(discovery.length + 1).split('/');
    if (node !== plain(id) || !object?.startsWith(`${plain(id)}${SEPARATOR}`) || last !== 'config') return undefined;
    return { base: undefined, device: object.slice(0, object.lastIndexOf(SEPARATOR)), isOf: (one) => object.startsWith(this.device(one, '')) };
  }
}
