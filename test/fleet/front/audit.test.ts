import { setImmediate as turn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { FrontAudit } from '../../../src/fleet/front/audit.js';
import { FROM_HEADER, SIGNATURE_HEADER, signedBy } from '../../../src/fleet/contract.js';
import { KnownKey, newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { AUDIT_STREAM, auditSubject } from '../../../src/fleet/subjects.js';
import { FLEET_AUDIT_GATHERED, FLEET_MESSAGE } from '../../../src/kit/fleet-limits.js';
import type { AuditNews, AuditRow } from '../../../src/store/audit-entry.js';
import type { CopyOutbox, KeyValue, OutboxEvent } from '../../../src/store/state.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;
const SIGNER = new NkeySigner(newSeed());

/** A state folder: what is in it outlives a front. */
class Folder {
  events: OutboxEvent[] = [];
  last = 0;
  dropped = 0;
  readonly keys = new Map<string, string>();
  /** the audit itself, oldest first */
  readonly rows: AuditRow[] = [];
  origin: string | undefined;
  /** why the audit cannot be read */
  trouble: string | undefined;
  /** how many it keeps */
  most = 100_000;

  readonly outbox: { -readonly [Name in keyof CopyOutbox]: CopyOutbox[Name] } = {
    origin: async () => this.origin,
    append: async (events, origin) => {
      this.origin = origin ?? this.origin;
      for (const event of events) this.events.push({ position: (this.last += 1), event });
      this.dropped += this.events.splice(0, Math.max(0, this.events.length - this.most)).length;
      return { last: this.last, dropped: this.dropped };
    },
    read: async (after, most) => ({
      events: this.events.filter(({ position }) => position > after).slice(0, most),
      gone: this.last - this.events.length,
      last: this.last,
      dropped: this.dropped,
    }),
    acknowledge: async (upTo) => {
      this.events = this.events.filter(({ position }) => position > upTo);
    },
  };

  readonly names: KeyValue = {
    get: async (key) => this.keys.get(key),
    set: async (key, value) => void this.keys.set(key, value),
    delete: async (key) => void this.keys.delete(key),
    list: async () => [],
  };
}

const beginning = (id: number, options = '') => ({ id, at: '2026-11-29T20:00:00.000Z', account: 'kim', from: '10.1.2.3:4411', command: 'stop', instance: 'berlin.kvm1/web1', options });
const begun: (id: number, options?: string) => AuditNews = beginning;
const row = (id: number, outcome: string | null): AuditRow => ({ ...beginning(id), outcome, ms: outcome === null ? null : 1500 });
const ended = (id: number): AuditNews => ({ id, at: '2026-11-29T20:00:01.000Z', outcome: 'done', ms: 12 });

function front(t: Test, hub: MemoryHub, folder: Folder) {
  const rows = async (before = Infinity, most: number): Promise<AuditRow[]> => {
    if (folder.trouble !== undefined) throw new Error(folder.trouble);
    return folder.rows.filter(({ id }) => id < before).slice(-most).reverse();
  };
  const bus = hub.connect('f1');
  const log: string[] = [];
  const audit = new FrontAudit({ bus, signer: SIGNER, front: 'f1', outbox: folder.outbox, rows, names: folder.names, log: (level, message, facts) => log.push(`${level} ${message} ${JSON.stringify(facts)}`) });
  audit.start();
  t.teardown(() => audit.close());
  return { bus, audit, log };
}

interface Kept { readonly front: string; readonly from: number; readonly to: number; readonly lost?: number; readonly entries: readonly AuditNews[] }

const messages = (hub: MemoryHub): readonly Kept[] => hub.store.messages(AUDIT_STREAM).map(({ data }) => JSON.parse(Buffer.from(data).toString()) as Kept);
const entries = (hub: MemoryHub): readonly AuditNews[] => messages(hub).flatMap((one) => one.entries);
const have = (hub: MemoryHub, count: number) => until(() => entries(hub).length >= count, WITHIN, `${count} entries`);

await t.test('entries get to the stream in order, with all that the audit has of them', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const { audit } = front(t, hub, folder);
  audit.add(begun(7));
  await have(hub, 1);
  audit.add(ended(7));
  await have(hub, 2);
  t.same(entries(hub), [begun(7), ended(7)]);
  t.same(hub.store.messages(AUDIT_STREAM).map(({ subject }) => subject), ['argo.v1.audit.front.f1', 'argo.v1.audit.front.f1']);
  await until(() => folder.events.length === 0, WITHIN, 'that what has arrived is not kept');
});

await t.test('entries that come without a pause get to the stream meanwhile', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const { append } = folder.outbox;
  const { audit } = front(t, hub, folder);
  let id = 0;
  let isOver = false;
  // by the time that some are on the disk, there is always another one
  folder.outbox.append = async (...put) => {
    if (!isOver) audit.add(begun((id += 1)));
    await turn();
    return append(...put);
  };
  audit.add(begun((id += 1)));
  await have(hub, 1);
  isOver = true;
  await have(hub, id);
  t.same(entries(hub).map((entry) => entry.id), Array.from({ length: id }, (_, at) => at + 1));
});

