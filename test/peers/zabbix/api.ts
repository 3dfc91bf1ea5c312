/** How a call may take on a busy machine, ms. */
const TIMEOUT_MS = 60_000;

/** Numbers of the API for what the tests name. */
export const ITEM = { trapper: 2, simple: 3, agent: 0, internal: 5, external: 10 } as const;
export const VALUE = { float: 0, text: 1, log: 2, unsigned: 3, longText: 4 } as const;
export const INTERFACE = { agent: 1, snmp: 2, ipmi: 3, jmx: 4 } as const;
const TLS = { none: 1, psk: 2, certificate: 4 } as const;

/** How a proxy and its server know each other. */
export type Secrecy =
  | { readonly kind: 'none' }
  | { readonly kind: 'psk'; readonly identity: string; readonly key: string }
  | { readonly kind: 'certificate'; readonly issuer?: string; readonly subject?: string };

export interface ProxyWish {
  readonly name: string;
  /** where the server finds a passive one; without it the proxy is an active one */
  readonly port?: number;
  readonly secrecy?: Secrecy;
}

export interface ItemWish {
  readonly key: string;
  readonly type?: number;
  readonly valueType: number;
  /** such as `1s`; traps need none */
  readonly delay?: string;
  readonly interfaceid?: string;
  readonly name?: string;
}

/** An error that the API told. */
export class ApiError extends Error {}

/** Zabbix's own API, as its frontend serves it. */
export class Api {
  readonly url: string;
  /** the first number of the server's version: from 7 on, proxies are no hosts */
  version = 0;
  #token: string | undefined;
  #calls = 0;

  constructor(url: string) {
    this.url = url;
  }

  /** @throws ApiError with the words of the server */
  async call<T = unknown>(method: string, params: unknown = {}): Promise<T> {
    const isOpen = method === 'user.login' || method === 'apiinfo.version';
    const response = await fetch(`${this.url}/api_jsonrpc.php`, {
      method: 'POST',
      headers: { 'content-type': 'application/json-rpc', connection: 'close' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      body: JSON.stringify({ jsonrpc: '2.0', method, params, id: (this.#calls += 1), ...(!isOpen && { auth: this.#token }) }),
    });
    const text = await response.text();
    let answer: { result: T; error?: { message: string; data: string } };
    try {
      answer = JSON.parse(text) as typeof answer;
    } catch {
      throw new ApiError(`${method}: ${text.slice(0, 500)}`);
    }
    if (answer.error !== undefined) throw new ApiError(`${method}: ${answer.error.message} ${answer.error.data}`);
    return answer.result;
  }

  /** The token of the session, which is the frontend's, too. */
  async login(): Promise<string> {
    this.version = Number.parseInt(await this.call<string>('apiinfo.version', []), 10);
    return (this.#token = await this.call<string>('user.login', { username: 'Admin', password: 'zabbix' }));
  }

  async #create(kind: string, ids: string, params: unknown): Promise<string> {
    const id = (await this.call<Record<string, readonly string[]>>(`${kind}.create`, params))[ids]?.[0];
    if (id === undefined) throw new ApiError(`${kind}.create gave no id`);
    return id;
  }

  group(name: string): Promise<string> {
    return this.#create('hostgroup', 'groupids', { name });
  }

  proxy({ name, port, secrecy = { kind: 'none' } }: ProxyWish): Promise<string> {
    const isPassive = port !== undefined;
    const address = { ip: '127.0.0.1', port: String(port) };
    return this.#create('proxy', 'proxyids', {
      ...(this.version >= 7 ? { name, operating_mode: isPassive ? 1 : 0 } : { host: name, status: isPassive ? 6 : 5 }),
      ...(isPassive && (this.version >= 7 ? { address: address.ip, port: address.port } : { interface: { ...address, useip: 1, dns: '' } })),
      [isPassive ? 'tls_connect' : 'tls_accept']: TLS[secrecy.kind],
      ...(secrecy.kind === 'psk' && { tls_psk_identity: secrecy.identity, tls_psk: secrecy.key }),
      ...(secrecy.kind === 'certificate' && { tls_issuer: secrecy.issuer ?? '', tls_subject: secrecy.subject ?? '' }),
    });
  }

  /** @param interfaces kinds, see {@link INTERFACE}; each at an address that nobody answers */
  host(
    name: string,
    groupid: string,
    proxyid: string,
    { interfaces = [], ...more }: { interfaces?: readonly number[] } & Record<string, unknown> = {},
  ): Promise<string> {
    return this.#create('host', 'hostids', {
      host: name,
      groups: [{ groupid }],
      ...this.#by(proxyid, { monitored_by: 1 }),
      interfaces: interfaces.map((type) => ({
        type,
        main: 1,
        useip: 1,
        ip: '127.0.0.1',
        dns: '',
        port: '9',
        ...(type === INTERFACE.snmp && { details: { version: 2, community: 'public' } }),
      })),
      ...more,
    });
  }

