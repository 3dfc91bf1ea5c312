import { ArgoError } from '../../../kit/errors.js';
import { formatBytes } from '../../../kit/text.js';
import type { ProviderAbilities, WorkCall } from '../../management/contract.js';
import type { DeploySettings, ImageFile, LogicalVolume, NewMachine, Template, VolumeGroup } from '../../management/storage.js';
import { GIB, LIMITS, MOST, pass, passSteps, ROOM, wrongState, type ManagedMachine, type Park, type SimHardware } from './park.js';
import { checkSettings } from './settings.js';

type KeptImage = Omit<ImageFile, 'usedBy'>;
type KeptVolume = Omit<LogicalVolume, 'usedBy'>;

/** Bytes that an empty qcow2 takes. */
const EMPTY_QCOW2 = 196_624n;

const IMAGES: readonly KeptImage[] = [
  { name: 'debian12.iso', kind: 'iso', format: 'iso', capacity: 659_554_304n, allocation: 659_554_304n },
  { name: 'spare.qcow2', kind: 'disk', format: 'qcow2', capacity: 10n * GIB, allocation: EMPTY_QCOW2 },
];

const TEMPLATES: readonly Template[] = [
  {
    name: 'debian12', type: 'vm', arch: 'x86_64', vcpus: 1, memory: GIB, limits: { vcpus: LIMITS.vcpus, memory: { min: GIB / 2n, max: LIMITS.memory.max } },
    disks: [{ file: 'debian12.qcow2', format: 'qcow2', capacity: 8n * GIB }],
  },
  {
    name: 'alpine', type: 'container', arch: 'x86_64', vcpus: 1, memory: GIB / 4n, size: GIB, disks: [],
    limits: { ...LIMITS, disk: { min: GIB, max: LIMITS.disk.max } },
  },
];

const EXTENT = 4n * 1024n ** 2n;
const GROUP = { name: 'vg0', size: 100n * GIB, uuid: 'simvg0-0000-0000-0000-0000-0000-000000' };
const VOLUMES: readonly KeptVolume[] = [{ name: 'spare', group: GROUP.name, path: `/dev/${GROUP.name}/spare`, uuid: 'simlv0-0000-0000-0000-0000-0000-000000', size: 20n * GIB, report: { lv_attr: '-wi-a-----' } }];

/** The images, templates and volumes of a simulated host, and the machines that are made from them. */
export class SimStorage {
  readonly #park: Park;
  readonly #images = new Map(IMAGES.map((image) => [image.name, image]));
  readonly #templates = new Map(TEMPLATES.map((template) => [template.name, template]));
  /** names of images, templates and machines that are being made: nobody else may make them meanwhile */
  readonly #beingMade = new Set<string>();
  /** by the bridges that there are */
  readonly #hasBridge: (name: string) => boolean;

  constructor(park: Park, hasBridge: (name: string) => boolean) {
    this.#park = park;
    this.#hasBridge = hasBridge;
  }

