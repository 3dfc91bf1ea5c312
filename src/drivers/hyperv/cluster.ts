import { setTimeout as pause } from 'node:timers/promises';
import { ArgoError } from '../../kit/errors.js';
import { beforeSending, within } from '../../kit/within.js';
import type { PowerState } from '../driver.js';
import { explain, detailOf } from '../wmi/errors.js';
import type { WindowsHost } from '../wmi/host.js';
import type { HyperVContext } from './context.js';
import { NotThere } from './errors.js';
import type { VmEntry } from './inventory.js';

/** Until a node counts as silent, ms: when it is asked for one machine, and for all. */
const LOOK_LIMIT_MS = 5000;
const LISTING_LIMIT_MS = 10_000;
/** A machine that is being moved may be on no node for a moment: until the second look, ms. */
const MOVE_REST_MS = 1000;

/** A Hyper-V host: alone, or of a failover cluster. */
export interface Node {
  readonly machine: WindowsHost;
  readonly context: HyperVContext;
}

/** What a node says of one machine: `state` is undefined where it does not have it, `fault` is why it says nothing. */
interface Look {
  readonly node: Node;
  readonly state?: PowerState | undefined;
  readonly fault?: ArgoError;
}

interface Found {
  readonly node: Node;
  readonly state: PowerState;
}

interface Known {
  readonly node: Node;
  readonly name: string;
}

export interface SilentNode {
  readonly node: Node;
  readonly fault: ArgoError;
}

/**
 * The nodes of a cluster, and which of them has a machine: the one that lists it, since the cluster registers a
 * machine with its owner alone. While a machine is moved live two may list it for a while: then it is the one where
 * it runs. Machines that are planned are of another class and are not among these.
 */
export class Cluster {
  readonly #nodes: readonly Node[];
  /** where each machine was seen last, by its GUID */
  #known = new Map<string, Known>();
  readonly #relist: () => void;

  /** @param relist told when a machine is on no node any longer */
  constructor(nodes: readonly Node[], relist: () => void) {
    this.#nodes = nodes;
    this.#relist = relist;
  }

  /** The node of a machine when it was seen last; undefined for a host that is in no cluster. */
  lastNode(id: string): string | undefined {
    return this.#nodes.length === 1 ? undefined : this.#known.get(id)?.node.machine.name;
  }

