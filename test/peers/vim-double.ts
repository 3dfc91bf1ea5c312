import { XMLParser } from 'fast-xml-parser';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { VimScreens } from './vim-screens.js';

/**
 * A vSphere for what VMware's simulator lacks: the order of elements is insisted on, answers come in
 * pages, sessions end, guests have no Tools, hosts go down. Strict: what it does not know is a fault.
 */

/** The elements of each request and of the types in it, in the order of VMware's vim-types.xsd. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  RetrieveServiceContent: ['_this'], CurrentTime: ['_this'], Logout: ['_this'], CreatePropertyCollector: ['_this'], DestroyPropertyCollector: ['_this'], DestroyView: ['_this'],
  Login: ['_this', 'userName', 'password', 'locale'],
  CreateContainerView: ['_this', 'container', 'type', 'recursive'],
  CreateFilter: ['_this', 'spec', 'partialUpdates'],
  RetrievePropertiesEx: ['_this', 'specSet', 'options'],
  ContinueRetrievePropertiesEx: ['_this', 'token'],
  WaitForUpdatesEx: ['_this', 'version', 'options'],
  PowerOnVM_Task: ['_this', 'host'], PowerOffVM_Task: ['_this'], SuspendVM_Task: ['_this'], ResetVM_Task: ['_this'],
  PowerOnVApp_Task: ['_this'], PowerOffVApp_Task: ['_this', 'force'], SuspendVApp_Task: ['_this'],
  PowerOnMultiVM_Task: ['_this', 'vm', 'option'],
  ShutdownGuest: ['_this'], RebootGuest: ['_this'], CancelTask: ['_this'],
  AnswerVM: ['_this', 'questionId', 'answerChoice'], AcquireTicket: ['_this', 'ticketType'],
  EnterMaintenanceMode_Task: ['_this', 'timeout', 'evacuatePoweredOffVms', 'maintenanceSpec'],
  ExitMaintenanceMode_Task: ['_this', 'timeout'], ShutdownHost_Task: ['_this', 'force'], RebootHost_Task: ['_this', 'force'],
  PowerDownHostToStandBy_Task: ['_this', 'timeoutSec', 'evacuatePoweredOffVms'], PowerUpHostFromStandBy_Task: ['_this', 'timeoutSec'],
  ReconfigureAutostart: ['_this', 'spec'],
  powerInfo: ['key', 'startOrder', 'startDelay', 'waitForHeartbeat', 'startAction', 'stopDelay', 'stopAction'],
  specSet: ['propSet', 'objectSet', 'reportMissingObjectsInResults'],
  // Of a PropertyFilterSpec, or of a HostAutoStartManagerConfig.
  spec: ['propSet', 'objectSet', 'reportMissingObjectsInResults', 'defaults', 'powerInfo'],
  propSet: ['type', 'all', 'pathSet'],
  objectSet: ['obj', 'skip', 'selectSet'],
  selectSet: ['name', 'type', 'path', 'skip', 'selectSet'],
};

/** What was asked: elements in their order. */
export interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A property's value, as XML with its own xsi:type. */
export const val = (type: string, content: string | number | boolean): string => `<val xsi:type="xsd:${type}">${content}</val>`;
export const ref = (type: string, name: string): string => `<val xsi:type="ManagedObjectReference" type="${type}">${name}</val>`;

/** A vApp's summary, in the order of its elements. */
export const vAppSummary = (name: string, state: string, suspended = false): string =>
  `<val xsi:type="VirtualAppSummary"><name>${name}</name><vAppState>${state}</vAppState><suspended>${suspended}</suspended><instanceUuid>uuid-of-${name}</instanceUuid></val>`;

export class Fault {
  constructor(readonly type: string, readonly words = '', readonly fields = '') {}
}

/** The other side is to do something else than to answer. */
export type Misdeed = 'cut' | 'silence' | 'half' | 'huge' | number;
export type Answer = string | Fault | Misdeed | undefined;

const parser = new XMLParser({ preserveOrder: true, ignoreAttributes: false, attributeNamePrefix: '', parseTagValue: false, removeNSPrefix: true, trimValues: false });

type Parsed = Readonly<Record<string, unknown>>;

