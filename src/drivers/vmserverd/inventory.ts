import { harmless } from '../../kit/text.js';
import { CODES, OperationError } from '../../protocols/vmserverd/codes.js';
import { ENUMERATE, GET_CONNECTED_VM_LIST, GET_OPERATION_TABLE, VM_INFO } from '../../protocols/vmserverd/messages.js';
import type { PowerState } from '../driver.js';
import type { ServerContext } from './context.js';
import { toPowerState } from './readings.js';

/** What a server has. */
export interface Entry {
  /** path of its configuration file */
  readonly config: string;
  readonly name: string;
  readonly state: PowerState;
}

/** Machines that are asked for singly at a time. */
const LOOKED_AT_A_TIME = 16;

/** `/vms/web1/web1.vmx` → `web1`, of one whose server does not tell its name */
const nameOf = (config: string): string => /([^/\\]+?)(?:\.(?:vmx|cfg))?$/.exec(config)?.[1] ?? config;

/**
 * The machines of a server. VMware's own list has those alone whose process runs (or so its name says): one that has been seen,
 * and is not in the list any longer, is asked for singly. What an argo-server has, it lists.
 */
export class Inventory {
  readonly #context: ServerContext;
  #known: ReadonlyMap<string, Entry> = new Map();
  #operations: ReadonlySet<string> = new Set();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  /** whether the server can switch machines, as it said last */
  get isSwitching(): boolean {
    return this.#operations.has('X_VM_PowerOp');
  }

  /** what was listed last */
  get entries(): Iterable<Entry> {
    return this.#known.values();
  }

  async list(signal: AbortSignal): Promise<readonly Entry[]> {
    const { connections } = this.#context;
    const { operations } = await connections.ask('VMServerd_GetOperationTable', GET_OPERATION_TABLE, {}, signal);
    this.#operations = new Set([...operations].map(({ name }) => name));
    const { vms } = await connections.ask('VMServerd_GetConnectedVMList', GET_CONNECTED_VM_LIST, {}, signal);
    const found = new Map<string, Entry>();
    for (const { config, displayName, state, stateName } of vms)
      found.set(config, {
        config,
        name: displayName ?? this.#known.get(config)?.name ?? nameOf(config),
        state: toPowerState(state, stateName),
      });
    const others = [...await this.#registered(signal)].filter((config) => !found.has(config));
    for (let at = 0; at < others.length; at += LOOKED_AT_A_TIME) {
      const looked = await Promise.all(others.slice(at, at + LOOKED_AT_A_TIME).map((config) => this.#look(config, signal)));
      for (const entry of looked) if (entry !== undefined) found.set(entry.config, entry);
    }
    this.#known = found;
    return [...found.values()];
  }

  /** Paths of those that the list may leave out. */
  async #registered(signal: AbortSignal): Promise<Iterable<string>> {
    if (!this.#operations.has('X_VM_Enumerate')) return this.#known.keys();
    const { vms } = await this.#context.connections.ask('X_VM_Enumerate', ENUMERATE, {}, signal);
    return [...vms].map(({ config }) => config);
  }

  /** @returns undefined for one that is gone */
  async #look(config: string, signal: AbortSignal): Promise<Entry | undefined> {
    const name = this.#known.get(config)?.name ?? nameOf(config);
    try {
      const { vm } = await this.#context.connections.ask('VM_INFO', VM_INFO, { config }, signal);
      return { config, name: vm.displayName ?? name, state: toPowerState(vm.state, vm.stateName) };
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.code === CODES.NO_SUCH_MACHINE) return undefined;
      this.#context.host.log('debug', 'a machine cannot be looked at', { machine: harmless(config), reason: harmless(error.message) });
      return { config, name, state: 'unknown' };
    }
  }
}
