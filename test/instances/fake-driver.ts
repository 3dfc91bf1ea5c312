import { ArgoError } from '../../src/kit/errors.js';
import type { Driver, DriverHost, DriverModule, Machine, PowerState, Sighting } from '../../src/drivers/driver.js';
import type { ProviderSettings } from '../../src/config/config.js';
import type { Lease } from '../../src/instances/lease.js';
import { Provider } from '../../src/instances/provider.js';
import { Registry } from '../../src/instances/registry.js';

/** What a fake machine does at a call: something to run, after which the call succeeds. */
export type Script = Partial<Record<keyof Machine, (signal: AbortSignal) => unknown>>;

/** A machine whose every call is scripted by the test; it counts what it was asked for. */
export class FakeMachine implements Machine {
  readonly id: string;
  readonly type = 'vm';
  readonly calls: string[] = [];
  boots = 0;
  script: Script = {};
  mayMissShutdown = false;
  isOffWhenGone = false;
  complaint: string | undefined;
  /** what stands against every order that is not forced */
  objection: ArgoError | undefined;

  constructor(readonly name: string, public state: PowerState) {
    this.id = name;
  }

  status = async (signal: AbortSignal): Promise<PowerState> => {
    await this.script.status?.(signal);
    return this.state;
  };

  checkOrder = async (): Promise<void> => {
    if (this.objection) throw this.objection;
  };

  bootMark = async (): Promise<string> => String(this.boots);
  start = (signal: AbortSignal) => this.#step('start', signal, () => { this.state = 'on'; });
  shutdown = (signal: AbortSignal) => this.#step('shutdown', signal, () => { this.state = 'off'; });
  powerOff = (signal: AbortSignal) => this.#step('powerOff', signal, () => { this.state = 'off'; });
  reboot = (signal: AbortSignal) => this.#step('reboot', signal, () => { this.boots += 1; });
  pause = (signal: AbortSignal) => this.#step('pause', signal, () => { this.state = 'paused'; });
  unpause = (signal: AbortSignal) => this.#step('unpause', signal, () => { this.state = 'on'; });
  resume = (signal: AbortSignal) => this.#step('resume', signal, () => { this.state = 'on'; });

  async #step(name: keyof Machine, signal: AbortSignal, effect: () => void): Promise<void> {
    this.calls.push(name);
    const scripted = this.script[name];
    if (scripted) await scripted(signal);
    else effect();
  }
}

/** A call that never answers, whatever becomes of its signal. */
export const never = (): Promise<never> => new Promise(() => undefined);

export const lostAfterSending = (): never => {
  throw new ArgoError('UNCERTAIN', 'connection lost');
};

/** A provider over machines of the test's own. */
export async function fakeProvider(machines: FakeMachine[], settings: Partial<ProviderSettings> = {}, leaseOf?: (name: string) => Lease | undefined) {
  let host: DriverHost | undefined;
  const driver: Driver & { sightings(): Sighting[] } = {
    sightings: () => machines.map((machine) => ({ machine, state: machine.state })),
    list: async () => driver.sightings(),
    close: async () => undefined,
  };
  const module: DriverModule = { options: {}, open: (_options, given) => { host = given; return driver; } };
  const registry = new Registry();
  const provider = new Provider({
    name: 'fake', type: 'fake', options: {}, actionTimeout: undefined, pollInterval: undefined,
    concurrency: undefined, fingerprint: '', ...settings,
  }, module, registry, () => undefined, undefined, leaseOf);
  registry.arrange([provider]);
  await provider.refresh();
  return { registry, provider, driver, host: host!, machine: machines[0]!, instance: [...registry.all()][0]! };
}
