import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { startDaemon, type Daemon } from '../daemon.js';
import { connect } from '../line-client.js';
import { ROOT } from '../paths.js';

/**
 * Hosts like those of OMS' own examples, by a driver of a plugin folder: virtual machines, containers and the host itself, with
 * every ability. It is a double: what it is told it takes literally, and what it is not told it refuses.
 */

const DRIVER = String.raw`
import { Duplex } from 'node:stream';
import { ArgoError, SettingsFault, v } from 'argo-server/driver';

const MiB = 1024n ** 2n;
const refuse = (phrase, detail) => { throw new ArgoError(phrase, detail); };
const fault = (faults) => { throw new SettingsFault(faults); };
const limits = (most) => ({ vcpus: { min: 1, max: 4 }, memory: { min: 64n * MiB, max: most } });

class Machine {
  constructor(world, name, type, state) {
    Object.assign(this, { world, id: name, name, type, now: state });
    this.hardware = { vcpus: type === 'vm' ? 2 : 1, memory: (type === 'vm' ? 1024n : 256n) * MiB };
    if (type === 'host') return void (this.console = { shell: async () => ({ stream: echo('$ ') }) });
    if (type === 'vm') this.console = { vnc: async () => this.now === 'on' ? { stream: rfb() } : refuse('WRONG STATE', name + ' is off') };
    this.abilities = {
      hardware: {
        read: async () => ({
          ...this.hardware, limits: type === 'vm' ? limits(20480n * MiB) : { ...limits(625n * MiB), cpuLimit: { min: 0, max: 400 }, disk: { min: 1024n * MiB, max: 20480n * MiB } },
          ...(type === 'container' && { cpuLimit: 50, disk: 10240n * MiB, address: '192.168.1.129', nameserver: '192.168.1.11', searchDomain: 'active.ee', autostart: true, ...this.hardware }),
        }),
        change: async ({ password, ...change }) => {
          if (change.vcpus > 4) fault({ vcpus: 'at most 4' });
          Object.assign(this.hardware, change);
        },
      },
      templating: {
        preview: async ({ template }) => ({
          template, arch: 'x86_64', vcpus: this.hardware.vcpus, memory: this.hardware.memory, folder: '/storage/templates/' + template,
          interfaces: type !== 'vm' ? [] : name === 'winxp2' ? [{ type: 'network', bridge: 'default', mac: '54:52:00:07:df:7b' }, { type: 'user', bridge: '', mac: '54:52:00:07:df:7c' }] : [{ type: 'bridge', bridge: 'vmbr0', mac: '54:52:00:07:df:7a' }],
          disks: type === 'vm' ? [{ target: 'vda', path: '/storage/images/' + name + '.img', file: template + '1.img', capacity: 8878644224n, allocation: 1074040832n }] : [],
        }),
        create: async ({ template }) => {
          if (this.now !== 'off') refuse('WRONG STATE', name + ' is ' + this.now);
          if (world.templates.some((one) => one.name === template)) refuse('WRONG STATE', 'there is a template ' + template);
          world.templates.push({ name: template, type });
        },
      },
      removal: name.startsWith('pet') ? undefined : { delete: async () => {
        if (this.now !== 'off') refuse('WRONG STATE', name + ' is ' + this.now);
        world.machines.splice(world.machines.indexOf(this), 1);
      } },
      ...(type === 'container' && { migration: { to: async ({ destination }) => {
        if (destination.access.host === undefined) refuse('NOT SUPPORTED', destination.provider + ' takes no containers');
        world.machines.splice(world.machines.indexOf(this), 1);
      } } }),
    };
  }
  get state() { return this.now; }
  async status() { return this.now; }
  become(state) { this.now = state; this.world.host.changed(this.id, state); }
}
for (const [name, state] of [['start', 'on'], ['shutdown', 'off'], ['powerOff', 'off']]) {
  Machine.prototype[name] = async function () {
    if (this.type === 'host') refuse('NOT SUPPORTED', this.name);
    this.become(state);
  };
}

/** Says its prompt, and what it is told. */
const echo = (prompt) => {
  const stream = new Duplex({ read() {}, write(chunk, _, done) { stream.push(chunk); done(); }, final(done) { stream.push(null); done(); } });
  stream.push(prompt);
  return stream;
};

/** An RFB server behind its login (RFC 6143, 7.3.1): a screen of 16 by 8, all of one colour. */
const rfb = () => {
  let held = Buffer.alloc(0);
  let isInit = true;
  const name = Buffer.from('winxp2');
  const stream = new Duplex({ read() {}, write(chunk, _, done) {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      if (isInit) {
        if (held.length < 1) break;
        held = held.subarray(1);
        isInit = false;
        const init = Buffer.alloc(24);
        init.writeUInt16BE(16, 0); init.writeUInt16BE(8, 2);
        Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(init, 4);
        init.writeUInt32BE(name.length, 20);
        stream.push(Buffer.concat([init, name]));
        continue;
      }
      const length = { 0: 20, 3: 10, 4: 8, 5: 6 }[held[0]] ?? (held[0] === 2 ? held.length < 4 ? Infinity : 4 + 4 * held.readUInt16BE(2) : held.length);
      if (held.length === 0 || held.length < length) break;
      const message = held.subarray(0, length);
      held = held.subarray(length);
      if (message[0] === 3 && message[1] === 0) {
        const head = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 8, 0, 0, 0, 0]);
        stream.push(Buffer.concat([head, Buffer.alloc(16 * 8 * 4, 0x5a)]));
      }
    }
    done();
  } });
  return stream;
};

const GUEST = { vcpus: 1, cpuTime: 22036000000n, cpuPercent: 12.5, memory: 256n * MiB, maxMemory: 512n * MiB, usedMemory: 64n * MiB, rx: 1000n, tx: 2000n, disks: [{ target: 'vda', capacity: 1000n * MiB, allocation: 250n * MiB }] };
const group = { name: 'VolGroup00', uuid: 'Sb1lok-R2y8-cOvr-mDqL-vn0z-AZzs-zFdyNw', size: 4323n * 32n * MiB, free: 547n * 32n * MiB, extent: 32n * MiB, logicalVolumes: 8, physicalVolumes: 1, report: { vg_fmt: 'lvm2', vg_attr: 'wz--n-', vg_seqno: '17', vg_mda_count: '1', max_lv: '0', max_pv: '0' } };

class World {
  constructor({ vms, off, containers }, host) {
    this.host = host;
    this.machines = [...vms.map((name) => new Machine(this, name, 'vm', off.includes(name) ? 'off' : 'on')), ...containers.map((name) => new Machine(this, name, 'container', off.includes(name) ? 'off' : 'on')), ...(vms.length > 0 ? [new Machine(this, host.name, 'host', 'on')] : [])];
    this.templates = containers.length > 0 ? [{ name: 'templatename', type: 'container' }] : ['templatename', 'templeit'].map((name) => ({ name, type: 'vm' }));
    this.images = ['openfiler23.img', 'openfiler2.img', 'spare.img'];
    this.routes = [{ destination: '192.168.1.211', prefix: 32, interface: 'venet0', metric: 0 }, { destination: '192.168.1.0', prefix: 24, interface: 'vibr0', metric: 0 }, { destination: '192.168.3.0', prefix: 24, interface: 'vubr0', metric: 0 }, { destination: 'default', prefix: 0, gateway: '192.168.1.1', interface: 'vubr0', metric: 100 }];
    this.bridges = [{ name: 'vmbr0', members: ['eth0', 'vnet3', 'vnet2', 'vnet0'], addresses: ['192.168.1.40/24'], isUp: true }];
    this.abilities = this.#abilities();
  }
  async list() { return this.machines.map((machine) => ({ machine, state: machine.now })); }
  destination() { return { provider: this.host.name, access: { host: this.host.name } }; }
  async close() {}

  #route({ destination, prefix, gateway, interface: through }) {
    return this.routes.findIndex((one) => one.destination === destination && one.prefix === prefix && one.gateway === gateway && one.interface === through);
  }
  #bridge(name) { return this.bridges.find((one) => one.name === name) ?? refuse('WRONG STATE', 'there is no bridge ' + name); }

  #abilities() {
    const of = (template) => this.templates.find((one) => one.name === template) ?? refuse('WRONG STATE', 'there is no template ' + template);
    const make = (name, type) => {
      if (this.machines.some((one) => one.name === name)) refuse('WRONG STATE', 'there is a machine ' + name);
      this.machines.push(new Machine(this, name, type, 'off'));
      this.host.relist();
    };
    const changed = (work) => async ({ rollback, force, ...args }) => {
      if (rollback !== 60000 || force !== false) refuse('FAILED', 'this is no guard');
      work(args);
      return { keptBy: 'ifupdown' };
    };
    return {
      images: {
        list: async () => [
          ...this.images.map((name) => ({ name, kind: 'disk', format: 'raw', capacity: 10n * MiB, allocation: 0n, usedBy: name === 'spare.img' || name === 'testimage.img' ? [] : [name.replace('.img', '')] })),
          ...['openfiler-2.3-x86_64-disc1.iso', 'winxpsp2corp.iso'].map((name) => ({ name, kind: 'iso', format: 'iso', capacity: MiB, allocation: MiB, usedBy: [] })),
        ],
        create: async ({ name, size, format }) => {
          if (size !== 10n * MiB || format !== 'raw') refuse('FAILED', 'no room');
          if (this.images.includes(name)) refuse('WRONG STATE', 'there is a file ' + name);
          this.images.push(name);
        },
        delete: async ({ name }) => {
          const at = this.images.indexOf(name);
          if (at < 2) refuse('WRONG STATE', at < 0 ? 'there is no file ' + name : 'a machine has it');
          this.images.splice(at, 1);
        },
      },
      templates: {
        list: async () => this.templates.map(({ name, type }) => ({ name, type })),
        describe: async ({ template }) => {
          const { name, type } = of(template);
          return {
            name, type, arch: 'x86_64', vcpus: 1, memory: 256n * MiB,
            limits: type === 'vm' ? limits(9740n * MiB) : { ...limits(625n * MiB), cpuLimit: { min: 0, max: 100 }, disk: { min: 10240n * MiB, max: 20480n * MiB } },
            disks: type === 'vm' ? [{ file: 'diskimage.img', format: 'qcow2', capacity: 1073741824n }] : [], ...(type === 'container' && { size: 10240n * MiB }),
          };
        },
        deploy: async ({ template, name, settings }) => {
          if (settings.memory > 9740n * MiB) fault({ memory: 'more than this host has' });
          make(name, of(template).type);
        },
      },
      machines: {
        limits: async () => limits(9740n * MiB),
        install: async ({ name, disk, memory, vcpus, apic, acpi, iso, osVariant, osType }) => {
          if (disk.size !== 10n * 1024n * MiB || memory !== 512n * MiB || vcpus !== 1 || apic || !acpi || iso !== 'winxpsp2corp.iso' || osVariant !== 'winxp' || osType !== 'windows') refuse('FAILED', 'that was not ordered');
          make(name, 'vm');
        },
      },
      volumes: {
        groups: async () => [group],
        list: async () => [{ name: 'root', group: 'VolGroup00', path: '/dev/VolGroup00/root', uuid: 'ZZqz1g-7PJr-f1Ek-0WcC-pnqk-bEXa-mXcQgr', size: 10n * 1024n * MiB, usedBy: [], report: {} }],
      },
      network: {
        routes: async () => this.routes,
        addRoute: changed((route) => this.#route(route) === -1 ? this.routes.push({ ...route, metric: 0 }) : refuse('WRONG STATE', 'there is such a route')),
        replaceRoute: changed(({ old, new: next }) => { const at = this.#route(old); if (at === -1) refuse('WRONG STATE', 'there is no such route'); this.routes[at] = { ...next, metric: 0 }; }),
        deleteRoute: changed((route) => { const at = this.#route(route); if (at === -1) refuse('WRONG STATE', 'there is no such route'); this.routes.splice(at, 1); }),
        gateway: async ({ interface: through }) => this.routes.find((one) => one.destination === 'default' && one.interface === through)?.gateway,
        setGateway: changed(({ gateway, interface: through }) => { if (through !== 'vubr0') refuse('FAILED', 'there is no interface ' + through); this.routes.find((one) => one.destination === 'default').gateway = gateway; }),
        bridges: async () => this.bridges,
        addBridge: changed(({ name, address, prefix }) => this.bridges.push({ name, members: [], addresses: [address + '/' + prefix], isUp: true })),
        changeBridge: changed(({ name, address, prefix }) => { this.#bridge(name).addresses = [address + '/' + prefix]; }),
        deleteBridge: changed(({ name }) => { this.bridges.splice(this.bridges.indexOf(this.#bridge(name)), 1); }),
        addMember: changed(({ bridge, member }) => this.#bridge(bridge).members.push(member)),
        deleteMember: changed(({ bridge, member }) => { const { members } = this.#bridge(bridge); const at = members.indexOf(member); if (at === -1) refuse('WRONG STATE', member + ' is no member'); members.splice(at, 1); }),
      },
      statistics: {
        host: async ({ figures }) => Object.fromEntries(Object.entries({
          cpu: { percent: 3.14159, model: 'Intel(R) Xeon(R) CPU 5110 @ 1.60GHz', mhz: 1596.04, cache: '4096 KB' }, memory: { total: 12288n * MiB, used: 3072n * MiB },
          df: [{ mount: '/', device: '/dev/mapper/VolGroup00-root', total: 9633080n * 1024n, used: 5436672n * 1024n, free: 4196408n * 1024n }],
          uptime: 855087.42, kernel: '6.1.0-32-amd64', release: 'Debian GNU/Linux 12', network: { interface: 'vmbr0', address: '192.168.1.40' },
          bandwidth: { received: 5447, sent: 6619, maximum: 104857600 }, swap: [{ path: '/dev/mapper/VolGroup00-swap', total: 8388600n * 1024n, used: 0n }], iowait: 0.3,
        }).filter(([name]) => figures.includes(name === 'release' ? 'kernel' : name))),
        guests: async () => this.machines.filter(({ type }) => type !== 'host').map(({ id, now }) => ({ id, ...GUEST, ...(now === 'off' && { cpuTime: 0n, cpuPercent: undefined, usedMemory: undefined }) })),
      },
    };
  }
}

const names = v.optional(v.array(v.string()), []);
export default { kind: 'driver', options: { vms: names, containers: names, off: names }, open: (options, host) => new World(options, host) };
`;

