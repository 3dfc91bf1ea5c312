import { present } from '../../kit/present.js';
import type { LibvirtClient } from '../../protocols/libvirt/client.js';
import { ListFlag, StatsType } from '../../protocols/libvirt/constants.js';
import { formatUuid, type DomainStatsRecord } from '../../protocols/libvirt/types.js';
import type { Sample } from '../driver.js';
import type { LibvirtConnection } from './connection.js';
import type { Hypervisor } from './context.js';
import { cpuMarkOf, cpuPercentOf, statsOf, sum, whole, WITHOUT_WAIT, type CpuMark, type Fields } from './domain-figures.js';
import type { RunLog } from './run-log.js';
import { toPowerState } from './states.js';

/** Readings of all domains by two calls, for those who look at all of them again and again. */

const WANTED = StatsType.STATE | StatsType.CPU_TOTAL | StatsType.VCPU | StatsType.INTERFACE;

/** What a sample has. */
export const SAMPLED = ['status', 'uptime', 'rx', 'tx', 'load'] as const satisfies readonly (keyof Sample)[];

/** Milliseconds between two samples whose difference says how busy a machine is at present: less is noise, more is the past. */
const LOAD_OVER = { least: 500, most: 120_000 } as const;

interface SamplesParts {
  readonly connection: LibvirtConnection;
  readonly hypervisor: Hypervisor;
  readonly runs: RunLog;
}

export class DomainSamples {
  readonly #parts: SamplesParts;
  /** CPU times of the samples before, by uuid */
  #marks: ReadonlyMap<string, CpuMark> = new Map();
  /** its driver has no such figures, or would wait for a guest that hangs: all is asked for singly */
  #isLacking = false;

  constructor(parts: SamplesParts) {
    this.#parts = parts;
  }

  /** As Driver.sample has it. What a domain that is busy or off lacks is asked of it alone, where it is wanted. */
  async take(signal: AbortSignal): Promise<ReadonlyMap<string, Sample>> {
    if (this.#isLacking) return new Map();
    const { connection, hypervisor } = this.#parts;
    const [records, saved] = await connection.use('reads', signal, (client) => Promise.all([
      statsOf(client, WANTED, WITHOUT_WAIT, signal), hypervisor.saves ? savedIn(client, signal) : new Set<string>(),
    ]));
    this.#isLacking = records === undefined;
    const at = performance.now();
    const marks = new Map<string, CpuMark>();
    const samples = new Map((records ?? []).map((record) => {
      const id = formatUuid(record.domain.uuid);
      return [id, this.#sampleOf(id, record, { at, isSaved: saved.has(id), marks })];
    }));
    this.#marks = marks;
    return samples;
  }

  #sampleOf(id: string, record: DomainStatsRecord, { at, isSaved, marks }: { at: number; isSaved: boolean; marks: Map<string, CpuMark> }): Sample {
    const { domain, fields } = record;
    const [state, reason] = [whole(fields, 'state.state'), whole(fields, 'state.reason')];
    const status = state === undefined ? undefined : toPowerState({ state: Number(state), reason: Number(reason ?? 0n) }, isSaved);
    if (domain.id < 0) return present<Sample>({ status });
    return present<Sample>({
      status,
      uptime: this.#parts.runs.uptime(id, domain.id),
      rx: trafficOf(fields, 'rx.bytes'),
      tx: trafficOf(fields, 'tx.bytes'),
      load: this.#loadOf(id, record, at, marks),
    });
  }

  #loadOf(id: string, record: DomainStatsRecord, at: number, marks: Map<string, CpuMark>): Sample['load'] {
    const now = cpuMarkOf(record, at);
    if (now === undefined) return undefined;
    const before = this.#marks.get(id);
    const over = before === undefined ? Infinity : at - before.at;
    // too soon after the last one: the next sample has a longer time to go by
    marks.set(id, before !== undefined && over < LOAD_OVER.least && before.run === now.run ? before : now);
    if (over < LOAD_OVER.least || over > LOAD_OVER.most) return undefined;
    const cpuPercent = cpuPercentOf(now, before, record.fields);
    return cpuPercent === undefined ? undefined : { cpuPercent };
  }
}

/** As when it is asked singly: one without an interface, or whose interfaces the host does not count, has none. */
const trafficOf = (fields: Fields, name: string): bigint | undefined => (whole(fields, 'net.count') === undefined ? undefined : sum(fields, name) ?? 0n);

/** Those from whose image the next start would resume. */
const savedIn = async (client: LibvirtClient, signal: AbortSignal): Promise<ReadonlySet<string>> =>
  new Set((await client.domains(ListFlag.MANAGED_SAVE, signal)).map(({ uuid }) => formatUuid(uuid)));
