import { METHODS, TYPES, type Fields, type Method, type MethodShape } from './schema.js';

/** The service's description (WSDL 1.1), made from the table of methods and types: of one method each. */

const XML_TYPES = new Set(['string', 'boolean', 'int', 'long', 'dateTime']);

function typeName(type: string): string {
  if (type === 'ref') return 'v:ManagedObjectReference';
  if (type === 'any') return 'xsd:anyType';
  return XML_TYPES.has(type) ? `xsd:${type}` : `v:${type}`;
}

const withoutCount = (field: string): string => field.replace(/[?*]$/, '');

function element(name: string, field: string): string {
  const type = withoutCount(field);
  const occurs = field.endsWith('*') ? ' minOccurs="0" maxOccurs="unbounded"' : field.endsWith('?') ? ' minOccurs="0"' : '';
  return `<element name="${name}" type="${typeName(type)}"${occurs}/>`;
}

const sequence = (fields: Fields): string =>
  `<sequence>${Object.entries(fields).map(([name, field]) => element(name, field)).join('')}</sequence>`;

/** The order of elements is kept for named types only, so each request has one. */
const requestOf = (name: string, { takes, returns }: MethodShape): string =>
  `<complexType name="${name}RequestType">${sequence({ _this: 'ref', ...takes })}</complexType>`
  + `<element name="${name}" type="v:${name}RequestType"/>`
  + `<element name="${name}Response"><complexType>${sequence(returns === undefined ? {} : { returnval: returns })}</complexType></element>`;

const messagesOf = (name: string): string =>
  `<message name="${name}RequestMsg"><part name="parameters" element="v:${name}"/></message>`
  + `<message name="${name}ResponseMsg"><part name="parameters" element="v:${name}Response"/></message>`;

const operationOf = (name: string): string =>
  `<operation name="${name}"><input message="t:${name}RequestMsg"/><output message="t:${name}ResponseMsg"/></operation>`;

const bindingOf = (name: string): string =>
  `<operation name="${name}"><s:operation soapAction="" style="document"/>`
  + '<input><s:body use="literal"/></input><output><s:body use="literal"/></output></operation>';

/** Adds the types of the table that fields lead to. */
function collectTypes(fields: readonly string[], found = new Set<string>()): Set<string> {
  for (const type of fields.map(withoutCount)) {
    const its = TYPES[type];
    if (its === undefined || found.has(type)) continue;
    found.add(type);
    collectTypes(Object.values(its), found);
  }
  return found;
}

/** The description of a method, with the types that it needs. */
export function buildWsdl(method: Method): string {
  const shape: MethodShape = METHODS[method];
  const needed = collectTypes([...Object.values(shape.takes), shape.returns ?? 'any']);
  const types = [...needed].map((name) => `<complexType name="${name}">${sequence(TYPES[name]!)}</complexType>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<definitions targetNamespace="urn:vim25Service" xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"',
    ' xmlns:t="urn:vim25Service" xmlns:v="urn:vim25" xmlns:xsd="http://www.w3.org/2001/XMLSchema">',
    '<types><schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:vim25" elementFormDefault="qualified">',
    '<complexType name="ManagedObjectReference"><simpleContent><extension base="xsd:string"><attribute name="type" type="xsd:string"/>',
    '</extension></simpleContent></complexType>',
    ...types, requestOf(method, shape), '</schema></types>',
    messagesOf(method),
    '<portType name="VimPortType">', operationOf(method), '</portType>',
    '<binding name="VimBinding" type="t:VimPortType"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>',
    bindingOf(method), '</binding>',
    '<service name="VimService"><port name="VimPort" binding="t:VimBinding"><s:address location="https://localhost/sdk"/></port></service>',
    '</definitions>',
  ].join('\n');
}
