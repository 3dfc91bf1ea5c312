import { ZABBIX_CHAR_VALUE, ZABBIX_TEXT_VALUE } from '../../kit/zabbix-limits.js';
import type { ValueType } from './messages.js';

/** `value_type` of the server's tables, by its number. */
export const VALUE_TYPES: readonly ValueType[] = ['float', 'char', 'log', 'unsigned', 'text'];

/** A text that an item can hold, cut where the server would cut it; or why it can't. */
type Fitted = { readonly value: string; readonly fault?: undefined } | { readonly fault: string; readonly value?: undefined };

const MOST_UNSIGNED = 2n ** 64n - 1n;
const UNSIGNED = /^\+?\d+$/;
/** A 6.0 server reads digits with an exponent, and nothing that C reads besides: no hexadecimal, no infinity. */
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Whether a server takes a value for an item of such a type. One that does not fit is answered with success and is
 * dropped, and the item turns unsupported: so it must be known before.
 */
export function fitValue(text: string, type: ValueType): Fitted {
  switch (type) {
    case 'unsigned': return fitUnsigned(text.trim());
    case 'float': return fitFloat(text.trim());
    case 'char': return { value: cut(text, ZABBIX_CHAR_VALUE) };
    case 'text':
    case 'log': return { value: cut(text, ZABBIX_TEXT_VALUE) };
  }
}

function fitUnsigned(text: string): Fitted {
  if (!UNSIGNED.test(text)) return { fault: `${shown(text)} is not a whole number from 0 up` };
  if (text.length > 25 || BigInt(text.replace('+', '')) > MOST_UNSIGNED) return { fault: `${shown(text)} is more than 2^64 - 1` };
  return { value: text.replace('+', '') };
}

function fitFloat(text: string): Fitted {
  if (!FLOAT.test(text)) return { fault: `${shown(text)} is not a number` };
  if (!Number.isFinite(Number(text))) return { fault: `${shown(text)} is more than a number can be (1.79e308)` };
  return { value: text };
}

const shown = (text: string): string => JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);

/** Not within a character: a half of one would not be text. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? most - 1 : most);
}
