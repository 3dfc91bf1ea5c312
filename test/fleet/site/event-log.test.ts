import t, { type Test } from 'tap';
import { EventLog, type SiteEvent, type SiteEventType } from '../../../src/fleet/site/event-log.js';
import type { KeyValue, Outbox } from '../../../src/store/state.js';

/** An outbox in memory. */
class Box implements Outbox {
  readonly kept: string[] = [];
  appends = 0;
  fails: 'no' | 'before' | 'after' = 'no';
  readFails = false;

  async append(events: readonly string[]): Promise<{ last: number; dropped: number }> {
    this.appends += 1;
    if (this.fails === 'before') throw new Error('the disk is full');
    this.kept.push(...events);
    if (this.fails === 'after') throw new Error('no answer');
    return { last: this.kept.length, dropped: 0 };
  }

  async read(after: number, most: number) {
    if (this.readFails) throw new Error('no answer');
    const events = this.kept.slice(after, after + most).map((event, at) => ({ event, position: after + at + 1 }));
    return { events, gone: 0, last: this.kept.length, dropped: 0 };
  }

  acknowledge = (): Promise<void> => Promise.resolve();
}

function notes(): KeyValue {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key),
    set: async (key, value) => void values.set(key, value),
    delete: async (key) => void values.delete(key),
    list: async () => [],
  };
}

const event = (type: SiteEventType, at: string): SiteEvent => ({ type, incarnation: 'i', at, event: '{}' });
const alternating = (): SiteEvent[] => Array.from({ length: 8 }, (_, at) => event(at % 2 === 0 ? 'state' : 'action', String(at)));

async function open(): Promise<{ log: EventLog; changes: Box; deeds: Box }> {
  const [changes, deeds] = [new Box(), new Box()];
  const log = new EventLog({ changes, deeds, notes: notes() });
  await log.load();
  return { log, changes, deeds };
}

/** The number and the time of each, as they are on the disk, in the order of the numbers. */
const onDisk = (...boxes: readonly Box[]): [number, string][] =>
  boxes.flatMap(({ kept }) => kept.map((text): [number, string] => {
    const { seq, at } = JSON.parse(text) as { seq: number; at: string };
    return [seq, at];
  })).sort(([one], [other]) => one - other);

function isInOrder(t: Test, base: number, found: readonly [number, string][]): void {
  t.same(found, Array.from({ length: 8 }, (_, at) => [base + at + 1, String(at)]));
}

await t.test('events of both kinds that take turns go to the disk together', async (t) => {
  const { log, changes, deeds } = await open();
  const pending = alternating();
  const kept = await log.append(pending);
  t.same(pending, []);
  t.same([changes.appends, deeds.appends], [1, 1]);
  t.same(kept.map(({ seq, at }) => [seq, at]), onDisk(changes, deeds));
  isInOrder(t, log.base, onDisk(changes, deeds));
  t.equal(log.last, log.base + 8);
});

for (const fails of ['before', 'after'] as const) {
  await t.test(`where one kind fails ${fails} it is there, each is there once in the end, under its number`, async (t) => {
    const { log, changes, deeds } = await open();
    const pending = alternating();
    deeds.fails = fails;
    await t.rejects(log.append(pending));
    t.equal(pending.length, 8);
    deeds.fails = 'no';
    deeds.readFails = true;
    await t.rejects(log.append(pending), { message: 'no answer' });
    deeds.readFails = false;
    await log.append(pending);
    t.same(pending, []);
    isInOrder(t, log.base, onDisk(changes, deeds));
    t.equal(log.last, log.base + 8);
    const sent: number[] = [];
    for (let next = await log.next(); next.length > 0; next = await log.next()) {
      sent.push(...next.map(({ seq }) => seq));
      log.done(next.at(-1)!);
    }
    t.same(sent, Array.from({ length: 8 }, (_, at) => log.base + at + 1));
  });
}
