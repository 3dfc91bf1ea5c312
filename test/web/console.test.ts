import t from 'tap';
import { TAKES_IT_OVER } from '../../src/kit/errors.js';
import { RequestError } from '../../src/web/io/http.js';
import { endOfError, endOfSocket } from '../../src/web/console/ends.js';
import { readConsolePlace } from '../../src/web/console/place.js';
import { pressesOf, unknownTo } from '../../src/web/console/us-keyboard.js';

/** What the page of a console knows without a browser. */

await t.test('its address', (t) => {
  t.same(readConsolePlace('#instance=kvm1%2Fmy+vm&kind=vnc&view-only=true'), { instance: 'kvm1/my vm', kind: 'vnc', viewOnly: true });
  t.same(readConsolePlace('#instance=a&kind=text&view-only=true'), { instance: 'a', kind: 'text', viewOnly: false }, 'a text console can not be looked at alone');
  for (const wrong of ['', '#', '#kind=vnc', '#instance=a', '#instance=a&kind=rdp', '#instance=a&kind=constructor', '#instance=&kind=vnc']) t.equal(readConsolePlace(wrong), undefined, wrong);
  t.end();
});

await t.test('why it ended', (t) => {
  for (const [code, reason, wasOpen, wanted] of [
    [1000, '', true, { title: 'The console has ended.', text: '' }],
    [1005, '', true, { title: 'The console has ended.' }],
    [1001, 'SHUTTING DOWN', true, { title: 'The server is shutting down.', text: '' }],
    [1006, '', true, { title: 'The connection was lost.' }],
    [1006, '', false, { title: 'There is no connection.' }],
    [1008, 'NOT ALLOWED: the account was taken away', true, { title: 'The console was closed.', text: 'NOT ALLOWED: the account was taken away' }],
    [1011, `BUSY: sam has had it open since noon${TAKES_IT_OVER}`, false, { title: 'Somebody else has it.', text: 'BUSY: sam has had it open since noon', help: 'take' }],
    [1011, 'BUSY: kim has 8 consoles open already', false, { title: 'The console was closed.', text: 'BUSY: kim has 8 consoles open already', help: undefined }],
  ] as const) t.match(endOfSocket(code, reason, wasOpen), wanted, `${code} ${reason}`);
  t.match(endOfError(new RequestError(401, { error: 'NOT AUTHENTICATED', detail: '' })), { help: 'login' });
  t.match(endOfError(new RequestError(0, { error: 'NO ANSWER', detail: '' })), { title: 'There is no connection.' });
  t.match(endOfError(new RequestError(403, { error: 'NOT ALLOWED', detail: '' })), { text: 'NOT ALLOWED' });
  t.match(endOfError(new RequestError(409, { error: 'NOT SUPPORTED', detail: 'no screen' })), { text: 'NOT SUPPORTED: no screen' });
  t.match(endOfError(new TypeError('a module')), { text: 'Load the page again.' });
  t.end();
});

await t.test('the keys that type a text', (t) => {
  const ascii = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join('');
  const presses = pressesOf(ascii);
  t.equal(presses.length, 95);
  t.ok(presses.every(({ code }) => code !== undefined), 'each of ASCII has one');
  t.equal(new Set(presses.map(({ code, shift }) => `${code} ${shift}`)).size, 95, 'of its own');
  t.same(pressesOf('a\r\nb\rc\n\u0007').map(({ code }) => code), ['KeyA', 'Enter', 'KeyB', 'Enter', 'KeyC', 'Enter'], 'however lines end, and no bell');
  t.same(pressesOf('é😀'), [{ keysym: 0xe9, code: undefined, shift: false }, { keysym: 0x0101_f600, code: undefined, shift: false }]);
  t.equal(unknownTo('naïve é é\n'), 'ïé');
  t.end();
});
