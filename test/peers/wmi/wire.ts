import { randomUUID } from 'node:crypto';
import { Embedded, plain, Reference, type CimValue, type Properties } from './cim.js';
import { ANONYMOUS, NS, WMI } from './names.js';
import { escapeXml } from './xml.js';

/** How Windows writes answers: instances by DSP0230, the rest by DSP0226. */

/** Minutes east of Greenwich, in which a machine tells its dates. */
export type ZoneOffset = number;

/** 2013-04-10T16:17:23.5Z: no more digits of a second than it needs. */
export function writeDate(date: Date, offset: ZoneOffset): string {
  const local = new Date(date.getTime() + offset * 60_000).toISOString().replace(/\.?0*Z$/, '');
  if (offset === 0) return `${local}Z`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return `${local}${offset < 0 ? '-' : '+'}${two(Math.abs(offset) / 60)}:${two(Math.abs(offset) % 60)}`;
}

function writeReference({ namespace, className, keys }: Reference): string {
  const selectors = Object.entries(keys).map(([name, value]) => `<w:Selector Name="${escapeXml(name)}">${escapeXml(value)}</w:Selector>`);
  return `<a:Address>${ANONYMOUS}</a:Address><a:ReferenceParameters><w:ResourceURI>${WMI}${namespace}/${className}</w:ResourceURI>`
    + `<w:SelectorSet>${selectors.join('')}</w:SelectorSet></a:ReferenceParameters>`;
}

/** One property; `prefix` is empty in a part of an instance, where nothing has a namespace. */
function writeProperty(name: string, value: CimValue, prefix: string, offset: ZoneOffset): string {
  const tag = `${prefix}${name}`;
  if (value === null) return `<${tag} xsi:nil="true"/>`;
  // An array of nothing is nothing, not nil.
  if (Array.isArray(value)) return (value as readonly CimValue[]).map((each) => writeProperty(name, each, prefix, offset)).join('');
  if (value instanceof Date) {
    const date = prefix === '' ? 'Datetime' : 'cim:Datetime';
    return `<${tag}><${date}>${writeDate(value, offset)}</${date}></${tag}>`;
  }
  if (value instanceof Reference) return `<${tag} xmlns:a="${NS.addressing}" xmlns:w="${NS.wsman}">${writeReference(value)}</${tag}>`;
  if (value instanceof Embedded) {
    const { namespace, className, properties } = value;
    return `<${tag} xmlns:e="${WMI}${namespace}/${className}" xsi:type="e:${className}_Type">${writeProperties(properties, 'e:', offset)}</${tag}>`;
  }
  return `<${tag}>${escapeXml(plain(value))}</${tag}>`;
}

function writeProperties(properties: Properties, prefix: string, offset: ZoneOffset): string {
  const names = Object.keys(properties).sort((one, other) => (one.toLowerCase() < other.toLowerCase() ? -1 : 1));
  return names.map((name) => writeProperty(name, properties[name]!, prefix, offset)).join('');
}

/** A whole instance, as Get and `SELECT *` have it. */
export function writeInstance(namespace: string, className: string, properties: Properties, offset: ZoneOffset): string {
  return `<p:${className} xmlns:xsi="${NS.instance}" xmlns:p="${WMI}${namespace}/${className}" xmlns:cim="${NS.common}" xsi:type="p:${className}_Type">`
    + `${writeProperties(properties, 'p:', offset)}</p:${className}>`;
}

/** Some properties of an instance: neither its class nor a namespace is told. */
export const writeFragment = (properties: Properties, offset: ZoneOffset): string =>
  `<w:XmlFragment xmlns:xsi="${NS.instance}" xmlns:w="${NS.wsman}">${writeProperties(properties, '', offset)}</w:XmlFragment>`;

/** What a method gives back: out-parameters in their order, ReturnValue at the end. */
export function writeOutput(resource: string, method: string, { ReturnValue = null, ...out }: Properties, offset: ZoneOffset): string {
  const parameters = Object.entries(out).map(([name, value]) => writeProperty(name, value, 'p:', offset)).join('');
  return `<p:${method}_OUTPUT xmlns:xsi="${NS.instance}" xmlns:p="${resource}" xmlns:cim="${NS.common}">`
    + `${parameters}${writeProperty('ReturnValue', ReturnValue, 'p:', offset)}</p:${method}_OUTPUT>`;
}

export function writeEnvelope(action: string, relatesTo: string, body: string, locale: string): string {
  return `<s:Envelope xml:lang="${locale}" xmlns:s="${NS.soap}" xmlns:a="${NS.addressing}" xmlns:x="${NS.transfer}" xmlns:n="${NS.enumeration}" xmlns:w="${NS.wsman}">`
    + `<s:Header><a:Action>${escapeXml(action)}</a:Action><a:MessageID>uuid:${randomUUID().toUpperCase()}</a:MessageID><a:To>${ANONYMOUS}</a:To>`
    + `<a:RelatesTo>${escapeXml(relatesTo)}</a:RelatesTo></s:Header><s:Body>${body}</s:Body></s:Envelope>`;
}

/** @param system such as `OS: 10.0.20348 SP: 0.0 Stack: 3.0`, which strangers do not get to know */
export function writeIdentity(system: string): string {
  return `<s:Envelope xml:lang="en-US" xmlns:s="${NS.soap}"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="${NS.identity}">`
    + `<wsmid:ProtocolVersion>${NS.wsman}</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>`
    + `<wsmid:ProductVersion>${system}</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>`;
}
