import { infoSubject, STREAM_NOT_FOUND } from '../bus-store.js';
import { differences, layoutFault, layoutOf, LAYOUT, storeLayout, type Difference, type StoreChoices, type StoreStream } from '../store-layout.js';
import { askAt, askStore, StoreFault, type AdminConnection } from './connection.js';

/** Codes of the store's errors (nats-server, server/errors.json). */
const NO_ROOM = new Set([10_023, 10_028, 10_047]);
const NOT_CLUSTERED = 10_074;
const NO_PEERS = 10_005;

export interface Made {
  /** for people */
  readonly words: string;
  /** whether it is now as it has to be */
  readonly isGood: boolean;
}

/** What the store says of a stream, as far as it counts here. */
export interface StreamInfo {
  readonly config: Readonly<Record<string, unknown>>;
  readonly state: { readonly bytes: number };
  readonly cluster?: { readonly replicas?: readonly { readonly name: string; readonly current?: boolean; readonly offline?: boolean }[] };
}

/** A stream as it is; undefined: there is none. @throws StoreFault, Error */
export async function streamInfo(admin: Pick<AdminConnection, 'connection' | 'isApart'>, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await askAt<StreamInfo>(admin, infoSubject(stream, admin.isApart));
  } catch (error) {
    if (error instanceof StoreFault && error.code === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

/**
 * Makes the buckets and streams that are not there. One that is there with other settings is named, and changed where that is
 * asked for.
 */
export async function initStore(admin: Pick<AdminConnection, 'connection' | 'isApart'>, choices: StoreChoices, change: boolean): Promise<Made[]> {
  const made: Made[] = [];
  // one after the other: what is wrong with one, such as too little room, is not hidden by the others
  for (const one of storeLayout(choices)) made.push(await makeOne(admin, one, change));
  return made;
}

async function makeOne(admin: Pick<AdminConnection, 'connection' | 'isApart'>, one: StoreStream, change: boolean): Promise<Made> {
  const { title, stream, settings } = one;
  try {
    const there = await streamInfo(admin, stream);
    if (there === undefined) {
      await askStore(admin, `STREAM.CREATE.${stream}`, { name: stream, ...settings });
      return { words: `${title}: made`, isGood: true };
    }
    const layout = layoutOf(there.config);
    const other = differences(one, there.config);
    // what a newer one has made is not turned into what an older one knows
    if (layout !== undefined && layout > LAYOUT) return { words: `${title}: ${layoutFault(layout)}`, isGood: false };
    if (layout === LAYOUT && other.length === 0) return { words: `${title}: there already, as it should be`, isGood: true };
    const what = [...(layout === LAYOUT ? [] : [layoutFault(layout)!]), ...other.map(({ words }: Difference) => words)].join('; ');
    if (!change) return { words: `${title}: there already, and left as it is: ${what}`, isGood: false };
    await askStore(admin, `STREAM.UPDATE.${stream}`, { ...there.config, ...settings });
    return { words: `${title}: changed: ${what}`, isGood: true };
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    return { words: `${title}: refused by the bus: ${advice(error)}`, isGood: false };
  }
}

function advice({ code, message }: StoreFault): string {
  if (NO_ROOM.has(code)) return `${message}: give JetStream more room (max_file_store), or ask for less by --events-size and --audit-size`;
  if (code === NOT_CLUSTERED) return `${message}: on a single server, say --replicas 1`;
  return code === NO_PEERS ? `${message}: are as many servers of the cluster up as --replicas says, with JetStream and room for it (max_file_store)?` : message;
}
