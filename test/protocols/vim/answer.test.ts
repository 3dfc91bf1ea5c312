import t from 'tap';
import { AnswerReader, readAnswer } from '../../../src/protocols/vim/answer.js';
import type { VimValue } from '../../../src/protocols/vim/value.js';

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';

/** A document read in pieces of so many bytes. */
function read(xml: string | Buffer, size = 1000): VimValue {
  const reader = new AnswerReader();
  const bytes = Buffer.from(xml);
  for (let from = 0; from < bytes.length; from += size) reader.write(reader.toText(bytes.subarray(from, from + size)));
  return reader.end();
}

/** One element, with its prefixes declared. */
const value = (attributes: string, content: string): unknown =>
  (read(`<r xmlns:xsi="${XSI}" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><v ${attributes}>${content}</v></r>`) as { r: { v: unknown } }).r.v;
const typed = (type: string, content: string): unknown => value(`xsi:type="${type}"`, content);

async function* pieces(...all: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const piece of all) yield await Promise.resolve(Buffer.from(piece));
}

const envelope = (body: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="${XSI}"><s:Body>${body}</s:Body></s:Envelope>`;
const answered = (method: string, ...all: readonly (string | Buffer)[]): Promise<VimValue> => readAnswer(method, pieces(...all));

await t.test('elements as values', (t) => {
  t.equal(typed('xsd:int', '42'), 42);
  t.equal(typed('xsd:long', ' -42\n'), -42);
  t.equal(typed('xsd:double', '1.5'), 1.5);
  t.equal(typed('xsd:boolean', 'true'), true);
  t.equal(typed('xsd:boolean', '1'), true);
  t.equal(typed('xsd:boolean', 'false'), false);
  t.equal(typed('xsd:string', ''), '');
  t.equal(typed('VirtualMachinePowerState', 'poweredOn'), 'poweredOn');
  t.same(typed('xsd:dateTime', '2026-01-01T00:00:00Z'), new Date('2026-01-01T00:00:00Z'));
  t.equal(typed('xsd:dateTime', 'soon'), 'soon');
  t.equal(value('', ''), null);
  t.equal(value('', '\n  '), null);
  t.equal(value('', '42'), '42', 'text, where no type is told');
  t.same(value('type="HostSystem"', 'host-1'), { type: 'HostSystem', value: 'host-1' });
  t.same(value('type="HostSystem" xsi:type="ManagedObjectReference"', 'host-1'), { type: 'HostSystem', value: 'host-1' });
  t.same(typed('ArrayOfString', '<string>one</string>'), ['one']);
  t.same(typed('ArrayOfString', '\n<string>one</string>\n<string/>\n'), ['one', null]);
  t.same(typed('ArrayOfString', ''), []);
  t.same(typed('VirtualDisk', '<key>1</key>'), { $type: 'VirtualDisk', key: '1' });
  t.same(typed('NotAuthenticated', ''), { $type: 'NotAuthenticated' });
  t.same(value('', '<a>1</a><b/><a>2</a><a>3</a>'), { a: ['1', '2', '3'], b: null }, 'what comes more than once');
  t.same(value('', '<a xsi:type="ArrayOfInt"><int>1</int></a><a xsi:type="ArrayOfInt"><int>2</int></a><a/>'), { a: [['1'], ['2'], null] }, 'arrays, too');
  for (const type of ['xsd:int', 'xsd:string', 'ArrayOfString', 'VirtualDisk']) t.equal(value(`xsi:type="${type}" xsi:nil="true"`, ''), null, `no ${type}`);
  t.equal(value('xsi:nil="false"', 'x'), 'x');
  for (const type of ['xsd:int', 'xsd:boolean', 'xsd:dateTime']) t.equal(typed(type, ''), null, `an empty ${type}`);
  t.equal(typed(' xsd:int\n', '42'), 42, 'blanks around a type');
  t.equal(typed('', '42'), '42', 'a type without a name');
  t.equal(value('type=""', 'x'), 'x');
  t.same(value('', '<constructor>1</constructor><__proto__><x>1</x></__proto__>'), { constructor: '1' });
  t.end();
});

await t.test('text stays as it is', (t) => {
  t.equal(typed('xsd:string', '  two\n  lines '), '  two\n  lines ');
  t.equal(typed('xsd:string', 'a &lt;b&gt; &amp;amp; &quot;c&quot; &#228;&#x1F600;'), 'a <b> &amp; "c" ä😀');
  t.equal(typed('xsd:string', 'a<!-- no -->b<![CDATA[<c> &amp;]]>d'), 'ab<c> &amp;d');
  t.equal(typed('xsd:string', '\u{FEFF}ä\u0085'), '\u{FEFF}ä\u0085');
  t.equal(typed('xsd:string', 'bell \u0007, given by number &#7;'), 'bell \uFFFD, given by number &#7;', 'a guest may call itself that, and its server pass it on');
  for (const size of [1, 2, 3, 1000]) {
    const xml = `<r xmlns:xsi="${XSI}"><v xsi:type="xsd:string">a]]&gt;b]]>c]]]>&amp;]]></v><v>d]]</v><v>></v></r>`;
    t.same(read(xml, size), { r: { v: ['a]]>b]]>c]]]>&]]>', 'd]]', '>'] } }, `the end of CDATA where there is none, ${size} bytes each`);
  }
  t.end();
});

await t.test('a type is told by whatever prefix means that', (t) => {
  const own = (attributes: string): unknown => (read(`<r xmlns:xsi="${XSI}"><v ${attributes}>1</v><xsi:w xsi:type="int">2</xsi:w></r>`) as { r: { v: unknown } }).r;
  t.same(own(`xmlns:XMLSchema-instance="${XSI}" XMLSchema-instance:type="xsd:int"`), { v: 1, w: 2 });
  t.same(own(`i:type="xsd:int" xmlns:i="${XSI}"`), { v: 1, w: 2 }, 'declared behind');
  t.same(own('xmlns:xsi="urn:other" xsi:type="xsd:int"'), { v: '1', w: 2 }, 'a prefix that means something else here');
  t.same(own('other:type="xsd:boolean" xsi:type="xsd:int"'), { v: 1, w: 2 });
  t.same(own('i:type="xsd:int"'), { v: '1', w: 2 }, 'declared nowhere');
  t.end();
});

await t.test('pieces may end anywhere', (t) => {
  const xml = `\u{FEFF}<r xmlns:xsi="${XSI}"><v xsi:type="xsd:string">größe 😀 &amp; co\r\nx</v><n xsi:type="xsd:int">12</n></r>\r\n`;
  for (let size = 1; size < 12; size += 1) t.same(read(xml, size), { r: { v: 'größe 😀 & co\nx', n: 12 } }, `${size} bytes each`);
  t.end();
});

await t.test('what is no XML of SOAP, or too much of it, is refused', (t) => {
  const refused = { name: 'VimTransportError', message: /^its answer cannot be read: /, sent: true };
  const most = 1_000_001;
  const mebibyte = 1024 * 1024;
  // Of a piece with a tag nothing counts.
  const over = mebibyte + 3000;
  const tooLong = {
    'a long text': `<r>${'x'.repeat(over)}</r>`, entities: `<r>${'a&amp;'.repeat(over / 5 + 1)}</r>`, 'long CDATA': `<r><![CDATA[${'x'.repeat(over)}]]></r>`,
    instructions: `<r>${'<?p?>'.repeat(over / 5 + 1)}</r>`, comments: `<r>${'<!---->'.repeat(over / 6 + 1)}</r>`, 'a long comment': `<r><!--${'x'.repeat(over)}--></r>`,
    'a long attribute': `<r><v a="${'x'.repeat(over)}"/></r>`, 'a name without an end': `<${'r'.repeat(over)}`, blanks: `<r>${' '.repeat(over)}</r>`,
  };
  const bad: Readonly<Record<string, string>> = {
    nothing: '', words: 'Hello', json: '{"a": 1}', 'cut off': '<r><v>', 'cut off in a name': '<r', 'cut off in text': '<r>x', 'cut off in an entity': '<r>&am',
    'not nested': '<r><v></r></v>', 'two roots': '<r/><r/>', 'an entity of its own': '<r>&x;</r>', twice: '<r a="1" a="2"/>',
    'a document type': '<!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>', 'an external entity': '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x"><r/>',
    deep: '<r>'.repeat(200_000), elements: `<r>${'<v/>'.repeat(most)}</r>`, attributes: `<r${Array.from({ length: 65 }, (_, at) => ` a${at}=""`).join('')}/>`,
    prefixes: Array.from({ length: 65 }, (_, at) => `<r xmlns:p${at}="urn:x">`).join(''), 'elements and attributes': `<r>${'<v a="" b=""/>'.repeat(most / 3 + 1)}</r>`,
    'a long name': `<${'r'.repeat(100_000)}>`, ...tooLong,
    'texts cut by CDATA': `<r>${'a<![CDATA[b]]>'.repeat(most)}</r>`, 'texts cut by comments': `<r>${'a<!---->'.repeat(most)}</r>`, 'texts cut by instructions': `<r>${'a<?p?>'.repeat(most)}</r>`,
    fields: `<r>${Array.from({ length: 1001 }, (_, at) => `<f${at}/>`).join('')}</r>`,
  };
  for (const [name, xml] of Object.entries(bad)) t.throws(() => read(xml), refused, name);
  t.throws(() => read('<a>'.repeat(200)), { message: /: it is nested too deeply$/ });
  t.throws(() => read(bad.elements!), { message: /: it has more than 1000000 nodes$/ });
  for (const [name, xml] of Object.entries(tooLong)) t.throws(() => read(xml), { message: /: it has more than 1048576 characters without a tag$/ }, name);
  t.throws(() => read(bad['a long name']!), { message: /^.{1,160}$/ });
  t.doesNotThrow(() => read(`<r>${`<v>${'x'.repeat(mebibyte / 2)}</v>`.repeat(4)}</r>`), 'long texts');
  t.doesNotThrow(() => read(`${'<a>'.repeat(60)}${'</a>'.repeat(60)}`), 'a disk that is based on thirty others');
  t.end();
});

await t.test('answers', async (t) => {
  t.equal(await answered('Logout', envelope('<LogoutResponse xmlns="urn:vim25"></LogoutResponse>')), null);
  t.equal(await answered('CurrentTime', envelope('<CurrentTimeResponse><returnval>x</returnval></CurrentTimeResponse>')), 'x');
  t.same(await answered('Q', envelope('<QResponse><returnval>1</returnval><returnval>2</returnval></QResponse>')), ['1', '2']);
  for (const foreign of ['<html><body>Hello</body></html>', envelope(''), envelope('<OtherResponse/>'), '<Envelope/>', '<Envelope>text</Envelope>', envelope('text')]) {
    await t.rejects(answered('Q', foreign), { name: 'VimTransportError', message: 'what answers Q is not vSphere', sent: true }, foreign);
  }
  const half = Buffer.from(envelope('<QResponse><returnval>1').split('</s:Body>', 1)[0]!);
  await t.rejects(answered('Q', half.subarray(0, 20), half.subarray(20)), { name: 'VimTransportError', message: /^its answer cannot be read: unclosed tag/ });
  await t.rejects(readAnswer('Q', (async function* broken(): AsyncGenerator<Buffer> {
    yield* pieces('<r>');
    throw new RangeError('its own');
  })()), RangeError, 'what the body throws');
});

await t.test('what is handed over one by one is no part of what is returned', async (t) => {
  const set = (...names: readonly string[]): string => `<filterSet><filter>f</filter>${names.map((name) => `<objectSet><obj type="T">${name}</obj><objectSet/></objectSet>`).join('')}</filterSet>`;
  const xml = envelope(`<QResponse><returnval><version>1</version>${set('a', 'b')}<objectSet>elsewhere</objectSet>${set('c')}</returnval></QResponse>`);
  const taken: unknown[] = [];
  const path = ['filterSet', 'objectSet'];
  const rest = await readAnswer('Q', pieces(xml), { path, take: (value) => void taken.push(value) });
  t.same(taken, ['a', 'b', 'c'].map((value) => ({ obj: { type: 'T', value }, objectSet: null })));
  t.same(rest, { version: '1', filterSet: [{ filter: 'f' }, { filter: 'f' }], objectSet: 'elsewhere' });
  const none = (value: unknown): void => void t.fail('handed over', { value });
  const elsewhere = set('a');
  for (const foreign of [
    `<html><body><div><p>${elsewhere}</p></div></body></html>`, envelope(`<OtherResponse><returnval>${elsewhere}</returnval></OtherResponse>`),
    envelope(`<s:Fault><detail>${elsewhere}</detail></s:Fault>`), envelope(`<QResponse><other>${elsewhere}</other></QResponse>`),
    `<s:Envelope xmlns:s="x"><s:Header><QResponse><returnval>${elsewhere}</returnval></QResponse></s:Header><s:Body><QResponse/></s:Body></s:Envelope>`,
  ]) await readAnswer('Q', pieces(foreign), { path, take: none }).catch(() => undefined);
  await t.rejects(readAnswer('Q', pieces(xml), { path, take: () => { throw new RangeError('enough'); } }), RangeError);
});

await t.test('faults', async (t) => {
  const fault = (detail: string): string => envelope(`<s:Fault><faultcode>ServerFaultCode</faultcode><faultstring>not in this state</faultstring>${detail}</s:Fault>`);
  const told = (detail: string): Promise<VimValue> => answered('Q', fault(detail));
  await t.rejects(told('<detail><InvalidPowerStateFault xmlns="urn:vim25" xsi:type="InvalidPowerState"><existingState>poweredOff</existingState></InvalidPowerStateFault></detail>'), {
    name: 'VimFault', fault: 'InvalidPowerState', words: 'not in this state', detail: { $type: 'InvalidPowerState', existingState: 'poweredOff' },
  });
  await t.rejects(told(`<detail><Fault xmlns:X="${XSI}" X:type="InvalidLogin"></Fault></detail>`), { name: 'VimFault', fault: 'InvalidLogin', words: 'not in this state' }, 'as vcsim has it');
  await t.rejects(told('<detail><NotAuthenticatedFault/></detail>'), { name: 'VimFault', fault: 'NotAuthenticated', detail: null });
  for (const none of ['', '<detail/>', '<detail>words</detail>']) await t.rejects(told(none), { name: 'VimFault', fault: 'ServerFaultCode', detail: null });
  await t.rejects(told('<detail><Fault><reason>x</reason></Fault></detail>'), { name: 'VimFault', fault: 'ServerFaultCode', message: 'ServerFaultCode: not in this state' }, 'without a name');
  await t.rejects(answered('Q', envelope('<s:Fault/>')), { name: 'VimFault', fault: 'unknown fault', words: '' });
});
