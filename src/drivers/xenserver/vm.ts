import type { Disk, Facts, Load, Machine, PowerState } from '../driver.js';
import type { PoolContext } from './context.js';
import * as actions from './power.js';
import * as reads from './readings.js';

/**
 * A virtual machine. It is found by its uuid for as long as it exists. A class, so that of thousands
 * each costs but its own fields.
 */
export class Vm implements Machine {
  readonly type = 'vm';
  readonly #context: PoolContext;

  /** @param id its uuid */
  constructor(context: PoolContext, readonly id: string, readonly name: string) {
    this.#context = context;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return reads.readState(this.#context, this.id, signal);
  }

  start(signal: AbortSignal): Promise<void> {
    return actions.start(this.#context, this.id, signal);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return actions.shutdown(this.#context, this.id, signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return actions.powerOff(this.#context, this.id, signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return actions.reboot(this.#context, this.id, signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return actions.reset(this.#context, this.id, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return actions.pause(this.#context, this.id, signal);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return actions.unpause(this.#context, this.id, signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return actions.suspend(this.#context, this.id, signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return actions.resume(this.#context, this.id, signal);
  }

  bootMark(signal: AbortSignal): Promise<string> {
    return reads.readBootMark(this.#context, this.id, signal);
  }

  info(signal: AbortSignal): Promise<Facts> {
    return reads.readFacts(this.#context, this.id, signal);
  }

  ip(signal: AbortSignal): Promise<string[]> {
    return reads.readAddresses(this.#context, this.id, signal);
  }

  mac(signal: AbortSignal): Promise<string[]> {
    return reads.readMacs(this.#context, this.id, signal);
  }

  uptime(signal: AbortSignal): Promise<number> {
    return reads.readUptime(this.#context, this.id, signal);
  }

  rx(signal: AbortSignal): Promise<bigint> {
    return reads.readRx(this.#context, this.id, signal);
  }

  tx(signal: AbortSignal): Promise<bigint> {
    return reads.readTx(this.#context, this.id, signal);
  }

  load(signal: AbortSignal): Promise<Load> {
    return reads.readLoad(this.#context, this.id, signal);
  }

  disk(signal: AbortSignal): Promise<Disk[]> {
    return reads.readDisks(this.#context, this.id, signal);
  }
}
