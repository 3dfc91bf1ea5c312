import { ArgoError } from '../../kit/errors.js';
import type { Log } from '../../kit/log.js';
import { isAbort, within } from '../../kit/within.js';
import type { Asker, Esxi } from './commands.js';
import { isAgent, type VmSummary } from './readings.js';

/** Milliseconds for one machine's summary in a listing: one that hangs in hostd must not hide the others. */
const SUMMARY_LIMIT = 10_000;
/** Milliseconds for all summaries of a listing, which itself has 30 s: those that are missing then come first the next time. */
const LISTING_LIMIT = 25_000;
/** Ids in a message; the rest is counted. */
const IDS_TOLD = 5;

/** What a look at an id comes to: `nothing` where there may be a machine that tells nothing of itself, and never has. */
type Look = VmSummary | 'gone' | 'nothing';

/** A virtual machine that was verified, under the key by which it is known as long as it exists. */
export interface Entry {
  readonly key: string;
  readonly summary: VmSummary;
}

/**
 * The virtual machines of a host. They are known by their uuid: ids change when a machine is
 * registered again. The table of machines is only a source of ids, each of which is verified by the
 * machine's own summary.
 */
export class Inventory {
  readonly boots = new Boots();
  #entries = new Map<string, Entry>();
  readonly #remarked = new Set<number>();
  readonly #esxi: Esxi;
  readonly #log: Log;
  /** when each machine last told of itself, by its id (performance.now) */
  #told = new Map<number, number>();
  /** of the last listing: why machines may be missing from it */
  incomplete: string | undefined;
  readonly #listingLimit: number;

  /** @param listingLimit milliseconds for all summaries of a listing */
  constructor(esxi: Esxi, log: Log, listingLimit = LISTING_LIMIT) {
    this.#listingLimit = listingLimit;
    this.#esxi = esxi;
    this.#log = log;
  }

