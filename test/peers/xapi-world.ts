import { randomUUID } from 'node:crypto';

/** What a XenServer pool has and does, as the XenServer Management API describes it. Knows nothing of HTTP. */

/** An error as XenAPI answers it: a code and what belongs to it. */
export class Failure extends Error {
  constructor(readonly code: string, readonly params: readonly string[] = []) {
    super(code);
  }
}

/** int64 is a bigint, a date a Date: the two wire forms write them differently. */
export type Value = string | number | bigint | boolean | Date | readonly Value[] | { readonly [key: string]: Value };
export type Fields = Record<string, Value>;

export const NULL = 'OpaqueRef:NULL';
const CLASSES = ['pool', 'host', 'host_metrics', 'VM', 'VM_metrics', 'VM_guest_metrics', 'VIF', 'VBD', 'VDI', 'SR', 'PIF', 'console', 'task'] as const;
type Class = (typeof CLASSES)[number];

interface Change {
  readonly generation: number;
  readonly type: Class;
  readonly ref: string;
  readonly operation: 'add' | 'mod' | 'del';
}

interface Operation {
  readonly from: readonly string[];
  readonly to: string;
  /** the guest has to help, and takes its time */
  readonly byGuest?: true;
  /** further parameters */
  readonly flags?: number;
}

const VM_OPERATIONS: Readonly<Record<string, Operation>> = {
  start: { from: ['Halted'], to: 'Running', flags: 2 },
  clean_shutdown: { from: ['Running'], to: 'Halted', byGuest: true },
  hard_shutdown: { from: ['Running', 'Paused', 'Suspended'], to: 'Halted' },
  clean_reboot: { from: ['Running'], to: 'Running', byGuest: true },
  hard_reboot: { from: ['Running', 'Paused'], to: 'Running' },
  pause: { from: ['Running'], to: 'Paused' },
  unpause: { from: ['Paused'], to: 'Running' },
  suspend: { from: ['Running'], to: 'Suspended' },
  resume: { from: ['Suspended'], to: 'Running', flags: 2 },
};

export interface WorldOptions {
  readonly hosts?: readonly { readonly name: string; readonly address: string }[];
  readonly vms?: readonly string[];
  /** ms that a step of the pool's takes, and one of a guest's */
  readonly stepMs?: number;
  readonly guestMs?: number;
}

export class World {
  readonly tables = new Map<Class, Map<string, Fields>>(CLASSES.map((name) => [name, new Map()]));
  readonly stepMs: number;
  guestMs: number;
  /** names of guests without tools */
  readonly bare = new Set<string>();
  /** bytes a second */
  rates = { rx: 1000, tx: 500 };
  #generation = 100;
  #changes: Change[] = [];
  #lost = 0;
  readonly #waiting = new Set<() => void>();
  #domains = 0n;

  constructor({ hosts = [{ name: 'xen1', address: '127.0.0.1' }], vms = [], stepMs = 5, guestMs = 20 }: WorldOptions) {
    this.stepMs = stepMs;
    this.guestMs = guestMs;
    for (const { name, address } of hosts) {
      const pif = this.add('PIF', { MAC: '00:16:3E:AA:00:01', management: true, IP: address });
      const host = this.add('host', {
        name_label: name, hostname: name, address, enabled: true, metrics: this.add('host_metrics', { live: true, memory_total: 8_589_934_592n, last_updated: new Date() }), PIFs: [pif], resident_VMs: [], API_version_major: 2n, API_version_minor: 21n,
        other_config: { boot_time: '1700000000.' }, software_version: { product_brand: 'XCP-ng', product_version: '8.3.0' },
      });
      this.set('PIF', pif, { host });
    }
    this.add('pool', { name_label: 'pool', master: this.refs('host')[0]!, other_config: {}, default_SR: NULL });
    const master = this.refs('host')[0]!;
    this.#addVm(`Control domain on host: ${hosts[0]!.name}`, { is_control_domain: true, power_state: 'Running', domid: 0n, resident_on: master });
    this.#addVm('Debian Bookworm 12', { is_a_template: true });
    for (const name of vms) this.addMachine(name);
    if (vms[0] !== undefined) this.#addVm(`${vms[0]} before update`, { is_a_template: true, is_a_snapshot: true });
  }

  table(type: Class): Map<string, Fields> {
    return this.tables.get(type)!;
  }

  refs(type: Class): string[] {
    return [...this.table(type).keys()];
  }

  add(type: Class, fields: Fields): string {
    const ref = `OpaqueRef:${randomUUID()}`;
    this.table(type).set(ref, { uuid: randomUUID(), ...fields });
    this.touch(type, ref, 'add');
    return ref;
  }

  remove(type: Class, ref: string): void {
    this.table(type).delete(ref);
    this.touch(type, ref, 'del');
  }

  get(type: Class, ref: string): Fields {
    const found = this.table(type).get(ref);
    if (!found) throw new Failure('HANDLE_INVALID', [type, ref]);
    return found;
  }

  /** Changes fields of a record, and tells of it. */
  set(type: Class, ref: string, fields: Fields): void {
    Object.assign(this.get(type, ref), fields);
    this.touch(type, ref, 'mod');
  }

