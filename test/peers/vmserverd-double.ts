import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket, type SecureContextOptions, createSecureContext } from 'node:tls';

/**
 * An old VMware server, as strict as nobody knows it to be: whatever a client says that is not exactly what the seed and the
 * recorded conversations of vmware-authd show is a fault, and ends the connection. It reads documents in its own way, so that
 * what our reader and our writer misunderstand alike is noticed.
 */

/** What the seed's VMware Server 1.0.3 said around every answer. */
const HEAD = '<exec><product id="GSX"><title>VMware Server</title><version>1.0.3 build-44356</version><build>44356</build></product>';

export const BANNERS = {
  /** of VMware Server 1.0 without TLS */
  plain: '220 VMware Authentication Daemon Version 1.00\r\n',
  /** of Workstation and of ESXi, with all that they promise */
  tls: '220 VMware Authentication Daemon Version 1.10: SSL Required, ServerDaemonProtocol:SOAP, MKSDisplayProtocol:VNC , , NFCSSL supported/t\r\n',
} as const;

export interface DoubleMachine {
  readonly name: string;
  /** 1 on, 2 off, 3 suspended, 4 stuck, 5 unknown */
  state: number;
  /** more of its VM_INFO, as XML */
  readonly more?: string;
  /** newest first: XML of `<event>` each */
  readonly events?: readonly string[];
}

export interface DoubleOptions {
  /** speaks TLS behind the banner with this; no newer one than 1.2, as servers of its time */
  readonly tls?: SecureContextOptions;
  readonly password?: string;
  /** by the path of their configuration files */
  readonly machines?: Readonly<Record<string, DoubleMachine>>;
  /** whether it has Argo's own operations, as an argo-server has */
  readonly isExtended?: boolean;
  /** what stands in its answers between elements, as the seed's has line breaks */
  readonly space?: string;
}

/** What it does with the next request of an operation instead of an answer. */
export type Deed = { readonly kind: 'fail'; readonly code: number; readonly words: string } | { readonly kind: 'cut' | 'cut after' | 'silent' } | { readonly kind: 'say'; readonly words: string };

const ACTIONS: Readonly<Record<string, number>> = { start: 1, stop: 2, suspend: 3, resume: 1, reset: 1 };

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
const unescaped = (text: string): string => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&quot;/g, '"').replace(/&apos;/g, "'").replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code))).replace(/&amp;/g, '&');

export class VmserverdDouble {
  readonly machines: Map<string, DoubleMachine>;
  /** operations that it was asked for, in their order */
  readonly calls: string[] = [];
  /** what a client did that it must not do */
  readonly faults: string[] = [];
  /** orders that it has carried out: `start /vms/a.vmx 2` */
  readonly orders: string[] = [];
  logins = 0;
  /** by task */
  readonly tasks = new Map<string, string>();
  readonly #options: DoubleOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #deeds = new Map<string, Deed[]>();

  private constructor(options: DoubleOptions) {
    this.#options = options;
    this.machines = new Map(Object.entries(options.machines ?? {}));
    this.#server = createServer((socket) => this.#greet(socket));
  }

