import type { CimClass, Namespace, Properties } from './cim.js';

/** root/cimv2 of a Windows machine: what Win32_* classes tell of it, and its end and rebirth. */

export interface WindowsNic {
  readonly name: string;
  /** 00:15:5D:00:00:01 */
  readonly mac: string;
  readonly addresses: readonly string[];
  received: bigint;
  sent: bigint;
}

export interface WindowsDisk {
  readonly name: string;
  readonly size: bigint;
  readonly free: bigint;
  /** 3 a local one, 5 a CD */
  readonly type: number;
}

export type ShutdownManner =
  /** the answer comes, then nothing more does */
  | 'answers'
  /** the connection ends before an answer could come */
  | 'drops'
  /** the answer comes, and the machine stays up all the same */
  | 'stays';

export interface WindowsOptions {
  readonly name?: string;
  readonly caption?: string;
  /** ms from the order until the machine no longer listens */
  readonly shutdownMs?: number;
  /** ms that a machine is away when it restarts */
  readonly rebootMs?: number;
}

const BIT = { logOff: 0, shutDown: 1, reboot: 2, force: 4, powerOff: 8 } as const;
const RETURN = { ok: 0, accessDenied: 5, invalidParameter: 87, shutdownInProgress: 1115, usersLoggedOn: 1191 } as const;

export class Windows {
  readonly name: string;
  caption: string;
  uuid = '4C4C4544-0042-3510-8052-B4C04F4E4E32';
  bootedAt = Date.now() - 3_600_000;
  /** users at the machine, so that an order without force is refused */
  usersLoggedOn = 0;
  manner: ShutdownManner = 'answers';
  /** returned instead of what would be right, once each */
  readonly returns: number[] = [];
  /** flags of Win32Shutdown, of all orders that came so far */
  readonly orders: number[] = [];
  /** percent; null: not measured yet */
  loads: (number | null)[] = [12, 30];
  /** KiB */
  memory = { total: 8_388_608n, free: 4_194_304n };
  nics: WindowsNic[] = [
    { name: 'Intel[R] Ethernet Connection X722', mac: '00:15:5D:01:02:03', addresses: ['192.0.2.10', 'fe80::1', '2001:db8::10'], received: 1_000_000n, sent: 500_000n },
    { name: 'Microsoft Kernel Debug Network Adapter', mac: '', addresses: [], received: 0n, sent: 0n },
  ];

  disks: WindowsDisk[] = [
    { name: 'C:', size: 107_374_182_400n, free: 53_687_091_200n, type: 3 },
    { name: 'D:', size: 0n, free: 0n, type: 5 },
  ];

  readonly shutdownMs: number;
  readonly rebootMs: number;
  #isGoing = false;
  readonly #leave: (after: number, back: number | undefined) => void;

  /** @param leave told when the machine goes down: after how many ms, and after how many it is back */
  constructor({ name = 'HV1', caption = 'Microsoft Windows Server 2022 Datacenter', shutdownMs = 20, rebootMs = 200 }: WindowsOptions, leave: (after: number, back: number | undefined) => void) {
    this.#leave = leave;
    this.name = name;
    this.caption = caption;
    this.shutdownMs = shutdownMs;
    this.rebootMs = rebootMs;
  }

  /** The machine has started. */
  booted(): void {
    this.bootedAt = Date.now();
    this.#isGoing = false;
  }

  /** Win32Shutdown of Win32_OperatingSystem. */
  #shutdown(flags: number): number {
    this.orders.push(flags);
    const told = this.returns.shift();
    if (told !== undefined) return told;
    if (flags > 15) return RETURN.invalidParameter;
    if ((flags & ~BIT.force) === BIT.logOff) return RETURN.ok;
    if (this.#isGoing) return RETURN.shutdownInProgress;
    if (this.usersLoggedOn > 0 && (flags & BIT.force) === 0) return RETURN.usersLoggedOn;
    if (this.manner === 'stays') return RETURN.ok;
    this.#isGoing = true;
    this.#leave(this.manner === 'drops' ? 0 : this.shutdownMs, (flags & BIT.reboot) === 0 ? undefined : this.rebootMs);
    return RETURN.ok;
  }

