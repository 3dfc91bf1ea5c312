import {
  FLEET_AUDIT_KEEP,
  FLEET_AUDIT_SIZE,
  FLEET_CHUNK_SIZE,
  FLEET_DUPLICATE_WINDOW,
  FLEET_EVENTS_KEEP,
  FLEET_EVENTS_SIZE,
  FLEET_HEADERS,
  FLEET_INVENTORY_SIZE,
  FLEET_LEASE_VALUE,
  FLEET_LEASES_SIZE,
  FLEET_MESSAGE,
  FLEET_REPLICAS,
} from '../kit/fleet-limits.js';
import { formatBytes } from '../kit/text.js';
import { bucketStream, keysSubject, NANOSECONDS } from './bus-store.js';
import { AUDIT_STREAM, AUDITS_OF_ALL, EVENTS_OF_ALL, EVENTS_STREAM, INVENTORY_BUCKET, LEASES_BUCKET } from './subjects.js';

/**
 * The buckets and streams of a fleet: what they have to be, and what is the operator's choice. They are made by
 * `argo-server fleet init`, never by a front or a site.
 */

/** Which layout this program works with. It stands in the description of each stream: servers before 2.10 keep no other words. */
export const LAYOUT = 1;

const DESCRIPTION = /^argo-server fleet, layout (\d+): /;
const DAY = 86_400_000;
/** In a stream's settings: no limit. */
const UNLIMITED = -1;

/** What an operator may choose. Sizes in bytes, of one copy. */
export interface StoreChoices {
  readonly replicas: number;
  readonly eventsSize: number;
  readonly auditSize: number;
}

export const DEFAULT_CHOICES: StoreChoices = { replicas: FLEET_REPLICAS, eventsSize: FLEET_EVENTS_SIZE, auditSize: FLEET_AUDIT_SIZE };

/** Settings of a stream that this program looks after, as JetStream has them (docs.nats.io, JetStream wire API). Durations in nanoseconds. */
export interface StreamSettings {
  readonly description: string;
  readonly subjects: readonly string[];
  readonly retention: 'limits';
  readonly storage: 'file';
  readonly discard: 'new' | 'old';
  readonly num_replicas: number;
  readonly max_age: number;
  readonly max_bytes: number;
  readonly max_msgs: number;
  readonly max_msgs_per_subject: number;
  readonly max_msg_size: number;
  readonly duplicate_window: number;
  readonly deny_delete: boolean;
  readonly deny_purge: boolean;
  readonly allow_rollup_hdrs: boolean;
  readonly allow_direct: boolean;
}

export interface StoreStream {
  /** as people know it: a bucket by its own name */
  readonly title: string;
  /** as NATS calls the stream */
  readonly stream: string;
  readonly settings: StreamSettings;
}

/** Settings that are the operator's: another value is worth a word, and nothing breaks by it. */
const CHOICES: ReadonlySet<string> = new Set<keyof StreamSettings>(['num_replicas', 'max_age', 'max_bytes']);

const COMMON = { retention: 'limits', storage: 'file', max_msgs: UNLIMITED, duplicate_window: FLEET_DUPLICATE_WINDOW * NANOSECONDS, deny_delete: true, allow_direct: true } as const;
const described = (words: string): string => `argo-server fleet, layout ${LAYOUT}: ${words}`;

/**
 * What is written to a full bucket is refused, since what is in it is the present; a full stream lets its oldest go. By a header of
 * its own, a message could have the store forget all others, also those of subjects that its sender may not write: so none is let.
 */
const bucket = (name: string, words: string, replicas: number, limits: Pick<StreamSettings, 'max_bytes' | 'max_msg_size'>): StoreStream => ({
  title: name, stream: bucketStream(name),
  settings: { ...COMMON, ...limits, description: described(words), subjects: [keysSubject(name, '>')], discard: 'new', num_replicas: replicas, max_age: 0, max_msgs_per_subject: 1, deny_purge: true, allow_rollup_hdrs: false },
});

