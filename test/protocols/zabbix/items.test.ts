import t from 'tap';
import { ItemIntervalError, nextDue, parseInterval, parseSeconds } from '../../../src/protocols/zabbix/item-interval.js';
import { ItemKeyError, parseItemKey } from '../../../src/protocols/zabbix/item-key.js';
import type { ValueType } from '../../../src/protocols/zabbix/messages.js';
import { fitValue } from '../../../src/protocols/zabbix/value-type.js';

void t.test('keys are taken apart', (t) => {
  const keys: Readonly<Record<string, readonly [string, readonly string[]]>> = {
    icmpping: ['icmpping', []],
    'argo.status[]': ['argo.status', ['']],
    'argo.status[web 1]': ['argo.status', ['web 1']],
    'icmpping[,4,,,500]': ['icmpping', ['', '4', '', '', '500']],
    'argo.info["say \\"hi\\"", key]': ['argo.info', ['say "hi"', 'key']],
    'argo.info["a,b]", "C:\\dir"]': ['argo.info', ['a,b]', 'C:\\dir']],
    'a[ "quoted" , plain behind blanks ]': ['a', ['quoted', 'plain behind blanks ']],
    'a[pl"ain"]': ['a', ['pl"ain"']],
    'a[1,[2,"3]",x],4]': ['a', ['1', '[2,"3]",x]', '4']],
    'a["",""]': ['a', ['', '']],
    'A-b_c.9[ü]': ['A-b_c.9', ['ü']],
  };
  for (const [key, [name, parameters]] of Object.entries(keys)) t.same(parseItemKey(key), { name, parameters }, key);
  const wrong: Readonly<Record<string, RegExp>> = {
    '': /empty/, ' a': /begins with " "/, ä: /begins with/, '[a]': /begins with "\["/, 'a b': /" " after the name/, 'a[': /no closing bracket/,
    'a[b': /no closing bracket/, 'a["b': /no closing quote/, 'a["b"c]': /"c" after a parameter/, 'a[b]c': /"c" after the closing bracket/,
    'a[b],': /"," after the closing bracket/, 'a["\\"]': /no closing quote/, 'a[[[b]]]': /array in an array/, 'a[[b]': /no closing bracket/, 'a[[b]c]': /"c" after a parameter/,
  };
  for (const [key, reason] of Object.entries(wrong)) {
    t.throws(() => parseItemKey(key), ItemKeyError, key);
    t.throws(() => parseItemKey(key), { message: reason }, key);
  }
  t.throws(() => parseItemKey(`a[${'x'.repeat(3000)}]`), { message: /longer than 2048/ });
  t.end();
});

void t.test('what an item can hold', (t) => {
  const most = '18446744073709551615';
  const fits: readonly (readonly [ValueType, string, string])[] = [
    ['unsigned', '0', '0'], ['unsigned', ` ${most}\n`, most], ['unsigned', '+7', '7'], ['unsigned', '007', '007'],
    ['float', '-1.5', '-1.5'], ['float', '1e300', '1e300'], ['float', '.5', '.5'], ['float', ' 5. ', '5.'], ['float', most, most],
    ['char', 'ü'.repeat(300), 'ü'.repeat(255)], ['char', '', ''],
    ['char', `${'x'.repeat(254)}😀`, 'x'.repeat(254)],
    ['text', 'x'.repeat(70_000), 'x'.repeat(65_535)], ['log', 'a\nline', 'a\nline'],
  ];
  for (const [type, text, value] of fits) t.same(fitValue(text, type), { value }, `${type} ${text.slice(0, 30)}`);
  const wrong: readonly (readonly [ValueType, string, RegExp])[] = [
    ['unsigned', '-1', /"-1" is not a whole number from 0 up/], ['unsigned', '1.5', /not a whole/], ['unsigned', '', /not a whole/], ['unsigned', '0x1f', /not a whole/], ['unsigned', 'running', /"running"/],
    ['unsigned', '18446744073709551616', /more than 2\^64/], ['unsigned', '9'.repeat(1000), /more than 2\^64/],
    ['float', 'NaN', /not a number/], ['float', 'inf', /not a number/], ['float', '1e309', /more than a number/], ['float', '1,5', /not a number/], ['float', '', /not a number/],
  ];
  for (const [type, text, fault] of wrong) t.match(fitValue(text, type).fault, fault, `${type} ${text.slice(0, 30)}`);
  t.end();
});

