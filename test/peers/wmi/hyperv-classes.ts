import { Reference, type Argument, type Arguments, type CimClass, type Method, type Namespace, type Properties } from './cim.js';
import { RETURN, type HyperV } from './hyperv.js';
import * as settings from './hyperv-settings.js';
import type { Vm } from './vm.js';

/** Hyper-V's namespaces: root/virtualization/v2, or root/virtualization as it was until Windows Server 2012. */

const COMPUTER_KEYS = ['CreationClassName', 'Name'];
const DEVICE_KEYS = ['CreationClassName', 'DeviceID', 'SystemCreationClassName', 'SystemName'];

/** What people read, in their language: nobody may go by it. */
const WORDS = {
  en: { vm: 'Virtual Machine', host: 'Hosting Computer System', hostIs: 'Microsoft Hosting Computer System', fine: 'Operating normally' },
  de: { vm: 'Virtueller Computer', host: 'Hostcomputersystem', hostIs: 'Microsoft-Hostcomputersystem', fine: 'Normaler Betrieb' },
  ja: { vm: '仮想マシン', host: 'ホスト コンピューター システム', hostIs: 'Microsoft ホスト コンピューター システム', fine: '正常稼働中' },
} as const;

export class HyperVNamespace implements Namespace {
  readonly name: string;
  readonly classes: readonly CimClass[];
  readonly #words: (typeof WORDS)[keyof typeof WORDS];
  readonly #hyperv: HyperV;
  readonly #hostName: string;

  /** @param hostName of the machine that all this runs on */
  constructor(hyperv: HyperV, hostName: string, locale: string) {
    this.#hyperv = hyperv;
    this.#hostName = hostName;
    this.name = hyperv.namespace;
    this.#words = locale.startsWith('de') ? WORDS.de : locale.startsWith('ja') ? WORDS.ja : WORDS.en;
    const list = (name: string, instances: () => readonly Properties[]): CimClass => ({ name, keys: ['InstanceID'], instances });
    const isV2 = hyperv.version === 'v2';
    this.classes = [
      this.#computerSystem(),
      this.#processor(),
      this.#shutdownComponent(),
      this.#kvpComponent(),
      this.#managementService(),
      this.#imageService(),
      hyperv.jobs.type,
      list('Msvm_VirtualSystemSettingData', () => hyperv.vms.flatMap((vm) => settings.systemSettings(hyperv, vm))),
      list('Msvm_SyntheticEthernetPortSettingData', () => settings.ethernetPorts(hyperv)),
      list('Msvm_EmulatedEthernetPortSettingData', () => []),
      list('Msvm_ProcessorSettingData', () => settings.processors(hyperv)),
      list('Msvm_MemorySettingData', () => settings.memories(hyperv)),
      ...(isV2
        ? [
            list('Msvm_SummaryInformation', () => hyperv.vms.map((vm) => settings.summary(hyperv, vm))),
            list('Msvm_GuestNetworkAdapterConfiguration', () => settings.guestAdapters(hyperv)),
            list('Msvm_StorageAllocationSettingData', () => settings.storage(hyperv)),
          ]
        : [list('Msvm_ResourceAllocationSettingData', () => settings.storageV1(hyperv))]),
    ];
  }

  /** Of a machine its settings, of its settings those of its parts; both of its components. */
  associators(of: Properties, className: string, resultClass: string): readonly Properties[] {
    const type = this.classes.find(({ name }) => name === resultClass);
    if (className === 'Msvm_ComputerSystem') {
      const owner = String(of.Name);
      return (type?.instances() ?? []).filter((each) => [each.SystemName, each.VirtualSystemIdentifier].includes(owner) || each.InstanceID === `Microsoft:${owner}`
        || String(each.InstanceID ?? '').startsWith(`Microsoft:GuestNetwork\\${owner}\\`));
    }
    return (type?.instances() ?? []).filter(({ InstanceID }) => String(InstanceID).startsWith(`${String(of.InstanceID)}\\`));
  }

