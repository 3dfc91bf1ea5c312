import type { EsxiModel, Vm } from './model.js';
import { List, Null, Obj, print, Ref } from './printing.js';

/** The data objects that vim-cmd shows of a machine and of the host, with the fields of real transcripts. */

const seconds = (since: number): number => Math.floor((Date.now() - since) / 1000);

export function summary(model: EsxiModel, vm: Vm): string {
  const isOn = vm.state === 'poweredOn';
  const hasTools = isOn && vm.tools;
  const object = new Obj('vim.vm.Summary', {
    vm: new Ref(`vim.VirtualMachine:${vm.vmid}`),
    runtime: new Obj('vim.vm.RuntimeInfo', {
      host: new Ref('vim.HostSystem:ha-host'),
      connectionState: vm.connection,
      powerState: vm.state,
      faultToleranceState: 'notConfigured',
      toolsInstallerMounted: false,
      suspendTime: undefined,
      bootTime: isOn ? new Date(vm.since).toISOString() : undefined,
      suspendInterval: 0,
      question: vm.question === undefined ? new Null('vim.vm.QuestionInfo') : question(vm.question),
      memoryOverhead: 119189504,
      maxCpuUsage: 4800,
      maxMemoryUsage: 2048,
      numMksConnections: 0,
      recordReplayState: 'inactive',
      cleanPowerOff: undefined,
      needSecondaryReason: undefined,
    }),
    guest: new Obj('vim.vm.Summary.GuestSummary', {
      guestId: hasTools ? vm.guestId : undefined,
      guestFullName: hasTools ? 'Debian GNU/Linux 10 (64-bit)' : undefined,
      toolsStatus: hasTools ? 'toolsOk' : 'toolsNotRunning',
      toolsVersionStatus: 'guestToolsUnmanaged',
      toolsRunningStatus: hasTools ? 'guestToolsRunning' : 'guestToolsNotRunning',
      hostName: hasTools ? vm.hostName : undefined,
      ipAddress: hasTools ? vm.ips[0] : undefined,
    }),
    config: new Obj('vim.vm.Summary.ConfigSummary', {
      name: vm.name,
      template: vm.template,
      vmPathName: vm.file,
      memorySizeMB: 2048,
      cpuReservation: undefined,
      memoryReservation: undefined,
      numCpu: 2,
      numEthernetCards: 1,
      numVirtualDisks: 1,
      uuid: vm.uuid,
      instanceUuid: model.version === '5' ? '' : '52021751-e075-9a50-934d-e23419b1a06f',
      guestId: vm.guestId,
      guestFullName: 'Debian GNU/Linux 10 (64-bit)',
      annotation: vm.annotation,
      product: new Null('vim.vApp.ProductInfo'),
      installBootRequired: undefined,
      ftInfo: new Null('vim.vm.FaultToleranceConfigInfo'),
    }),
    storage: new Obj('vim.vm.Summary.StorageSummary', { committed: 47245126222, uncommitted: 162594816, unshared: 47245126222, timestamp: '2013-03-17T18:16:01.868646Z' }),
    quickStats: new Obj('vim.vm.Summary.QuickStats', {
      overallCpuUsage: isOn ? 1200 : undefined,
      guestHeartbeatStatus: 'gray',
      uptimeSeconds: isOn ? seconds(vm.since) : undefined,
    }),
    overallStatus: 'green',
  });
  return `Listsummary:\n\n${print(object, model.version)}\n`;
}

function question(text: string): Obj {
  const choice = (key: number, label: string): Obj => new Obj('vim.ElementDescription', { label, summary: label, key: String(key) });
  return new Obj('vim.vm.QuestionInfo', {
    id: '_vmx1',
    text: `msg.uuid.altered:${text}`,
    choice: new Obj('vim.option.ChoiceOption', {
      valueIsReadonly: undefined,
      choiceInfo: new List('vim.ElementDescription', [choice(0, 'Cancel'), choice(1, 'I moved it'), choice(2, 'I copied it')]),
      defaultIndex: 2,
    }),
    message: new List('vim.vm.Message', [new Obj('vim.vm.Message', { id: 'msg.uuid.altered', argument: undefined, text })]),
  });
}