  static async start(options: DoubleOptions = {}): Promise<VmserverdDouble> {
    const double = new VmserverdDouble(options);
    double.#server.listen(0, '127.0.0.1');
    await once(double.#server, 'listening');
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** connections that there are now */
  get connections(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    this.cut();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  cut(): void {
    this.#sockets.forEach((socket) => socket.destroy());
  }

  /** The next request of that operation is answered so. */
  does(operation: string, deed: Deed): void {
    this.#deeds.set(operation, [...this.#deeds.get(operation) ?? [], deed]);
  }

  #greet(plain: Socket): void {
    this.#sockets.add(plain);
    plain.on('error', () => undefined).on('close', () => this.#sockets.delete(plain));
    plain.write(this.#options.tls ? BANNERS.tls : BANNERS.plain);
    if (this.#options.tls === undefined) return this.#serve(plain);
    const socket = new TLSSocket(plain, { isServer: true, secureContext: createSecureContext({ maxVersion: 'TLSv1.2', ...this.#options.tls }) });
    socket.on('error', () => plain.destroy());
    this.#serve(socket);
  }

  #serve(socket: Socket): void {
    let input = '';
    let step: 'USER' | 'PASS' | 'GLOBAL' | 'documents' = 'USER';
    const fault = (what: string): void => {
      this.faults.push(what);
      socket.destroy();
    };
    const line = (text: string): void => {
      if (step === 'USER' && /^USER \S+$/.test(text)) [step] = ['PASS', socket.write(`331 Password required for ${text.slice(5)}.\r\n`)];
      else if (step === 'PASS' && text.startsWith('PASS ')) {
        this.logins += 1;
        const isRight = text === `PASS ${this.#options.password ?? 'sesame'}`;
        [step] = [isRight ? 'GLOBAL' : 'USER', socket.write(isRight ? '230 User operator logged in.\r\n' : '530 Login incorrect.\r\n')];
      } else if (step === 'GLOBAL' && text === 'GLOBAL server') [step] = ['documents', socket.write('200 Connect Global\r\n')];
      else fault(`a line that is not expected: ${text.replace(/PASS .*/, 'PASS …')}`);
    };
    socket.on('data', (chunk: Buffer) => {
      input += chunk.toString('utf8');
      for (;;) {
        const end = input.indexOf(step === 'documents' ? '\0' : '\r\n');
        if (end < 0 || socket.destroyed) return;
        const one = input.slice(0, end);
        input = input.slice(end + (step === 'documents' ? 1 : 2));
        if (step !== 'documents') line(one);
        else this.#take(socket, one, fault);
      }
    });
  }

  #take(socket: Socket, document: string, fault: (what: string) => void): void {
    const [, operation, inner] = /^<exec><op>(\w+)<\/op>(?:<in>(.*)<\/in>)?<\/exec>$/s.exec(document) ?? [];
    if (operation === undefined) return fault(`a document that is not expected: ${document}`);
    if (/<exec|<!|<\?|\0/.test(inner ?? '')) return fault(`a request with what cannot stand in it: ${document}`);
    this.calls.push(operation);
    const deed = this.#deeds.get(operation)?.shift();
    if (deed?.kind === 'silent') return;
    if (deed?.kind === 'cut') return void socket.destroy();
    if (deed?.kind === 'say') return void socket.write(deed.words);
    const answer = deed?.kind === 'fail' ? this.#failure(deed.code, deed.words) : this.#answer(operation, inner ?? '', fault);
    if (answer === undefined) return;
    if (deed?.kind === 'cut after') return void socket.destroy();
    const { space = '' } = this.#options;
    socket.write(`${space === '' ? answer : answer.replaceAll(/(<\/(?:title|product|returncode|vm|event)>)/g, `$1${space}`)}\0`);
  }

  #failure(code: number, words: string): string {
    return `${HEAD}<returncode>0</returncode><error><code>${code}</code><message>${escaped(words)}</message></error></exec>`;
  }

  #answer(operation: string, inner: string, fault: (what: string) => void): string | undefined {
    const success = (out: string): string => `${HEAD}<returncode>1</returncode><out>${out}</out></exec>`;
    const value = (name: string): string | undefined => {
      const [, found] = new RegExp(`^(?:<\\w+>[^<]*</\\w+>)*<${name}>([^<]*)</${name}>`).exec(inner) ?? [];
      return found === undefined ? undefined : unescaped(found);
    };
    const machine = this.machines.get(value('config') ?? '');
    const needsMachine = ['VM_INFO', 'VM_GetLastNEvents', 'X_VM_PowerOp'].includes(operation);
    if (needsMachine && value('config') === undefined) return void fault(`${operation} without a <config>: ${inner}`);
    if (needsMachine && machine === undefined) return this.#failure(-11, `No such virtual machine: The config file ${value('config')} is not registered.`);
    if (operation.startsWith('X_') && this.#options.isExtended !== true) return this.#failure(-30, `there is no operation ${operation}`);
    switch (operation) {
      case 'inc': return success(`<number>${Number(value('number')) + 1}</number>`);
      case 'VMServerd_GetOperationTable': return success(`<operations>${this.#table().map((name) => `<operation><name>${name}</name><access>authuser</access></operation>`).join('')}</operations>`);
      case 'VMServerd_GetConnectedVMList': return success(`<vms>${[...this.machines].filter(([, { state }]) => this.#options.isExtended === true || state !== 2).map(([path, one]) => `<vm><config>${escaped(path)}</config><displayName>${escaped(one.name)}</displayName><state>${one.state}</state></vm>`).join('')}</vms>`);
      case 'X_VM_Enumerate': return success(`<vms>${[...this.machines.keys()].map((path) => `<vm><config>${escaped(path)}</config></vm>`).join('')}</vms>`);
      case 'VM_INFO': return success(`<vm><config>${escaped(value('config')!)}</config><displayName>${escaped(machine!.name)}</displayName><state>${machine!.state}</state>${machine!.more ?? ''}</vm>`);
      case 'VM_GetLastNEvents': return success(`<events>${(machine!.events ?? []).slice(0, Number(value('n') ?? 25)).join('')}</events>`);
      case 'X_VM_PowerOp': return this.#power(machine!, value('config')!, value('action') ?? '', value('mode'), success);
      case 'TaskManager_StatusOfTask': return this.tasks.has(value('task') ?? '') ? success(`<status><task>${value('task')}</task><state>${this.tasks.get(value('task')!)}</state><error>it went wrong</error></status>`) : this.#failure(-33, 'there is no such task');
      default: return this.#failure(-30, `there is no operation ${operation}`);
    }
  }

  #table(): readonly string[] {
    const own = ['inc', 'VMServerd_GetOperationTable', 'VMServerd_GetConnectedVMList', 'VM_INFO', 'VM_GetLastNEvents', 'TaskManager_StatusOfTask'];
    return this.#options.isExtended === true ? [...own, 'X_VM_PowerOp', 'X_VM_Enumerate'] : own;
  }

  #power(machine: DoubleMachine, config: string, action: string, mode: string | undefined, success: (out: string) => string): string {
    const after = ACTIONS[action];
    if (after === undefined) return this.#failure(-3, `<action>: ${action}`);
    const isFitting = action === 'start' || action === 'resume' ? machine.state !== 1 : machine.state === 1;
    if (!isFitting) return this.#failure(-8, `Invalid operation for virtual machine's current state: it conflicted with the state ("${machine.state === 1 ? 'on' : 'off'}")`);
    machine.state = after;
    this.orders.push([action, config, mode ?? '-'].join(' '));
    const task = `t${this.orders.length}`;
    this.tasks.set(task, 'done');
    return success(`<task>${task}</task><state>${after}</state>`);
  }
}

/** A key, its certificate of its own authority for 127.0.0.1, and that one's fingerprint as ours have it. @param options of `openssl req` */
export function makeCertificate(options: readonly string[] = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']): { readonly key: string; readonly cert: string; readonly fingerprint: string } {
  const folder = mkdtempSync(join(tmpdir(), 'argo-vmserverd-'));
  try {
    execFileSync('openssl', ['req', '-x509', ...options, '-nodes', '-days', '2', '-subj', '/CN=gsx1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')], { stdio: 'ignore' });
    const [key, cert] = ['key', 'cert'].map((name) => readFileSync(join(folder, name), 'utf8')) as [string, string];
    return { key, cert, fingerprint: createHash('sha256').update(new X509Certificate(cert).raw).digest('base64').slice(0, 43) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
