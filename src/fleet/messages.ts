import * as v from 'valibot';
import { PROVIDER_NAME } from '../config/schema.js';
import { POWER_STATES } from '../drivers/driver.js';
import { POWER_ACTIONS } from '../instances/operation-table.js';
import type { Phrase } from '../kit/errors.js';
import { FLEET_CHUNK_MACHINES, FLEET_CHUNKS, FLEET_DETAIL, FLEET_MESSAGE, FLEET_PROVIDERS } from '../kit/fleet-limits.js';
import { harmless, oneLine } from '../kit/text.js';

/**
 * What fronts and sites say to each other: JSON in UTF-8, at most FLEET_MESSAGE bytes, `v` first. Keys that are not known
 * are passed over, so that a newer one may say more; another `v` is refused. The schemas here are what is written of their forms;
 * several orders, questions or answers may come as a list, see parcels.ts.
 */

export const FLEET_VERSION = 1;

const version = v.literal(FLEET_VERSION);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(512));
/** Those of orders and questions are made by `newId` of ids.ts: a site goes by the time that stands in them. */
const id = v.pipe(v.string(), v.regex(/^[\w-]{16,64}$/));
/** ms since 1970, up to the last date that can be written (ECMA-262, 21.4.1.1). */
const time = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8.64e15));
const milliseconds = v.pipe(v.number(), v.minValue(0), v.maxValue(7 * 86_400_000));
const words = v.pipe(v.string(), v.maxLength(4096));
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const state = v.picklist(POWER_STATES);
const mode = v.union([v.picklist(['soft', 'hard']), v.object({ softFor: milliseconds })]);
const wait = v.union([v.boolean(), milliseconds]);

/** Which machine is meant: its site's own name of the provider, its manager's id, and the name by which the front knows it: both have to fit. */
const target = { site: name, provider: name, machine: name, instance: name };
const principal = v.object({ account: name, from: v.pipe(v.string(), v.maxLength(256)), front: name });
/** ms since 1970 by the front's clock: when it was written, and after which it is not begun. */
const times = { at: time, sendBy: time };

/** An order: begun at most once for its id. `answerBy`: until when the front waits. */
export const orderMessage = v.object({
  v: version, id, ...target, do: v.picklist(POWER_ACTIONS), mode, wait,
  deadline: v.optional(milliseconds), principal, ...times, answerBy: time,
});
export type OrderMessage = v.InferOutput<typeof orderMessage>;

/** Readings, by name, and what else is asked without doing anything. */
export const ASKED = ['status', 'info', 'ip', 'mac', 'uptime', 'rx', 'tx', 'load', 'disk', 'bootMark', 'autostart', 'plan', 'dmesg'] as const;
export type Asked = (typeof ASKED)[number];

/** A question. Of `dmesg`, `machine` and `instance` are empty; `plan` has the order that it is about. */
export const askMessage = v.object({
  v: version, id, site: name, provider: name, machine: v.string(), instance: v.string(), ask: v.picklist(ASKED),
  order: v.optional(v.object({ do: v.picklist(POWER_ACTIONS), mode, wait })),
  deadline: v.optional(milliseconds), principal, ...times,
});
export type AskMessage = v.InferOutput<typeof askMessage>;

/** A change of a setting: begun at most once for its id, as an order. */
export const settingMessage = v.object({ v: version, id, ...target, set: v.literal('autostart'), value: v.boolean(), deadline: v.optional(milliseconds), principal, ...times, answerBy: time });
export type SettingMessage = v.InferOutput<typeof settingMessage>;

/**
 * What became of an order. One whose id is not known is not begun from then on. `cancel`: nobody waits any longer; `because`: why,
 * where nobody cancelled it, one of CANCELLED_BECAUSE: another word says no more than that it is left out.
 */
export const resultMessage = v.object({ v: version, id, site: name, cancel: v.optional(v.boolean()), because: v.optional(words), front: name, ...times });
export type ResultMessage = v.InferOutput<typeof resultMessage>;

/** Why an order is ended at the front, by the phrase of the reason there. */
export const CANCELLED_BECAUSE: Partial<Readonly<Record<Phrase, string>>> = { 'NOT ALLOWED': 'forbidden', TIMEOUT: 'late', 'SHUTTING DOWN': 'ended' };

/** One of the table, as its site has it: a newer one may have more. */
const phrase = v.pipe(v.string(), v.regex(/^[A-Z][A-Z ]{0,39}$/, 'it is no reason for a failure'));
/** `front`: who had signed what is answered; left out where the site does not know who that was. */
const answerBase = { v: version, id, incarnation: id, front: v.optional(name) };

/**
 * What a site answers. A front passes over what names another front: a stolen key of that one may have had it signed.
 * `running`: it is under way, further answers follow. `ended`: it is so, or was already. `failed`: with a phrase of the site's table.
 * `none`: an order of that id was never begun, and never will be. `lost`: it was begun by a process that has ended, and nobody
 * knows more; `observed` is what was read since. `value`: what was asked for, as `writeValue` of values.ts writes it.
 */
export const answerMessage = v.variant('state', [
  v.object({ ...answerBase, state: v.literal('running'), doing: v.optional(words) }),
  v.object({ ...answerBase, state: v.literal('ended'), result: v.picklist(['done', 'already']), before: v.optional(state), after: v.optional(state), verified: v.optional(v.boolean()) }),
  /** `whole`: the detail for those who may know why the provider does not answer, where `detail` leaves that out; `early`: refused before it was looked whether the id is known, so that another copy of the same may have been begun */
  v.object({ ...answerBase, state: v.literal('failed'), phrase, detail: words, whole: v.optional(words), early: v.optional(v.boolean()) }),
  v.object({ ...answerBase, state: v.literal('none') }),
  v.object({ ...answerBase, state: v.literal('lost'), observed: state }),
  v.object({ ...answerBase, state: v.literal('value'), value: v.unknown() }),
]);
export type AnswerMessage = v.InferOutput<typeof answerMessage>;