  /** All machines that the nodes list, and those that were seen last on a node that is silent now. @throws the signal's reason */
  async list(signal: AbortSignal): Promise<{ entries: VmEntry[]; silent: SilentNode[] }> {
    const looks = new Map<string, { name: string; found: Found[] }>();
    const silent: SilentNode[] = [];
    const answers = await Promise.all(this.#nodes.map((node) => listNode(node, signal)));
    signal.throwIfAborted();
    answers.forEach((answer, index) => {
      const node = this.#nodes[index] as Node;
      if (answer instanceof ArgoError) silent.push({ node, fault: answer });
      else
        for (const { id, name, state } of answer)
          looks.set(id, { name, found: [...(looks.get(id)?.found ?? []), { node, state }] });
    });
    const before = this.#known;
    const isSilent = (node: Node): boolean => silent.some((each) => each.node === node);
    const lost = [...before].filter(([id, { node }]) => !looks.has(id) && isSilent(node));
    this.#known = new Map(lost);
    const found = [...looks].map(([id, { name, found: all }]): VmEntry => {
      const last = before.get(id)?.node;
      return { id, name, state: this.#settle({ id, name, all, last, isLastSilent: last !== undefined && isSilent(last) }) };
    });
    return { entries: [...found, ...lost.map(([id, { name }]) => ({ id, name, state: 'unknown' as const }))], silent };
  }

  /** The state of one machine, asked of all nodes after this call. @throws ArgoError; the signal's reason */
  async state(id: string, signal: AbortSignal): Promise<PowerState> {
    const [only] = this.#nodes;
    if (this.#nodes.length === 1 && only) return only.context.use('reads', () => only.context.inventory.state(id, signal));
    const { all, silent } = await this.#find(id, signal);
    const last = this.#known.get(id);
    return this.#settle({
      id,
      name: last?.name,
      all,
      last: last?.node,
      isLastSilent: silent.some(({ node }) => node === last?.node),
    });
  }

  /**
   * Gives an order to the node that has the machine, which is found out just before. Where that no longer has it by
   * then, nothing was done, and it is looked for once more.
   * @throws ArgoError BUSY where two nodes have it; UNREACHABLE where only a silent node can have it
   */
  async order(
    id: string,
    signal: AbortSignal,
    step: (context: HyperVContext, id: string, signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const [only] = this.#nodes;
    if (this.#nodes.length === 1 && only) return step(only.context, id, signal);
    for (let isAgain = false; ; isAgain = true) {
      const { node, doubt } = await beforeSending(signal, () => this.#owner(id, signal));
      try {
        return await step(node.context, id, signal);
      } catch (error) {
        if (doubt !== undefined && error instanceof ArgoError && error.phrase === 'WRONG STATE')
          throw new ArgoError('UNREACHABLE', doubt, { cause: error });
        if (!(error instanceof NotThere)) throw error;
        if (isAgain) throw new ArgoError('BUSY', 'it is being moved from node to node; nothing was ordered', { cause: error });
      }
    }
  }

  /** Reads where the machine was seen last; where that no longer tells it, at the node that has it now. @throws as {@link order} */
  async read<T>(id: string, signal: AbortSignal, work: (context: HyperVContext) => Promise<T>): Promise<T> {
    const last = this.#nodes.length === 1 ? this.#nodes[0] : this.#known.get(id)?.node;
    if (!last) return work((await this.#owner(id, signal)).node.context);
    try {
      return await work(last.context);
    } catch (error) {
      const mayBeElsewhere
        = error instanceof ArgoError && ['NO SUCH INSTANCE', 'WRONG STATE', 'UNREACHABLE'].includes(error.phrase);
      if (this.#nodes.length === 1 || !mayBeElsewhere) throw error;
      const { node } = await this.#owner(id, signal);
      if (node === last) throw error;
      return work(node.context);
    }
  }

  /** @returns with `doubt`, for people, where what it says of a machine at rest may not be so */
  async #owner(id: string, signal: AbortSignal): Promise<{ node: Node; doubt: string | undefined }> {
    const { all, silent } = await this.#find(id, signal);
    const [owner, other] = candidates(all);
    if (owner && !other) {
      const last = silent.find(({ node }) => node === this.#known.get(id)?.node);
      const isInDoubt = last !== undefined && isAtRest(owner.state);
      return {
        node: owner.node,
        doubt: isInDoubt
          ? `${namesOf([owner])} lists it as ${owner.state}, but ${namesOf([last])}, which had it last, does not answer; nothing was done`
          : undefined,
      };
    }
    throw new ArgoError('BUSY', `${namesOf(all)} have it at the same time: it is being moved; nothing was ordered`);
  }

  /** @throws ArgoError where no node is known to have it; the signal's reason */
  async #find(id: string, signal: AbortSignal, isAgain = false): Promise<{ all: Found[]; silent: SilentNode[] }> {
    const looks = await this.#look(id, signal);
    signal.throwIfAborted();
    const all = looks.flatMap(({ node, state }) => (state === undefined ? [] : [{ node, state }]));
    const silent = looks.flatMap(({ node, fault }) => (fault === undefined ? [] : [{ node, fault }]));
    if (all.length > 0) return { all, silent };
    const [first] = silent;
    if (first && silent.length === this.#nodes.length) throw first.fault;
    if (first)
      throw new ArgoError(
        'UNREACHABLE',
        detailOf(`no node that answers has it, and ${namesOf(silent)} cannot be asked: ${first.fault.message}`),
        { cause: first.fault },
      );
    if (isAgain) {
      this.#relist();
      throw new ArgoError('NO SUCH INSTANCE', 'no node of the cluster has it any longer');
    }
    await pause(MOVE_REST_MS, undefined, { signal });
    return this.#find(id, signal, true);
  }

  /** Asks all nodes at the same time. One that has it running is enough: silent ones keep nobody waiting then. */
  #look(id: string, signal: AbortSignal): Promise<readonly Look[]> {
    return new Promise((resolve) => {
      const looks: Look[] = [];
      for (const node of this.#nodes) {
        void askNode(node, id, signal).then((look) => {
          looks.push(look);
          if (look.state === 'on' || looks.length === this.#nodes.length) resolve([...looks]);
        });
      }
    });
  }

  /** What the nodes' words come to. Remembers the owner, unless that is in doubt. */
  #settle({
    id,
    name,
    all,
    last,
    isLastSilent,
  }: {
    id: string;
    name: string | undefined;
    all: readonly Found[];
    last: Node | undefined;
    isLastSilent: boolean;
  }): PowerState {
    const owners = candidates(all);
    const [owner] = owners as [Found];
    // A node that had it and is silent may still run it: that another lists it at rest is no proof that it is off.
    const isInDoubt = isLastSilent && isAtRest(owner.state);
    const stays = isInDoubt || owners.length > 1 ? last : undefined;
    if (name !== undefined) this.#known.set(id, { node: stays ?? owner.node, name });
    return isInDoubt || owners.some(({ state }) => state !== owner.state) ? 'unknown' : owner.state;
  }
}

const isAtRest = (state: PowerState): boolean => state === 'off' || state === 'suspended' || state === 'unknown';

/** Those that may own a machine: where it is on, else where anything goes on with it, else all. */
function candidates(all: readonly Found[]): readonly Found[] {
  const on = all.filter(({ state }) => state === 'on');
  const busy = all.filter(({ state }) => !isAtRest(state));
  return on.length > 0 ? on : busy.length > 0 ? busy : all;
}

const namesOf = (nodes: readonly { readonly node: Node }[]): string => nodes.map(({ node }) => node.machine.name).join(' and ');

async function listNode({ context }: Node, signal: AbortSignal): Promise<readonly VmEntry[] | ArgoError> {
  try {
    return await within(LISTING_LIMIT_MS, [signal], (limited) => context.inventory.list(limited));
  } catch (error) {
    return faultOf(error);
  }
}

async function askNode(node: Node, id: string, signal: AbortSignal): Promise<Look> {
  try {
    return { node, state: await within(LOOK_LIMIT_MS, [signal], (limited) => node.context.inventory.state(id, limited)) };
  } catch (error) {
    const fault = faultOf(error);
    return fault.phrase === 'NO SUCH INSTANCE' ? { node } : { node, fault };
  }
}

function faultOf(error: unknown): ArgoError {
  const explained = explain(error, 'reads');
  return explained instanceof ArgoError ? explained : new ArgoError('UNREACHABLE', 'it does not answer in time', { cause: error });
}
