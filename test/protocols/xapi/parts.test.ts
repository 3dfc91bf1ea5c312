import t from 'tap';
import { FaultError, ForeignAnswerError, XapiError } from '../../../src/protocols/xapi/errors.js';
import { readRecords, normalizeXml, readXmlRecords, bytes, ref, refs, time } from '../../../src/protocols/xapi/records.js';
import { parseUpdates } from '../../../src/protocols/xapi/rrd.js';

async function* cut(text: string, ...at: number[]): AsyncGenerator<Buffer> {
  const whole = Buffer.from(text);
  const ends = [...at, whole.length];
  for (const [index, end] of ends.entries()) yield await Promise.resolve(whole.subarray(ends[index - 1] ?? 0, end));
}

const read = (body: AsyncIterable<Buffer>) => readRecords(body, (record) => record.name);

const RECORDS = { 'OpaqueRef:1': { name: 'a "b" \\ {c} [d]', more: { x: [{}, []] } }, 'OpaqueRef:2': { name: 'ünï€😀' }, 'OpaqueRef:3': {} };

void t.test('records, cut at every byte', async (t) => {
  const texts = [
    JSON.stringify({ jsonrpc: '2.0', result: RECORDS, id: 0 }), JSON.stringify({ id: 0, error: null, result: RECORDS }), JSON.stringify({ result: RECORDS }, null, 2),
  ];
  const wanted = Object.entries(RECORDS).map(([handle, record]) => [handle, 'name' in record ? record.name : undefined]);
  for (const text of texts) {
    const length = Buffer.byteLength(text);
    for (let at = 0; at < length; at += 1) {
      const found = [...await read(cut(text, at))];
      if (JSON.stringify(found) !== JSON.stringify(wanted)) t.same(found, wanted, `cut at ${at}`);
    }
    for (let end = 0; end < length; end += 1) {
      const failed = await read(cut(Buffer.from(text).subarray(0, end).toString('latin1'))).catch((error: unknown) => error);
      if (!(failed instanceof ForeignAnswerError)) t.fail(`it was cut off at ${end}, and taken for whole`);
    }
  }
  t.same([...await read(cut('{"jsonrpc":"2.0","result":{},"id":0}'))], [], 'a pool without any');
  t.same([...await read(cut('{"result":{"a\\"\\u0062{": {"name":"x"}\n,\t"c" :{"name":"y"}}}'))], [['a"b{', 'x'], ['c', 'y']], 'any text as handle');
});

