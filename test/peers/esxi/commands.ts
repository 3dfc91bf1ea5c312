import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import type { EsxiModel, Vm, VmState } from './model.js';
import { devices, guest, hostSummary, summary } from './objects.js';
import { printFault, printTable, type Printable } from './printing.js';
import { shellWords } from './words.js';

/** What a command gives back. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** `cut`: after this output the connection is gone. `killed`: the program is. */
  readonly end?: 'cut' | 'killed';
}

/** Longer than any client should want to read. Bytes. */
const FLOOD = 6 * 1024 * 1024;
/** How long a question waits for its answer, ms. */
const PATIENCE = 60_000;

const said = (stdout: string, code = 0): Answer => ({ code, stdout, stderr: '' });

/**
 * Carries out one command line as an ESXi does. Strict: what ESXi does not know, or arguments that
 * it would not take, fail with its words.
 */
export async function answer(model: EsxiModel, line: string, signal: AbortSignal): Promise<Answer> {
  model.commands.push(line);
  model.before(line);
  const fault = model.faultFor(line);
  if (fault === 'hang') {
    await sleep(PATIENCE, undefined, { signal, ref: false }).catch(() => undefined);
    return said('', 255);
  }
  if (fault === 'flood') return said('x'.repeat(79).concat('\n').repeat(FLOOD / 80));
  if (typeof fault === 'object') return said(`${fault.says}\n`, 1);
  const result = await carryOut(model, line, signal);
  if (fault === 'cut' || fault === 'killed') return { ...result, stdout: result.stdout.slice(0, result.stdout.length / 2), end: fault };
  if (fault === 'lost') return { code: 255, stdout: '', stderr: '', end: 'cut' };
  if (fault === 'lie') return said(`${result.stdout}${/power\.(\w+)/.exec(line)?.[1] === 'on' ? 'Power on' : 'Power off'} failed\n`, 1);
  return result;
}

function carryOut(model: EsxiModel, line: string, signal: AbortSignal): Answer | Promise<Answer> {
  const [program, ...args] = shellWords(line) ?? [];
  if (program === undefined) return said(`sh: syntax error: unexpected word in "${line}"\n`, 2);
  if (program === 'vim-cmd') return vimCmd(model, args, signal);
  if (program === 'esxcli') return esxcli(model, args, signal);
  if (args.length === 0 && (program === 'poweroff' || program === 'reboot')) {
    model.goingDown = program;
    model.onDown(program, 0);
    return said('');
  }
  if (line === 'dmesg') return said('0:00:00:05.000 cpu0:2097152)Boot: VMware ESXi\n2024-01-01T00:00:00Z cpu3:2097200)vmnic0: link up\n');
  return { code: 127, stdout: '', stderr: `sh: ${program}: not found\n` };
}

type VmCommand = (model: EsxiModel, vm: Vm, args: readonly string[], signal: AbortSignal) => Answer | Promise<Answer>;

const VM_COMMANDS: Readonly<Record<string, VmCommand>> = {
  'get.summary': (model, vm) => said(summary(model, vm)),
  'get.guest': (model, vm) => said(guest(model, vm)),
  'device.getdevices': (model, vm) => said(devices(model, vm)),
  'power.getstate': (_, vm) => said(`Retrieved runtime info\n${{ poweredOn: 'Powered on', poweredOff: 'Powered off', suspended: 'Suspended' }[vm.state]}\n`),
  'power.on': (model, vm, _, signal) => powerOn(model, vm, signal),
  'power.off': (model, vm) => change(model, vm, 'Powering off VM', 'Power off', ['poweredOn', 'suspended'], 'poweredOff'),
  'power.suspend': (model, vm) => change(model, vm, 'Suspending VM', 'Suspend', ['poweredOn'], 'suspended'),
  'power.reset': (model, vm) => {
    const result = change(model, vm, 'Reset VM', 'Reset', ['poweredOn'], 'poweredOn');
    if (result.code === 0) vm.boots += 1;
    return result;
  },
  'power.shutdown': (model, vm) => askGuest(model, vm, () => setTimeout(() => model.stopped(vm), model.shutdownTime).unref()),
  'power.reboot': (model, vm) => askGuest(model, vm, () => model.rebooted(vm)),
  message: (_, vm, [id, choice]) => {
    if (vm.question === undefined) return said('No message.\n');
    if (id === undefined) return said(`Virtual machine message _vmx1:\n${vm.question}\n   0. Cancel (Cancel)\n   1. I moved it (I moved it)\n   2. I copied it (I copied it) [default]\nAnswer:\n`);
    if (id !== '_vmx1' || !/^[012]$/.test(choice ?? '')) return said('Invalid message or answer\n', 1);
    vm.question = undefined;
    return said('');
  },
};

