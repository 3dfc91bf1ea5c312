import type { WorkCall } from '../../../src/drivers/management/contract.js';
import type { Driver, Machine } from '../../../src/drivers/driver.js';
import type { Images, Machines, NewMachine } from '../../../src/drivers/management/storage.js';
import type { HardwareAbility, RemovalAbility } from '../../../src/drivers/management/machine.js';
import { soon } from '../driving.js';

/** What goes with a piece of work in a test. */
export const workCall = (given: Partial<WorkCall> = {}): WorkCall => ({ signal: soon(), task: 'task-1', progress: () => undefined, ...given });

/** The abilities that the driver of a hypervisor with images has, each as if there were nothing else. */
export const imagesOf = (driver: Driver): Images => driver.abilities!.images as Images;
export const machinesOf = (driver: Driver): Machines => driver.abilities!.machines as Machines;
export const hardwareOf = (machine: Machine): HardwareAbility => machine.abilities!.hardware as HardwareAbility;
export const removalOf = (machine: Machine): RemovalAbility => machine.abilities!.removal as RemovalAbility;

/** A machine that can be installed where there is `boot.iso`. */
export const newMachine = (name: string, given: Partial<NewMachine> = {}): NewMachine => ({
  name, osVariant: 'generic', osType: 'linux', iso: 'boot.iso', disk: { size: 64n * 1024n * 1024n }, memory: 64n * 1024n * 1024n, vcpus: 1, apic: true, acpi: true, ...given,
});