  /** Those of the last listing. */
  get known(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** Lists anew. Machines whose summary cannot be had now stay as they were known, in state unknown. */
  async refresh(signal: AbortSignal, asker: Asker = {}): Promise<readonly Entry[]> {
    const { candidates, invalid } = await this.#esxi.listVms(signal, asker);
    const summaries = await within(this.#listingLimit, [signal], (limit) => this.#lookAtAll(candidates, invalid, { ...asker, limit: SUMMARY_LIMIT }, limit));
    signal.throwIfAborted();
    this.#told = new Map([...this.#told].filter(([vmid]) => summaries.has(vmid)));
    const missing = candidates.filter((vmid) => summaries.get(vmid) === 'nothing');
    this.incomplete = missing.length === 0 ? undefined : tellMissing(missing, candidates.length);
    const machines = candidates.map((vmid) => summaries.get(vmid)).filter((summary) => typeof summary === 'object' && !summary.template && !isAgent(summary));
    this.#entries = new Map(withKeys(machines as VmSummary[]).map((entry) => [entry.key, entry]));
    this.boots.keepOnly(this.#entries);
    for (const { key, summary } of this.known) this.boots.note(key, summary);
    return this.known;
  }

  /**
   * A machine's summary as of now.
   * @throws ArgoError NO SUCH INSTANCE where it is gone
   */
  async find(key: string, signal: AbortSignal): Promise<VmSummary> {
    const entry = this.#entries.get(key);
    const summary = entry && await this.#esxi.summary(entry.summary.vmid, signal).catch(unlessGone);
    if (entry && summary && isSame(entry.summary, summary)) {
      this.boots.note(key, summary);
      return summary;
    }
    await this.refresh(signal);
    const found = this.#entries.get(key);
    if (!found && this.incomplete !== undefined) throw new ArgoError('UNREACHABLE', this.incomplete);
    if (!found) throw new ArgoError('NO SUCH INSTANCE', 'it is no longer registered on its host');
    return found.summary;
  }

  /** Those that have been silent longest come first, so that no machine is always the one for which no time is left. */
  async #lookAtAll(candidates: readonly number[], invalid: ReadonlySet<number>, asker: Asker, signal: AbortSignal): Promise<Map<number, Look>> {
    const order = [...candidates].sort((a, b) => (this.#told.get(a) ?? 0) - (this.#told.get(b) ?? 0));
    const looks = order.map(async (vmid) => [vmid, await this.#look(vmid, invalid.has(vmid), asker, signal)] as const);
    return new Map(await Promise.all(looks));
  }

  async #look(vmid: number, invalid: boolean, asker: Asker, signal: AbortSignal): Promise<Look> {
    try {
      const summary = await this.#esxi.summary(vmid, signal, asker);
      this.#remarked.delete(vmid);
      this.#told.set(vmid, performance.now());
      return invalid ? { ...summary, state: 'unknown', accessible: false } : summary;
    } catch (thrown) {
      const { phrase } = thrown instanceof ArgoError ? thrown : isAbort(thrown) ? { phrase: 'TIMEOUT' } : { phrase: undefined };
      if (phrase === 'NO SUCH INSTANCE') return 'gone';
      // Else it is trouble with the host, not with this machine: nothing can be said of any.
      if (phrase !== 'FAILED' && phrase !== 'TIMEOUT') throw thrown;
      if (!signal.aborted) this.#remark(vmid, thrown);
      const before = this.known.find(({ summary }) => summary.vmid === vmid);
      return before ? { ...before.summary, state: 'unknown', accessible: false } : 'nothing';
    }
  }

  #remark(vmid: number, reason: unknown): void {
    if (this.#remarked.has(vmid)) return;
    this.#remarked.add(vmid);
    this.#log('warn', 'a virtual machine tells nothing of itself', { vmid, reason: String(reason) });
  }
}

function tellMissing(vmids: readonly number[], all: number): string {
  const rest = vmids.length > IDS_TOLD ? ` and ${vmids.length - IDS_TOLD} more` : '';
  return `${vmids.length} of ${all} machines told nothing of themselves: vmid ${vmids.slice(0, IDS_TOLD).join(', ')}${rest}`;
}

function unlessGone(thrown: unknown): undefined {
  if (thrown instanceof ArgoError && thrown.phrase === 'NO SUCH INSTANCE') return undefined;
  throw thrown;
}

/** An id may be that of another machine by now. One that is doubtful is only looked for once more. */
function isSame(before: VmSummary, now: VmSummary): boolean {
  return before.uuid === now.uuid && before.file === now.file;
}

/** Copies of a machine may share its uuid: then the file tells them apart. */
function withKeys(summaries: readonly VmSummary[]): Entry[] {
  const times = new Map<string, number>();
  for (const { uuid } of summaries) if (uuid !== undefined) times.set(uuid, (times.get(uuid) ?? 0) + 1);
  return summaries.map((summary) => {
    const { uuid, file, vmid } = summary;
    const shared = uuid !== undefined && times.get(uuid) !== 1;
    const key = uuid === undefined ? file || `vmid ${vmid}` : shared ? `${uuid} ${file || vmid}` : uuid;
    return { key, summary };
  });
}

interface Known {
  /** whether VMware Tools has been seen to run and not since */
  readonly away: boolean;
  readonly ran: boolean;
  readonly boots: number;
}

const UNSEEN: Known = { away: false, ran: false, boots: 0 };

/**
 * The boots of machines, as far as they can be seen. ESXi tells only when a machine was powered on
 * (`bootTime` of VirtualMachineRuntimeInfo), which neither a reboot nor a reset changes. So a boot is a
 * reset that ESXi has carried out, or VMware Tools that comes back after it was gone.
 */
export class Boots {
  readonly #known = new Map<string, Known>();

  /** Takes a look at a machine into account. */
  note(key: string, { state, tools }: VmSummary): void {
    const { away, ran, boots } = this.#known.get(key) ?? UNSEEN;
    const runs = state === 'on' && tools === 'guestToolsRunning';
    // Scripts of VMware Tools run at the end and at the beginning alike.
    if (!runs && tools === 'guestToolsExecutingScripts') return;
    this.#known.set(key, runs ? { away: false, ran: true, boots: boots + (away ? 1 : 0) } : { away: ran, ran, boots });
  }

  /** ESXi has reset it. */
  reset(key: string): void {
    const before = this.#known.get(key) ?? UNSEEN;
    this.#known.set(key, { ...before, boots: before.boots + 1 });
  }

  /** Differs after each boot that was seen. */
  mark(key: string, { poweredOn }: VmSummary): string {
    return `${poweredOn ?? 'never'} ${this.#known.get(key)?.boots ?? 0}`;
  }

  /** Forgets machines that are gone. */
  keepOnly(keys: ReadonlyMap<string, unknown>): void {
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key);
  }
}
