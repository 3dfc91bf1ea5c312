import { changeSteps } from './change-steps.js';
import { checkSteps } from './check-steps.js';
import { numberSteps } from './number-steps.js';
import { textSteps } from './text-steps.js';
import type { MakeStep } from './step.js';

/** By their numbers in the server's table `item_preproc` (https://www.zabbix.com/documentation/6.0/en/manual/api/reference/item/object#item-preprocessing). */
export const STEPS: ReadonlyMap<number, MakeStep> = new Map<number, MakeStep>([...numberSteps, ...textSteps, ...changeSteps, ...checkSteps]);

/** Of those that are not done here, their names. */
export const UNDONE: ReadonlyMap<number, string> = new Map([
  [11, 'XML XPath'], [17, 'Check for error in XML'], [21, 'JavaScript'], [22, 'Prometheus pattern'], [23, 'Prometheus to JSON'], [24, 'CSV to JSON'],
  [27, 'XML to JSON'], [28, 'SNMP walk value'], [29, 'SNMP walk to JSON'], [30, 'SNMP get value'],
]);
