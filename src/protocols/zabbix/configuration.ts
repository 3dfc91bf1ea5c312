import type { ValueType } from './messages.js';
import type { ConfiguredStep } from './preprocessing/configured-steps.js';

/** What a server wants of a proxy: the rows of its tables that matter here. */

export interface ConfiguredHost {
  readonly hostid: number;
  /** technical name */
  readonly host: string;
  /** visible name */
  readonly name: string;
}

export interface ConfiguredInterface {
  readonly interfaceid: number;
  readonly hostid: number;
  readonly isMain: boolean;
  /** 1 agent, 2 SNMP, 3 IPMI, 4 JMX */
  readonly type: number;
  /** its address or its DNS name, whichever it is reached by */
  readonly address: string;
  readonly port: string;
}

/** An enabled item with an interval, or one that depends on another; user macros are replaced in key, delay and steps. */
export interface ConfiguredItem {
  readonly itemid: string;
  readonly hostid: number;
  /** as the server's tables have it: 0 agent, 3 simple check, 5 internal, 10 external check, 18 dependent */
  readonly type: number;
  readonly key: string;
  /** as configured: `10s`, `1m;30s/1-5,9:00-18:00`; item-interval.ts reads it */
  readonly delay: string;
  readonly valueType: ValueType;
  /** a rule of low-level discovery: the server does not store its values, which may be longer than others */
  readonly isRule?: true | undefined;
  /** what is done with its values before they are sent, in this order; left out: nothing */
  readonly steps?: readonly ConfiguredStep[] | undefined;
  /** of a dependent item: its values are made of those of this one */
  readonly masterItemid?: string | undefined;
}

export interface DiscoveryRule {
  readonly druleid: number;
  readonly name: string;
  /** `10.0.0.1-254,10.1.0.0/24` */
  readonly ipRange: string;
  readonly delay: string;
  readonly checks: readonly { readonly dcheckid: number; readonly type: number; readonly key: string; readonly ports: string }[];
}

/** All that a server wants at one time. */
export interface ProxyConfiguration {
  readonly hosts: ReadonlyMap<number, ConfiguredHost>;
  readonly interfaces: readonly ConfiguredInterface[];
  readonly items: readonly ConfiguredItem[];
  readonly rules: readonly DiscoveryRule[];
}