  get abilities(): Required<Pick<ProviderAbilities, 'images' | 'templates' | 'machines' | 'volumes'>> {
    return {
      images: {
        list: (_, { signal }) =>
          this.#reading(signal, () =>
            [...this.#images.values()].map((image) => ({ ...image, usedBy: this.#usersOf(image.name) })),
          ),
        create: (args, call) => this.#createImage(args, call),
        delete: (args, call) => this.#deleteImage(args.name, call),
      },
      templates: {
        list: (_, { signal }) =>
          this.#reading(signal, () => [...this.#templates.values()].map(({ name, type }) => ({ name, type }))),
        describe: ({ template }, { signal }) => this.#reading(signal, () => this.#template(template)),
        deploy: (args, call) => this.#deploy(args, call),
        delete: async ({ template }, { signal }) => {
          await pass(this.#park.latency, signal);
          this.#template(template);
          this.#templates.delete(template);
        },
      },
      machines: {
        limits: (_, { signal }) => this.#reading(signal, () => LIMITS),
        install: (args, call) => this.#install(args, call),
      },
      volumes: {
        groups: (_, { signal }) => this.#reading(signal, () => [this.#group]),
        list: (_, { signal }) => this.#reading(signal, () => this.#volumes),
      },
    };
  }

  /** Makes a template of a machine. @throws ArgoError WRONG STATE where there is one of that name, or no room */
  async keep(template: Omit<Template, 'limits'>, call: WorkCall): Promise<void> {
    await this.#make(
      template.name,
      'a template',
      () => this.#templates.has(template.name),
      call,
      () => {
        if (this.#templates.size >= MOST) throw new ArgoError('FAILED', 'there is no room for another template');
        this.#templates.set(template.name, { ...template, limits: LIMITS });
      },
    );
  }

  hasTemplate(name: string): boolean {
    return this.#templates.has(name);
  }

  /** Takes the disk of a machine that is gone away. */
  forget({ image }: SimHardware): void {
    if (image !== undefined) this.#images.delete(image);
  }

  /** What a machine that came from another host has here. @throws ArgoError WRONG STATE, FAILED */
  takeIn(machine: ManagedMachine): SimHardware {
    const { volume, iso, image, ...hardware } = machine.hardware;
    if (volume !== undefined || iso !== undefined)
      throw wrongState(`${machine.name} has what its host has alone: ${volume ?? iso}`);
    if (image === undefined) return hardware;
    this.#requireRoom(image, hardware.disk);
    this.#images.set(image, { name: image, kind: 'disk', format: 'qcow2', capacity: hardware.disk, allocation: hardware.disk });
    return { ...hardware, image };
  }

  requireFreeName(name: string): void {
    if (this.#park.machines.some((machine) => machine.name === name)) throw wrongState(`there is a machine ${name} already`);
  }

  /** The machine's own disk grows. @throws ArgoError FAILED where there is no room */
  grow({ image, disk }: SimHardware, to: bigint): void {
    const kept = image === undefined ? undefined : this.#images.get(image);
    if (kept === undefined) return;
    if (this.#free < to - disk) throw new ArgoError('FAILED', `no room: ${formatBytes(this.#free)} are free`);
    this.#images.set(kept.name, { ...kept, capacity: to });
  }

  async #reading<T>(signal: AbortSignal, read: () => T): Promise<T> {
    await pass(this.#park.latency, signal);
    return read();
  }

  async #createImage(
    { name, size, format }: { readonly name: string; readonly size: bigint; readonly format: 'raw' | 'qcow2' },
    call: WorkCall,
  ): Promise<void> {
    await this.#make(
      name,
      'an image',
      () => this.#images.has(name),
      call,
      () => {
        this.#requireRoom(name, size);
        this.#images.set(name, { name, kind: 'disk', format, capacity: size, allocation: format === 'raw' ? size : EMPTY_QCOW2 });
      },
      () => this.#requireRoom(name, size),
    );
  }

  async #deleteImage(name: string, { signal }: WorkCall): Promise<void> {
    await pass(this.#park.latency, signal);
    if (!this.#images.has(name)) throw wrongState(`there is no image ${name}`);
    const [user] = this.#usersOf(name);
    if (user !== undefined) throw wrongState(`${user} has ${name}`);
    this.#images.delete(name);
  }

  async #deploy(
    { template: from, name, settings }: { readonly template: string; readonly name: string; readonly settings: DeploySettings },
    call: WorkCall,
  ): Promise<void> {
    const template = this.#template(from);
    const { type, limits, disks } = template;
    const { bridge, size } = settings;
    const wrongBridge
      = bridge === undefined || (type === 'vm' && this.#hasBridge(bridge))
        ? undefined
        : type === 'vm'
          ? 'there is no such bridge'
          : 'only virtual machines have it';
    checkSettings(settings, type, limits, { bridge: wrongBridge });
    const { vcpus = template.vcpus, memory = template.memory, address, nameserver, searchDomain } = settings;
    const disk = size ?? template.size ?? disks.reduce((sum, { capacity }) => sum + capacity, 0n);
    const hardware = {
      type,
      vcpus,
      memory,
      disk,
      ...(address && { address }),
      ...(nameserver && { nameserver }),
      ...(searchDomain && { searchDomain }),
    };
    await this.#makeMachine(name, { ...hardware, image: `${name}.qcow2` }, 'off', call);
  }

  async #install({ name, iso, disk, memory, vcpus }: NewMachine, call: WorkCall): Promise<void> {
    const isThere = this.#images.get(iso)?.kind === 'iso';
    const volume = 'volume' in disk ? this.#volumes.find(({ path }) => path === disk.volume) : undefined;
    const size = 'size' in disk ? disk.size : (volume?.size ?? 0n);
    checkSettings({ vcpus, memory, ...('size' in disk ? { disk: disk.size } : {}) }, 'vm', LIMITS, {
      iso: isThere ? undefined : 'there is no such ISO image',
      volume: !('volume' in disk) || volume ? undefined : 'there is no such volume',
    });
    if (volume && volume.usedBy.length > 0) throw wrongState(`${volume.usedBy.join(', ')} has ${volume.path}`);
    await this.#makeMachine(
      name,
      { type: 'vm', vcpus, memory, disk: size, iso, ...(volume ? { volume: volume.path } : { image: `${name}.qcow2` }) },
      'on',
      call,
    );
  }

