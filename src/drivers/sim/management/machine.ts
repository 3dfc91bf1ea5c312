import { ArgoError, SettingsFault } from '../../../kit/errors.js';
import type { MachineAbilities, WorkCall } from '../../management/contract.js';
import type { Destination, Hardware, HardwareChange, TemplatePreview } from '../../management/machine.js';
import { imagePath, LIMITS, passSteps, wrongState, type ManagedMachine, type Park, type SimHardware } from './park.js';
import { checkSettings } from './settings.js';
import type { SimStorage } from './storage.js';

/** What carries the machines. */
interface Carrier {
  readonly park: Park;
  readonly storage: SimStorage;
}

/** The hosts of this process to which machines can be moved, by the id of their park. */
const hosts = new Map<string, Carrier>();

/** That machines can be moved to it, until it is closed. */
export function offer(host: Carrier): void {
  hosts.set(host.park.id, host);
}

export function withdraw(host: Carrier): void {
  hosts.delete(host.park.id);
}

const limitsOf = ({ type }: SimHardware): typeof LIMITS | Omit<typeof LIMITS, 'cpuLimit'> => {
  const { cpuLimit, ...others } = LIMITS;
  return type === 'container' ? { ...others, cpuLimit } : others;
};

function requireOff({ name, power }: ManagedMachine): void {
  if (power !== 'off') throw wrongState(`${name} is ${power}`);
}

/** What can be done with a simulated machine beyond power. */
export class SimManagement {
  readonly #machine: ManagedMachine;
  readonly #host: Carrier;

  constructor(machine: ManagedMachine, host: Carrier) {
    this.#machine = machine;
    this.#host = host;
  }

  get abilities(): Required<MachineAbilities> {
    return {
      hardware: { read: (_, { signal }) => this.#read(signal), change: (change, { signal }) => this.#change(change, signal) },
      templating: {
        preview: ({ template }, { signal }) => this.#preview(template, signal),
        create: ({ template, settings }, call) => this.#createTemplate(template, settings, call),
      },
      removal: {
        delete: async ({ disks }, { signal }) => {
          await this.#machine.answer(signal);
          requireOff(this.#machine);
          this.#host.park.remove(this.#machine);
          if (disks) this.#host.storage.forget(this.#machine.hardware);
        },
      },
      migration: { to: ({ destination }, call) => this.#migrate(destination, call) },
    };
  }

  async #read(signal: AbortSignal): Promise<Hardware> {
    await this.#machine.answer(signal);
    const { hardware, startsWithHost } = this.#machine;
    const { vcpus, memory, disk, cpuLimit, address, nameserver, searchDomain } = hardware;
    return {
      vcpus,
      memory,
      disk,
      autostart: startsWithHost,
      limits: limitsOf(hardware),
      ...(cpuLimit !== undefined && { cpuLimit }),
      ...(address !== undefined && { address }),
      ...(nameserver !== undefined && { nameserver }),
      ...(searchDomain !== undefined && { searchDomain }),
    };
  }

  async #change(change: HardwareChange, signal: AbortSignal): Promise<void> {
    await this.#machine.answer(signal);
    const { hardware } = this.#machine;
    const { autostart, vcpus = hardware.vcpus, memory = hardware.memory, disk = hardware.disk, cpuLimit, address, nameserver, searchDomain } = change;
    const given = {
      ...(cpuLimit !== undefined && { cpuLimit }),
      ...(address !== undefined && { address }),
      ...(nameserver !== undefined && { nameserver }),
      ...(searchDomain !== undefined && { searchDomain }),
    };
    checkSettings(change, hardware.type, limitsOf(hardware), { disk: change.disk !== undefined && change.disk < hardware.disk ? 'cannot become smaller' : undefined });
    if (change.disk !== undefined && hardware.volume !== undefined) throw new SettingsFault({ disk: 'it is a volume' });
    if (change.disk !== undefined) this.#host.storage.grow(hardware, change.disk);
    this.#machine.hardware = { ...hardware, vcpus, memory, disk, ...given };
    if (autostart !== undefined) this.#machine.startsWithHost = autostart;
  }

  async #preview(template: string, signal: AbortSignal): Promise<TemplatePreview> {
    await this.#machine.answer(signal);
    const { id, name, hardware: { vcpus, memory, disk, image, volume, type } } = this.#machine;
    const path = volume ?? (image === undefined ? `/srv/sim/${name}.img` : imagePath(image));
    const disks = type === 'container' ? [] : [{ target: 'vda', path, file: `${template}.qcow2`, capacity: disk, allocation: disk }];
    const mac = `00:16:3e:${Number(id).toString(16).padStart(6, '0').slice(-6).replace(/..(?=.)/g, '$&:')}`;
    return { template, arch: 'x86_64', vcpus, memory, interfaces: [{ type: 'bridge', bridge: 'br0', mac }], disks, folder: `/srv/sim/templates/${template}` };
  }

  async #createTemplate(template: string, settings: { readonly vcpus?: number; readonly memory?: bigint }, call: WorkCall): Promise<void> {
    await this.#machine.answer(call.signal);
    requireOff(this.#machine);
    const { hardware } = this.#machine;
    checkSettings(settings, hardware.type, limitsOf(hardware));
    const { type, vcpus, memory, disk } = { ...hardware, ...settings };
    const disks = type === 'vm' ? [{ file: `${template}.qcow2`, format: 'qcow2', capacity: disk }] : [];
    await this.#host.storage.keep({ name: template, type, arch: 'x86_64', vcpus, memory, disks, ...(type === 'container' && { size: disk }) }, call);
  }

  async #migrate({ provider, access }: Destination, call: WorkCall): Promise<void> {
    const machine = this.#machine;
    await machine.answer(call.signal);
    const destination = hosts.get(access.park ?? '');
    if (destination === undefined) throw new ArgoError('UNREACHABLE', `${provider} is not there`);
    if (destination === this.#host) throw wrongState(`${machine.name} is on ${provider} already`);
    destination.storage.requireFreeName(machine.name);
    await passSteps(this.#host.park.latency, call);
    destination.storage.requireFreeName(machine.name);
    const { name, uuid, power } = machine;
    destination.park.add({ name, uuid, power, hardware: destination.storage.takeIn(machine) });
    this.#host.park.remove(machine);
    this.#host.storage.forget(machine.hardware);
  }
}