function toElement(node: Parsed): Element {
  const name = Object.keys(node).find((key) => key !== ':@') ?? '';
  const inside = (Array.isArray(node[name]) ? node[name] : []) as Parsed[];
  const text = inside.map((child) => child['#text']).filter((part) => typeof part === 'string').join('');
  return { name, text, children: inside.filter((child) => !('#text' in child)).map(toElement), attributes: (node[':@'] ?? {}) as Record<string, string> };
}

const child = (element: Element | undefined, name: string): Element | undefined => element?.children.find((one) => one.name === name);
const all = (element: Element | undefined, name: string): Element[] => element?.children.filter((one) => one.name === name) ?? [];

/** @returns what is out of order */
function disorder(element: Element): string | undefined {
  const order = ORDER[element.name];
  if (order !== undefined) {
    const places = element.children.map(({ name }) => order.indexOf(name));
    if (places.includes(-1) || places.some((place, index) => place < (places[index - 1] ?? 0))) return element.name;
  }
  return element.children.map(disorder).find((name) => name !== undefined);
}

export interface VimDoubleOptions {
  readonly tls?: { readonly key: string; readonly cert: string };
  /** of a former one; else a free one is taken */
  readonly port?: number;
}

export class VimDouble {
  /** properties by object, as XML from {@link val} and {@link ref} */
  readonly objects = new Map<string, { type: string; properties: Map<string, string> }>();
  readonly calls: string[] = [];
  /** what to do instead, by method; undefined: as usual */
  readonly instead = new Map<string, (request: Element) => Answer>();
  readonly sessions = new Set<string>();
  /** that was asked for */
  readonly paths = new Set<string>();
  apiType = 'VirtualCenter';
  /** objects of one answer at most, whatever the client asks for */
  pageSize = 100;
  /** sends everything in one answer, whatever the client asks for */
  ignoresPages = false;
  /** says nothing any more, as a process that is stopped: what is asked meanwhile is never answered */
  isFrozen = false;
  readonly screens = new VimScreens();
  #viewed: readonly string[] = [];
  #rest: readonly string[] = [];
  #logins = 0;
  #tasks = 0;
  #told = new Set<string>();
  #news: string[] = [];
  #waiting: (() => void) | undefined;
  #server: Server;
  readonly #sockets = new Set<object>();
  /** gone, which whoever holds the other end has not noticed */
  #dead = new WeakSet<object>();

