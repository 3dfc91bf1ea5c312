import type { LibvirtClient } from '../../../protocols/libvirt/client.js';
import { DomainState, StatsType, STATS_NOWAIT } from '../../../protocols/libvirt/constants.js';
import { ErrorCode, LibvirtError } from '../../../protocols/libvirt/errors.js';
import { formatUuid, type Domain, type DomainStatsRecord } from '../../../protocols/libvirt/types.js';
import { present } from '../../../kit/present.js';
import { SharedSample } from '../../management/shared-sample.js';
import type { GuestFigures, Statistics } from '../../management/statistics.js';
import type { LibvirtConnection } from '../connection.js';

/** Figures of all guests of one libvirt, by one call. */

const KIB = 1024n;

/** Milliseconds for which a sample is told again, and of one sample. */
const FRESH = 500;
const LIMIT = 20_000;

const WANTED = StatsType.STATE | StatsType.CPU_TOTAL | StatsType.BALLOON | StatsType.VCPU | StatsType.INTERFACE | StatsType.BLOCK;

/** How libvirt says that it does not know a flag, or has no such figures. */
const LACKING: ReadonlySet<number> = new Set([ErrorCode.INVALID_ARG, ErrorCode.NO_SUPPORT]);

type Fields = DomainStatsRecord['fields'];

/** CPU time of one run of a domain at some moment. */
interface Mark {
  readonly run: number;
  readonly cpuTime: bigint;
  readonly at: number;
}

export class GuestStatistics {
  readonly #connection: LibvirtConnection;
  /** whether its machines are containers, whose memory in use libvirt sees by itself */
  readonly #isOfContainers: boolean;
  readonly #sample = new SharedSample((signal) => this.#read(signal), { freshFor: FRESH, limit: LIMIT });
  /** of the answer before, by uuid */
  #marks: ReadonlyMap<string, Mark> = new Map();

  constructor(connection: LibvirtConnection, isOfContainers: boolean) {
    this.#connection = connection;
    this.#isOfContainers = isOfContainers;
  }

  /** As {@link Statistics.guests}. */
  readonly guests: Statistics['guests'] = (_, { signal }) => this.#sample.take(signal);

  async #read(signal: AbortSignal): Promise<readonly GuestFigures[]> {
    const records = await this.#connection.use('reads', signal, (client) => readRecords(client, this.#isOfContainers, signal));
    const at = performance.now();
    const marks = new Map<string, Mark>();
    const figures = records.map(({ domain, fields }) => {
      const id = formatUuid(domain.uuid);
      // Of one that is off, libvirt may tell a time that is none of its own.
      const cpuTime = domain.id < 0 ? undefined : whole(fields, 'cpu.time');
      const mark = cpuTime === undefined ? undefined : { run: domain.id, cpuTime, at };
      if (mark !== undefined) marks.set(id, mark);
      return { ...figuresOf(id, fields, domain.id >= 0), ...timesOf(mark, this.#marks.get(id), whole(fields, 'vcpu.current')) };
    });
    this.#marks = marks;
    return figures;
  }
}

/** CPU time, and per cent of its CPUs since the answer before, within one run of it. */
function timesOf(now: Mark | undefined, before: Mark | undefined, vcpus: bigint | undefined): Pick<GuestFigures, 'cpuTime' | 'cpuPercent'> {
  if (now === undefined) return {};
  const { cpuTime } = now;
  if (before === undefined || before.run !== now.run || vcpus === undefined || vcpus === 0n) return { cpuTime };
  const available = (now.at - before.at) * 1e6 * Number(vcpus);
  return { cpuTime, cpuPercent: Math.min(100, Math.max(0, (Number(cpuTime - before.cpuTime) / available) * 100)) };
}

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

function whole(fields: Fields, name: string): bigint | undefined {
  const value = fields.get(name);
  return typeof value === 'string' || value === undefined ? undefined : BigInt(Math.trunc(Number(value)));
}

function kib(fields: Fields, name: string): bigint | undefined {
  const value = whole(fields, name);
  return value === undefined ? undefined : value * KIB;
}

/** `net.0`, `net.1`, …: as many as `net.count` says; the number of one may be missing, its fields then too. */
const each = (fields: Fields, kind: 'net' | 'block'): string[] =>
  Array.from({ length: Number(whole(fields, `${kind}.count`) ?? 0n) }, (_, index) => `${kind}.${index}`);

/** Of all its interfaces; undefined where libvirt counts none of them. */
function sum(fields: Fields, name: string): bigint | undefined {
  const counted = each(fields, 'net').map((prefix) => whole(fields, `${prefix}.${name}`)).filter((bytes) => bytes !== undefined);
  return counted.length === 0 ? undefined : counted.reduce((total, bytes) => total + bytes, 0n);
}

async function readRecords(client: LibvirtClient, isOfContainers: boolean, signal: AbortSignal): Promise<DomainStatsRecord[]> {
  // A guest that hangs must not keep the figures of all others; libvirt before 4.5 cannot leave it out.
  for (const how of [STATS_NOWAIT, 0]) {
    try {
      return await client.domainStats(WANTED, how, signal);
    } catch (error) {
      if (!(error instanceof LibvirtError) || !LACKING.has(error.code)) throw error;
    }
  }
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
