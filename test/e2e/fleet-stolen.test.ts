import t from 'tap';
import { bucketStream, keysSubject } from '../../src/fleet/bus-store.js';
import { SIGNATURE_HEADER } from '../../src/fleet/contract.js';
import { KnownKey } from '../../src/fleet/signer.js';
import { unsealed } from '../../src/fleet/site-keys.js';
import { AUDIT_STREAM, aliveSubject, auditSubject, chunkKey, EVENTS_STREAM, eventSubject, INVENTORY_BUCKET, LEASES_BUCKET, newsSubject, orderSubject, storeSubject } from '../../src/fleet/subjects.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { NATS_PROGRAMS, natsUser } from '../peers/nats.js';
import { Fleet } from './support/fleet.js';
import { Thief } from './support/fleet-thief.js';

/** What a stolen key can have the bus's store do: it answers to wherever a question says, and asks nobody whether that is allowed. */

if (lacks(...NATS_PROGRAMS) !== false) {
  t.plan(0, 'needs nats-server');
  process.exit(0);
}

const NAMES = ['web1', 'web2'];
/** A front of whose key no site knows; the bus lets it in. */
const stranger = natsUser('f9', 'front');
const fleet = await Fleet.start(t, { sites: { berlin: { counted: { names: NAMES } }, munich: { counted: { names: NAMES } } }, fronts: { f1: {} }, keys: [stranger], siteIgnores: ['f9'] });
const f1 = fleet.front('f1');
const known = new KnownKey(fleet.keyOf('berlin').signer.publicKey);
const KEY = keysSubject(INVENTORY_BUCKET, chunkKey('berlin', 'kvm1', 0));
const INVENTORY = bucketStream(INVENTORY_BUCKET);
const LEASES = bucketStream(LEASES_BUCKET);
/** What is read of one's own, or of any, key or subject. */
const reading = (stream: string, subject: string): string => `$JS.API.DIRECT.GET.${stream}.${subject}`;

interface Kept { readonly message: { readonly data?: string; readonly hdrs?: string } }

/** The last of a subject, as whoever administers the bus reads it; undefined: there is none. */
async function lastOf(stream: string, subject: string): Promise<{ readonly data: Buffer; readonly headers: string } | undefined> {
  const said = await fleet.nats.ask(`STREAM.MSG.GET.${stream}`, { last_by_subj: subject }).catch((error: unknown) => {
    if (/no message found/.test((error as Error).message)) return undefined;
    throw error;
  }) as Kept | undefined;
  return said && { data: Buffer.from(said.message.data ?? '', 'base64'), headers: Buffer.from(said.message.hdrs ?? '', 'base64').toString() };
}

const signatureIn = (headers: string): string | undefined => new RegExp(`^${SIGNATURE_HEADER}: ?(\\S+)`, 'mi').exec(headers)?.[1];

/** That what the store has of berlin's is what berlin itself has written there. */
async function isBerlins(): Promise<boolean> {
  const value = await lastOf(INVENTORY, KEY);
  try {
    return value !== undefined && unsealed(known, KEY, value.data).length > 0;
  } catch {
    return false;
  }
}

const viewer = await f1.logIn();
/** What f1 shows of berlin's machines, and what it says of whether that is current. */
async function shown(): Promise<{ readonly machines: string; readonly end: string }> {
  const { body, comment } = await viewer.ask('status berlin.*/*', LONG);
  return { machines: body.join(' '), end: comment };
}