/** The hosts of the examples. */
const HOSTS = `
[providers.funcclient]
type = "world"
vms = ["openfiler", "openfiler2", "openfiler23", "winxp2"]
off = ["openfiler", "openfiler23"]
[providers.lxc]
type = "world"
containers = ["129", "104", "119", "118", "110"]
off = ["104", "119"]
[providers.funcclient2]
type = "world"
[providers.other]
type = "sim"
instances = ["x"]
`;

export interface World extends Daemon {
  /** Puts other tables into force. */
  reload(tables: string): void;
}

/** Gives the host of the examples a tag of anybody's choice, as a person does. */
export async function tagHost({ port }: Daemon, { name, password }: { readonly name: string; readonly password: string }, tag: string): Promise<void> {
  const line = await connect(port);
  await line.ask(`auth ${name} ${password}`);
  const { code, comment } = await line.ask(`tag add-host funcclient ${tag}`);
  line.destroy();
  if (code !== 300) throw new Error(comment);
}

/** A daemon with these hosts. @param tables of accounts and gateways */
export async function startWorld(t: Test, tables: string, listeners: number): Promise<World> {
  const plugins = mkdtempSync(join(tmpdir(), 'argo-world-'));
  t.teardown(() => rmSync(plugins, { recursive: true }));
  mkdirSync(join(plugins, 'node_modules'));
  symlinkSync(ROOT, join(plugins, 'node_modules', 'argo-server'));
  writeFileSync(join(plugins, 'world.mjs'), DRIVER);
  const configOf = (given: string): string => `[server]\nplugin-path = [${JSON.stringify(plugins)}]\n${HOSTS}${given}`;
  const daemon = await startDaemon({ config: configOf(tables), listeners });
  t.teardown(() => daemon.stop());
  return Object.assign(daemon, {
    reload: (given: string) => {
      daemon.reconfigure(configOf(given));
      daemon.signal('SIGHUP');
    },
  });
}
