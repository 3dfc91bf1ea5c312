import type { XMLParser } from 'fast-xml-parser';
import { isCostlyXml } from '../../kit/xml-text.js';
import { ForeignAnswerError } from './errors.js';
import { collect } from '../http/client.js';
import type { XapiPool } from './pool.js';

/** One measured series. */
export interface Series {
  /** such as `vif_0_rx`, in bytes a second as the guest sees them; or `cpu0`, 0 to 1 */
  readonly name: string;
  /** oldest first; what was not measured is left out */
  readonly samples: readonly { readonly time: number; readonly value: number }[];
}

export interface Updates {
  /** seconds between two samples; each stands for the time before it */
  readonly step: number;
  readonly series: readonly Series[];
}

export interface UpdatesQuery {
  /** address of the host on which the VM runs: only it has the figures */
  readonly host: string;
  readonly vm: string;
  /** seconds since 1970 */
  readonly start: number;
  /** seconds between two samples */
  readonly interval: number;
}

/**
 * What a host has measured of a VM (XenServer SDK guide, "Using RRDs"). XML is asked for by name: hosts
 * since xapi 23.17 answer with JSON otherwise, in which a missing value makes it invalid.
 */
export function rrdUpdates(pool: XapiPool, { host, vm, start, interval }: UpdatesQuery, signal: AbortSignal): Promise<Updates> {
  const query = new URLSearchParams({ start: String(Math.floor(start)), cf: 'AVERAGE', interval: String(interval), vm_uuid: vm });
  return pool.fetch(host, `/rrd_updates?${query.toString()}`, 'text/xml', signal, async ({ body }) =>
    parseUpdates((await collect(body)).toString('utf8'), vm));
}

/** Of one answer: a year of days of a VM with some hundred series has a hundred thousand values. */
const MOST = { characters: 4 * 1024 * 1024, marks: 250_000 };

let parser: Promise<XMLParser> | undefined;

/** Loaded when something is measured for the first time. */
async function loadParser(): Promise<XMLParser> {
  const { XMLParser: Parser } = await import('fast-xml-parser');
  return new Parser({ parseTagValue: false, isArray: (name) => ['entry', 'row', 'v'].includes(name) });
}

interface Xport {
  readonly meta?: { readonly step?: string; readonly legend?: { readonly entry?: readonly string[] } };
  readonly data?: { readonly row?: readonly { readonly t?: string; readonly v?: readonly string[] }[] };
}

/** @throws ForeignAnswerError */
export async function parseUpdates(xml: string, vm: string): Promise<Updates> {
  if (isCostlyXml(xml, MOST)) throw new ForeignAnswerError('its measurements are more than are read');
  const reader = await (parser ??= loadParser());
  let xport: Xport | undefined;
  try {
    ({ xport } = reader.parse(xml) as { xport?: Xport });
  } catch (error) {
    throw new ForeignAnswerError('its measurements are not XML', { cause: error });
  }
  const step = Number(xport?.meta?.step);
  if (xport === undefined || !(step > 0)) throw new ForeignAnswerError('its measurements are in a form that we do not know');
  const rows = [...xport.data?.row ?? []].sort((one, other) => Number(one.t) - Number(other.t));
  const series = (xport.meta?.legend?.entry ?? []).flatMap((entry, column) => {
    const [, kind, uuid, name] = entry.split(':');
    if (kind !== 'vm' || uuid !== vm || name === undefined) return [];
    const samples = rows.map(({ t, v }) => ({ time: Number(t), value: Number(v?.[column] ?? NaN) })).filter(({ value }) => Number.isFinite(value));
    return [{ name, samples }];
  });
  return { step, series };
}
