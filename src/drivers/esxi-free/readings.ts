import { entryOf } from '../../kit/tables.js';
import { trimmed } from '../../kit/text.js';
import { decodeName } from '../../protocols/vim/value.js';
import type { Disk, PowerState } from '../driver.js';
import { DataObjectError, parseDataObject, type DataObject } from './data-object.js';

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
    state: (accessible && entryOf(STATES, runtime.text('powerState') ?? '')) || 'unknown',
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

/** Reads the tables and lists that vim-cmd and esxcli print of virtual machines. */

/** More registered virtual machines than any ESXi takes (its configuration maximum is 1,024). */
export const MOST_VMS = 2048;

/** A vmid fills its column, and three blanks stand between columns; ids are never longer in hostd. */
const ROW = /^(\d{1,9}) {3,}\S/;

/** Printed before the header for a machine whose configuration file is gone or damaged. */
const INVALID = /^Skipping invalid VM '(\d{1,9})'/;

/** What getallvms says, as far as it can be believed. */
export interface Listing {
  /** Ids of machines that there may be: an annotation can hold lines that look like rows. */
  readonly candidates: readonly number[];
  /** ids of those that ESXi itself calls invalid */
  readonly invalid: ReadonlySet<number>;
}

/**
 * Reads `vim-cmd vmsvc/getallvms`. Only the ids are taken from it: names and datastores hold blanks
 * and brackets, annotations hold line breaks, and the columns have no fixed place. The rest is asked
 * of each machine by its id.
 *
 * @returns undefined where the header is missing, so that this is no such table
 */
export function parseGetAllVms(output: string): Listing | undefined {
  const lines = output.split(/\r?\n/);
  if (!lines.some((line) => /^Vmid +Name +File +Guest OS +Version/.test(line))) return undefined;
  const invalid = new Set<number>();
  const candidates = new Set<number>();
  for (const line of lines) {
    const skipped = INVALID.exec(line)?.[1];
    if (skipped !== undefined) invalid.add(Number(skipped));
    const id = skipped ?? ROW.exec(line)?.[1];
    if (id !== undefined) candidates.add(Number(id));
    if (candidates.size >= MOST_VMS) break;
  }
  return { candidates: [...candidates].sort((a, b) => a - b), invalid };
}

/** A virtual machine that the kernel runs. */
export interface Process {
  readonly name: string;
  /** path of its vmx file */
  readonly file: string;
}

/**
 * Reads `esxcli vm process list`: a paragraph a running machine, registered or not.
 *
 * @returns undefined where the output is neither empty nor such a list
 */
export function parseProcessList(output: string): Process[] | undefined {
  const processes: Process[] = [];
  for (const match of output.matchAll(/^ {3}Display Name: (.*)\r?\n {3}Config File: (.*)$/gm)) {
    processes.push({ name: decodeName(trimmed(match[1]!)), file: match[2]!.trim() });
  }
  const worlds = output.match(/^ {3}World ID: \d+\s*$/gm)?.length ?? 0;
  return worlds === processes.length && (worlds > 0 || output.trim() === '') ? processes : undefined;
}

/** Files of agent machines that a vCenter or ESXi itself runs. */
const AGENT_FILE = /^(?:\[\] ?)?\/var\/run\/crx\//;
/** `vCLS-UUID` since 7.0 U3, `vCLS (1)` before. */
const AGENT_NAME = /^vCLS(?:-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}| \(\d+\))$/i;

/** Whether a machine is a vCLS agent: ESXi looks after those, and nobody else may touch them. */
export function isAgent({ name, file, guestId }: { readonly name: string; readonly file: string; readonly guestId?: string | undefined }): boolean {
  return AGENT_FILE.test(file) || AGENT_NAME.test(name) || /^crx.*Guest$/.test(guestId ?? '');
}
