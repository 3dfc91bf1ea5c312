import { ArgoError, SettingsFault } from '../../../kit/errors.js';

/**
 * Names of what is made. The gate has looked at them, and libvirt will: here they become parts of paths and of XML, so they
 * are looked at once more.
 */

/** No blank, no quote, nothing that leads to another folder, nothing that a program takes for an option. */
const FILE_NAME = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MACHINE_NAME = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const TASK = /^[A-Za-z0-9-]{1,64}$/;
/** What is being made carries its task's name at its end. */
const HALF_MADE = /^(.+)\.argo-[A-Za-z0-9-]{1,64}$/s;

const RULE = 'letters, digits, dots, dashes and underscores, of which the first is a letter or a digit, and no two dots in a row';

/** @throws SettingsFault */
export function requireFileName(name: string): void {
  if (!FILE_NAME.test(name) || HALF_MADE.test(name)) throw new SettingsFault({ name: `no name for a file here; it may have ${RULE}` });
}

/** @throws SettingsFault */
export function requireMachineName(name: string): void {
  if (!MACHINE_NAME.test(name) || HALF_MADE.test(name)) throw new SettingsFault({ name: `no name for a machine here; it may have ${RULE}` });
}

/** The name under which something stands while it is being made. */
export function halfMadeName(name: string, task: string): string {
  if (!TASK.test(task)) throw new ArgoError('INTERNAL ERROR', 'a task whose id cannot be part of a name');
  return `${name}.argo-${task}`;
}

/** The name that something half made is to have at the end; undefined for the name of something whole. */
export const wholeName = (name: string): string | undefined => HALF_MADE.exec(name)?.[1];
