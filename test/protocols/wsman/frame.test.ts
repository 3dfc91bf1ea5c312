import t from 'tap';
import { NtlmError } from '../../../src/protocols/ntlm/messages.js';
import { NtlmSealing } from '../../../src/protocols/ntlm/seal.js';
import { WmiAnswerError } from '../../../src/protocols/wmi/errors.js';
import { readFrame, writeFrame } from '../../../src/protocols/wsman/frame.js';

const KEY = Buffer.alloc(16, 0x55);
const fromServer = (plain: string): Buffer => writeFrame(new NtlmSealing(KEY, 'server').seal(Buffer.from(plain)));
const open = (frame: Buffer): string => new NtlmSealing(KEY).unseal(readFrame(frame)).toString();
const isRefusal = (error: unknown): boolean => error instanceof WmiAnswerError || error instanceof NtlmError;

void t.test('a sealed message looks as [MS-WSMV] 2.2.9.1.1.2 has it', (t) => {
  const sealed = writeFrame(new NtlmSealing(KEY).seal(Buffer.from('<plain/>')));
  t.match(sealed.toString('latin1'), new RegExp([
    '^--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n',
    '\tOriginalContent: type=application/soap\\+xml;charset=UTF-8;Length=8\r\n',
    '--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n',
    '\x10\0\0\0\x01\0\0\0[^]{8}\0\0\0\0[^]{8}--Encrypted Boundary--\r\n$',
  ].join('')));
  t.notMatch(sealed.toString('latin1'), /plain\//);
  t.end();
});

void t.test('it opens, whatever it holds', (t) => {
  for (const plain of ['x', 'ä€😀', '--Encrypted Boundary--\r\n'.repeat(3), 'long '.repeat(50_000)]) t.equal(open(fromServer(plain)), plain);
  const bare = fromServer('no line end after the last boundary');
  t.equal(open(bare.subarray(0, -2)), 'no line end after the last boundary');
  t.end();
});

void t.test('cut off anywhere, it does not', (t) => {
  const whole = fromServer('the answer of the service');
  for (let length = 0; length < whole.length - 2; length++) t.throws(() => open(whole.subarray(0, length)), WmiAnswerError, `${length} bytes`);
  t.end();
});

void t.test('no byte of what counts can be altered', (t) => {
  const whole = fromServer('the answer of the service');
  const start = whole.indexOf('octet-stream\r\n') + 'octet-stream\r\n'.length;
  for (let at = 0; at < whole.length - 2; at++) {
    const altered = Buffer.from(whole);
    altered[at] = (altered[at] as number) ^ 0x01;
    if (at >= start) try {
      open(altered);
      t.fail(`byte ${at}`);
    } catch (error) {
      t.ok(isRefusal(error), `byte ${at}`);
    }
    // The words around it are not signed; where they are still understood, the message is what was sent.
    else try {
      t.equal(open(altered), 'the answer of the service');
    } catch (error) {
      t.ok(isRefusal(error), `byte ${at}`);
    }
  }
  t.end();
});

void t.test('a length that lies is refused', (t) => {
  const whole = fromServer('the answer of the service').toString('latin1');
  for (const length of ['0', '24', '26', '999999999', '-1', '1e3', '']) {
    t.throws(() => open(Buffer.from(whole.replace('Length=25', `Length=${length}`), 'latin1')), WmiAnswerError, length);
  }
  t.end();
});
