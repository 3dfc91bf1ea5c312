import { findClass, plain, sameValue, type Argument, type Arguments, type CimClass, type Method, type Namespace, type Parameter, type Properties } from './cim.js';
import { Enumerations, readEnumerate } from './enumerations.js';
import { ACTION, WMI, WQL } from './names.js';
import { readArguments, type Request } from './request.js';
import { SoapFault } from './soap-faults.js';
import { writeEnvelope, writeFragment, writeInstance, writeOutput, type ZoneOffset } from './wire.js';
import { propertyOf, QueryError, readWql, type Associators, type Select } from './wql.js';

/** The resource of a request: a namespace of WMI, and a class or `*`. */
interface Resource {
  readonly namespace: string;
  readonly className: string;
}

function readResource(uri: string): Resource {
  const path = uri.slice(WMI.length);
  const at = path.lastIndexOf('/');
  if (!uri.startsWith(WMI) || at < 1) throw new SoapFault('resource unknown');
  return { namespace: path.slice(0, at).toLowerCase(), className: path.slice(at + 1) };
}

/** What a parameter's text must be. @throws SoapFault */
function check({ type, isArray }: Parameter, value: Argument): void {
  if (value === null) return;
  if (Array.isArray(value) && !isArray) throw new SoapFault('bad body');
  for (const each of Array.isArray(value) ? value as readonly Argument[] : [value]) {
    const isReference = typeof each === 'object';
    if (isReference !== (type === 'reference')) throw new SoapFault('bad parameter');
    if (type === 'uint' && !/^\d+$/.test((each as string).trim())) throw new SoapFault('bad parameter');
    if (type === 'boolean' && !/^(true|false|1|0)$/.test((each as string).trim())) throw new SoapFault('bad parameter');
  }
}

/** A method's arguments: those of its declaration, in that order. @throws SoapFault */
function checkArguments({ parameters }: Method, given: ReadonlyMap<string, Argument>): Arguments {
  let at = -1;
  for (const name of given.keys()) {
    const place = parameters.findIndex((each) => each.name === name);
    if (place < 0) throw new SoapFault('bad parameter');
    if (place < at) throw new SoapFault('bad body');
    at = place;
  }
  return Object.fromEntries(parameters.map((parameter) => {
    const value = given.get(parameter.name) ?? null;
    if (parameter.isRequired && value === null) throw new SoapFault('method parameters');
    check(parameter, value);
    return [parameter.name, parameter.isArray && value !== null && !Array.isArray(value) ? [value as string] : value];
  }));
}

/** WMI behind WS-Management: Get, Enumerate, Pull, Release and the methods of classes. */
export class Service {
  readonly enumerations = new Enumerations();
  readonly #namespaces: readonly Namespace[];
  readonly #locale: string;
  readonly #offset: ZoneOffset;

  /** @param offset minutes east of Greenwich */
  constructor(namespaces: readonly Namespace[], locale: string, offset: ZoneOffset) {
    this.#namespaces = namespaces;
    this.#locale = locale;
    this.#offset = offset;
  }