void t.test('answers that are no records', async (t) => {
  for (const error of [{ code: 1, message: 'HOST_IS_SLAVE', data: ['10.0.0.1'] }, ['HOST_IS_SLAVE', '10.0.0.1']]) {
    const refused: unknown = await read(cut(JSON.stringify({ error, id: 0 }))).catch((each: unknown) => each);
    t.match(refused, { code: 'HOST_IS_SLAVE', params: ['10.0.0.1'] });
    t.ok(refused instanceof XapiError);
  }
  for (const text of ['', '[]', 'null', '{}', '{"result":""}', '{"result":null}', '{"result":{"a":1}}', '{"error":{}}', '{"error":7}', '{"result":{"a":{"b":}}}', '}}}}', '<html>',
    '{"result":{"a":{},"b":5}}', '{"result":{"a":5,"b":{}}}', '{"result":{"a":{} "b":{}}}', '{"result":{"a":{},,"b":{}}}', '{"result":{"a":{},"b":[],"c":{}}}', '{"result":{{}}}',
    '{"result":{"a":{},{}}}', '{"result":{"a":{}},"more":{"b":{}}}']) {
    await t.rejects(read(cut(text)), ForeignAnswerError, text);
  }
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"result":{"a":{"b":"');
    for (;;) yield await Promise.resolve(Buffer.alloc(1 << 20, 'x'));
  }
  await t.rejects(read(endless()), /does not end/);
});

const MEMBERS = [
  '<member><name>OpaqueRef:1</name><value><struct><member><name>more</name><value><struct><member><name>x</name><value>a &lt;struct&gt;</value></member></struct></value></member></struct></value></member>',
  '<member><name>OpaqueRef:2</name><value><struct><member><name>name</name><value>ünï€😀</value></member></struct></value></member>',
  '<member>\n<name>OpaqueRef:3</name> <value><struct/></value></member>',
];
const xmlAnswer = (members: string): string => '<?xml version="1.0"?><methodResponse><params><param><value><struct><member><name>Status</name><value>Success</value></member>'
  + `<member><name>Value</name><value><struct>${members}</struct></value></member></struct></value></param></params></methodResponse>`;

async function readXml(body: AsyncIterable<Buffer>): Promise<{ members: string[]; rest: string }> {
  const members: string[] = [];
  const rest = await readXmlRecords(body, (member) => {
    members.push(member);
    return Promise.resolve();
  });
  return { members, rest: rest.toString() };
}

void t.test('records in XML, cut at every byte', async (t) => {
  const text = xmlAnswer(MEMBERS.join('\n'));
  const wanted = { members: MEMBERS, rest: xmlAnswer('\n\n') };
  const length = Buffer.byteLength(text);
  for (let at = 0; at < length; at += 1) {
    const found = await readXml(cut(text, at));
    if (JSON.stringify(found) !== JSON.stringify(wanted)) t.same(found, wanted, `cut at ${at}`);
  }
  const everyByte = Array.from({ length: length - 1 }, (_, index) => index + 1);
  t.same(await readXml(cut(text, ...everyByte)), wanted);
  const begun = text.indexOf('<struct>');
  for (let end = begun + '<struct>'.length; end < text.lastIndexOf('</struct>'); end += 1) {
    const failed = await readXml(cut(text.slice(0, end))).catch((error: unknown) => error);
    if (!(failed instanceof ForeignAnswerError)) t.fail(`it was cut off at ${end}, and taken for whole`);
  }
  t.same(await readXml(cut('<html>It works!</html>')), { members: [], rest: '<html>It works!</html>' }, 'is left to the parser');
  async function* endless(beginning: string, more: string): AsyncGenerator<Buffer> {
    yield Buffer.from(beginning);
    for (;;) yield await Promise.resolve(Buffer.alloc(1 << 16, more));
  }
  await t.rejects(readXml(endless(xmlAnswer('').slice(0, -60), 'x')), /too long/);
  await t.rejects(readXml(endless('<struct><struct><member>', 'x')), /does not end/);
  await t.rejects(readXml(endless('<struct', 'x')), /not of XML-RPC/);
});

void t.test('values in either form', (t) => {
  t.same([bytes(12), bytes('12'), bytes('x'), bytes(-1), bytes(1.5)], [12n, 12n, undefined, undefined, undefined]);
  t.same(refs(['OpaqueRef:1', '', 'OpaqueRef:NULL', 7]), ['OpaqueRef:1']);
  t.same([ref('OpaqueRef:NULL'), ref(''), ref('OpaqueRef:1')], [undefined, undefined, 'OpaqueRef:1']);
  const moment = Date.UTC(2024, 0, 1, 12, 30);
  for (const value of ['20240101T12:30:00Z', '2024-01-01T12:30:00Z', '20240101T12:30:00', new Date(moment)]) t.equal(time(value), moment, String(value));
  t.same([time('19700101T00:00:00Z'), time('never'), time(undefined)], [undefined, undefined, undefined]);
  t.end();
});

void t.test('measurements', async (t) => {
  const xml = (rows: string) => `<xport><meta><step>5</step><legend><entry>AVERAGE:vm:u1:vif_0_rx</entry><entry>AVERAGE:host:h:cpu0</entry>`
    + `<entry>AVERAGE:vm:u2:vif_0_rx</entry></legend></meta><data>${rows}</data></xport>`;
  t.same(await parseUpdates(xml('<row><t>10</t><v>1.5</v><v>9</v><v>9</v></row><row><t>5</t><v>NaN</v><v>9</v><v>9</v></row>'), 'u1'),
    { step: 5, series: [{ name: 'vif_0_rx', samples: [{ time: 10, value: 1.5 }] }] }, 'what was not measured is not 0');
  t.same(await parseUpdates(xml(''), 'u1'), { step: 5, series: [{ name: 'vif_0_rx', samples: [] }] });
  for (const text of ['', '{"meta":{}}', '<html/>', '<xport><meta><step>0</step></meta></xport>']) await t.rejects(parseUpdates(text, 'u1'), ForeignAnswerError, text);
  await t.rejects(parseUpdates(xml('<row><t>1</t><v>1</v></row>'.repeat(50_000)), 'u1'), { name: 'ForeignAnswerError', message: /more than are read/ });
});

void t.test('XML of other servers, as xen-api\'s reader takes it', (t) => {
  const cases = [
    ['<?xml version="1.0"?>\n<a>\n <value> <struct>\n\t<member>\r\n</member> </struct> </value></a>', '<?xml version="1.0"?><a><value><struct><member></member></struct></value></a>'],
    ['<value><string></string></value><value><string/></value><value><string /></value>', '<value></value><value></value><value></value>'],
    ['<value>  </value> <value><string> \n</string></value>', '<value>  </value><value><string> \n</string></value>'],
    ['<value>a >  </value>\n<value><string> b\n c </string> </value>', '<value>a >  </value><value><string> b\n c </string></value>'],
  ] as const;
  for (const [text, wanted] of cases) t.equal(normalizeXml(Buffer.from(text)).toString(), wanted);
  const fault = '<?xml version="1.0"?>\n<methodResponse>\n<fault>\n<value><struct><member><name>faultString</name>\n<value><string>no way</string></value></member></struct></value></fault></methodResponse>';
  t.throws(() => normalizeXml(Buffer.from(fault)), new FaultError('its answer is a fault: no way'));
  t.end();
});
