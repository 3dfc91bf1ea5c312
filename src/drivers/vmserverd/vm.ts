import type { Facts, Machine, PowerState } from '../driver.js';
import type { ServerContext } from './context.js';
import { take, type StepName } from './power.js';
import * as readings from './readings.js';

/** A virtual machine, by the path of its configuration file. Of a server without X_VM_PowerOp nothing but readings can be had. */
export class Vm implements Machine {
  readonly type = 'vm';
  protected readonly context: ServerContext;

  /** @param id the path */
  constructor(context: ServerContext, readonly id: string, readonly name: string) {
    this.context = context;
  }

  status(signal: AbortSignal): Promise<PowerState> {
    return readings.readState(this.context, this.id, signal);
  }

  info(signal: AbortSignal): Promise<Facts> {
    return readings.readFacts(this.context, this.id, signal);
  }

  uptime(signal: AbortSignal): Promise<number> {
    return readings.readUptime(this.context, this.id, signal);
  }
}

/** One whose server has X_VM_PowerOp. */
export class SwitchedVm extends Vm {
  start(signal: AbortSignal): Promise<void> {
    return this.#take('start', signal);
  }

  shutdown(signal: AbortSignal): Promise<void> {
    return this.#take('shutdown', signal);
  }

  powerOff(signal: AbortSignal): Promise<void> {
    return this.#take('powerOff', signal);
  }

  reboot(signal: AbortSignal): Promise<void> {
    return this.#take('reboot', signal);
  }

  reset(signal: AbortSignal): Promise<void> {
    return this.#take('reset', signal);
  }

  suspend(signal: AbortSignal): Promise<void> {
    return this.#take('suspend', signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#take('resume', signal);
  }

  unpause(signal: AbortSignal): Promise<void> {
    return this.#take('unpause', signal);
  }

  #take(step: StepName, signal: AbortSignal): Promise<void> {
    return take(this.context, this, step, signal);
  }
}