/**
 * A provider's name, as its site's configuration may have it: at a front it is a part of names that people type and of what grants
 * look at, whoever has sent it.
 */
const providerName = v.pipe(v.string(), v.regex(PROVIDER_NAME.form, 'it is no name of a provider'));
/** A driver's type, which is shown. */
const typeName = v.pipe(v.string(), v.regex(/^[\w.@+-]{1,64}$/, 'it is no type of a provider'));

/** What a site says of each provider that it offers. `stale`: why what is known of it may be out of date. `held`: false where another site has its lease. */
const offered = v.object({ name: providerName, type: typeName, stale: v.optional(words), held: v.boolean(), dmesg: v.boolean() });

/** A sign of life. `at`: its clock. `orders`: under way; `outbox`: events that wait for the bus. */
export const aliveMessage = v.object({
  v: version, site: name, incarnation: id, at: time, started: time, version: words, interval: milliseconds,
  providers: v.pipe(v.array(offered), v.maxLength(FLEET_PROVIDERS)), orders: v.number(), outbox: v.number(),
  /** it leaves by itself */
  leaving: v.optional(v.boolean()),
  /** it takes no orders yet: it listens whether there is another server of its name */
  opening: v.optional(v.boolean()),
});
export type AliveMessage = v.InferOutput<typeof aliveMessage>;
export type OfferedProvider = AliveMessage['providers'][number];

/** One machine: id, name, place of its type in MACHINE_TYPES, of its state in POWER_STATES, and of its capabilities in the list of the value. */
const machine = v.tuple([v.string(), v.string(), v.number(), v.number(), v.number()]);

/**
 * A value of the inventory, gzipped: the machines of a provider whose id's {@link chunkOf} is `chunk`. A listing is whole where all
 * `chunks` values say the same `chunks`. `seq`: position of the last event that is in it. `life`: of the process that has written it,
 * greater than that of any before; `turn`: greater by one with each value that it has written: so that an old one is known as that.
 */
export const chunkMessage = v.object({
  v: version, site: name, provider: providerName, type: typeName,
  chunk: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(FLEET_CHUNKS - 1)),
  chunks: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(FLEET_CHUNKS)),
  incarnation: id, seq: v.number(), life: whole, turn: whole,
  capabilities: v.array(v.array(v.string())),
  machines: v.pipe(v.array(machine), v.maxLength(FLEET_CHUNK_MACHINES * 8)),
});
export type ChunkMessage = v.InferOutput<typeof chunkMessage>;

/** An event of a site: what its own `watch --json` tells. `seq`: greater by one than that of the one before, also over a restart of the site. */
const event = { incarnation: id, seq: whole, type: name, at: words, event: v.record(v.string(), v.unknown()) };
export const eventMessage = v.object({ v: version, site: name, ...event });
export type EventMessage = v.InferOutput<typeof eventMessage>;

/** Events as fronts are told of them, several at a time: one signature is over all of them. */
export const newsMessage = v.object({ v: version, site: name, events: v.array(v.object(event)) });
export type NewsMessage = v.InferOutput<typeof newsMessage>;

/** Words of somebody else's, as a detail may have them. */
export const cleanDetail = (words: string): string => harmless(oneLine(words, FLEET_DETAIL));

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** A message that is not what it should be: the reason is for the log. */
export class MessageFault extends Error {
  override readonly name = 'MessageFault';
}

/** A message of a schema from its bytes. @throws MessageFault */
export const readMessage = <Schema extends v.GenericSchema>(schema: Schema, bytes: Uint8Array, most = FLEET_MESSAGE): v.InferOutput<Schema> =>
  checkMessage(schema, readContent(bytes, most));

/** @throws MessageFault where it is too large, or no JSON in UTF-8 */
export function readContent(bytes: Uint8Array, most = FLEET_MESSAGE): unknown {
  if (bytes.length > most) throw new MessageFault(`it has ${bytes.length} bytes, and at most ${most} can be`);
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch {
    throw new MessageFault('it is not JSON in UTF-8');
  }
}

/** A message of a schema from what its JSON says. @throws MessageFault */
export function checkMessage<Schema extends v.GenericSchema>(schema: Schema, content: unknown): v.InferOutput<Schema> {
  const said = (content as { v?: unknown } | null)?.v;
  if (typeof said === 'number' && said !== FLEET_VERSION) throw new MessageFault(`it is of version ${said}, and this server speaks version ${FLEET_VERSION}`);
  const { success, output, issues } = v.safeParse(schema, content);
  if (!success) throw new MessageFault(`${v.getDotPath(issues[0]) ?? 'it'}: ${issues[0].message}`);
  return output as v.InferOutput<Schema>;
}

/** @throws MessageFault where it is too large */
export const writeMessage = (message: object): Uint8Array => encoded(JSON.stringify(message));

/** Two objects in JSON as one, where the keys differ and neither is empty: what is JSON already is not written once more. */
export const joined = (one: string, other: string): string => `${one.slice(0, -1)},${other.slice(1)}`;

/** An object in JSON with one key, whose list is of texts that are JSON already. */
export const listOf = (key: string, texts: readonly string[]): string => `{${JSON.stringify(key)}:[${texts.join(',')}]}`;

/** @param text JSON @throws MessageFault where it is too large */
export function encoded(text: string, most = FLEET_MESSAGE): Uint8Array {
  const bytes = Buffer.from(text);
  if (bytes.length > most) throw new MessageFault(`it would have ${bytes.length} bytes, and at most ${most} can be`);
  return bytes;
}