  private constructor(options: VimDoubleOptions) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => void this.#handle(request, response);
    this.#server = options.tls ? createTlsServer(options.tls, handle) : createServer(handle);
    this.#server.on('upgrade', (request, socket, head) => this.screens.show(request, socket, head));
  }

  static async start(options: VimDoubleOptions = {}): Promise<VimDouble> {
    const double = new VimDouble(options);
    await new Promise<void>((resolve) => { double.#server.listen(options.port ?? 0, '127.0.0.1', resolve); });
    return double;
  }

  get url(): string {
    return `http${'setSecureContext' in this.#server ? 's' : ''}://127.0.0.1:${this.port}/sdk`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  count(method: string): number {
    return this.calls.filter((call) => call === method).length;
  }

  addVm(name: string, properties: Readonly<Record<string, string>> = {}): void {
    this.objects.set(name, { type: 'VirtualMachine', properties: new Map(Object.entries({
      name: val('string', name), 'config.template': val('boolean', false), 'config.instanceUuid': val('string', `uuid-of-${name}`),
      'runtime.powerState': val('VirtualMachinePowerState', 'poweredOn'), 'runtime.connectionState': val('VirtualMachineConnectionState', 'connected'),
      'runtime.bootTime': val('dateTime', '2026-01-01T00:00:00Z'), ...properties,
    })) });
  }

  addHost(name: string, properties: Readonly<Record<string, string>> = {}): void {
    this.objects.set(name, { type: 'HostSystem', properties: new Map(Object.entries({
      name: val('string', name), 'runtime.powerState': val('HostSystemPowerState', 'poweredOn'),
      'runtime.connectionState': val('HostSystemConnectionState', 'connected'), 'runtime.inMaintenanceMode': val('boolean', false), ...properties,
    })) });
  }

  addVApp(name: string, properties: Readonly<Record<string, string>> = {}): void {
    this.objects.set(name, { type: 'VirtualApp', properties: new Map(Object.entries({ name: val('string', name), summary: vAppSummary(name, 'stopped'), ...properties })) });
  }

  set(name: string, path: string, value: string): void {
    this.objects.get(name)?.properties.set(path, value);
    this.#tell(this.#update(name, 'modify', [path]));
  }

  remove(name: string): void {
    this.#tell(this.#update(name, 'leave', []));
    this.objects.delete(name);
  }

  /** Into another folder: it enters that before it leaves the former. */
  move(name: string): void {
    this.#tell(this.#update(name, 'enter', [...this.objects.get(name)?.properties.keys() ?? []]));
    this.#tell(this.#update(name, 'leave', []));
  }

  /** All connections are broken; the client finds out when it next uses one. @returns how many */
  breakConnections(): number {
    this.#dead = new WeakSet(this.#sockets);
    return this.#sockets.size;
  }

  expireSessions(): void {
    this.sessions.clear();
    this.#waiting?.();
  }

  /** @param error a fault's type @param result as XML, with its own xsi:type */
  addTask(state: 'success' | 'error' | 'running', error = '', result = ''): string {
    this.#tasks += 1;
    const name = `task-${this.#tasks}`;
    const properties = new Map([['info.state', val('TaskInfoState', state)]]);
    if (error !== '') properties.set('info.error', `<val xsi:type="LocalizedMethodFault"><fault xsi:type="${error}"/><localizedMessage>it said ${error}</localizedMessage></val>`);
    if (result !== '') properties.set('info.result', result);
    this.objects.set(name, { type: 'Task', properties });
    return `<returnval type="Task">${name}</returnval>`;
  }

  async stop(): Promise<void> {
    this.#waiting?.();
    this.screens.close();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => { this.#server.close(() => resolve()); });
  }

  #tell(update: string): void {
    this.#news.push(update);
    this.#waiting?.();
  }

  #update(name: string, kind: string, paths: readonly string[]): string {
    const object = this.objects.get(name);
    const changes = paths.filter((path) => object?.properties.has(path))
      .map((path) => `<changeSet><name>${path}</name><op>assign</op>${object?.properties.get(path)}</changeSet>`);
    return `<objectSet><kind>${kind}</kind><obj type="${object?.type}">${name}</obj>${changes.join('')}</objectSet>`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#dead.has(request.socket)) return void request.socket.resetAndDestroy();
    if (!this.#sockets.has(request.socket)) {
      this.#sockets.add(request.socket);
      request.socket.once('close', () => this.#sockets.delete(request.socket));
    }
    this.paths.add(request.url ?? '');
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    if (request.method === 'GET') {
      response.setHeader('content-type', 'text/xml').end('<namespaces><namespace><name>urn:vim25</name><version>7.0</version><priorVersions><version>6.5</version></priorVersions></namespace></namespaces>');
      return;
    }
    const envelope = (parser.parse(Buffer.concat(chunks).toString()) as Parsed[]).map(toElement).find(({ name }) => name === 'Envelope');
    const call = child(envelope, 'Body')?.children[0];
    if (call === undefined) return void response.writeHead(400).end();
    this.calls.push(call.name);
    const cookie = /vmware_soap_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const answer = await this.#answer(call, cookie, response);
    if (!response.destroyed && !this.isFrozen) send(response, call.name, answer);
  }

  #answer(call: Element, cookie: string, response: ServerResponse): Answer | Promise<Answer> {
    const wrong = disorder(call);
    if (wrong !== undefined) return new Fault('InvalidRequest', `elements of ${wrong} out of order`);
    if (!(call.name in ORDER)) return new Fault('InvalidRequest', `unknown method ${call.name}`);
    const isOpen = call.name === 'RetrieveServiceContent' || call.name === 'Login';
    const instead = this.instead.get(call.name)?.(call);
    if (instead !== undefined) return instead;
    if (!isOpen && !this.sessions.has(cookie)) return new Fault('NotAuthenticated', 'The session is not authenticated.');
    return this.#usual(call, cookie, response);
  }

  #usual(call: Element, cookie: string, response: ServerResponse): Answer | Promise<Answer> {
    const self = child(call, '_this')?.text ?? '';
    switch (call.name) {
      case 'RetrieveServiceContent': return this.#content();
      case 'CurrentTime': return '<returnval>2026-01-01T01:00:00Z</returnval>';
      case 'Login': {
        this.#logins += 1;
        const session = `session${this.#logins}`;
        this.sessions.add(session);
        response.setHeader('set-cookie', `vmware_soap_session=${session}; Path=/; HttpOnly`);
        return `<returnval><key>${session}</key><userName>${child(call, 'userName')?.text}</userName></returnval>`;
      }
      case 'Logout': this.sessions.delete(cookie); return '';
      case 'CreatePropertyCollector': this.#told = new Set(); this.#news = []; return '<returnval type="PropertyCollector">pc-1</returnval>';
      case 'CreateContainerView': this.#viewed = all(call, 'type').map(({ text }) => text); return '<returnval type="ContainerView">view-1</returnval>';
      case 'CreateFilter': return '<returnval type="PropertyFilter">filter-1</returnval>';
      case 'RetrievePropertiesEx': return this.#retrieve(call);
      case 'ContinueRetrievePropertiesEx': return this.#page(this.#rest, this.pageSize);
      case 'WaitForUpdatesEx': return this.#wait(call, cookie);
      case 'PowerOnVM_Task': return this.#power(self, 'poweredOn');
      case 'PowerOffVM_Task': return this.#power(self, 'poweredOff');
      case 'SuspendVM_Task': return this.#power(self, 'suspended');
      case 'AcquireTicket': return this.#ticket(self, child(call, 'ticketType')?.text);
      case 'DestroyPropertyCollector': case 'DestroyView': case 'ShutdownGuest': case 'RebootGuest': case 'AnswerVM': case 'CancelTask': return '';
      case 'ReconfigureAutostart': return this.#reconfigureAutostart(self, child(call, 'spec'));
      case 'EnterMaintenanceMode_Task': this.set(self, 'runtime.inMaintenanceMode', val('boolean', true)); return this.addTask('success');
      case 'ExitMaintenanceMode_Task': this.set(self, 'runtime.inMaintenanceMode', val('boolean', false)); return this.addTask('success');
      case 'PowerOnVApp_Task': return this.#vAppPower(self, 'started', false);
      case 'PowerOffVApp_Task': return this.#vAppPower(self, 'stopped', false);
      case 'SuspendVApp_Task': return this.#vAppPower(self, 'stopped', true);
      case 'PowerDownHostToStandBy_Task': return this.#standBy(self, 'poweredOn', 'standBy');
      case 'PowerUpHostFromStandBy_Task': return this.#standBy(self, 'standBy', 'poweredOn');
      default: return this.addTask('success');
    }
  }

  #ticket(name: string, type: string | undefined): Answer {
    const state = this.objects.get(name)?.properties.get('runtime.powerState');
    if (state === undefined) return new Fault('ManagedObjectNotFound', 'gone');
    if (type !== 'webmks') return new Fault('InvalidArgument', 'A specified parameter was not correct: ticketType', '<invalidProperty>ticketType</invalidProperty>');
    if (!state.includes('poweredOn')) return new Fault('InvalidPowerState', 'not in this state', '<requestedState>poweredOn</requestedState><existingState>poweredOff</existingState>');
    return this.screens.give(name);
  }

  #content(): string {
    const about = `<about><name>x</name><fullName>a double</fullName><vendor>x</vendor><version>7.0</version><build>1</build><osType>x</osType><productLineId>x</productLineId><apiType>${this.apiType}</apiType><apiVersion>7.0</apiVersion></about>`;
    return `<returnval><rootFolder type="Folder">group-d1</rootFolder><propertyCollector type="PropertyCollector">pc</propertyCollector><viewManager type="ViewManager">vm</viewManager>${about}<sessionManager type="SessionManager">sm</sessionManager></returnval>`;
  }

  /** Has a host start machines by itself, or none; these are on it. */
  addAutostart(host: string, isEnabled: boolean, machines: readonly string[]): void {
    const name = `autostart-of-${host}`;
    this.objects.set(name, { type: 'HostAutoStartManager', properties: new Map([['config', autostartConfig(isEnabled, [])]]) });
    this.objects.get(host)?.properties.set('configManager.autoStartManager', ref('HostAutoStartManager', name));
    for (const machine of machines) this.objects.get(machine)?.properties.set('runtime.host', ref('HostSystem', host));
  }

  /** Merges entries by their machines; one with neither a start nor a stop is gone. */
  #reconfigureAutostart(name: string, spec: Element | undefined): Answer {
    const config = this.objects.get(name)?.properties.get('config');
    if (config === undefined) return new Fault('ManagedObjectNotFound', 'gone');
    const entries = new Map([...config.matchAll(/<powerInfo>.*?>([\w-]+)<\/key>.*?<\/powerInfo>/g)].map(([entry, key = '']) => [key, entry]));
    for (const entry of all(spec, 'powerInfo')) {
      const fields = entry.children.map((field) => `<${field.name}${field.name === 'key' ? ' type="VirtualMachine"' : ''}>${field.text}</${field.name}>`);
      if (fields.length !== ORDER.powerInfo?.length) return new Fault('InvalidRequest', 'an element of powerInfo is missing');
      const isNone = ['startAction', 'stopAction'].every((field) => child(entry, field)?.text === 'none');
      const key = child(entry, 'key')?.text ?? '';
      if (isNone) entries.delete(key);
      else entries.set(key, `<powerInfo>${fields.join('')}</powerInfo>`);
    }
    this.objects.get(name)?.properties.set('config', autostartConfig(config.includes('<enabled>true'), [...entries.values()]));
    return '';
  }

  #power(name: string, state: string): Answer {
    const now = />(\w+)</.exec(this.objects.get(name)?.properties.get('runtime.powerState') ?? '')?.[1];
    if (now === undefined) return new Fault('ManagedObjectNotFound', 'gone');
    if (now === state) return new Fault('InvalidPowerState', 'not in this state', `<requestedState>${state}</requestedState><existingState>${now}</existingState>`);
    this.set(name, 'runtime.powerState', val('VirtualMachinePowerState', state));
    return this.addTask('success');
  }

  #vAppPower(name: string, state: string, suspended: boolean): Answer {
    const summary = this.objects.get(name)?.properties.get('summary');
    if (summary === undefined) return new Fault('ManagedObjectNotFound', 'gone');
    if (summary === vAppSummary(name, state, suspended)) {
      return new Fault('InvalidPowerState', 'not in this state', `<existingState>${state === 'started' ? 'poweredOn' : 'poweredOff'}</existingState>`);
    }
    this.set(name, 'summary', vAppSummary(name, state, suspended));
    return this.addTask('success');
  }

  /** vCenter hears nothing of a host in standby. */
  #standBy(host: string, from: string, to: string): Answer {
    if (this.objects.get(host)?.properties.get('runtime.powerState') !== val('HostSystemPowerState', from)) return new Fault('InvalidState', 'The operation is not allowed in the current state.');
    this.set(host, 'runtime.powerState', val('HostSystemPowerState', to));
    this.set(host, 'runtime.connectionState', val('HostSystemConnectionState', to === 'poweredOn' ? 'connected' : 'notResponding'));
    return this.addTask('success');
  }

  #retrieve(call: Element): Answer {
    const contents = all(call, 'specSet').flatMap((spec) => {
      const paths = new Map(all(spec, 'propSet').map((set) => [child(set, 'type')?.text, all(set, 'pathSet').map(({ text }) => text)]));
      const names = all(spec, 'objectSet').flatMap((set) => (child(set, 'selectSet') ? this.#members() : [child(set, 'obj')?.text ?? '']));
      return names.map((name) => this.#objectContent(name, paths.get(this.objects.get(name)?.type) ?? []));
    });
    if (contents.includes(undefined)) return new Fault('ManagedObjectNotFound', 'gone');
    return this.#page(contents.filter((content) => content !== undefined), Number(child(child(call, 'options'), 'maxObjects')?.text ?? this.pageSize));
  }

  #page(contents: readonly string[], most: number): string {
    const size = Math.min(most, this.pageSize);
    this.#rest = contents.slice(size);
    const token = this.#rest.length > 0 ? `<token>${this.#rest.length} more</token>` : '';
    return `<returnval>${token}${contents.slice(0, size).join('')}</returnval>`;
  }

  #objectContent(name: string, paths: readonly string[]): string | undefined {
    if (name === 'view-1') {
      const members = this.#members().map((member) => `<ManagedObjectReference type="${this.objects.get(member)?.type}">${member}</ManagedObjectReference>`);
      return `<objects><obj type="ContainerView">view-1</obj><propSet><name>view</name><val xsi:type="ArrayOfManagedObjectReference">${members.join('')}</val></propSet></objects>`;
    }
    const object = this.objects.get(name);
    if (object === undefined) return undefined;
    const known = paths.filter((path) => object.properties.has(path)).map((path) => `<propSet><name>${path}</name>${object.properties.get(path)}</propSet>`);
    return `<objects><obj type="${object.type}">${name}</obj>${known.join('')}</objects>`;
  }

  #members(): string[] {
    return [...this.objects].filter(([, { type }]) => this.#viewed.includes(type)).map(([name]) => name);
  }

  async #wait(call: Element, cookie: string): Promise<Answer> {
    const options = child(call, 'options');
    const most = this.ignoresPages ? Infinity : Number(child(options, 'maxObjectUpdates')?.text);
    const left = this.#members().filter((name) => !this.#told.has(name));
    if (child(call, 'version') === undefined || child(call, 'version')?.text === '' || left.length > 0) {
      const page = left.slice(0, most);
      for (const name of page) this.#told.add(name);
      return this.#updateSet(page.map((name) => this.#update(name, 'enter', [...this.objects.get(name)?.properties.keys() ?? []])), left.length > most);
    }
    const isNews = (): boolean => this.#news.length > 0 || !this.sessions.has(cookie);
    const until = Date.now() + Number(child(options, 'maxWaitSeconds')?.text) * 1000;
    while (!isNews() && Date.now() < until) await new Promise<void>((resolve) => { this.#waiting = resolve; });
    if (!this.sessions.has(cookie)) return new Fault('NotAuthenticated', 'The session is not authenticated.');
    const news = this.#news.splice(0);
    return news.length === 0 ? '' : this.#updateSet(news, false);
  }

  #updateSet(updates: readonly string[], truncated: boolean): string {
    const set = updates.length === 0 ? '' : `<filterSet><filter type="PropertyFilter">filter-1</filter>${updates.join('')}</filterSet>`;
    return `<returnval><version>${Date.now()}</version>${set}${truncated ? '<truncated>true</truncated>' : ''}</returnval>`;
  }
}

