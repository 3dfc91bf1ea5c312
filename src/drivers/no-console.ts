import type { ConsoleKind, MachineType } from './driver.js';

type Reasons = Readonly<Partial<Record<ConsoleKind, string>>>;

const GUEST_SHELL = 'shells are given on hosts; a guest that is listed as a host of type linux may have one';
const BOARD_SCREEN = 'its management board may show it, on a page of its own';
const BOARD_TEXT = 'its management board may have one: ipmitool sol activate';
const BY_SSH = 'a provider of type linux can give one, by SSH';

/**
 * Why machines of the server's own drivers have no console of a kind, and what can show one instead: the one table of
 * it, by type of provider and of machine. docs/consoles.md has the same rows.
 */
export const NO_CONSOLE: Readonly<Record<string, Readonly<Partial<Record<MachineType, Reasons>>>>> = {
  sim: { vm: { vnc: 'a simulated machine has no screen', shell: 'nothing runs in a simulated machine' } },
  libvirt: {
    vm: { vnc: 'libvirt\'s driver test has none', text: 'libvirt\'s driver test has none', shell: GUEST_SHELL },
    container: { vnc: 'a container has no screen', shell: GUEST_SHELL },
  },
  linux: { host: { vnc: BOARD_SCREEN, text: BOARD_TEXT, shell: 'its provider does not allow it; shell = true does' } },
  xen: { vm: { shell: GUEST_SHELL } },
  xenserver: { vm: { shell: GUEST_SHELL }, host: { vnc: BOARD_SCREEN, text: BOARD_TEXT, shell: `XenAPI has no shell of hosts; ${BY_SSH}` } },
  esxi: {
    vm: { vnc: 'a vApp is no machine: those in it have screens', text: 'vSphere passes no serial port on; one with a network port behind it can be reached there', shell: GUEST_SHELL },
    host: { vnc: BOARD_SCREEN, text: BOARD_TEXT, shell: 'vSphere has no shell of hosts; a provider of type esxi-free can give one, by SSH' },
  },
  'esxi-free': {
    vm: { vnc: 'VMware documents no way to it by SSH; the host\'s own web page shows it', text: 'ESXi passes no serial port on; one with a network port behind it can be reached there', shell: GUEST_SHELL },
    host: { vnc: BOARD_SCREEN, text: BOARD_TEXT, shell: 'its provider does not allow it; shell = true does' },
  },
  windows: {
    host: { vnc: 'Windows shows its screen by RDP alone; mstsc can open it', text: BOARD_TEXT, shell: 'WMI has no shell; PowerShell\'s Enter-PSSession can open one' },
  },
  hyperv: {
    vm: { vnc: 'Hyper-V shows screens by RDP alone, on port 2179; its vmconnect can open them', text: 'Hyper-V gives a serial port as a named pipe, on its own host alone; putty can open it there', shell: GUEST_SHELL },
    host: { vnc: 'Windows shows its screen by RDP alone; mstsc can open it', text: BOARD_TEXT, shell: 'WMI has no shell; PowerShell\'s Enter-PSSession can open one' },
  },
  vmserverd: { vm: { vnc: 'nothing public says how; VMware\'s own console can show it, and an argo-server behind it its own', text: 'vmserverd has none; an argo-server behind it may show it', shell: GUEST_SHELL } },
};