  #operatingSystem(): Properties {
    return {
      BuildNumber: '20348', Caption: this.caption, CreationClassName: 'Win32_OperatingSystem', CSCreationClassName: 'Win32_ComputerSystem', CSName: this.name,
      CurrentTimeZone: 0, Description: '', FreePhysicalMemory: this.memory.free, InstallDate: new Date('2024-02-03T04:05:06Z'),
      LastBootUpTime: new Date(this.bootedAt), LocalDateTime: new Date(), Locale: '0409', MUILanguages: ['en-US', 'de-DE'],
      Name: `${this.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition3`, NumberOfProcesses: 120, NumberOfUsers: this.usersLoggedOn, OSArchitecture: '64-bit',
      OtherTypeDescription: null, Primary: true, ProductType: 3, Status: 'OK', TotalVisibleMemorySize: this.memory.total, Version: '10.0.20348', WindowsDirectory: 'C:\\Windows',
    };
  }

  #computerSystem(): Properties {
    return {
      Caption: this.name, CreationClassName: 'Win32_ComputerSystem', DNSHostName: this.name, Domain: 'WORKGROUP', HypervisorPresent: true, Manufacturer: 'Microsoft Corporation',
      Model: 'Virtual Machine', Name: this.name, NumberOfLogicalProcessors: this.loads.length * 4, NumberOfProcessors: this.loads.length, PartOfDomain: false,
      SystemType: 'x64-based PC', TotalPhysicalMemory: this.memory.total * 1024n, UserName: this.usersLoggedOn > 0 ? `${this.name}\\alice` : null, Workgroup: 'WORKGROUP',
    };
  }

  get namespace(): Namespace {
    const classes: CimClass[] = [
      {
        name: 'Win32_OperatingSystem', keys: ['Name'], isSingleton: true, instances: () => [this.#operatingSystem()],
        methods: {
          Win32Shutdown: {
            parameters: [{ name: 'Flags', type: 'uint', isRequired: true }, { name: 'Reserved', type: 'uint' }],
            call: (_instance, { Flags }) => ({ ReturnValue: this.#shutdown(Number(Flags)) }),
          },
        },
      },
      { name: 'Win32_ComputerSystem', keys: ['Name'], instances: () => [this.#computerSystem()] },
      {
        name: 'Win32_ComputerSystemProduct', keys: ['IdentifyingNumber', 'Name', 'Version'],
        instances: () => [{ IdentifyingNumber: '4C4C4544', Name: 'PowerEdge R740', SKUNumber: null, UUID: this.uuid, Vendor: 'Dell Inc.', Version: '1.0' }],
      },
      {
        name: 'Win32_Processor', keys: ['DeviceID'],
        instances: () => this.loads.map((load, index) => ({
          Caption: 'Intel64 Family 6 Model 85', CurrentClockSpeed: 2400, DeviceID: `CPU${index}`, LoadPercentage: load, MaxClockSpeed: 2400,
          Name: 'Intel(R) Xeon(R) Silver 4210R CPU @ 2.40GHz', NumberOfCores: 4, NumberOfLogicalProcessors: 4, Status: 'OK',
        })),
      },
      { name: 'Win32_NetworkAdapterConfiguration', keys: ['Index'], instances: () => this.nics.map((nic, index) => this.#nicConfiguration(nic, index)) },
      { name: 'Win32_PerfRawData_Tcpip_NetworkInterface', keys: ['Name'], instances: () => this.nics.filter(({ mac }) => mac !== '').map((nic) => this.#counters(nic)) },
      {
        name: 'Win32_LogicalDisk', keys: ['DeviceID'],
        instances: () => this.disks.map(({ name, size, free, type }) => {
          const isThere = size > 0n;
          return {
            Caption: name, Description: type === 3 ? 'Local Fixed Disk' : 'CD-ROM Disc', DeviceID: name, DriveType: type, FileSystem: isThere ? 'NTFS' : null,
            FreeSpace: isThere ? free : null, Name: name, Size: isThere ? size : null, VolumeName: isThere ? '' : null,
          };
        }),
      },
    ];
    return { name: 'root/cimv2', classes };
  }

  #nicConfiguration({ name, mac, addresses }: WindowsNic, index: number): Properties {
    const isUp = addresses.length > 0;
    return {
      Caption: `[0000000${index}] ${name}`, DefaultIPGateway: isUp ? ['192.0.2.1'] : null, Description: name.replace(/\[(.*?)\]/g, '($1)'), DHCPEnabled: isUp, DNSHostName: isUp ? this.name : null,
      Index: index, InterfaceIndex: index + 4, IPAddress: isUp ? addresses : null, IPEnabled: isUp, IPSubnet: isUp ? addresses.map((each) => (each.includes(':') ? '64' : '255.255.255.0')) : null,
      MACAddress: mac === '' ? null : mac, ServiceName: isUp ? 'netvsc' : 'kdnic',
    };
  }

  #counters({ name, received, sent }: WindowsNic): Properties {
    return {
      BytesReceivedPersec: received,
      BytesSentPersec: sent,
      BytesTotalPersec: received + sent,
      Caption: null,
      CurrentBandwidth: 10_000_000_000n,
      Description: null,
      Frequency_PerfTime: 10_000_000n,
      Frequency_Sys100NS: 10_000_000n,
      Name: name,
      Timestamp_PerfTime: process.hrtime.bigint() / 100n,
      Timestamp_Sys100NS: BigInt(Date.now()) * 10_000n + 116_444_736_000_000_000n,
    };
  }
}
