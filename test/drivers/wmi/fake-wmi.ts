import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import type { DriverHost, PowerState } from '../../../src/drivers/driver.js';
import { WmiLink } from '../../../src/drivers/wmi/link.js';
import { loginGuard } from '../../../src/drivers/wmi/open-link.js';
import type { Lockout } from '../../../src/kit/lockout.js';
import type { WmiConnection, WmiObject, WmiParameters, WmiPath } from '../../../src/protocols/wmi/connection.js';
import { WmiFault } from '../../../src/protocols/wmi/errors.js';

type Rows = readonly WmiObject[];
type Method = (path: WmiPath, parameters: WmiParameters) => WmiObject | Promise<WmiObject>;

/** WMI in memory: tables by class, methods by name. It takes just what the drivers ask. */
export class FakeWmi implements WmiConnection {
  /** by `namespace:class` */
  readonly tables = new Map<string, () => Rows>();
  /** by `class.method` */
  readonly methods = new Map<string, Method>();
  /** thrown by the next calls, in turn, or made then; undefined lets one through */
  readonly faults: (Error | (() => Error) | undefined)[] = [];
  readonly calls: string[] = [];
  opened = 0;
  closed = 0;

  async get(path: WmiPath, signal: AbortSignal): Promise<WmiObject> {
    await this.#enter(`get ${path.className} ${Object.values(path.keys).join(' ')}`, signal);
    const found = this.#rows(path.namespace, path.className).find((row) =>
      Object.entries(path.keys).every(([key, value]) => row[key] === undefined || row[key] === value),
    );
    if (!found) throw new WmiFault('no-such-instance', 2150858843, 'nicht da');
    return found;
  }

  async query(namespace: string, wql: string, signal: AbortSignal): Promise<Rows> {
    await this.#enter(wql, signal);
    const [, columns = '', className = '', key, operator, value = ''] = /^SELECT (.+) FROM (\w+)(?: WHERE (\w+) (=|LIKE) '?([^']*)'?)?$/.exec(wql) ?? [];
    const names = columns.split(', ');
    const wanted = value.replaceAll('\\\\', '\\');
    const isWanted = (row: WmiObject): boolean => key === undefined || (operator === '=' ? String(row[key]) === wanted : String(row[key]).startsWith(wanted.slice(0, -1)));
    return this.#rows(namespace, className).filter(isWanted).map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
  }

  async invoke(path: WmiPath, method: string, parameters: WmiParameters, signal: AbortSignal): Promise<WmiObject> {
    await this.#enter(`${path.className}.${method} ${Object.values(parameters).join(' ')}`, signal);
    this.#rows(path.namespace, path.className);
    const carriedOut = this.methods.get(`${path.className}.${method}`);
    if (!carriedOut) throw new WmiFault('no-such-method', 2150858753, 'unbekannt');
    return carriedOut(path, parameters);
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }

  /** Answers in a later turn, as a network does. */
  async #enter(call: string, signal: AbortSignal): Promise<void> {
    this.calls.push(call);
    const fault = this.faults.shift();
    await new Promise((resolve) => { setImmediate(resolve); });
    signal.throwIfAborted();
    if (fault) throw typeof fault === 'function' ? fault() : fault;
  }

  #rows(namespace: string, className: string): Rows {
    const rows = this.tables.get(`${namespace}:${className}`);
    if (!rows) throw new WmiFault('no-such-class', 2150858752, 'unbekannt');
    return rows();
  }
}

/** A service that takes connections and says nothing: that it listens is all. */
export async function listen(t: Test): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => { socket.destroy(); }).listen(0, '127.0.0.1');
  await new Promise((resolve) => { server.once('listening', resolve); });
  t.teardown(() => { server.close(); });
  return { server, port: (server.address() as AddressInfo).port };
}

let guards = 0;

/** For an account of which nobody knows anything. */
export const freshGuard = (): Lockout => loginGuard({ user: 'argo', domain: undefined }, `fake${++guards}`, () => undefined);

/** A link to a fake, with credentials that a test can change. */
export async function fakeLink(t: Test, wmi: FakeWmi, guard: Lockout = freshGuard(), credentials = { mark: 'one' }) {
  const { server, port } = await listen(t);
  const link = new WmiLink({ service: 'WinRM',
    address: '127.0.0.1', port, guard,
    mark: () => credentials.mark,
    open: () => {
      wmi.opened += 1;
      return Promise.resolve(wmi);
    },
  });
  return { link, server, guard, credentials };
}

/** What a driver has told its host. */
export interface Told {
  readonly changed: { id: string; state: PowerState }[];
  relists: number;
  readonly log: string[];
}

export function fakeHost(name: string): { host: DriverHost; told: Told } {
  const told: Told = { changed: [], relists: 0, log: [] };
  const host: DriverHost = {
    name,
    log: (level, message, facts) => { told.log.push(`${level}: ${message} ${JSON.stringify(facts ?? {})}`); },
    changed: (id, state) => { told.changed.push({ id, state }); },
    relist: () => { told.relists += 1; },
    lost: () => undefined,
  };
  return { host, told };
}
