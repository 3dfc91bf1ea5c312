import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fromRoot } from '../../support/paths.js';
import { ACTION, WMI, WQL } from './names.js';

/** Debian's own: only it has Debian's modules. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = fromRoot('test/peers/wmi/pywinrm.py');
/** For all requests of one run, ms. */
const RUN_TIMEOUT = 90_000;

export interface Ask {
  readonly action: string;
  readonly resource: string;
  readonly selectors?: Readonly<Record<string, string>>;
  /** as xmltodict writes it */
  readonly body?: unknown;
}

export interface Answered {
  /** as xmltodict reads it */
  readonly body?: Readonly<Record<string, unknown>> | null;
  readonly error?: string;
  readonly status?: number;
  readonly words?: string;
}

export const get = (path: string, selectors?: Ask['selectors']): Ask => ({ action: ACTION.get, resource: `${WMI}${path}`, ...(selectors && { selectors }) });

export const query = (namespace: string, wql: string, optimised?: number): Ask => ({
  action: ACTION.enumerate, resource: `${WMI}${namespace}/*`,
  body: { 'n:Enumerate': { ...(optimised !== undefined && { 'w:OptimizeEnumeration': null, 'w:MaxElements': String(optimised) }), 'w:Filter': { '@Dialect': WQL, '#text': wql } } },
});

export const pull = (namespace: string, context: string, most?: number): Ask => ({
  action: ACTION.pull, resource: `${WMI}${namespace}/*`, body: { 'n:Pull': { 'n:EnumerationContext': context, ...(most !== undefined && { 'n:MaxElements': String(most) }) } },
});

export const release = (namespace: string, context: string): Ask => ({ action: ACTION.release, resource: `${WMI}${namespace}/*`, body: { 'n:Release': { 'n:EnumerationContext': context } } });

/** @param parameters in their order; an array is an element that is repeated */
export const invoke = (path: string, method: string, selectors: Ask['selectors'], parameters: Readonly<Record<string, string | readonly string[]>>): Ask => ({
  action: `${WMI}${path}/${method}`, resource: `${WMI}${path}`, ...(selectors && { selectors }),
  body: { [`i:${method}_INPUT`]: { '@xmlns:i': `${WMI}${path}`, ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [`i:${name}`, value])) } },
});

/**
 * One process of pywinrm, and one of its sessions.
 * @param options of winrm.Protocol, with `endpoint`; they go over stdin
 */
export class PyWinrm {
  readonly #child;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';
  readonly #timer;

  constructor(options: Readonly<Record<string, string | boolean>>, env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(PYTHON, [SCRIPT], { env: { ...process.env, NO_PROXY: '*', ...env } });
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => { this.#stderr += text; });
    this.#child.stdin.on('error', () => undefined);
    this.#timer = setTimeout(() => this.#child.kill('SIGKILL'), RUN_TIMEOUT);
    this.#child.stdin.write(`${JSON.stringify(options)}\n`);
  }

  /** @throws Error with what Python said, where it ended instead */
  async ask(request: Ask): Promise<Answered> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(this.#stderr);
    return JSON.parse(line.value) as Answered;
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}