await t.test('what the bus does not take is kept, over an end of the server, and comes once', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  first.audit.add(begun(1));
  await have(hub, 1);
  first.bus.cut();
  for (let id = 2; id < 700; id += 1) first.audit.add(begun(id));
  await first.audit.close();
  t.equal(entries(hub).length, 1);
  const second = front(t, hub, folder);
  await have(hub, 699);
  t.same(entries(hub).map(({ id }) => id), Array.from({ length: 699 }, (_, at) => at + 1));
  second.audit.add(begun(700));
  await have(hub, 700);
  t.equal(entries(hub).length, 700);
});

await t.test('where the answer of the stream is lost, nothing is in it twice', async (t) => {
  const hub = new MemoryHub();
  const { audit, log } = front(t, hub, new Folder());
  hub.store.losesAnswers = true;
  audit.add(begun(1));
  await until(() => log.length > 0, WITHIN, 'that it is told');
  hub.store.losesAnswers = false;
  hub.store.forgetIds();
  audit.add(begun(2));
  await have(hub, 2);
  t.same(entries(hub).map(({ id }) => id), [1, 2]);
});

await t.test('where an attempt arrives after the stream was looked at, it is looked at again, and nobody is told of a trouble', async (t) => {
  const hub = new MemoryHub();
  const { audit, log } = front(t, hub, new Folder());
  audit.add(begun(1));
  await have(hub, 1);
  const [first] = hub.store.messages(AUDIT_STREAM);
  hub.store.append(AUDIT_STREAM, auditSubject('f1'), first!.data, first!.headers, 'late');
  audit.add(begun(2));
  await have(hub, 3);
  t.same(entries(hub).map(({ id }) => id), [1, 1, 2]);
  t.same(log, []);
});

await t.test('a stream that is not there is told of once, and waited for', async (t) => {
  const hub = new MemoryHub();
  const { audit, log } = front(t, hub, new Folder());
  hub.store.trouble = 'no quorum';
  for (let id = 1; id < 4; id += 1) audit.add(begun(id));
  await until(() => log.length > 0, WITHIN, 'that it is told');
  hub.store.trouble = undefined;
  await have(hub, 3);
  t.same(log, ['warn the audit of this front does not get to the fleet {"reason":"no quorum"}']);
});

await t.test('what had to give way is counted, and a folder that was lost begins anew', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  folder.most = 2;
  const first = front(t, hub, folder);
  first.bus.cut();
  for (let id = 1; id < 6; id += 1) first.audit.add(begun(id));
  await until(() => folder.last === 5, WITHIN, 'that they are kept');
  first.bus.restore();
  await have(hub, 2);
  t.same(messages(hub).map(({ from, to, lost }) => ({ from, to, lost })), [{ from: 4, to: 5, lost: 3 }]);
  await first.audit.close();
  const second = front(t, hub, new Folder());
  second.audit.add(begun(1));
  await have(hub, 3);
  t.same(messages(hub).at(-1)!.entries.map(({ id }) => id), [1]);
});