const stream = (name: string, words: string, replicas: number, limits: Pick<StreamSettings, 'subjects' | 'max_bytes' | 'max_age' | 'deny_purge'>): StoreStream => ({
  title: name, stream: name,
  settings: { ...COMMON, ...limits, description: described(words), discard: 'old', num_replicas: replicas, max_msgs_per_subject: UNLIMITED, max_msg_size: FLEET_MESSAGE + FLEET_HEADERS, allow_rollup_hdrs: false },
});

/** All that a fleet keeps on its bus. */
export const storeLayout = ({ replicas, eventsSize, auditSize }: StoreChoices = DEFAULT_CHOICES): readonly StoreStream[] => [
  bucket(INVENTORY_BUCKET, 'the machines of all sites', replicas, { max_bytes: FLEET_INVENTORY_SIZE, max_msg_size: FLEET_CHUNK_SIZE + FLEET_HEADERS }),
  bucket(LEASES_BUCKET, 'which site has a provider that several serve', replicas, { max_bytes: FLEET_LEASES_SIZE, max_msg_size: FLEET_LEASE_VALUE + FLEET_HEADERS }),
  stream(EVENTS_STREAM, 'what happens at the sites', replicas, { subjects: [EVENTS_OF_ALL], max_bytes: eventsSize, max_age: FLEET_EVENTS_KEEP * NANOSECONDS, deny_purge: true }),
  stream(AUDIT_STREAM, 'what was done at the fronts', replicas, { subjects: [AUDITS_OF_ALL], max_bytes: auditSize, max_age: FLEET_AUDIT_KEEP * NANOSECONDS, deny_purge: true }),
];

/** A setting that is another one. */
export interface Difference {
  /** whether nothing breaks by it */
  readonly isChoice: boolean;
  /** for people: `max_age is 1 d, and would be 7 d` */
  readonly words: string;
}

function shown(key: keyof StreamSettings, value: unknown): string {
  if (key === 'max_age' || key === 'duplicate_window') {
    const ms = Number(value) / NANOSECONDS;
    return ms === 0 ? 'for ever' : ms % DAY === 0 ? `${ms / DAY} d` : `${ms / 1000} s`;
  }
  if ((key === 'max_bytes' || key === 'max_msg_size') && Number(value) >= 0) return formatBytes(BigInt(Number(value)));
  return Number(value) === UNLIMITED ? 'without limit' : String(value);
}

/** The layout that a stream says to be of; undefined: it was not made by this program. */
export function layoutOf({ description }: { readonly description?: unknown }): number | undefined {
  const number = typeof description === 'string' ? DESCRIPTION.exec(description)?.[1] : undefined;
  return number === undefined ? undefined : Number(number);
}

/** Why this program cannot work with a stream of that layout; undefined: it can. */
export function layoutFault(layout: number | undefined): string | undefined {
  if (layout === undefined) return 'was not made by `argo-server fleet init`';
  if (layout > LAYOUT) return `is of layout ${layout}, and this argo-server knows ${LAYOUT}: a newer one has made it`;
  return layout < LAYOUT ? `is of layout ${layout}, and this argo-server needs ${LAYOUT}: see the upgrade order in docs/fleet.md` : undefined;
}

/** In what an existing stream is not as it would be made. A setting that a server leaves out is its default. */
export function differences({ settings }: StoreStream, there: { readonly [Key in keyof StreamSettings]?: unknown }): Difference[] {
  const keys = (Object.keys(settings) as (keyof StreamSettings)[]).filter((key) => key !== 'description');
  return keys.flatMap((key) => {
    const [wanted, is] = [settings[key], there[key] ?? (typeof settings[key] === 'boolean' ? false : 0)];
    return String(wanted) === String(is) ? [] : [{ isChoice: CHOICES.has(key), words: `${key} is ${shown(key, is)}, and would be ${shown(key, wanted)}` }];
  });
}

/** What keeps this program from working with a stream as it is, in words behind its name. @param there undefined: it is not there */
export function faultsOf(one: StoreStream, there: { readonly [Key in keyof StreamSettings]?: unknown } | undefined): string[] {
  if (there === undefined) return ['is not there: argo-server fleet init makes it'];
  const layout = layoutFault(layoutOf(there));
  if (layout !== undefined) return [layout];
  return differences(one, there).filter(({ isChoice }) => !isChoice).map(({ words }) => `is not as it has to be: ${words}; argo-server fleet init --change sets that right`);
}
