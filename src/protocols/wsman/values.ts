import type { WmiObject, WmiPath, WmiValue } from '../wmi/connection.js';
import { Namespace } from './soap.js';
import { child, type XmlElement } from './xml.js';

const NIL = 'http://www.w3.org/2001/XMLSchema-instance nil';
/** Where dates are from (DSP0230, "CIM Datetime"). */
const CIM = 'http://schemas.dmtf.org/wbem/wscim/1/common';
const DATES: readonly string[] = ['Datetime', 'Interval', 'Date', 'Time'];
/** A selector that names the namespace where the resource does not (DSP0227, section 6.1). */
const NAMESPACE_KEY = '__cimnamespace';

/**
 * An instance, or a method's output: its elements by name. One that repeats is an array; an array of
 * one element therefore looks like a single value, and an empty one is not there at all.
 */
export function readObject({ children }: XmlElement): WmiObject {
  const properties = new Map<string, WmiValue>();
  for (const property of children) {
    const value = readValue(property);
    const before = properties.get(property.name);
    if (before === undefined) properties.set(property.name, value);
    else if (Array.isArray(before)) (before as WmiValue[]).push(value);
    else properties.set(property.name, [before, value]);
  }
  return Object.fromEntries(properties);
}

function readValue(element: XmlElement): WmiValue {
  const nil = element.attributes.get(NIL);
  if (nil === 'true' || nil === '1') return null;
  const [first] = element.children;
  if (!first) return element.text;
  const reference = part(element, Namespace.addressing, 'EndpointReference') ?? element;
  const parameters = part(reference, Namespace.addressing, 'ReferenceParameters');
  if (parameters) return readPath(parameters);
  return DATES.includes(first.name) && (first.namespace === CIM || first.namespace === '') ? first.text.trim() : readObject(element);
}

/** Of a query that picks properties, Windows sends fragments, in which nothing has a namespace. */
const part = (element: XmlElement, namespace: string, name: string): XmlElement | undefined =>
  child(element, namespace, name) ?? child(element, '', name);

/** An endpoint reference (DSP0226, section 5.1) as WMI's path. Keys that are references themselves are left out. */
function readPath(parameters: XmlElement): WmiPath {
  const resource = part(parameters, Namespace.wsman, 'ResourceURI')?.text.trim() ?? '';
  const selectors = part(parameters, Namespace.wsman, 'SelectorSet')?.children ?? [];
  const all = new Map(selectors.filter(({ children }) => children.length === 0).map((selector) => [selector.attributes.get('Name') ?? '', selector.text]));
  const named = all.get(NAMESPACE_KEY) ?? '';
  all.delete(NAMESPACE_KEY);
  const place = resource.startsWith(Namespace.wmi) ? resource.slice(Namespace.wmi.length) : `${named}/${resource.slice(resource.lastIndexOf('/') + 1)}`;
  const cut = place.lastIndexOf('/');
  return { namespace: place.slice(0, cut), className: place.slice(cut + 1), keys: Object.fromEntries(all) };
}