await t.test('a last message that cannot be read is told of, and what has not arrived goes on behind it, each once', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  for (let id = 1; id < 4; id += 1) first.audit.add(begun(id));
  await have(hub, 3);
  await until(() => folder.events.length === 0, WITHIN, 'that the front knows it');
  const outbox = folder.keys.get('outbox')!;
  const odd = ['{"v":99}', 'no JSON', JSON.stringify({ v: 1, front: 'f1', outbox, from: 1, to: 1_000_000, entries: [] })];
  const kept = (): readonly Kept[] =>
    hub.store
      .messages(AUDIT_STREAM)
      .map(({ data }) => Buffer.from(data).toString())
      .filter((text) => !odd.includes(text))
      .map((text) => JSON.parse(text) as Kept);
  const readable = (): readonly AuditNews[] => kept().flatMap((one) => one.entries);
  // the front's key has signed it, by another program: while the front is there, and while it is away
  const putOdd = (text: string, name: string): Promise<number> => {
    const [subject, data] = ['argo.v1.audit.front.f1', Buffer.from(text)];
    return hub.connect('_admin').addToStream(AUDIT_STREAM, subject, data, signedBy('f1', SIGNER, subject, data), name);
  };
  let id = 4;
  for (const text of odd) {
    first.bus.cut();
    await putOdd(text, `odd ${text}`);
    first.bus.restore();
    first.audit.add(begun(id++));
    await until(() => readable().length === id - 1, WITHIN, 'the next entry');
  }
  await first.audit.close();
  await putOdd(odd[0]!, 'odd once more');
  const second = front(t, hub, folder);
  second.audit.add(begun(id++));
  await until(() => readable().length === id - 1, WITHIN, 'the entry of the next process');
  t.same(readable().map((entry) => entry.id), Array.from({ length: id - 1 }, (_, at) => at + 1));
  t.same(kept().filter((one) => one.lost !== undefined), [], 'none is said to be lost');
  t.match(first.log, [/cannot be used, it goes on behind that .*version 99/, /not JSON/, /entries that this server never had/]);
  t.match(second.log, [/version 99/]);
  t.equal(first.log.length + second.log.length, 4);
});

await t.test('what had begun and was not on its way when the front was killed comes first, and once', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  first.audit.add(begun(1));
  await have(hub, 1);
  await first.audit.close();
  folder.rows.push(row(1, null), row(2, 'done'), ...Array.from({ length: 600 }, (_, at) => row(3 + at, null)));
  const second = front(t, hub, folder);
  folder.rows.push(row(603, null));
  second.audit.add(begun(603));
  await have(hub, 604);
  await until(() => folder.events.length === 0, WITHIN, 'that the front knows it');
  t.same(entries(hub).slice(0, 4), [begun(1), begun(2), { id: 2, at: '2026-11-29T20:00:01.500Z', outcome: 'done', ms: 1500 }, begun(3)]);
  t.same(entries(hub).filter((one) => !('outcome' in one)).map(({ id }) => id), Array.from({ length: 603 }, (_, at) => at + 1));
  await second.audit.close();
  const third = front(t, hub, folder);
  third.audit.add(ended(603));
  await have(hub, 605);
  t.equal(entries(hub).length, 605);
});

await t.test('what has begun waits until what had begun before can be read', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  first.audit.add(begun(1));
  await have(hub, 1);
  await first.audit.close();
  folder.rows.push(row(1, null), row(2, null));
  folder.trouble = 'the disk is busy';
  const second = front(t, hub, folder);
  second.audit.add(begun(3));
  await until(() => second.log.length > 0, WITHIN, 'that it is told');
  folder.trouble = undefined;
  await have(hub, 3);
  t.same(entries(hub).map(({ id }) => id), [1, 2, 3]);
  t.same(second.log, ['warn the audit of this front does not get to the fleet {"reason":"what was begun before cannot be read: the disk is busy"}']);
  t.equal(folder.origin, '3');
});

await t.test('of more than is taken on of what had begun, it is told which are lost', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  folder.origin = '1';
  folder.rows.push(...Array.from({ length: FLEET_AUDIT_GATHERED + 1000 }, (_, at) => row(at + 1, null)));
  const { audit, log } = front(t, hub, folder);
  audit.add(begun(FLEET_AUDIT_GATHERED + 1001));
  await until(() => Number(folder.origin) === FLEET_AUDIT_GATHERED + 1001, WITHIN, 'that they are kept');
  await have(hub, FLEET_AUDIT_GATHERED);
  const [{ id }] = entries(hub) as [AuditNews];
  t.ok(id > 2);
  t.same(log, [`error actions of before are lost to the fleet; this server has them in its audit {"after":1,"before":${id}}`]);
});

