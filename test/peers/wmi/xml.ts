/** XML as a strict server reads it: namespaces resolved, no document type, nothing skipped. */

export interface XmlElement {
  readonly namespace: string;
  readonly name: string;
  /** by name; those with a namespace as `{namespace}name` */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** its own text, all of it */
  readonly text: string;
}

/** Not XML, or more of XML than SOAP allows. */
export class XmlError extends Error {}

interface Open {
  readonly tag: string;
  readonly scope: ReadonlyMap<string, string>;
  readonly element: XmlElement & { text: string; children: XmlElement[] };
}

const TOKEN = /<!\[CDATA\[([\s\S]*?)\]\]>|(<!--[\s\S]*?-->|<\?[\s\S]*?\?>)|<\/([^\s<>/]+)\s*>|<([^\s<>/!?]+)((?:\s+[^\s=<>/]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;
const ATTRIBUTE = /([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: '\'' };

function unescape(text: string): string {
  return text.replace(/&([^;&\s]*);?/g, (all, name: string) => {
    const number = /^#x([0-9a-f]+)$/i.exec(name)?.[1] ?? undefined;
    if (all.endsWith(';') && number !== undefined) return String.fromCodePoint(parseInt(number, 16));
    if (all.endsWith(';') && /^#\d+$/.test(name)) return String.fromCodePoint(Number(name.slice(1)));
    const known = all.endsWith(';') ? ENTITIES[name] : undefined;
    if (known === undefined) throw new XmlError(`no such entity: ${all}`);
    return known;
  });
}

function resolve(name: string, scope: ReadonlyMap<string, string>, isAttribute: boolean): [namespace: string, local: string] {
  const [prefix, local] = name.includes(':') ? name.split(':') as [string, string] : ['', name];
  if (prefix === '' && isAttribute) return ['', local];
  const namespace = prefix === 'xml' ? 'http://www.w3.org/XML/1998/namespace' : scope.get(prefix);
  if (namespace === undefined && prefix !== '') throw new XmlError(`prefix ${prefix} stands for nothing`);
  return [namespace ?? '', local];
}

function begin(tag: string, written: string, outer: ReadonlyMap<string, string>): Open {
  const pairs = [...written.matchAll(ATTRIBUTE)].map(([, name, double, single]) => [name!, unescape(double ?? single ?? '')] as const);
  if (new Set(pairs.map(([name]) => name)).size !== pairs.length) throw new XmlError(`an attribute of ${tag} is there twice`);
  const scope = new Map(outer);
  for (const [name, value] of pairs) {
    if (name === 'xmlns') scope.set('', value);
    else if (name.startsWith('xmlns:')) scope.set(name.slice(6), value);
  }
  const attributes = new Map(pairs.filter(([name]) => name !== 'xmlns' && !name.startsWith('xmlns:')).map(([name, value]) => {
    const [namespace, local] = resolve(name, scope, true);
    return [namespace === '' ? local : `{${namespace}}${local}`, value];
  }));
  const [namespace, name] = resolve(tag, scope, false);
  return { tag, scope, element: { namespace, name, attributes, children: [], text: '' } };
}

/** @throws XmlError */
export function readXml(document: string): XmlElement {
  const open: Open[] = [];
  let root: XmlElement | undefined;
  TOKEN.lastIndex = document.startsWith('\ufeff') ? 1 : 0;
  while (TOKEN.lastIndex < document.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(document);
    if (!token) throw new XmlError(`not XML from character ${at} on`);
    const [, cdata, aside, closing, opening, attributes = '', isEmpty, text] = token;
    const inner = open.at(-1);
    if (aside !== undefined) continue;
    if (opening !== undefined) {
      if (!inner && root) throw new XmlError('a second root');
      const begun = begin(opening, attributes, inner?.scope ?? new Map());
      inner?.element.children.push(begun.element);
      root ??= begun.element;
      if (isEmpty === '') open.push(begun);
    } else if (closing !== undefined) {
      if (inner?.tag !== closing) throw new XmlError(`${closing} is closed where ${inner?.tag ?? 'nothing'} is open`);
      open.pop();
    } else if (inner) {
      inner.element.text += cdata ?? unescape(text ?? '');
    } else if ((text ?? cdata ?? '').trim() !== '') {
      throw new XmlError('text outside of the root');
    }
  }
  if (!root || open.length > 0) throw new XmlError('it ends too early');
  return root;
}

export const is = (element: XmlElement | undefined, namespace: string, name: string): boolean =>
  element?.namespace === namespace && element.name === name;

export const child = (element: XmlElement, namespace: string, name: string): XmlElement | undefined =>
  element.children.find((each) => is(each, namespace, name));

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (each) => ESCAPES[each]!);