  /** The number of a host's interface of a kind. */
  async interfaceOf(hostid: string, type: number): Promise<string> {
    const found = await this.call<readonly { interfaceid: string }[]>('hostinterface.get', { hostids: hostid, filter: { type } });
    if (found[0] === undefined) throw new ApiError(`host ${hostid} has no such interface`);
    return found[0].interfaceid;
  }

  item(hostid: string, wish: ItemWish): Promise<string> {
    return this.#create('item', 'itemids', { hostid, ...asItem(wish) });
  }

  /** Many in one call. */
  async items(hostid: string, wishes: readonly ItemWish[]): Promise<readonly string[]> {
    return (
      await this.call<{ itemids: readonly string[] }>(
        'item.create',
        wishes.map((wish) => ({ hostid, ...asItem(wish) })),
      )
    ).itemids;
  }

  /** A rule of low-level discovery with prototypes of items. */
  async lldRule(hostid: string, rule: Omit<ItemWish, 'valueType'>, prototypes: readonly ItemWish[]): Promise<string> {
    const ruleid = await this.#create('discoveryrule', 'itemids', { hostid, ...asItem(rule) });
    for (const one of prototypes) await this.#create('itemprototype', 'itemids', { hostid, ruleid, ...asItem(one) });
    return ruleid;
  }

  /** A rule of network discovery: which addresses answer pings (12), or agents (9). */
  networkRule(
    name: string,
    proxyid: string,
    range: string,
    checks: readonly Record<string, unknown>[] = [{ type: 12 }],
  ): Promise<string> {
    return this.#create('drule', 'druleids', { name, iprange: range, delay: '10s', ...this.#by(proxyid), dchecks: checks });
  }

  /** Hosts that register themselves with metadata that contain a text are created in a group. */
  registrationAction(metadata: string, groupid: string): Promise<string> {
    return this.#create('action', 'actionids', {
      name: `register ${metadata}`,
      eventsource: 2,
      filter: { evaltype: 0, conditions: [{ conditiontype: 24, operator: 2, value: metadata }] },
      operations: [{ operationtype: 2 }, { operationtype: 4, opgroup: [{ groupid }] }],
    });
  }

  /** A shell script that the host's proxy is to run. */
  script(name: string, command: string): Promise<string> {
    return this.#create('script', 'scriptids', { name, type: 0, scope: 2, execute_on: 2, command });
  }

  /** Runs a script and waits for its end. @returns what it printed @throws ApiError with why it failed */
  async execute(scriptid: string, hostid: string): Promise<string> {
    return (await this.call<{ value: string }>('script.execute', { scriptid, hostid })).value;
  }

  /** Execute now. */
  checkNow(itemid: string): Promise<string> {
    return this.#create('task', 'taskids', { type: 6, request: { itemid } });
  }

  /** Asks a proxy for its own figures; they come into the task. */
  diagnostics(proxyid: string): Promise<string> {
    return this.#create('task', 'taskids', {
      type: 1,
      request: { historycache: { stats: ['items', 'values'], top: {} } },
      ...this.#by(proxyid),
    });
  }

  /** What names a proxy. @param more what goes with it from 7.0 on */
  #by(proxyid: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    return this.version >= 7 ? { proxyid, ...more } : { proxy_hostid: proxyid };
  }

  async import(format: 'yaml' | 'json' | 'xml', source: string): Promise<void> {
    const groups = this.version >= 7 ? ['host_groups', 'template_groups'] : ['groups'];
    const kinds = ['templates', 'items', 'triggers', 'graphs', 'valueMaps', 'discoveryRules', ...groups];
    const rules = Object.fromEntries(kinds.map((kind) => [kind, { createMissing: true, updateExisting: true }]));
    await this.call('configuration.import', { format, source, rules });
  }
}

function asItem({ key, type = ITEM.trapper, valueType, delay, interfaceid, name = key }: Omit<ItemWish, 'valueType'> & { valueType?: number }): Record<string, unknown> {
  return {
    name,
    key_: key,
    type,
    ...(valueType !== undefined && { value_type: valueType }),
    ...(delay !== undefined && { delay }),
    ...(interfaceid !== undefined && { interfaceid }),
  };
}