export function guest(model: EsxiModel, vm: Vm): string {
  const hasTools = vm.state === 'poweredOn' && vm.tools;
  const card = new Obj('vim.vm.GuestInfo.NicInfo', {
    network: 'VM Network',
    ipAddress: new List('string', vm.ips),
    macAddress: vm.mac.toLowerCase(),
  });
  const object = new Obj('vim.vm.GuestInfo', {
    toolsStatus: hasTools ? 'toolsOk' : 'toolsNotInstalled',
    toolsRunningStatus: hasTools ? 'guestToolsRunning' : 'guestToolsNotRunning',
    toolsUpdateStatus: new Null('vim.vm.GuestInfo.ToolsUpdateStatus'),
    guestFamily: hasTools ? 'linuxGuest' : undefined,
    hostName: hasTools ? vm.hostName : undefined,
    ipAddress: hasTools ? vm.ips[0] : undefined,
    net: hasTools ? new List('vim.vm.GuestInfo.NicInfo', [card]) : undefined,
    ipStack: hasTools ? new List('vim.vm.GuestInfo.StackInfo', [new Obj('vim.vm.GuestInfo.StackInfo', { gateway: new Obj('vim.net.IpRouteConfigInfo.Gateway', { ipAddress: undefined, device: '0' }) })]) : undefined,
    screen: new Obj('vim.vm.GuestInfo.ScreenInfo', { width: 800, height: 600 }),
    guestState: hasTools ? 'running' : 'notRunning',
  });
  // Real ones print some addresses that are not there as nothing at all.
  const printed = print(object, model.version).replace('ipAddress = <unset>, \n                  device', 'ipAddress = , \n                  device');
  return `Guest information:\n\n${printed}\n`;
}

export function devices(model: EsxiModel, vm: Vm): string {
  const label = (name: string, about: string): Obj => new Obj('vim.Description', { label: name, summary: about });
  const object = new Obj('vim.vm.VirtualHardware', {
    numCPU: 2,
    memoryMB: 2048,
    device: new List('vim.vm.device.VirtualDevice', [
      new Obj('vim.vm.device.VirtualIDEController', {
        key: 200, deviceInfo: label('IDE 0', 'IDE 0'), backing: new Null('vim.vm.device.VirtualDevice.BackingInfo'), busNumber: 0, device: new List('int', [3002]),
      }),
      new Obj('vim.vm.device.VirtualDisk', {
        key: 2000,
        deviceInfo: label('Hard disk 1', '41,943,040 KB'),
        backing: new Obj('vim.vm.device.VirtualDisk.FlatVer2BackingInfo', { fileName: vm.file.replace(/x$/, 'dk'), thinProvisioned: false }),
        capacityInKB: 41943040,
      }),
      new Obj('vim.vm.device.VirtualE1000', { key: 4000, deviceInfo: label('Network adapter 1', 'VM "Network"'), addressType: 'generated', macAddress: vm.mac, wakeOnLanEnabled: true }),
    ]),
  });
  return `Devices:\n\n${print(object, model.version)}\n`;
}

const PRODUCTS = { 5: '5.5.0 build-1331820', 6.5: '6.5.0 build-6765664', 7: '7.0.3 build-19193900', 9: '9.0.0 build-24755229' };

export function hostSummary(model: EsxiModel): string {
  const version = PRODUCTS[model.version as unknown as keyof typeof PRODUCTS];
  const object = new Obj('vim.host.Summary', {
    host: new Ref('vim.HostSystem:ha-host'),
    hardware: new Obj('vim.host.Summary.HardwareSummary', {
      vendor: 'Dell Inc.', model: 'PowerEdge R640', uuid: '4C4C4544-0042-3510-8052-B4C04F4E3333', memorySize: 137066807296n,
      cpuModel: 'Intel(R) Xeon(R) CPU', cpuMhz: 2400, numCpuPkgs: 1, numCpuCores: 8, numCpuThreads: 16, numNics: 2, numHBAs: 1,
    }),
    runtime: new Obj('vim.host.RuntimeInfo', {
      connectionState: 'connected', powerState: 'poweredOn', inMaintenanceMode: model.maintenance, bootTime: new Date(model.booted).toISOString(),
    }),
    config: new Obj('vim.host.Summary.ConfigSummary', {
      name: 'localhost.localdomain', port: 443, product: new Obj('vim.AboutInfo', { name: 'VMware ESXi', fullName: `VMware ESXi ${version}`, version: version.split(' ')[0] }),
    }),
    quickStats: new Obj('vim.host.Summary.QuickStats', { overallCpuUsage: 1920, overallMemoryUsage: 40960, uptime: seconds(model.booted) }),
    overallStatus: 'green',
  });
  return `Listsummary:\n\n${print(object, model.version)}\n`;
}