await t.test('a stolen key of a site', async (t) => {
  const thief = await Thief.logIn(fleet, fleet.keyOf('munich'));
  t.teardown(() => thief.close());
  const before = await shown();
  const targets = [
    KEY, keysSubject(INVENTORY_BUCKET, chunkKey('berlin', 'kvm1', 1)), keysSubject(LEASES_BUCKET, 'other'), eventSubject('berlin', 'state'), eventSubject('berlin', 'lost'), auditSubject('f1'),
    aliveSubject('berlin'), newsSubject('berlin'), orderSubject('berlin'),
    ...[INVENTORY, LEASES, EVENTS_STREAM, AUDIT_STREAM].flatMap((stream) => ['DELETE', 'PURGE', 'UPDATE'].map((act) => `$JS.API.STREAM.${act}.${stream}`)),
  ];
  // what is given back can be chosen: what it has written itself, or nothing at all
  const [mine, nothing] = [chunkKey('munich', 'own', 0), chunkKey('munich', 'none', 0)].map((key) => keysSubject(INVENTORY_BUCKET, key)) as [string, string];
  const happened = eventSubject('munich', 'lost');
  for (const bytes of [Buffer.from('{}'), Buffer.alloc(0)]) {
    await thief.connection.request(mine, bytes);
    await thief.connection.request(happened, bytes);
    for (const target of targets) {
      for (const question of [
        reading(INVENTORY, mine),
        reading(INVENTORY, nothing),
        reading(EVENTS_STREAM, happened),
        storeSubject(INVENTORY),
      ])
        await thief.haveAnswered(question, Buffer.alloc(0), target);
      for (const written of [mine, happened, keysSubject(LEASES_BUCKET, 'san1')]) await thief.haveAnswered(written, bytes, target);
    }
  }
  t.same(thief.violations, [], 'it may ask all of that');
  // what it asked last has been answered by then, as this is
  await thief.connection.request(reading(INVENTORY, mine), '');
  for (const stream of [INVENTORY, LEASES, EVENTS_STREAM, AUDIT_STREAM]) t.ok(await fleet.nats.ask(`STREAM.INFO.${stream}`), `${stream} is there`);
  t.ok(await isBerlins());
  t.equal(await lastOf(LEASES, keysSubject(LEASES_BUCKET, 'other')), undefined);
  t.equal(await lastOf(EVENTS_STREAM, eventSubject('berlin', 'lost')), undefined);
  t.equal(await lastOf(INVENTORY, keysSubject(INVENTORY_BUCKET, chunkKey('berlin', 'kvm1', 1))), undefined);
  t.same(await shown(), before);
  t.notMatch(f1.daemon.stderr(), /berlin\.kvm1\.\d.*(?:refused|passed over)/, 'nothing had to be refused but of its own');
  await fleet.isOrdered(f1, 'berlin', 'web1');
});

await t.test('a stolen key of a front, which can do that: nobody believes what comes of it, and it is mended', async (t) => {
  const thief = await Thief.logIn(fleet, stranger);
  t.teardown(() => thief.close());
  const before = await shown();
  // a stream does not hear itself: so what one gives back goes into another
  const own = auditSubject('f9');
  // that there is nothing, which is an answer with a status, becomes a value with one
  await thief.haveAnswered(reading(AUDIT_STREAM, own), Buffer.alloc(0), KEY);
  await until(async () => (await shown()).end.includes('was changed by somebody else'), LONG, 'f1 to say that something is wrong');
  t.equal((await shown()).machines, before.machines, 'what is known stays');
  await thief.connection.request(own, (await lastOf(INVENTORY, keysSubject(INVENTORY_BUCKET, chunkKey('munich', 'kvm1', 0))))!.data);
  await until(async () => {
    // a copy of the stream may be behind, and have nothing yet
    for (const target of [KEY, eventSubject('berlin', 'lost')]) await thief.haveAnswered(reading(AUDIT_STREAM, own), Buffer.alloc(0), target);
    return /"key":"berlin\.kvm1\.0","reason":"its signature is not by the key of that site"/.test(f1.daemon.stderr());
  }, LONG, 'f1 to name what is wrong');
  t.equal((await shown()).machines, before.machines, 'what is known stays');
  await fleet.isOrdered(f1, 'berlin', 'web1');
  const event = await lastOf(EVENTS_STREAM, eventSubject('berlin', 'lost'));
  t.notOk(event && known.verifies(eventSubject('berlin', 'lost'), event.data, signatureIn(event.headers)), 'who reads the stream can tell');
  await until(isBerlins, LONG, 'berlin to write it again');
  await until(async () => (await shown()).end === before.end, LONG, 'f1 to be current again');

  // nothing is read where there is nothing, and to that a stream is deleted
  for (const stream of [INVENTORY, EVENTS_STREAM]) await thief.haveAnswered(reading(INVENTORY, `${KEY}.none`), Buffer.alloc(0), `$JS.API.STREAM.DELETE.${stream}`);
  await until(() => fleet.nats.ask(`STREAM.INFO.${INVENTORY}`).then(() => false, () => true), LONG, 'the bucket to be gone');
  t.same(await shown(), before, 'what is known stays');
  await fleet.isOrdered(f1, 'berlin', 'web2');
  await fleet.nats.makeStore();
  t.equal(await f1.ask('stop berlin.kvm1/web2 --force --wait'), '');
  await until(isBerlins, LONG, 'berlin to tell anew what it has');
  await until(async () => signatureIn((await lastOf(EVENTS_STREAM, eventSubject('berlin', 'action')))?.headers ?? '') !== undefined, LONG, 'its events, which are signed');
  await until(async () => /web2: off/.test((await shown()).machines), LONG, 'f1 to know of the change');
  t.equal((await shown()).end, before.end);
});