  /** @returns an envelope. @throws SoapFault */
  async answer(request: Request): Promise<string> {
    const resource = readResource(request.resource);
    const namespace = this.#namespaces.find(({ name }) => name === resource.namespace);
    if (!namespace) throw new SoapFault('no such namespace');
    const answer = (body: string): string => writeEnvelope(`${request.action}Response`, request.messageId, body, this.#locale);
    switch (request.action) {
      case ACTION.get: return answer(this.#get(namespace, resource, request));
      case ACTION.enumerate: return answer(this.#enumerate(namespace, resource, request));
      case ACTION.pull: return answer(this.enumerations.pull(namespace.name, request.body, request.maxEnvelope));
      case ACTION.release: return answer(this.enumerations.release(namespace.name, request.body));
      default: return answer(await this.#invoke(namespace, resource, request));
    }
  }

  #class(namespace: Namespace, name: string): CimClass {
    const found = findClass(namespace, name);
    if (!found) throw new SoapFault('no such class');
    return found;
  }

  /** The instance that selectors name: all keys and nothing else. */
  #one(namespace: Namespace, type: CimClass, { selectors = new Map() }: Request): Properties {
    const given = new Map(selectors);
    const named = [...given].find(([name]) => name.toLowerCase() === '__cimnamespace');
    if (named && named[1].toLowerCase() !== namespace.name) throw new SoapFault('unexpected selectors');
    if (named) given.delete(named[0]);
    const keys = new Map([...given].map(([name, value]) => [type.keys.find((key) => key.toLowerCase() === name.toLowerCase()), value]));
    if (keys.has(undefined)) throw new SoapFault('unexpected selectors');
    if (keys.size === 0 && !type.isSingleton) throw new SoapFault('keys missing');
    const isWhole = type.keys.every((key) => keys.has(key)) || type.enough?.every((key) => keys.has(key)) || (type.isSingleton && keys.size === 0);
    const found = isWhole && type.instances().find((instance) => [...keys].every(([key, value]) => sameValue(instance[key!] ?? null, value)));
    // What Windows says of half a key too.
    if (!found) throw new SoapFault('not found');
    return found;
  }

  #get(namespace: Namespace, { className }: Resource, request: Request): string {
    if (request.body) throw new SoapFault('bad body');
    const type = this.#class(namespace, className);
    return writeInstance(namespace.name, type.name, this.#one(namespace, type, request), this.#offset);
  }

  #enumerate(namespace: Namespace, { className }: Resource, request: Request): string {
    const wish = readEnumerate(request.body);
    if (request.selectors) throw new SoapFault('unexpected selectors');
    const items = wish.filter ? this.#query(namespace, className, wish.filter) : this.#all(namespace, className);
    return this.enumerations.begin(namespace.name, items, wish, request.maxEnvelope);
  }

  #all(namespace: Namespace, className: string): string[] {
    if (className === '*') throw new SoapFault('star missing');
    const type = this.#class(namespace, className);
    return type.instances().map((instance) => writeInstance(namespace.name, type.name, instance, this.#offset));
  }

  #query(namespace: Namespace, className: string, { dialect, text }: { readonly dialect: string; readonly text: string }): string[] {
    if (dialect !== WQL) throw new SoapFault('dialect unknown');
    if (className !== '*') throw new SoapFault('star missing');
    try {
      const query = readWql(text);
      return query.kind === 'select' ? this.#select(namespace, query) : this.#associators(namespace, query);
    } catch (error) {
      throw error instanceof QueryError ? new SoapFault('bad query') : error;
    }
  }

  #select(namespace: Namespace, { className, properties, matches }: Select): string[] {
    const type = this.#class(namespace, className);
    const found = type.instances().filter(matches);
    if (!properties) return found.map((instance) => writeInstance(namespace.name, type.name, instance, this.#offset));
    return found.map((instance) => writeFragment(Object.fromEntries(properties.map((name) => propertyOf(instance, name))), this.#offset));
  }

  #associators(namespace: Namespace, { className, keys, resultClass }: Associators): string[] {
    const type = this.#class(namespace, className);
    const result = this.#class(namespace, resultClass);
    const of = type.instances().find((instance) => type.keys.every((key) => plain(instance[key] ?? null).toLowerCase() === keys.get(key)?.toLowerCase()));
    if (!of) throw new SoapFault('not found');
    return (namespace.associators?.(of, type.name, result.name) ?? []).map((each) => writeInstance(namespace.name, result.name, each, this.#offset));
  }

  async #invoke(namespace: Namespace, { className }: Resource, request: Request): Promise<string> {
    const { action, resource, body } = request;
    if (!action.startsWith(`${resource}/`)) throw new SoapFault('action unknown');
    const type = this.#class(namespace, className);
    const name = action.slice(resource.length + 1);
    const method = type.methods?.[name];
    if (!method) throw new SoapFault('no such method');
    // Without a selector, a provider does not find its instance and blames the parameters.
    if (!request.selectors && !type.isSingleton) throw new SoapFault('method parameters');
    const instance = this.#one(namespace, type, request);
    if (body?.name !== `${name}_INPUT` || body.namespace !== resource) throw new SoapFault('bad body');
    const out = await method.call(instance, checkArguments(method, readArguments(body)));
    return writeOutput(resource, name, out, this.#offset);
  }
}
