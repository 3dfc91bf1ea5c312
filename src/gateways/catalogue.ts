import type * as v from 'valibot';
import type { TableFault } from '../config/catalogue.js';
import type { GatewayModule } from './contract.js';

/**
 * The types of gateways that come with the server, and where they are. Each is imported when a gateway
 * of its type is configured.
 */
const OWN: Readonly<Record<string, () => Promise<{ default: unknown }>>> = {
  metrics: () => import('./metrics/index.js'),
  oms: () => import('./oms/index.js'),
  vmserverd: () => import('./vmserverd/index.js'),
  web: () => import('./web/index.js'),
  webhooks: () => import('./webhooks/index.js'),
  zabbix: () => import('./zabbix/index.js'),
};

/** The gateways that there are: those of the server, and what the folders of `plugin-path` bring. */
export class GatewayCatalogue {
  readonly #further: ReadonlyMap<string, unknown>;

  /** @param further modules by type; a type of the server's own is not replaced by one of them */
  constructor(further: ReadonlyMap<string, unknown>) {
    this.#further = further;
  }

  types(): readonly string[] {
    return [...new Set([...Object.keys(OWN), ...this.#further.keys()])];
  }

  async options(type: string): Promise<v.ObjectEntries | undefined> {
    return (await this.load(type))?.options;
  }

  /** What the gateway's module finds wrong with a table that fits its keys. */
  async check(type: string, options: object): Promise<readonly TableFault[]> {
    return (await this.load(type))?.faults?.(options as Parameters<GatewayModule['open']>[0]) ?? [];
  }

  async makesCertificate(type: string): Promise<boolean> {
    return (await this.load(type))?.makesCertificate === true;
  }

  /** What of a table would let others reach the server's own. */
  async checkOwn(type: string, options: object, own: readonly string[]): Promise<readonly TableFault[]> {
    return (await this.load(type))?.ownFaults?.(options as Parameters<GatewayModule['open']>[0], own) ?? [];
  }

  /** @returns undefined where there is no gateway of that type */
  async load(type: string): Promise<GatewayModule | undefined> {
    const module = Object.hasOwn(OWN, type) ? (await OWN[type]!()).default : this.#further.get(type);
    return module as GatewayModule | undefined;
  }
}
