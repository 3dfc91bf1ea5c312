import { existsSync, readdirSync } from 'node:fs';
import { packageFile } from '../../kit/own-files.js';

/** Debian's own Python: only it has Debian's modules. */
export const PYTHON = '/usr/bin/python3';
/** The script, which the package has among its sources. */
export const HELPER = packageFile('src', 'protocols', 'dcom', 'helper.py');

/** Where that Python looks for modules of the system and of its administrator. */
const MODULES = '/usr/lib/python3/dist-packages';
const LOCAL = '/usr/local/lib';
/** The part of impacket that is needed. */
const IMPACKET = 'impacket/dcerpc/v5/dcom/wmi.py';

export interface Availability {
  readonly isAvailable: boolean;
  /** what is absent and how to get it; empty where nothing is */
  readonly reason: string;
}

function localModules(): string[] {
  if (!existsSync(LOCAL)) return [];
  return readdirSync(LOCAL).filter((name) => /^python3\.\d+$/.test(name)).map((name) => `${LOCAL}/${name}/dist-packages`);
}

/** Whether this machine has what WMI over DCOM needs. Looks for files and starts nothing. */
export function dcomAvailable(): Availability {
  const absent = (what: string, remedy: string): Availability => ({ isAvailable: false, reason: `transport "dcom" needs ${what}: ${remedy}` });
  if (!existsSync(PYTHON)) return absent(PYTHON, 'install python3 and python3-impacket');
  if (![MODULES, ...localModules()].some((folder) => existsSync(`${folder}/${IMPACKET}`))) return absent('impacket', 'install python3-impacket');
  if (!existsSync(HELPER)) return absent(HELPER, 'install argo-server anew');
  return { isAvailable: true, reason: '' };
}
