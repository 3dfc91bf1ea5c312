import { XMLParser } from 'fast-xml-parser';
import * as v from 'valibot';
import { ArgoError } from '../../kit/errors.js';
import { escapeXml, isCostlyXml } from '../../kit/xml-text.js';

/** The XML in which libvirt describes things, read and written. */

/** An element: its attributes, as `@name`, and its children by name. An empty one is read as an empty text. */
export type Element = { readonly [name: string]: unknown };

export const isElement = v.is.bind(null, v.record(v.string(), v.unknown())) as (value: unknown) => value is Element;

/** Of one description: those of hosts with hundreds of CPUs have some hundred thousand characters, machines a tenth of that. */
const MOST = { characters: 1024 * 1024, marks: 100_000 };

/** @throws ArgoError FAILED for what would keep everybody waiting while it is read */
export function refuseCostly(xml: string): void {
  if (isCostlyXml(xml, MOST)) throw new ArgoError('FAILED', 'libvirt describes it at a length that is not read');
}

/**
 * Makes a reader of documents, whose answer holds the outermost element.
 * @param lists paths, with points, of elements that there may be several of: they are lists however many there are
 * @returns throws an Error where it is not XML, and as {@link refuseCostly}
 */
export function createReader(lists: readonly string[]): (xml: string) => Element {
  const areLists = new Set(lists);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseAttributeValue: false,
    parseTagValue: false,
    isArray: (_name, path) => areLists.has(String(path)),
  });
  return (xml) => {
    refuseCostly(xml);
    const document: unknown = parser.parse(xml);
    return isElement(document) ? document : {};
  };
}

export const child = (element: Element, name: string): Element => {
  const value = element[name];
  return isElement(value) ? value : {};
};

export const children = (element: Element, name: string): Element[] => {
  const value = element[name];
  return Array.isArray(value) ? value.filter(isElement) : [];
};

export const text = (element: Element, name: string): string | undefined => {
  const value = element[name];
  if (isElement(value)) return text(value, '#text');
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** An element to be written. */
export interface XmlNode {
  readonly name: string;
  /** those that are undefined are left out */
  readonly attributes: Readonly<Record<string, string | undefined>>;
  readonly content: string | readonly (XmlNode | undefined)[];
}

/** @param content its text, or its children, of which those that are undefined are left out */
export const element = (name: string, attributes: XmlNode['attributes'] = {}, content: XmlNode['content'] = []): XmlNode => ({ name, attributes, content });

/** @throws RangeError for characters that XML cannot carry */
export function writeXml({ name, attributes, content }: XmlNode): string {
  const written = Object.entries(attributes).filter(([, value]) => value !== undefined).map(([key, value]) => ` ${key}="${escapeXml(value!)}"`).join('');
  const inner = typeof content === 'string' ? escapeXml(content) : content.filter((node) => node !== undefined).map(writeXml).join('');
  return inner === '' ? `<${name}${written}/>` : `<${name}${written}>${inner}</${name}>`;
}
