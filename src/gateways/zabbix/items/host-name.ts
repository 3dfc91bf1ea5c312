import { HOST_NAME } from '../../../kit/zabbix-collecting-limits.js';

/** Of which technical names are made (https://www.zabbix.com/documentation/6.0/en/manual/config/hosts/host); blanks not at an end. */
const TECHNICAL = /^[\w.-](?:[\w. -]*[\w.-])?$/;

/**
 * The technical name of the host that stands for an instance: the name by which it is shown, with a blank for the slash of
 * a full name, which no technical name may hold.
 * @returns undefined where there is none that a server would take, or that would lead back to the instance
 */
export function hostName(shown: string): string | undefined {
  if (shown.includes('/') && shown.includes(' ')) return undefined;
  const name = shown.replace('/', ' ');
  return name.length <= HOST_NAME && TECHNICAL.test(name) ? name : undefined;
}