await t.test('a front that had an audit before it was in a fleet tells of what it does from then on', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  folder.rows.push({ ...beginning(1), outcome: null, ms: null });
  const { audit } = front(t, hub, folder);
  audit.add(begun(2));
  await have(hub, 1);
  t.same(entries(hub), [begun(2)]);
});

await t.test('a state folder of before is put back: what comes then is another entry than that of its position in the stream', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  first.audit.add(begun(1));
  await have(hub, 1);
  await until(() => folder.events.length === 0, WITHIN, 'that the front knows it');
  const before = { last: folder.last, origin: folder.origin, keys: [...folder.keys] };
  for (const id of [2, 3]) {
    first.audit.add(begun(id));
    await have(hub, id);
  }
  await first.audit.close();
  const old = new Folder();
  [old.last, old.origin] = [before.last, before.origin];
  before.keys.forEach(([key, value]) => old.keys.set(key, value));
  const second = front(t, hub, old);
  for (const id of [4, 5, 6]) {
    second.audit.add(begun(id));
    await have(hub, id);
  }
  t.same(entries(hub).map(({ id }) => id), [1, 2, 3, 4, 5, 6]);
  t.match(second.log, [/entries that this server never had/]);
  t.equal(second.log.length, 1);
});

await t.test('a state folder of before that has had more entries since, when the stream is looked at, loses none', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  first.audit.add(begun(1));
  await have(hub, 1);
  await until(() => folder.events.length === 0, WITHIN, 'that the front knows it');
  const before = { last: folder.last, keys: [...folder.keys] };
  for (const id of [2, 3]) {
    first.audit.add(begun(id));
    await have(hub, id);
  }
  await first.audit.close();
  const old = new Folder();
  old.last = before.last;
  before.keys.forEach(([key, value]) => old.keys.set(key, value));
  const second = front(t, hub, old);
  second.bus.cut();
  for (const id of [4, 5, 6]) second.audit.add(begun(id));
  await until(() => old.last === 4, WITHIN, 'that they are kept');
  second.bus.restore();
  await have(hub, 6);
  t.same(entries(hub).map(({ id }) => id), [1, 2, 3, 4, 5, 6]);
  t.match(second.log.join('\n'), /entries that this server never had/);
});

await t.test('a message is never too large, whatever was typed', async (t) => {
  const hub = new MemoryHub();
  const { audit } = front(t, hub, new Folder());
  for (let id = 1; id < 100; id += 1) audit.add(begun(id, '\u0001'.repeat(5000)));
  await have(hub, 99);
  t.same(entries(hub).map(({ id }) => id), Array.from({ length: 99 }, (_, at) => at + 1));
  t.ok(hub.store.messages(AUDIT_STREAM).every(({ data }) => data.length <= FLEET_MESSAGE));
});

await t.test('each message is signed, and what somebody else has put there says nothing of what has arrived', async (t) => {
  const hub = new MemoryHub();
  const folder = new Folder();
  const first = front(t, hub, folder);
  first.audit.add(begun(1));
  await have(hub, 1);
  const { data, subject, headers } = hub.store.messages(AUDIT_STREAM)[0]!;
  t.equal(headers[FROM_HEADER], 'f1');
  t.ok(new KnownKey(SIGNER.publicKey).verifies(subject, data, headers[SIGNATURE_HEADER]));
  await first.audit.close();
  // as if all that will ever come were there
  const forged = { ...JSON.parse(Buffer.from(data).toString()) as object, from: 2, to: 1_000_000, entries: [] };
  hub.store.append(AUDIT_STREAM, auditSubject('f1'), Buffer.from(JSON.stringify(forged)), headers, 'forged');
  const second = front(t, hub, folder);
  second.audit.add(begun(2));
  await have(hub, 2);
  t.same(entries(hub).map(({ id }) => id), [1, 2]);
});
