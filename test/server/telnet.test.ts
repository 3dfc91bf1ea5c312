import t from 'tap';
import { TelnetFilter } from '../../src/server/telnet.js';

const [IAC, DONT, DO, WONT, WILL, SB, SE] = [255, 254, 253, 252, 251, 250, 240].map((code) => String.fromCharCode(code)) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

/** What is left of chunks, and what is answered. */
function filter(...chunks: string[]): { text: string; answers: string } {
  const telnet = new TelnetFilter();
  const text = chunks.map((chunk) => telnet.push(chunk)).join('');
  const answers = telnet.takeAnswers()?.toString('latin1') ?? '';
  if (telnet.takeAnswers() !== undefined) throw new Error('answers are handed out once');
  return { text, answers };
}

const CASES: readonly (readonly [name: string, input: string, text: string, answers: string])[] = [
  ['plain text', 'list\r\nauth \xc3\xa9\n', 'list\r\nauth \xc3\xa9\n', ''],
  ['DO is refused', `a${IAC}${DO}\x01b`, 'ab', `${IAC}${WONT}\x01`],
  ['WILL is refused', `${IAC}${WILL}\x18x`, 'x', `${IAC}${DONT}\x18`],
  ['WONT and DONT need no answer', `${IAC}${WONT}\x01${IAC}${DONT}\x03x`, 'x', ''],
  ['an option that is the byte 255', `${IAC}${DO}${IAC}x`, 'x', `${IAC}${WONT}${IAC}`],
  ['commands of two bytes', `a${IAC}\xf1b${IAC}\xf6c`, 'abc', ''],
  ['a subnegotiation is dropped, line ends in it too', `a${IAC}${SB}\x18\x00stop lj\n${IAC}${SE}b`, 'ab', ''],
  ['IAC IAC within one does not end it', `a${IAC}${SB}x${IAC}${IAC}y${IAC}${SE}b`, 'ab', ''],
  ['IAC IAC is the byte 255', `a${IAC}${IAC}b`, 'a\xffb', ''],
  ['CR NUL ends a line', 'list\r\0nop\r\0', 'list\r\nnop\r\n', ''],
  ['a NUL elsewhere stays', 'a\0b\n\0', 'a\0b\n\0', ''],
  ['several in a row', `${IAC}${DO}\x01${IAC}${DO}\x03${IAC}${WILL}\x1f`, '', `${IAC}${WONT}\x01${IAC}${WONT}\x03${IAC}${DONT}\x1f`],
  ['in the middle of a word', `li${IAC}${WILL}\x01st\n`, 'list\n', `${IAC}${DONT}\x01`],
];

for (const [name, input, text, answers] of CASES) {
  await t.test(name, async (t) => {
    t.same(filter(input), { text, answers });
    for (let cut = 0; cut <= input.length; cut += 1) t.same(filter(input.slice(0, cut), input.slice(cut)), { text, answers }, `cut at ${cut}`);
    t.same(filter(...input), { text, answers }, 'byte by byte');
  });
}

await t.test('IAC before what is no command leaves its line a bad one, and its end in place', async (t) => {
  for (const [input, text] of [
    [`list x${IAC}\n`, 'list x\xff\n'], [`list x${IAC}\r\n`, 'list x\xff\r\n'], [`a${IAC}b\n`, 'a\xffb\n'], [`a${IAC}\xebb`, 'a\xff\xebb'],
    [`list${IAC}${WONT}\nnop\n`, 'list\xff\nnop\n'],
  ] as const) {
    for (let cut = 0; cut <= input.length; cut += 1) t.same(filter(input.slice(0, cut), input.slice(cut)), { text, answers: '' }, `${JSON.stringify(input)} cut at ${cut}`);
  }
  t.same(filter(`nop\n${IAC}${DO}\n`), { text: 'nop\n', answers: `${IAC}${WONT}\n` }, 'between lines, the option 10');
});

await t.test('a subnegotiation without end is given up: each line of it is a bad one', async (t) => {
  const { text, answers } = filter(`${IAC}${SB}`, ...Array.from({ length: 100 }, () => 'x'.repeat(1000)), '\nnop\n');
  t.match(text, /^\xff\xffx+\nnop\n$/);
  t.equal(answers, '');
  const telnet = new TelnetFilter();
  t.equal(telnet.push(`stop${IAC}${SB}x\nstop lj\r\n\nst`), 'stop');
  t.equal(telnet.isSwallowing, true);
  t.equal(telnet.giveUp(), '\xff\xff\n\xff\r\n\n\xff');
  t.equal(telnet.isSwallowing, false);
  t.equal(telnet.push('op\n'), 'op\n');
});

await t.test('a command within a subnegotiation ends it, and its line is a bad one', async (t) => {
  t.same(filter(`${IAC}${SB}x${IAC}${DO}\x01\nnop\n`), { text: '\xff\xff\nnop\n', answers: `${IAC}${WONT}\x01` });
  t.same(filter(`${IAC}${SB}x${IAC}\nnop\n`), { text: '\xff\xff\xff\nnop\n', answers: '' });
});