function vimCmd(model: EsxiModel, [path = '', ...args]: readonly string[], signal: AbortSignal): Answer | Promise<Answer> {
  if (path === 'vmsvc/getallvms' && args.length === 0) return getAllVms(model);
  if (path === 'hostsvc/hostsummary' && args.length === 0) return said(hostSummary(model));
  const name = path.startsWith('vmsvc/') ? path.slice('vmsvc/'.length) : '';
  const command = Object.hasOwn(VM_COMMANDS, name) ? VM_COMMANDS[name] : undefined;
  if (!command) return said(`Invalid command '${path}'.\n`, 1);
  const [id, ...rest] = args;
  if (id === undefined || rest.length > (name === 'message' ? 2 : 0)) return said(`Insufficient arguments.\nUsage: ${name} vmid\n`, 1);
  const vm = /^\d+$/.test(id) ? model.byId(Number(id)) : undefined;
  if (!vm) return said(`${printFault('vim.fault.NotFound', {}, `Unable to find a VM corresponding to "${id}"`, model.version)}\n`, 1);
  return command(model, vm, rest, signal);
}

function getAllVms(model: EsxiModel): Answer {
  const registered = model.vms.filter((vm) => !vm.unregistered);
  const skipped = model.version === '6.5' ? registered.filter(({ connection }) => connection === 'invalid') : [];
  // Ids are sorted as texts.
  const rows = registered.filter((vm) => !skipped.includes(vm)).sort((a, b) => String(a.vmid) < String(b.vmid) ? -1 : 1)
    .map(({ vmid, name, file, guestId, hardware, annotation }) => [String(vmid), name, file, guestId, hardware, annotation]);
  return said(skipped.map(({ vmid }) => `Skipping invalid VM '${vmid}'\n`).join('') + printTable(rows));
}

const STATE_WORDS: Readonly<Record<VmState, string>> = { poweredOn: 'Powered on', poweredOff: 'Powered off', suspended: 'Suspended' };

/** `Doing VM:`, and where it failed the fault as each version words it: before it, after it, or not at all. */
function refused(model: EsxiModel, doing: string, deed: string, type: string, fields: Readonly<Record<string, Printable>>, msg: string): Answer {
  const fault = printFault(type, fields, msg, model.version);
  const tail = { 5: fault, 6.5: `${deed} failed`, 7: `${deed} failed: ${fault}`, 9: `${deed} failed: ${fault}` }[model.version as string];
  return said(`${doing}:\n${tail}\n`, model.version === '6.5' ? 0 : 1);
}

function wrongState(model: EsxiModel, vm: Vm, doing: string, deed: string, wanted: VmState): Answer {
  const words = `The attempted operation cannot be performed in the current state (${STATE_WORDS[vm.state]}).`;
  return refused(model, doing, deed, 'vim.fault.InvalidPowerState', { requestedState: wanted, existingState: vm.state }, words);
}

function change(model: EsxiModel, vm: Vm, doing: string, deed: string, from: readonly VmState[], to: VmState): Answer {
  if (!from.includes(vm.state)) return wrongState(model, vm, doing, deed, to);
  vm.state = to;
  vm.question = undefined;
  return said(`${doing}:\n`);
}

async function powerOn(model: EsxiModel, vm: Vm, signal: AbortSignal): Promise<Answer> {
  const [doing, deed] = ['Powering on VM', 'Power on'];
  if (vm.state === 'poweredOn') return wrongState(model, vm, doing, deed, 'poweredOn');
  if (model.maintenance) {
    return refused(model, doing, deed, 'vim.fault.InvalidState', {}, 'The operation is not allowed in the current state.');
  }
  if (vm.asks !== undefined) {
    vm.question = vm.asks;
    // Answered or not: the client that ordered it hears nothing until then.
    await until(() => vm.question === undefined || signal.aborted, PATIENCE, 'an answer').catch(() => undefined);
    if (vm.question !== undefined) return said('', 255);
    vm.asks = undefined;
  }
  vm.state = 'poweredOn';
  vm.since = Date.now();
  return said(`${doing}:\n`);
}