  /** A machine with its disk: both are there, or neither. */
  async #makeMachine(name: string, hardware: SimHardware, power: 'on' | 'off', call: WorkCall): Promise<void> {
    const { image, disk } = hardware;
    const check = (): void => {
      this.requireFreeName(name);
      if (image !== undefined) this.#requireRoom(image, disk);
      if (this.#park.made.size >= MOST) throw new ArgoError('FAILED', 'there is no room for another machine');
    };
    await this.#make(
      name,
      'a machine',
      () => false,
      call,
      () => {
        check();
        if (image !== undefined)
          this.#images.set(image, { name: image, kind: 'disk', format: 'qcow2', capacity: disk, allocation: EMPTY_QCOW2 });
        this.#park.add({ name, hardware, power });
      },
      check,
    );
  }

  /**
   * Makes something, which is not there until it is there whole.
   * @param what with its article, for people: `an image`
   * @param check asked before the time passes, too, so that what cannot be is told at once
   */
  async #make(
    name: string,
    what: string,
    isThere: () => boolean,
    call: WorkCall,
    make: () => void,
    check = (): void => undefined,
  ): Promise<void> {
    const refuse = (): void => {
      if (isThere()) throw wrongState(`there is ${what} ${name} already`);
    };
    const key = `${what} ${name}`;
    refuse();
    check();
    if (this.#beingMade.has(key)) throw wrongState(`${key} is being made`);
    this.#beingMade.add(key);
    try {
      await passSteps(this.#park.latency, call);
      refuse();
      make();
    } finally {
      this.#beingMade.delete(key);
    }
  }

  #template(name: string): Template {
    const template = this.#templates.get(name);
    if (template === undefined) throw wrongState(`there is no template ${name}`);
    return template;
  }

  #requireRoom(image: string, size: bigint): void {
    if (this.#images.has(image)) throw wrongState(`there is an image ${image} already`);
    if (this.#images.size >= MOST || this.#free < size)
      throw new ArgoError('FAILED', `no room: ${formatBytes(this.#free)} are free`);
  }

  get #free(): bigint {
    return ROOM - [...this.#images.values()].reduce((sum, { capacity }) => sum + capacity, 0n);
  }

  #usersOf(thing: string): string[] {
    return [...this.#park.made]
      .filter(({ hardware: { image, volume, iso } }) => image === thing || volume === thing || iso === thing)
      .map(({ name }) => name);
  }

  get #volumes(): readonly LogicalVolume[] {
    return VOLUMES.map((volume) => ({ ...volume, usedBy: this.#usersOf(volume.path) }));
  }

  get #group(): VolumeGroup {
    const free = GROUP.size - VOLUMES.reduce((sum, { size }) => sum + size, 0n);
    return { ...GROUP, free, extent: EXTENT, logicalVolumes: VOLUMES.length, physicalVolumes: 1, report: { vg_attr: 'wz--n-' } };
  }
}
