import { ChangeFlag, Limit, ListActive, ParameterType, Procedure } from './constants.js';
import type { CallOptions, RpcConnection } from './rpc.js';
import { placeOf, readDomain, UUID_BYTES, writeDomain, type Domain } from './types.js';
import { XdrWriter, type XdrReader } from './xdr.js';

/** The descriptions of domains, which outlast their runs, and what a host has for them; in libvirt's own RPC. */

/** What a host has. */
export interface NodeInfo {
  /** KiB */
  readonly memory: bigint;
  /** threads that run at a time */
  readonly cpus: number;
}

/** Characters of the model's name in `remote_node_get_info_ret`. */
const MODEL_CHARS = 32;

/** Each method rejects as {@link RpcConnection.call} does. */
export class LibvirtDefinitions {
  readonly #rpc: RpcConnection;
  readonly #options: CallOptions;

  constructor(rpc: RpcConnection, options: CallOptions) {
    this.#rpc = rpc;
    this.#options = options;
  }

  /** @throws LibvirtError NO_DOMAIN */
  named(name: string, signal: AbortSignal): Promise<Domain> {
    return this.#rpc.call(Procedure.DOMAIN_LOOKUP_BY_NAME, new XdrWriter().string(name).bytes(), readDomain, { ...this.#options, signal });
  }

  /** Adds a domain, or replaces the description of the one with its name and uuid. */
  define(xml: string, signal: AbortSignal): Promise<Domain> {
    return this.#rpc.call(Procedure.DOMAIN_DEFINE_XML, new XdrWriter().string(xml).bytes(), readDomain, { ...this.#options, signal, slow: true });
  }

  /** @param flags of `UndefineFlag` */
  undefine(domain: Domain, flags: number, signal: AbortSignal): Promise<void> {
    return this.#change(Procedure.DOMAIN_UNDEFINE_FLAGS, domain, new XdrWriter().int(flags), signal);
  }

  /** For the next start. @param isMost whether it is the most that the domain may have, not what it has */
  setVcpus(domain: Domain, vcpus: number, isMost: boolean, signal: AbortSignal): Promise<void> {
    return this.#change(Procedure.DOMAIN_SET_VCPUS_FLAGS, domain, new XdrWriter().int(vcpus).int(impact(isMost)), signal);
  }

  /** For the next start. @param memory KiB @param isMost as of {@link setVcpus} */
  setMemory(domain: Domain, memory: bigint, isMost: boolean, signal: AbortSignal): Promise<void> {
    return this.#change(Procedure.DOMAIN_SET_MEMORY_FLAGS, domain, new XdrWriter().hyper(memory).int(impact(isMost)), signal);
  }

  /**
   * How long its CPUs may run, all taken together, for the next start.
   * @param quota microseconds of each period; negative: as long as they like
   * @param period microseconds
   */
  setCpuTime(domain: Domain, { quota, period }: { readonly quota: bigint; readonly period: bigint }, signal: AbortSignal): Promise<void> {
    const parameters = new XdrWriter().int(2)
      .string('vcpu_period').int(ParameterType.ULLONG).hyper(period)
      .string('vcpu_quota').int(ParameterType.LLONG).hyper(quota)
      .int(ChangeFlag.CONFIG);
    return this.#change(Procedure.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, domain, parameters, signal);
  }

  node(signal: AbortSignal): Promise<NodeInfo> {
    return this.#rpc.call(Procedure.NODE_GET_INFO, Buffer.alloc(0), readNodeInfo, { ...this.#options, signal });
  }

  /**
   * What guests of a machine type may have, run by the best that the host has: hardware where it can be used, else
   * emulation. https://libvirt.org/formatdomaincaps.html
   */
  capabilities(machine: string, signal: AbortSignal): Promise<string> {
    const body = new XdrWriter().optionalString(null).optionalString(null).optionalString(machine).optionalString(null).int(0).bytes();
    return this.#rpc.call(Procedure.CONNECT_GET_DOMAIN_CAPABILITIES, body, (reply) => reply.string(), { ...this.#options, signal, slow: true });
  }

  /** Names of libvirt's networks that are active. */
  networks(signal: AbortSignal): Promise<string[]> {
    const read = (reply: XdrReader): string[] => reply.array(Limit.NETWORKS, () => {
      const name = reply.string();
      reply.fixed(UUID_BYTES);
      return name;
    });
    return this.#rpc.call(Procedure.CONNECT_LIST_ALL_NETWORKS, new XdrWriter().int(1).int(ListActive).bytes(), read, { ...this.#options, signal });
  }

  #change(procedure: number, domain: Domain, rest: XdrWriter, signal: AbortSignal): Promise<void> {
    return this.#domain(procedure, domain, rest, () => undefined, { signal, slow: true });
  }

  #domain<T>(procedure: number, domain: Domain, rest: XdrWriter, read: (reply: XdrReader) => T, options: CallOptions): Promise<T> {
    const body = Buffer.concat([writeDomain(new XdrWriter(), domain).bytes(), rest.bytes()]);
    return this.#rpc.call(procedure, body, read, { about: placeOf(domain), ...this.#options, ...options });
  }
}

const impact = (isMost: boolean): number => ChangeFlag.CONFIG | (isMost ? ChangeFlag.MAXIMUM : 0);

/** `remote_node_get_info_ret`: in XDR each char of the model takes four bytes. */
function readNodeInfo(reader: XdrReader): NodeInfo {
  for (let at = 0; at < MODEL_CHARS; at += 1) reader.int();
  return { memory: reader.unsignedHyper(), cpus: reader.int() };
}
