import { decodeName } from '../../protocols/vim/names.js';
import type { Disk, PowerState } from '../driver.js';
import type { DataObject} from './data-object.js';
import { DataObjectError, parseDataObject } from './data-object.js';

/** What get.summary, get.guest, device.getdevices and hostsummary tell, in the words of a driver. */

const MIB = 1024n * 1024n;
const KIB = 1024n;

/** A machine as `vim-cmd vmsvc/get.summary` shows it. */
export interface VmSummary {
  readonly vmid: number;
  readonly name: string;
  /** of its BIOS; people's copies may share one */
  readonly uuid: string | undefined;
  /** `[datastore] folder/file.vmx` */
  readonly file: string;
  readonly template: boolean;
  readonly state: PowerState;
  /** whether ESXi can read its configuration; if not, the rest is what it was once */
  readonly accessible: boolean;
  /** what it asks and waits for an answer to */
  readonly question: string | undefined;
  readonly guestId: string | undefined;
  readonly guestName: string | undefined;
  readonly ip: string | undefined;
  /** `guestToolsRunning`, `guestToolsNotRunning` … */
  readonly tools: string | undefined;
  readonly cpus: number | undefined;
  readonly memory: bigint | undefined;
  /** when it was powered on, which no reboot changes; undefined while it is off */
  readonly poweredOn: string | undefined;
  /** seconds */
  readonly uptime: number | undefined;
  /** MHz: used, and what it could use at the most */
  readonly cpuUsed: number | undefined;
  readonly cpuMost: number | undefined;
}

const STATES: Readonly<Record<string, PowerState>> = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' };

/**
 * @param vmid the one that was asked for
 * @throws DataObjectError where the output is no summary of that machine
 */
export function parseVmSummary(output: string, vmid: number): VmSummary {
  const summary = expect(output, 'vim.vm.Summary');
  if (summary.text('vm') !== `vim.VirtualMachine:${vmid}`) throw new DataObjectError('the summary of another machine');
  const [runtime, config, guest, stats] = ['runtime', 'config', 'guest', 'quickStats'].map((name) => summary.object(name));
  const name = config?.text('name');
  if (!runtime || !config || name === undefined) throw new DataObjectError('a summary without runtime or name');
  const accessible = runtime.text('connectionState') === 'connected';
  const memory = config.number('memorySizeMB');
  return {
    vmid,
    name: decodeName(name),
    uuid: config.text('uuid')?.toLowerCase() || undefined,
    file: config.text('vmPathName') ?? '',
    template: config.text('template') === 'true',
    state: (accessible && STATES[runtime.text('powerState') ?? '']) || 'unknown',
    accessible,
    poweredOn: runtime.text('bootTime'),
    question: questionOf(runtime.object('question')),
    guestId: config.text('guestId'),
    guestName: config.text('guestFullName'),
    ip: guest?.text('ipAddress'),
    tools: guest?.text('toolsRunningStatus'),
    cpus: config.number('numCpu'),
    memory: memory === undefined ? undefined : BigInt(memory) * MIB,
    uptime: stats?.number('uptimeSeconds'),
    cpuUsed: stats?.number('overallCpuUsage'),
    cpuMost: runtime.number('maxCpuUsage'),
  };
}

/** The question and the answers to choose from, in one line. */
function questionOf(question: DataObject | undefined): string | undefined {
  if (!question) return undefined;
  const text = (question.text('text') ?? '').replace(/^(?:msg\.[\w.]+:)+/, '').replace(/\s+/g, ' ').trim();
  const answers = question.object('choice')?.objects('choiceInfo').map((choice) => choice.text('label') ?? '').filter((label) => label !== '') ?? [];
  return `${text || 'it asks something'}${answers.length > 0 ? ` (${answers.join(' / ')})` : ''}`;
}

/** Addresses of a guest, as its VMware Tools told them. */
export interface GuestNetwork {
  readonly ips: readonly string[];
  readonly macs: readonly string[];
}

/** Reads `vim-cmd vmsvc/get.guest`. @throws DataObjectError */
export function parseGuest(output: string): GuestNetwork {
  const guest = expect(output, 'vim.vm.GuestInfo');
  const cards = guest.objects('net');
  const first = guest.text('ipAddress');
  const ips = [...(first ? [first] : []), ...cards.flatMap((card) => card.texts('ipAddress'))].filter((ip) => !ip.startsWith('fe80:'));
  return { ips: [...new Set(ips)], macs: [...new Set(cards.flatMap((card) => card.text('macAddress')?.toLowerCase() ?? []))] };
}

/** The parts of a machine that its configuration names. */
export interface Hardware {
  readonly macs: readonly string[];
  readonly disks: readonly Disk[];
}

/** Reads `vim-cmd vmsvc/device.getdevices`. @throws DataObjectError */
export function parseDevices(output: string): Hardware {
  const devices = expect(output, 'vim.vm.VirtualHardware').objects('device');
  return {
    macs: devices.flatMap((device) => device.text('macAddress')?.toLowerCase() ?? []),
    disks: devices.filter(({ type }) => type === 'vim.vm.device.VirtualDisk').map(toDisk),
  };
}

function toDisk(device: DataObject): Disk {
  const backing = device.object('backing');
  const size = device.number('capacityInKB');
  const source = backing?.text('fileName');
  const raw = backing?.type.includes('RawDisk') === true;
  return {
    target: device.object('deviceInfo')?.text('label') ?? `disk ${device.text('key') ?? ''}`,
    type: raw ? 'block' : 'file',
    format: raw ? 'raw' : 'vmdk',
    ...(size !== undefined && { size: BigInt(size) * KIB }),
    ...(source !== undefined && { source }),
  };
}

/** The host as `vim-cmd hostsvc/hostsummary` shows it. */
export interface HostSummary {
  readonly uuid: string | undefined;
  readonly product: string | undefined;
  readonly model: string | undefined;
  readonly cpus: number | undefined;
  readonly memory: bigint | undefined;
  /** differs after each boot */
  readonly bootTime: string | undefined;
  /** seconds */
  readonly uptime: number | undefined;
  readonly inMaintenance: boolean;
  /** percent of all its cores */
  readonly cpuPercent: number | undefined;
}

/** @throws DataObjectError */
export function parseHostSummary(output: string): HostSummary {
  const summary = expect(output, 'vim.host.Summary');
  const [hardware, runtime, config, stats] = ['hardware', 'runtime', 'config', 'quickStats'].map((name) => summary.object(name));
  const memory = hardware?.number('memorySize');
  const model = [hardware?.text('vendor'), hardware?.text('model')].filter(Boolean).join(' ').trim();
  const mhz = (hardware?.number('cpuMhz') ?? 0) * (hardware?.number('numCpuCores') ?? 0);
  const used = stats?.number('overallCpuUsage');
  return {
    uuid: hardware?.text('uuid')?.toLowerCase(),
    product: config?.object('product')?.text('fullName'),
    model: model || undefined,
    cpus: hardware?.number('numCpuThreads') ?? hardware?.number('numCpuCores'),
    memory: memory === undefined ? undefined : BigInt(memory),
    bootTime: runtime?.text('bootTime'),
    uptime: stats?.number('uptime'),
    inMaintenance: runtime?.text('inMaintenanceMode') === 'true',
    cpuPercent: used === undefined || mhz === 0 ? undefined : Math.min(100, (used / mhz) * 100),
  };
}

function expect(output: string, type: string): DataObject {
  const found = parseDataObject(output);
  if (found?.type !== type) throw new DataObjectError(`no ${type} in the output`);
  return found;
}
