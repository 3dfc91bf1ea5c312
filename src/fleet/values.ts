import * as v from 'valibot';
import { POWER_STATES, type Readings } from '../drivers/driver.js';
import { MessageFault, type Asked } from './messages.js';

/** What a question yields, as it goes over the bus: JSON, whole numbers of any size as digits, what is not there as null or left out. */

/** What is asked for, by the word of the question. */
export type AskedValues = Readings & {
  /** undefined where it has no such mark that another process could go by */
  bootMark: string | undefined;
  /** undefined where it is neither on nor off */
  autostart: boolean | undefined;
  /** what an order would do, in words */
  plan: string;
  dmesg: string;
};

const text = v.string();
const texts = v.array(text);
const number = v.pipe(v.number(), v.finite());
const whole = v.pipe(text, v.regex(/^-?\d{1,30}$/), v.transform((digits) => BigInt(digits)));

/** What is null, or not there, in its place. */
const perhaps = <Schema extends v.GenericSchema>(schema: Schema) => v.pipe(v.nullable(schema), v.transform((value) => value ?? undefined));

const disk = v.object({ target: text, type: text, format: v.exactOptional(text), size: v.exactOptional(whole), source: v.exactOptional(text) });
const load = v.union([v.object({ averages: v.tuple([number, number, number]) }), v.object({ cpuPercent: number })]);
const facts = v.object({
  uuid: v.exactOptional(text), cpus: v.exactOptional(number), memory: v.exactOptional(whole), ips: v.exactOptional(texts), macs: v.exactOptional(texts),
  disks: v.exactOptional(v.array(disk)), host: v.exactOptional(text), persistent: v.exactOptional(v.boolean()), autostart: v.exactOptional(v.boolean()),
  more: v.exactOptional(v.record(text, text)),
});

const SCHEMAS: { readonly [Name in Asked]: v.GenericSchema<unknown, AskedValues[Name]> } = {
  status: v.picklist(POWER_STATES), info: facts, ip: texts, mac: texts, uptime: number, rx: whole, tx: whole, load, disk: v.array(disk),
  bootMark: perhaps(text), autostart: perhaps(v.boolean()), plan: text, dmesg: text,
};

/** A value as it stands in an answer. */
export const writeValue = (value: AskedValues[Asked]): unknown => (value === undefined ? null : plain(value));

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined).map(([key, one]) => [key, plain(one)]));
}

/** A value of an answer. @throws MessageFault where it is none of what was asked for */
export function readValue<Name extends Asked>(asked: Name, value: unknown): AskedValues[Name] {
  const { success, output, issues } = v.safeParse(SCHEMAS[asked], value);
  if (!success) throw new MessageFault(`the value of ${asked}: ${issues[0].message}`);
  return output as AskedValues[Name];
}
