import { randomUUID } from 'node:crypto';
import { NS } from './names.js';
import { SoapFault } from './soap-faults.js';
import { child, is, type XmlElement } from './xml.js';

/** Bytes of an envelope that are not its items. */
const ENVELOPE_ROOM = 2048;
/** What one batch may hold at most (winrm's MaxBatchItems). */
const MOST_ITEMS = 32_000;

export interface EnumerateWish {
  readonly isOptimised: boolean;
  readonly maxElements: number;
  readonly filter: { readonly dialect: string; readonly text: string } | undefined;
}

/** What may stand in a request of WS-Enumeration (8.2 and 8.3 of DSP0226), in this order. */
const ENUMERATE = [[NS.enumeration, 'EndTo'], [NS.enumeration, 'Expires'], [NS.enumeration, 'Filter'], [NS.wsman, 'OptimizeEnumeration'], [NS.wsman, 'MaxElements'], [NS.wsman, 'EnumerationMode'], [NS.wsman, 'Filter']] as const;
const PULL = [[NS.enumeration, 'EnumerationContext'], [NS.enumeration, 'MaxTime'], [NS.enumeration, 'MaxElements'], [NS.enumeration, 'MaxCharacters']] as const;

function inOrder(element: XmlElement, sequence: readonly (readonly [string, string])[]): void {
  let at = -1;
  for (const each of element.children) {
    const place = sequence.findIndex(([namespace, name]) => is(each, namespace, name));
    if (place <= at) throw new SoapFault('bad body');
    at = place;
  }
}

function readCount(element: XmlElement | undefined): number {
  if (!element) return 1;
  const count = Number(element.text.trim());
  if (!Number.isInteger(count) || count < 1) throw new SoapFault('bad body');
  return Math.min(count, MOST_ITEMS);
}

/** @throws SoapFault */
export function readEnumerate(body: XmlElement | undefined): EnumerateWish {
  if (!body || !is(body, NS.enumeration, 'Enumerate')) throw new SoapFault('bad body');
  inOrder(body, ENUMERATE);
  const isOptimised = child(body, NS.wsman, 'OptimizeEnumeration') !== undefined;
  const filter = child(body, NS.wsman, 'Filter') ?? child(body, NS.enumeration, 'Filter');
  return {
    isOptimised, maxElements: readCount(child(body, NS.wsman, 'MaxElements')),
    filter: filter && { dialect: filter.attributes.get('Dialect') ?? '', text: filter.text },
  };
}

interface Batch {
  readonly items: string;
  /** undefined: that was all */
  readonly context: string | undefined;
}

/** What clients have begun to read and not read to its end. */
export class Enumerations {
  readonly #open = new Map<string, { readonly namespace: string; readonly rest: string[] }>();

  get open(): number {
    return this.#open.size;
  }

  clear(): void {
    this.#open.clear();
  }

  /** @param maxEnvelope bytes that an answer may have */
  begin(namespace: string, items: string[], { isOptimised, maxElements }: EnumerateWish, maxEnvelope: number): string {
    const context = `uuid:${randomUUID().toUpperCase()}`;
    this.#open.set(context, { namespace, rest: items });
    if (!isOptimised) return `<n:EnumerateResponse><n:EnumerationContext>${context}</n:EnumerationContext></n:EnumerateResponse>`;
    const batch = this.#take(context, maxElements, maxEnvelope);
    // As Windows has it: all is said by an empty context, and the end is one of WS-Management.
    return `<n:EnumerateResponse><n:EnumerationContext>${batch.context ?? ''}</n:EnumerationContext>`
      + `<w:Items>${batch.items}</w:Items>${batch.context === undefined ? '<w:EndOfSequence/>' : ''}</n:EnumerateResponse>`;
  }

  pull(namespace: string, body: XmlElement | undefined, maxEnvelope: number): string {
    if (!body || !is(body, NS.enumeration, 'Pull')) throw new SoapFault('bad body');
    inOrder(body, PULL);
    const context = this.#find(namespace, body);
    const batch = this.#take(context, readCount(child(body, NS.enumeration, 'MaxElements')), maxEnvelope);
    return `<n:PullResponse>${batch.context === undefined ? '' : `<n:EnumerationContext>${batch.context}</n:EnumerationContext>`}`
      + `<n:Items>${batch.items}</n:Items>${batch.context === undefined ? '<n:EndOfSequence/>' : ''}</n:PullResponse>`;
  }

  /** The answer has an empty body. */
  release(namespace: string, body: XmlElement | undefined): string {
    if (!body || !is(body, NS.enumeration, 'Release')) throw new SoapFault('bad body');
    this.#open.delete(this.#find(namespace, body));
    return '';
  }

  #find(namespace: string, body: XmlElement): string {
    const context = child(body, NS.enumeration, 'EnumerationContext')?.text.trim();
    if (context === undefined) throw new SoapFault('bad body');
    if (this.#open.get(context)?.namespace !== namespace) throw new SoapFault('context unknown');
    return context;
  }

  #take(context: string, maxElements: number, maxEnvelope: number): Batch {
    const { rest } = this.#open.get(context)!;
    let bytes = ENVELOPE_ROOM;
    let count = 0;
    while (count < Math.min(maxElements, rest.length) && bytes + Buffer.byteLength(rest[count]!) <= maxEnvelope) bytes += Buffer.byteLength(rest[count++]!);
    if (count === 0 && rest.length > 0) throw new SoapFault('envelope exceeded');
    const items = rest.splice(0, count).join('');
    if (rest.length > 0) return { items, context };
    this.#open.delete(context);
    return { items, context: undefined };
  }
}