  #computerSystem(): CimClass {
    const hyperv = this.#hyperv;
    return {
      name: 'Msvm_ComputerSystem', keys: COMPUTER_KEYS,
      instances: () => [this.#host(), ...hyperv.vms.map((vm) => this.#machine(vm))],
      methods: {
        RequestStateChange: {
          parameters: [{ name: 'RequestedState', type: 'uint', isRequired: true }, { name: 'TimeoutPeriod', type: 'datetime' }],
          call: ({ Name }, args) => {
            const vm = hyperv.find(String(Name));
            return vm ? hyperv.requestStateChange(vm, args) : { Job: null, ReturnValue: RETURN.notSupported };
          },
        },
      },
    };
  }

  #host(): Properties {
    return {
      Caption: this.#words.host,
      CreationClassName: 'Msvm_ComputerSystem',
      Description: this.#words.hostIs,
      ElementName: this.#hostName,
      EnabledDefault: 2,
      EnabledState: 2,
      HealthState: 5,
      InstallDate: null,
      Name: this.#hostName,
      OnTimeInMilliseconds: null,
      OperationalStatus: [2],
      OtherEnabledState: null,
      ProcessID: null,
      RequestedState: 12,
      Status: 'OK',
      StatusDescriptions: ['OK'],
      TimeOfLastConfigurationChange: null,
      TimeOfLastStateChange: null,
    };
  }

  #machine(vm: Vm): Properties {
    return {
      Caption: this.#words.vm,
      CreationClassName: 'Msvm_ComputerSystem',
      Description: 'Microsoft Virtual Machine',
      ElementName: vm.name,
      EnabledDefault: vm.state === 'off' ? 3 : 2,
      EnabledState: this.#hyperv.enabledState(vm),
      HealthState: 5,
      InstallDate: vm.createdAt,
      Name: vm.id,
      OnTimeInMilliseconds: BigInt(vm.onTime),
      OperationalStatus: [2],
      OtherEnabledState: null,
      ProcessID: vm.state === 'running' ? 4242 : null,
      RequestedState: vm.transition ? 2 : 5,
      Status: 'OK',
      StatusDescriptions: [this.#words.fine],
      TimeOfLastConfigurationChange: vm.createdAt,
      TimeOfLastStateChange: vm.changedAt,
    };
  }

  #device(className: string, vm: Vm, id: string): Properties {
    return {
      CreationClassName: className, DeviceID: `Microsoft:${vm.id}\\${id}`, SystemCreationClassName: 'Msvm_ComputerSystem', SystemName: vm.id, EnabledState: 2,
      HealthState: 5, OperationalStatus: vm.guest === 'not ready' ? [13] : [2], RequestedState: 12, Status: 'OK',
    };
  }

  /** Those that a machine has while it is on. */
  #processor(): CimClass {
    return {
      name: 'Msvm_Processor', keys: DEVICE_KEYS,
      instances: () => this.#hyperv.vms.filter(({ state }) => state === 'running' || state === 'paused').flatMap((vm) => Array.from({ length: vm.processors }, (_, index) => ({
        ...this.#device('Msvm_Processor', vm, `b637f346-6a0e-4dec-af52-bd70cb80a21d\\${index}`), ElementName: 'Processor', LoadPercentage: vm.state === 'running' ? vm.load : 0,
        LoadPercentageHistory: [vm.load, vm.load],
      }))),
    };
  }

  /** Only of machines that run, with integration services in their guest. */
  #shutdownComponent(): CimClass {
    const hyperv = this.#hyperv;
    const order = (isReboot: boolean): Method => ({
      parameters: [{ name: 'Force', type: 'boolean', isRequired: true }, { name: 'Reason', type: 'string', isRequired: true }],
      call: ({ SystemName }, args) => hyperv.initiateShutdown(hyperv.vm(String(SystemName)), args, isReboot),
    });
    return {
      name: 'Msvm_ShutdownComponent', keys: DEVICE_KEYS,
      instances: () => hyperv.vms.filter(({ hasServices }) => hasServices)
        .map((vm) => ({ ...this.#device('Msvm_ShutdownComponent', vm, '9F8233AC-BE49-4C79-8EE3-E7E1985B2077'), Caption: 'Shutdown', ElementName: 'Shutdown', Name: 'Shutdown' })),
      methods: { InitiateShutdown: order(false), ...(hyperv.version === 'v2' && { InitiateReboot: order(true) }) },
    };
  }

  #kvpComponent(): CimClass {
    return {
      name: 'Msvm_KvpExchangeComponent', keys: DEVICE_KEYS,
      instances: () => this.#hyperv.vms.map((vm) => ({
        ...this.#device('Msvm_KvpExchangeComponent', vm, '2A34B1C2-FD73-4043-8A5B-DD2159BC743F'), ElementName: 'Key-Value Pair Exchange', GuestExchangeItems: [],
        GuestIntrinsicExchangeItems: vm.hasServices ? settings.intrinsicItems(vm) : [],
      })),
    };
  }

  #service(name: string, methods: Readonly<Record<string, Method>>): CimClass {
    const instance = { CreationClassName: name, ElementName: 'Hyper-V', Name: 'vmms', SystemCreationClassName: 'Msvm_ComputerSystem', SystemName: this.#hostName, Started: true, Status: 'OK' };
    return { name, keys: ['CreationClassName', 'Name', 'SystemCreationClassName', 'SystemName'], enough: ['CreationClassName'], instances: () => [instance], methods };
  }

  #managementService(): CimClass {
    const hyperv = this.#hyperv;
    const all = (given: Argument): readonly Vm[] => {
      if (given === null) return hyperv.vms;
      const ids = (Array.isArray(given) ? (given as readonly (string | Reference)[]) : []).map((each) =>
        each instanceof Reference ? each.keys.InstanceID : undefined,
      );
      return hyperv.vms.filter((vm) => ids.includes(settings.settingId(vm)));
    };
    return this.#service('Msvm_VirtualSystemManagementService', {
      GetSummaryInformation: {
        parameters: [{ name: 'SettingData', type: 'reference', isArray: true }, { name: 'RequestedInformation', type: 'uint', isArray: true, isRequired: true }],
        call: (_instance, { SettingData = null, RequestedInformation }) =>
          ({ SummaryInformation: all(SettingData).map((vm) => settings.summaryPart(hyperv, vm, RequestedInformation as string[])), ReturnValue: RETURN.ok }),
      },
      ...(hyperv.version === 'v2' && {
        ModifySystemSettings: {
          parameters: [{ name: 'SystemSettings', type: 'string', isRequired: true }],
          call: (_instance: Properties, { SystemSettings }: Arguments) => hyperv.modifySystemSettings(settings.readSystemSettings(String(SystemSettings))),
        },
      } satisfies Record<string, Method>),
    });
  }

  #imageService(): CimClass {
    const hyperv = this.#hyperv;
    const about = (out: string, write: (disk: Vm['disks'][number]) => string): Method => ({
      parameters: [{ name: 'Path', type: 'string', isRequired: true }],
      call: (_instance, { Path }) => {
        const disk = hyperv.vms.flatMap(({ disks }) => disks).find(({ path }) => path === Path);
        // Of what is no disk image there is nothing to tell.
        return { [out]: disk ? write(disk) : null, Job: null, ReturnValue: disk ? RETURN.ok : RETURN.badParameter };
      },
    });
    return this.#service('Msvm_ImageManagementService', hyperv.version === 'v2'
      ? { GetVirtualHardDiskSettingData: about('SettingData', settings.diskSettings), GetVirtualHardDiskState: about('State', settings.diskState) }
      : { GetVirtualHardDiskInfo: about('Info', settings.diskInfo) });
  }
}
