import { ZABBIX_STEP_PARAMS, ZABBIX_STEPS } from '../../../kit/zabbix-limits.js';
import { wholeNumber } from '../conversation.js';

/** What is done where a step fails: as the server's table counts it. */
export type OnFail = 'fail' | 'discard' | 'set value' | 'set error';
export const ON_FAIL: readonly OnFail[] = ['fail', 'discard', 'set value', 'set error'];

/** A step as it is configured. */
export interface ConfiguredStep {
  /** its number in the server's table; one that is not known is told with the item */
  readonly type: number;
  /** one below the other where there are several */
  readonly params: string;
  readonly onFail: OnFail;
  /** the value or the error that is set */
  readonly failText: string;
}

/** The steps of each item, in their order. */
export type StepsByItem = ReadonlyMap<string, readonly ConfiguredStep[]>;

/** Stands for a step that cannot be read: without it, an item would be told as something that it is not. */
const UNREADABLE: ConfiguredStep = { type: -1, params: '', onFail: 'fail', failText: '' };

/** Reads the table `item_preproc`. @param table its columns' names and its rows; where it is none there are no steps */
export function readSteps(table: { readonly fields: readonly unknown[]; readonly data: readonly unknown[] } | undefined): StepsByItem {
  const byItem = new Map<string, { readonly place: number; readonly step: ConfiguredStep }[]>();
  if (table === undefined) return new Map();
  const column = new Map(table.fields.map((field, at) => [field, at]));
  for (const cells of table.data) {
    const cell = (field: string): unknown => (Array.isArray(cells) ? (cells as readonly unknown[])[column.get(field) ?? -1] : undefined);
    const itemid = wholeNumber(cell('itemid'));
    if (itemid === undefined) continue;
    const known = byItem.get(String(itemid)) ?? [];
    known.push({ place: wholeNumber(cell('step')) ?? 0, step: known.length < ZABBIX_STEPS ? readStep(cell) : UNREADABLE });
    byItem.set(String(itemid), known.slice(-ZABBIX_STEPS));
  }
  // what a template says is the same for all of its hosts: kept once
  const same = new Map<string, readonly ConfiguredStep[]>();
  return new Map([...byItem].map(([itemid, placed]) => {
    const steps = placed.sort((one, other) => one.place - other.place).map(({ step }) => step);
    const text = JSON.stringify(steps);
    if (!same.has(text)) same.set(text, steps);
    return [itemid, same.get(text)!];
  }));
}

function readStep(cell: (field: string) => unknown): ConfiguredStep {
  const [type, onFail] = [wholeNumber(cell('type')), ON_FAIL[wholeNumber(cell('error_handler') ?? 0) ?? -1]];
  const [params, failText] = [cell('params') ?? '', cell('error_handler_params') ?? ''];
  if (type === undefined || onFail === undefined || !isShort(params) || !isShort(failText)) return UNREADABLE;
  return { type, params, onFail, failText };
}

const isShort = (text: unknown): text is string => typeof text === 'string' && text.length <= ZABBIX_STEP_PARAMS;