/** A moment by the clock on this machine's wall, in seconds. */
const at = (day: number, hour = 0, minute = 0, second = 0): number => new Date(2026, 5, day, hour, minute, second).getTime() / 1000;
const due = (delay: string, after: number, itemid = '0'): number | undefined => nextDue(parseInterval(delay), itemid, after);

void t.test('regular intervals: each item has its own second', (t) => {
  t.equal(due('10s', 1000), 1010);
  t.equal(due('10s', 1009), 1010);
  t.equal(due('10', 1000, '7'), 1007);
  t.equal(due('10', 1007, '7'), 1017);
  t.equal(due('1m', 1207, '44528'), 1200 + 44528 % 60, 'as the server has it: its id modulo the interval');
  t.equal(due('1h', 0, '18446744073709551615'), Number(18446744073709551615n % 3600n), 'a large id counts in full');
  const seconds = new Set(Array.from({ length: 600 }, (_, id) => due('1m', 6000, String(id))));
  t.equal(seconds.size, 60, '600 items are spread over all of the minute');
  t.equal(due('0', 1000), undefined, 'never');
  t.end();
});

// 1 June 2026 is a Monday
void t.test('flexible intervals', (t) => {
  const hours = '1h;60/1-5,9:00-18:00';
  t.equal(due(hours, at(1, 12)), at(1, 12, 1), 'within the hours of work');
  t.equal(due(hours, at(1, 20, 30)), at(1, 21), 'after them');
  t.equal(due(hours, at(1, 8, 30)), at(1, 9), 'it begins with them');
  t.equal(due(hours, at(6, 12, 0)), at(6, 13), 'not on Saturdays');
  t.equal(due('1m;0/1-7,0:00-9:00', at(1, 3)), at(1, 9), 'not at all at night');
  t.equal(due('0;30/2-2,10:00-10:01', at(2, 10, 0, 45)), at(9, 10), 'a week later');
  t.equal(due('10;0/1-7,0:00-24:00', at(1)), undefined, 'never');
  t.equal(due('50;30s/1-7,0:00-24:00;20/1-7,0:00-24:00', at(1)), at(1, 0, 0, 20), 'the shortest counts');
  t.end();
});

void t.test('scheduling intervals', (t) => {
  t.equal(due('0;h9m0', at(1, 8)), at(1, 9));
  t.equal(due('0;h9m0', at(1, 9)), at(2, 9), 'later than the moment itself');
  t.equal(due('0;h9', at(1, 9, 30)), at(2, 9));
  t.equal(due('0;m/5', at(1, 9, 2)), at(1, 9, 5));
  t.equal(due('0;m0/5', at(1, 9, 57)), at(1, 10));
  t.equal(due('0;m7-20/5', at(1, 9, 8)), at(1, 9, 12));
  t.equal(due('0;s30', at(1, 9, 0, 30)), at(1, 9, 1, 30));
  t.equal(due('0;wd6-7h12', at(1)), at(6, 12));
  t.equal(due('0;md15h3m10s5', at(1)), at(15, 3, 10, 5));
  t.equal(due('0;md31', at(1)), new Date(2026, 6, 31).getTime() / 1000, 'June has none');
  t.equal(due('0;h9,17m0,30', at(1, 9, 30)), at(1, 17));
  t.equal(due('1h;h9m15', at(1, 9, 1)), at(1, 9, 15), 'besides the regular one');
  t.equal(due('0;h23m59s59', at(1, 23, 59, 58)), at(1, 23, 59, 59));
  t.end();
});

void t.test('what is no interval', (t) => {
  for (const delay of ['', '10x', '-1', '1.5', '{$EVERY}', '25h', '10;', '10;x', '10;60', '10;60/8,0:00-1:00', '10;60/5-1,0:00-1:00', '10;60/1,2:00-1:00', '10;60/1,0:00-24:01', '10;60/1,0:61-2:00',
    '0;0/1-7,0:00-24:00', '0;h24', '0;m60', '0;md0', '0;wd8', '0;m9h9', '0;h9-', '0;h5-3', '0;m/0', '0;m/99', `10${';h1'.repeat(400)}`]) {
    t.throws(() => parseInterval(delay), ItemIntervalError, delay.slice(0, 40));
  }
  t.same(['90', '90s', '2m', '1h', '1d', '1w', '0', 'x', '', '1M'].map(parseSeconds), [90, 90, 120, 3600, 86_400, 604_800, 0, undefined, undefined, undefined]);
  t.end();
});
