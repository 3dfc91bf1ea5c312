import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { DomainState, StatsType } from '../../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../../protocols/libvirt/errors.js';
import { formatUuid, type Domain, type DomainStatsRecord } from '../../../protocols/libvirt/types.js';
import { present } from '../../../kit/present.js';
import { SharedSample } from '../../management/shared-sample.js';
import type { GuestFigures, Statistics } from '../../management/statistics.js';
import type { LibvirtConnection } from '../connection.js';
import { cpuMarkOf, cpuPercentOf, each, statsOf, sum, whole, WITH_WAIT_IF_NEED_BE, type CpuMark, type Fields } from '../domain-figures.js';

/** Figures of all guests of one libvirt, by one call. */

const KIB = 1024n;

/** Milliseconds for which a sample is told again, and of one sample. */
const FRESH = 500;
const LIMIT = 20_000;

const WANTED = StatsType.STATE | StatsType.CPU_TOTAL | StatsType.BALLOON | StatsType.VCPU | StatsType.INTERFACE | StatsType.BLOCK;

export class GuestStatistics {
  readonly #connection: LibvirtConnection;
  /** whether its machines are containers, whose memory in use libvirt sees by itself */
  readonly #isOfContainers: boolean;
  readonly #sample = new SharedSample((signal) => this.#read(signal), { freshFor: FRESH, limit: LIMIT });
  /** of the answer before, by uuid */
  #marks: ReadonlyMap<string, CpuMark> = new Map();

  constructor(connection: LibvirtConnection, isOfContainers: boolean) {
    this.#connection = connection;
    this.#isOfContainers = isOfContainers;
  }

  /** As {@link Statistics.guests}. */
  readonly guests: Statistics['guests'] = (_, { signal }) => this.#sample.take(signal);

  async #read(signal: AbortSignal): Promise<readonly GuestFigures[]> {
    const records = await this.#connection.use('reads', signal, (client) => readRecords(client, this.#isOfContainers, signal));
    const at = performance.now();
    const marks = new Map<string, CpuMark>();
    const figures = records.map((record) => {
      const { domain, fields } = record;
      const id = formatUuid(domain.uuid);
      const mark = cpuMarkOf(record, at);
      if (mark !== undefined) marks.set(id, mark);
      return { ...figuresOf(id, fields, domain.id >= 0), ...timesOf(mark, this.#marks.get(id), fields) };
    });
    this.#marks = marks;
    return figures;
  }
}

/** CPU time, and per cent of its CPUs since the answer before, within one run of it. */
const timesOf = (now: CpuMark | undefined, before: CpuMark | undefined, fields: Fields): Pick<GuestFigures, 'cpuTime' | 'cpuPercent'> =>
  (now === undefined ? {} : present<Pick<GuestFigures, 'cpuTime' | 'cpuPercent'>>({ cpuTime: now.cpuTime, cpuPercent: cpuPercentOf(now, before, fields) }));

function figuresOf(id: string, fields: Fields, isOn: boolean): GuestFigures {
  const vcpus = whole(fields, 'vcpu.current');
  const memory = kib(fields, 'balloon.current');
  const disks = each(fields, 'block').map((prefix) => present<NonNullable<GuestFigures['disks']>[number]>({
    target: String(fields.get(`${prefix}.name`) ?? ''), capacity: whole(fields, `${prefix}.capacity`), allocation: taken(fields, prefix, isOn),
  })).filter(({ target }) => target !== '');
  return present<GuestFigures>({
    id,
    vcpus: vcpus === undefined ? undefined : Number(vcpus),
    memory,
    maxMemory: kib(fields, 'balloon.maximum'),
    usedMemory: usedOf(fields),
    rx: sum(fields, 'rx.bytes'),
    tx: sum(fields, 'tx.bytes'),
    disks: disks.length === 0 ? undefined : disks,
  });
}

/**
 * What a disk takes of its storage. While a guest runs, QEMU's `allocation` is how far it has written since it was started, and
 * `physical` what its file takes; of one that is off it is the other way about, since `physical` is then the file's length.
 */
const taken = (fields: Fields, prefix: string, isOn: boolean): bigint | undefined =>
  (isOn ? whole(fields, `${prefix}.physical`) : undefined) ?? whole(fields, `${prefix}.allocation`);

/** What a guest with a balloon driver tells of itself: all it has, and what could be had without swapping. */
function usedOf(fields: Fields): bigint | undefined {
  const [all, free] = [kib(fields, 'balloon.available'), kib(fields, 'balloon.usable') ?? kib(fields, 'balloon.unused')];
  return all === undefined || free === undefined || free > all ? undefined : all - free;
}

function kib(fields: Fields, name: string): bigint | undefined {
  const value = whole(fields, name);
  return value === undefined ? undefined : value * KIB;
}

async function readRecords(client: LibvirtClient, isOfContainers: boolean, signal: AbortSignal): Promise<DomainStatsRecord[]> {
  const records = await statsOf(client, WANTED, WITH_WAIT_IF_NEED_BE, signal);
  if (records !== undefined) return records;
  const domains = await client.domains(0, signal);
  return (await Promise.all(domains.map((domain) => infoOf(client, domain, isOfContainers, signal)))).filter((record) => record !== undefined);
}

/** For a hypervisor's driver without statistics: what its `dominfo` has, under the same names. */
async function infoOf(client: LibvirtClient, domain: Domain, isContainer: boolean, signal: AbortSignal): Promise<DomainStatsRecord | undefined> {
  try {
    const { state, cpus, cpuTime, memory, maxMemory } = await client.info(domain, signal);
    // libvirt-lxc calls that memory what is in use of all that a container may have
    const free = memory < maxMemory ? maxMemory - memory : 0n;
    const memories = isContainer ? [['balloon.current', maxMemory], ['balloon.available', maxMemory], ['balloon.unused', free]] as const : [['balloon.current', memory]] as const;
    const running = state === DomainState.SHUTOFF ? [] : [['cpu.time', cpuTime], ...memories] as const;
    return { domain, fields: new Map<string, number | bigint>([['vcpu.current', cpus], ['balloon.maximum', maxMemory], ...running]) };
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ErrorCode.NO_DOMAIN) return undefined;
    throw error;
  }
}