  touch(type: Class, ref: string, operation: Change['operation']): void {
    this.#changes.push({ generation: ++this.#generation, type, ref, operation });
    if (this.#changes.length > 5000) this.#lost = this.#changes.splice(0, 2500).at(-1)!.generation;
    this.#waiting.forEach((wake) => wake());
  }

  /** @returns its handle */
  addMachine(name: string): string {
    const index = this.table('VM').size;
    const metrics = this.add('VM_metrics', { start_time: new Date(0), VCPUs_number: 2n });
    const guest = this.add('VM_guest_metrics', {
      networks: { '0/ip': `10.0.${index >> 8}.${index & 255}`, '0/ipv4/0': `10.0.${index >> 8}.${index & 255}`, '0/ipv6/0': 'fe80::1', '0/ipv6/1': '2001:db8::1' },
    });
    const vm = this.#addVm(name, { metrics, guest_metrics: guest });
    const repository = this.refs('SR')[0] ?? this.add('SR', { type: 'lvm', name_label: 'Local storage' });
    const image = this.add('VDI', { name_label: `${name} 0`, virtual_size: 10_737_418_240n, SR: repository });
    const disk = this.add('VBD', { VM: vm, VDI: image, device: 'xvda', userdevice: '0', type: 'Disk', empty: false });
    const drive = this.add('VBD', { VM: vm, VDI: NULL, device: 'xvdd', userdevice: '3', type: 'CD', empty: true });
    const mac = `00:16:3e:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
    this.set('VM', vm, { VBDs: [disk, drive], VIFs: [this.add('VIF', { VM: vm, MAC: mac, device: '0' })] });
    return vm;
  }

  #addVm(name: string, fields: Fields): string {
    return this.add('VM', {
      name_label: name, name_description: '', power_state: 'Halted', is_a_template: false, is_a_snapshot: false, is_control_domain: false,
      domid: -1n, resident_on: NULL, affinity: '', metrics: NULL, guest_metrics: NULL, VIFs: [], VBDs: [], consoles: [], current_operations: {}, allowed_operations: [],
      memory_static_max: 268_435_456n, memory_dynamic_max: 268_435_456n, VCPUs_max: 2n, other_config: {}, platform: FILLER, xenstore_data: FILLER, ...fields,
    });
  }

  /** A change that is none, made to have a token. */
  inject(type: string, ref: string): string {
    const found = CLASSES.find((each) => each.toLowerCase() === type.toLowerCase());
    if (!found) throw new Failure('HANDLE_INVALID', [type, ref]);
    this.get(found, ref);
    this.touch(found, ref, 'mod');
    return `${this.#generation},0`;
  }

  /** Handle of the machine with a name. */
  vm(name: string): string {
    for (const [ref, fields] of this.table('VM')) if (fields.name_label === name) return ref;
    throw new Error(`no VM ${name}`);
  }

  state(name: string): Value | undefined {
    return this.get('VM', this.vm(name)).power_state;
  }

  /** A host that dies, or is found again: the pool notes it, and leaves the records of its VMs as they are. */
  setLive(index: number, live: boolean): void {
    this.set('host_metrics', this.get('host', this.refs('host')[index]!).metrics as string, { live });
  }

  /** What is passed on to a host needs one that the pool is in touch with. @throws Failure */
  assertLive(host: Value | undefined): void {
    if (host === undefined || host === NULL) return;
    const { live } = this.get('host_metrics', this.get('host', String(host)).metrics as string);
    if (live !== true) throw new Failure('HOST_OFFLINE', [String(host)]);
  }

  /** As if time had passed since a machine was started. */
  age(name: string, seconds: number): void {
    this.set('VM_metrics', this.get('VM', this.vm(name)).metrics as string, { start_time: new Date(Date.now() - seconds * 1000) });
  }

  /** What a restart of xapi does: all handles are new, and tokens and tasks are gone. */
  renew(): void {
    const fresh = new Map([...this.tables.values()].flatMap((table) => [...table.keys()].map((ref) => [ref, `OpaqueRef:${randomUUID()}`] as const)));
    const swap = (value: Value): Value => (typeof value === 'string' ? fresh.get(value) ?? value : Array.isArray(value) ? (value as Value[]).map(swap) : value);
    this.table('task').clear();
    for (const [type, table] of this.tables) {
      this.tables.set(type, new Map([...table].map(([ref, fields]) =>
        [fresh.get(ref)!, Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, swap(value)]))])));
    }
    this.#lost = ++this.#generation;
    this.#changes = [];
    this.#waiting.forEach((wake) => wake());
  }

  /** How many methods of VMs there are, by name, with the number of their parameters. */
  static vmMethods(): Map<string, number> {
    return new Map(Object.entries(VM_OPERATIONS).map(([name, { flags = 0 }]) => [`VM.${name}`, 1 + flags]));
  }

  /** Carries out a VM's operation. @throws Failure */
  async operate(name: string, ref: string, isCancelled: () => boolean): Promise<void> {
    const { from, to, byGuest } = VM_OPERATIONS[name]!;
    const vm = this.get('VM', ref);
    if (vm.is_a_template === true) throw new Failure('VM_IS_TEMPLATE', [ref]);
    const [busy] = Object.entries(vm.current_operations as Fields);
    if (busy && !(name === 'hard_shutdown' && busy[1] === 'clean_shutdown')) {
      throw new Failure('OTHER_OPERATION_IN_PROGRESS', ['VM', ref, busy[1] as string, busy[0]]);
    }
    const state = vm.power_state as string;
    if (!from.includes(state)) throw new Failure('VM_BAD_POWER_STATE', [ref, from.join(', ').toLowerCase(), state.toLowerCase()]);
    this.assertLive(vm.resident_on);
    if (byGuest && this.bare.has(vm.name_label as string)) throw new Failure('VM_LACKS_FEATURE', [ref]);
    const id = `OpaqueRef:${randomUUID()}`;
    this.set('VM', ref, { current_operations: { [id]: name } });
    const until = Date.now() + (byGuest ? this.guestMs : this.stepMs);
    const isMoot = (): boolean => isCancelled() || this.table('VM').get(ref)?.power_state !== state;
    while (Date.now() < until && !isMoot()) await new Promise((resolve) => setTimeout(resolve, Math.min(20, Math.max(1, until - Date.now()))));
    const now = this.table('VM').get(ref);
    if (!now) throw new Failure('HANDLE_INVALID', ['VM', ref]);
    const operations = { ...now.current_operations as Fields };
    delete operations[id];
    if (isCancelled() || now.power_state !== state) {
      this.set('VM', ref, { current_operations: operations });
      throw new Failure('TASK_CANCELLED', []);
    }
    this.set('VM', ref, { current_operations: operations, ...this.#after(ref, now, name, to) });
  }

  #after(ref: string, vm: Fields, name: string, to: string): Fields {
    const lives = to === 'Running' || to === 'Paused';
    const boots = name === 'start' || name.endsWith('reboot') || name === 'resume';
    const host = lives ? (vm.resident_on !== NULL ? vm.resident_on! : this.refs('host')[0]!) : NULL;
    if (boots && vm.metrics !== NULL) this.set('VM_metrics', vm.metrics as string, { start_time: new Date() });
    return {
      power_state: to,
      resident_on: host,
      ...(lives === (vm.consoles as Value[]).length > 0
        ? {}
        : { consoles: lives ? this.#addConsoles(ref, host) : this.#removeConsoles(vm) }),
      domid: lives ? (boots ? ++this.#domains : vm.domid!) : -1n,
    };
  }

  /** xapi names the host by its address alone. */
  #addConsoles(vm: string, host: Value): Value[] {
    const { address } = this.get('host', String(host));
    return ['rfb', 'vt100'].map((protocol) => {
      const console = this.add('console', { protocol, VM: vm, other_config: {}, port: -1n });
      this.set('console', console, { location: `https://${String(address)}/console?uuid=${String(this.get('console', console).uuid)}` });
      return console;
    });
  }

  #removeConsoles(vm: Fields): Value[] {
    for (const console of vm.consoles as string[]) this.remove('console', console);
    return [];
  }

  /** Long poll. @param wait s */
  async eventsFrom(classes: readonly string[], token: string, wait: number): Promise<Value> {
    const wanted = (type: string): boolean => classes.some((each) => each === '*' || each.toLowerCase() === type.toLowerCase());
    const since = token === '' ? undefined : Number(token.split(',')[0]);
    if (since !== undefined && (!/^\d+,0$/.test(token) || since < this.#lost)) throw new Failure('EVENTS_LOST', []);
    const news = (): Change[] => (since === undefined
      ? CLASSES.filter(wanted).flatMap((type) => this.refs(type).map((ref) => ({ generation: this.#generation, type, ref, operation: 'add' as const })))
      : this.#changes.filter(({ generation, type }) => generation > since && wanted(type)));
    if (news().length === 0) {
      await new Promise<void>((resolve) => {
        const wake = (): void => { if (news().length > 0 || (since ?? 0) < this.#lost) end(); };
        const end = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        // A client that has gone must not keep this process.
        const timer = setTimeout(end, wait * 1000).unref();
        this.#waiting.add(wake);
      });
    }
    if (since !== undefined && since < this.#lost) throw new Failure('EVENTS_LOST', []);
    const last = new Map(news().map((change) => [change.ref, change]));
    const events = [...last.values()].map(({ generation, type, ref, operation }) => {
      const snapshot = this.table(type).get(ref);
      return {
        id: String(generation), timestamp: '0.0', class: type.toLowerCase(), operation: snapshot ? operation : 'del', ref,
        ...(snapshot && { snapshot: { ...snapshot } }),
      };
    });
    return {
      events, token: `${this.#generation},0`,
      valid_ref_counts: Object.fromEntries(CLASSES.filter(wanted).map((type) => [type.toLowerCase(), BigInt(this.table(type).size)])),
    };
  }
}

/** A real VM's record has some 2 KB more than what is looked at here. */
const FILLER: Fields = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`vm-data/setting-${index}`, 'a "quoted" \\ value {of} some [length]']));
