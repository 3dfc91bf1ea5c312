import { Limit, ParameterType } from './constants.js';
import { XdrError, type XdrReader, type XdrWriter } from './xdr.js';

/** Structures of remote_protocol.x. */

export const UUID_BYTES = 16;

/** `remote_nonnull_domain` */
export interface Domain {
  readonly name: string;
  readonly uuid: Buffer;
  /** of this run; -1 while it is off */
  readonly id: number;
}

export interface StateAndReason {
  /** of `DomainState` */
  readonly state: number;
  readonly reason: number;
}

export interface DomainStateRecord extends StateAndReason {
  readonly domain: Domain;
}

/** What libvirt tells of a domain by names such as `cpu.time` (virConnectGetAllDomainStats). */
export interface DomainStatsRecord {
  readonly domain: Domain;
  readonly fields: ReadonlyMap<string, number | bigint | string>;
}

export interface DomainInfo {
  readonly state: number;
  /** KiB that it may have */
  readonly maxMemory: bigint;
  /** KiB that it has */
  readonly memory: bigint;
  readonly cpus: number;
  /** nanoseconds that its CPUs have run */
  readonly cpuTime: bigint;
}

/** -1 stands for what the hypervisor does not count. */
export interface InterfaceStats {
  readonly rxBytes: bigint;
  readonly txBytes: bigint;
}

export interface BlockInfo {
  /** bytes that the guest sees */
  readonly capacity: bigint;
  /** bytes that it takes on the host */
  readonly allocation: bigint;
  /** bytes of its file or device */
  readonly physical: bigint;
}

export interface InterfaceAddresses {
  readonly name: string;
  readonly mac: string | null;
  readonly addresses: readonly string[];
}

/** What libvirt is doing with a domain that takes its time: saving, migrating, dumping it. */
export interface Job {
  /** of `JobType` */
  readonly type: number;
  /** of `JobOperation`; 0 where libvirt (before 3.3) does not say */
  readonly operation: number;
  /** how much of it is done, from 0 to 1, where libvirt tells */
  readonly part?: number;
}

/** What is wrong with a disk for which a guest was paused. */
export interface DiskError {
  /** vda */
  readonly disk: string;
  /** of `DiskErrorCode` */
  readonly error: number;
}

/** The usual form of a uuid's 16 bytes. */
export function formatUuid(uuid: Buffer): string {
  return uuid.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** What a call about a domain is counted under: one that may wait for its guest, or one that ends it by force. */
export const placeOf = ({ uuid }: Domain, isForced = false): string => `${uuid.toString('hex')}${isForced ? '!' : ''}`;

/** What {@link formatUuid} has written. */
export const parseUuid = (text: string): Buffer => Buffer.from(text.replaceAll('-', ''), 'hex');

export function writeDomain(writer: XdrWriter, domain: Domain): XdrWriter {
  return writer.string(domain.name).fixed(domain.uuid).int(domain.id);
}

export function readDomain(reader: XdrReader): Domain {
  return { name: reader.string(), uuid: reader.fixed(UUID_BYTES), id: reader.int() };
}

/** `remote_domain_stats_record` */
export function readStatsRecord(reader: XdrReader): DomainStatsRecord {
  return { domain: readDomain(reader), fields: new Map(reader.array(Limit.STATS_PARAMETERS, () => readParameter(reader))) };
}

/** Of a record with VIR_DOMAIN_STATS_STATE. */
export function readStateRecord(reader: XdrReader): DomainStateRecord {
  const { domain, fields } = readStatsRecord(reader);
  const number = (field: string): number => {
    const value = fields.get(field);
    return typeof value === 'number' ? value : 0;
  };
  return { domain, state: number('state.state'), reason: number('state.reason') };
}

/** `remote_typed_param` */
function readParameter(reader: XdrReader): [string, number | bigint | string] {
  const field = reader.string();
  const type = reader.int();
  switch (type) {
    case ParameterType.INT:
    case ParameterType.BOOLEAN: return [field, reader.int()];
    case ParameterType.UINT: return [field, reader.unsigned()];
    case ParameterType.LLONG: return [field, reader.hyper()];
    case ParameterType.ULLONG: return [field, reader.unsignedHyper()];
    case ParameterType.DOUBLE: return [field, reader.double()];
    case ParameterType.STRING: return [field, reader.string()];
    default: throw new XdrError(`a parameter of type ${type}`);
  }
}

/** `remote_domain_get_job_stats_ret` */
export function readJob(reader: XdrReader): Job {
  const type = reader.int();
  const fields = new Map(reader.array(Limit.JOB_STATS, () => readParameter(reader)));
  const operation = fields.get('operation');
  const [total, remaining] = [Number(fields.get('data_total')), Number(fields.get('data_remaining'))];
  return {
    type,
    operation: typeof operation === 'number' ? operation : 0,
    ...(total > 0 && remaining <= total ? { part: (total - remaining) / total } : {}),
  };
}

/** `remote_domain_get_disk_errors_ret`: the errors, then how many they are. */
export function readDiskErrors(reader: XdrReader): DiskError[] {
  return reader.array(Limit.DISK_ERRORS, () => ({ disk: reader.string(), error: reader.int() }));
}

/** `remote_domain_get_info_ret`: in XDR a char and a short take four bytes too. */
export function readInfo(reader: XdrReader): DomainInfo {
  return {
    state: reader.unsigned(),
    maxMemory: reader.unsignedHyper(),
    memory: reader.unsignedHyper(),
    cpus: reader.unsigned(),
    cpuTime: reader.unsignedHyper(),
  };
}

/** `remote_domain_interface_stats_ret`: bytes, packets, errors, drops received, then the same sent. */
export function readInterfaceStats(reader: XdrReader): InterfaceStats {
  const counters = Array.from({ length: 8 }, () => reader.hyper());
  return { rxBytes: counters[0]!, txBytes: counters[4]! };
}

/** `remote_domain_get_block_info_ret`: allocation, capacity, physical. */
export function readBlockInfo(reader: XdrReader): BlockInfo {
  const allocation = reader.unsignedHyper();
  return { allocation, capacity: reader.unsignedHyper(), physical: reader.unsignedHyper() };
}

/** `remote_domain_interface_addresses_ret` */
export function readAddresses(reader: XdrReader): InterfaceAddresses[] {
  return reader.array(Limit.INTERFACES, () => ({
    name: reader.string(),
    mac: reader.optionalString(),
    addresses: reader.array(Limit.ADDRESSES, () => readAddress(reader)),
  }));
}

/** `remote_domain_ip_addr`: family, address, length of its prefix. */
function readAddress(reader: XdrReader): string {
  reader.int();
  const address = reader.string();
  reader.unsigned();
  return address;
}