/** Success prints nothing at all. */
function askGuest(model: EsxiModel, vm: Vm, act: () => unknown): Answer {
  const fault = (type: string, fields: Readonly<Record<string, Printable>>, msg: string): Answer => said(`${printFault(type, fields, msg, model.version)}\n`, 1);
  if (vm.state !== 'poweredOn') {
    return fault('vim.fault.InvalidPowerState', { requestedState: 'poweredOn', existingState: vm.state },
      `The attempted operation cannot be performed in the current state (${STATE_WORDS[vm.state]}).`);
  }
  if (!vm.tools) {
    return fault('vim.fault.ToolsUnavailable', {}, 'Cannot complete operation because VMware Tools is not running in this virtual machine.');
  }
  if (!vm.deaf) act();
  return said('');
}

function esxcli(model: EsxiModel, args: readonly string[], signal: AbortSignal): Answer | Promise<Answer> {
  const line = args.join(' ');
  if (line === 'vm process list') return said(model.vms.filter(({ state }) => state === 'poweredOn').map(process).join('\n'));
  if (line === 'system maintenanceMode get') return said(model.maintenance ? 'Enabled\n' : 'Disabled\n');
  const unknown = said(`Error: Unknown command or namespace ${line}\n\n`, 1);
  if (line.startsWith('system maintenanceMode set ')) return setMaintenance(model, options(args.slice(3), { e: 'enable', t: 'timeout' }), signal);
  const way = args[2];
  if (!line.startsWith('system shutdown ') || (way !== 'poweroff' && way !== 'reboot')) return unknown;
  return shutdown(model, way, options(args.slice(3), { d: 'delay', r: 'reason' }));
}

function process({ vmid, name, file, uuid }: Vm): string {
  const [, store = '', path = ''] = /^\[(.*?)\] ?(.*)$/.exec(file) ?? [];
  const hex = (uuid.replaceAll('-', '').match(/../g) ?? []).join(' ');
  return `${name}\n   World ID: ${2_099_000 + vmid}\n   Process ID: 0\n   VMX Cartel ID: ${2_098_000 + vmid}\n   UUID: ${hex.slice(0, 23)}-${hex.slice(24)}\n`
    + `   Display Name: ${name}\n   Config File: ${store === '' ? path : `/vmfs/volumes/${store}/${path}`}\n`;
}

/** `--name value`, `-n value`; undefined where something else is among them. */
function options(args: readonly string[], short: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) {
    const word = args[at] ?? '';
    const name = word.startsWith('--') ? word.slice(2) : word.startsWith('-') ? short[word.slice(1)] : undefined;
    const value = args[at + 1];
    if (name === undefined || value === undefined || !Object.values(short).includes(name)) return undefined;
    found[name] = value;
  }
  return found;
}

const badUsage = (about: string): Answer => ({ code: 1, stdout: '', stderr: `Error: ${about}\n\nUsage: esxcli system …\n` });

async function setMaintenance(model: EsxiModel, given: Record<string, string> | undefined, signal: AbortSignal): Promise<Answer> {
  const { enable, timeout = '0' } = given ?? {};
  if (given === undefined || !/^(true|false)$/.test(enable ?? '') || !/^\d+$/.test(timeout)) return badUsage('Invalid option');
  const wanted = enable === 'true';
  if (model.maintenance === wanted) return said(`Maintenance mode is already ${wanted ? 'enabled' : 'disabled'}.\n`, 1);
  const isFree = (): boolean => model.vms.every(({ state }) => state !== 'poweredOn');
  if (wanted && !isFree()) {
    const patience = timeout === '0' ? PATIENCE : Number(timeout) * 1000;
    await until(() => isFree() || signal.aborted, patience, 'the machines to end').catch(() => undefined);
    if (!isFree()) return said('The operation timed out.\n', 1);
  }
  model.maintenance = wanted;
  return said('');
}

function shutdown(model: EsxiModel, way: 'poweroff' | 'reboot', given: Record<string, string> | undefined): Answer {
  const { delay = '10', reason } = given ?? {};
  if (given === undefined || reason === undefined) return badUsage('Missing required parameter -r|--reason');
  if (!/^\d+$/.test(delay) || Number(delay) < 10) return badUsage("Invalid data constraint for 'delay'");
  if (!model.maintenance) return said('The host is not in maintenance mode.\n', 1);
  model.goingDown = way;
  model.onDown(way, Number(delay));
  return said('');
}