const autostartConfig = (isEnabled: boolean, entries: readonly string[]): string =>
  `<val xsi:type="HostAutoStartManagerConfig"><defaults><enabled>${isEnabled}</enabled></defaults>${entries.join('')}</val>`;

/** More than anybody should read. */
const HUGE = 50 * 1024 * 1024;

function send(response: ServerResponse, method: string, answer: Answer): void {
  if (answer === 'cut') return void response.destroy();
  if (answer === 'silence') return;
  if (typeof answer === 'number') return void response.writeHead(answer, { 'content-type': 'text/plain' }).end(`HTTP status ${answer}`);
  const open = '<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>';
  const close = '</soapenv:Body></soapenv:Envelope>';
  response.setHeader('content-type', 'text/xml; charset=utf-8');
  if (answer instanceof Fault) {
    const detail = `<detail><${answer.type}Fault xmlns="urn:vim25" xsi:type="${answer.type}">${answer.fields}</${answer.type}Fault></detail>`;
    return void response.writeHead(500).end(`${open}<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>${answer.words}</faultstring>${detail}</soapenv:Fault>${close}`);
  }
  if (answer === 'half') return void response.end(`${open}<${method}Response xmlns="urn:vim25"><returnval><objects><obj type="V`);
  if (answer === 'huge') {
    response.write(`${open}<${method}Response xmlns="urn:vim25"><returnval>`);
    return void response.end(`<objects/>`.repeat(HUGE / 10));
  }
  response.end(`${open}<${method}Response xmlns="urn:vim25">${answer ?? ''}</${method}Response>${close}`);
}
