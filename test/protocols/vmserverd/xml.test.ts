import t from 'tap';
import { XML_WITHOUT_TAG } from '../../../src/kit/limits.js';
import { VMSERVERD_ATTRIBUTES, VMSERVERD_ANSWER, VMSERVERD_ANSWER_ELEMENTS, VMSERVERD_DEPTH, VMSERVERD_DOCUMENT, VMSERVERD_ELEMENTS } from '../../../src/kit/vmserverd-limits.js';
import { escapeXml } from '../../../src/kit/xml-text.js';
import { CODES, OperationError } from '../../../src/protocols/vmserverd/codes.js';
import type { Element } from '../../../src/protocols/vmserverd/shape.js';
import { readDocument, XmlReader } from '../../../src/protocols/vmserverd/xml.js';
import { seededRandom, type SeededRandom } from '../../support/seeded-random.js';

const allTexts = ({ text, children }: Element): string => text + children.map(allTexts).join('');

const TEXTS = ['', 'x', '</exec>', '<![CDATA[', '&amp;', ' \t\n', 'ä€😀', '"\'', ']]>'];

function randomElement(random: SeededRandom, depth: number): Element {
  const children = depth < 4 ? Array.from({ length: random.below(4) }, () => randomElement(random, depth + 1)) : [];
  return { name: ['a', 'exec', 'op', 'n:x', '__proto__', 'ä'][random.below(6)]!, text: children.length > 0 ? '' : TEXTS[random.below(TEXTS.length)]!, children };
}

const render = ({ name, text, children }: Element): string => `<${name}>${escapeXml(text)}${children.map(render).join('')}</${name}>`;

const BAD_XML = { name: 'OperationError', code: CODES.BAD_XML };

void t.test('elements and texts; attributes and prefixes mean nothing', (t) => {
  t.same(readDocument('<?xml version="1.0" encoding="UTF-8"?>\n<exec a="1"><op x:y=\'&lt;\'>inc</op >\n <in><n:number xmlns:n="urn:n">4&amp;&#50;&#x1F600;&gt;</n:number><e/></in></exec>\n'), {
    name: 'exec', text: '\n ', children: [
      { name: 'op', text: 'inc', children: [] },
      { name: 'in', text: '', children: [{ name: 'n:number', text: '4&2😀>', children: [] }, { name: 'e', text: '', children: [] }] },
    ],
  });
  t.equal(readDocument('<?xml version="1.0" encoding="us-ascii"?><a> 1\r\n2\r&#13;&#9;3 </a>').text, ' 1\n2\n\r\t3 ', 'spaces stay, line ends are one character');
  t.end();
});

const REFUSED: Readonly<Record<string, string | Uint8Array>> = {
  nothing: '',
  spaces: ' \n',
  'text alone': 'hello',
  'text before': 'x<a/>',
  'text behind': '<a/>x',
  'a second root': '<a/><b/>',
  'an open element': '<a><b></b>',
  'crossed ends': '<a><b></a></b>',
  'an end too many': '<a/></a>',
  'a document type': '<!DOCTYPE a><a/>',
  'a document type that never ends': '<!DOCTYPE a [<!ENTITY x "y">',
  'entities that grow': '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>',
  'an external entity': '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
  'an entity that nobody defined': '<a>&x;</a>',
  'the name of a method as an entity': '<a>&constructor;</a>',
  'a bare ampersand': '<a>1 & 2</a>',
  'an entity without end': '<a>&lt</a>',
  'a section': '<a><![CDATA[x]]></a>',
  'a comment': '<a><!-- x --></a>',
  'a comment before': '<!-- x --><a/>',
  'an instruction': '<a><?php echo?></a>',
  'a second declaration': '<?xml version="1.0"?><?xml version="1.0"?><a/>',
  'a declaration that is late': ' <?xml version="1.0"?><a/>',
  'XML 1.1': '<?xml version="1.1"?><a/>',
  'another encoding': '<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
  'a NUL': '<a>\0</a>',
  'a control character': '<a>\x1B[31m</a>',
  'a control character of Latin-1': '<a>\x9B31m</a>',
  DEL: '<a>\x7F</a>',
  'a NUL by its number': '<a>&#0;</a>',
  'a control character by its number': '<a>&#27;</a>',
  'one of Latin-1 by its number': '<a>&#x9B;</a>',
  'half a character by its number': '<a>&#xD800;</a>',
  'a character beyond all': '<a>&#x110000;</a>',
  'a character that is none': '<a>\uFFFE</a>',
  'an attribute twice without a value': '<a b b/>',
  'an attribute without quotes': '<a b=1/>',
  'an attribute with markup': '<a b="</exec>"/>',
  'a tag in a tag': '<a <b/>',
  'a name that begins with a digit': '<1/>',
  'the end of a section': '<a>]]></a>',
  'bytes that are not UTF-8': Buffer.from('<a>\xE4</a>', 'latin1'),
  'UTF-8 that is cut off': Buffer.from('<a/>ä').subarray(0, 5),
  'an overlong slash': Buffer.from([0x3C, 0x61, 0x3E, 0xC0, 0xAF, 0x3C, 0x2F, 0x61, 0x3E]),
  'half a surrogate in UTF-8': Buffer.from([0x3C, 0x61, 0x3E, 0xED, 0xA0, 0x80, 0x3C, 0x2F, 0x61, 0x3E]),
};

for (const [name, document] of Object.entries(REFUSED)) {
  void t.test(`refused: ${name}`, (t) => {
    t.throws(() => readDocument(document), BAD_XML);
    t.throws(() => byteByByte(document), BAD_XML, 'also a byte at a time');
    t.end();
  });
}

function byteByByte(document: string | Uint8Array): Element {
  const reader = new XmlReader();
  for (const byte of Buffer.from(document)) reader.write(Uint8Array.of(byte));
  return reader.end();
}

void t.test('limits: what is at the edge is read, what is beyond is refused before its end has come', (t) => {
  const nested = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth);
  t.equal(readDocument(nested(VMSERVERD_DEPTH)).name, 'a');
  t.throws(() => readDocument('<a>'.repeat(VMSERVERD_DEPTH + 1)), { ...BAD_XML, message: /deep/ });
  t.equal(readDocument(`<a>${'<b/>'.repeat(VMSERVERD_ELEMENTS - 1)}</a>`).children.length, VMSERVERD_ELEMENTS - 1);
  t.throws(() => readDocument(`<a>${'<b/>'.repeat(VMSERVERD_ELEMENTS)}`), { ...BAD_XML, message: /elements/ });
  const text = 'x'.repeat(VMSERVERD_DOCUMENT - '<a></a>'.length);
  t.equal(readDocument(`<a>${text}</a>`).text.length, text.length);
  t.throws(() => readDocument(`<a>${text}x</a>`), { ...BAD_XML, message: /bytes/ });
  const attributes = (count: number): string => Array.from({ length: count }, (_, at) => `a${at}="1"`).join(' ');
  t.equal(readDocument(`<a ${attributes(VMSERVERD_ATTRIBUTES)}/>`).name, 'a');
  t.throws(() => readDocument(`<a ${attributes(VMSERVERD_ATTRIBUTES + 1)}`), { ...BAD_XML, message: /attributes/ });
  t.end();
});

void t.test('of a long answer too, nothing without a tag is longer than others can wait for', (t) => {
  const limits = { bytes: VMSERVERD_ANSWER, elements: VMSERVERD_ANSWER_ELEMENTS };
  const most = 'x'.repeat(XML_WITHOUT_TAG - 100);
  t.equal(readDocument(`<a>${`<b>${most}</b>`.repeat(3)}</a>`, limits).children.length, 3);
  // a piece of it at a time, as it comes from a socket: the limit is exact to one
  const piece = 65_536;
  const long = 'x'.repeat(XML_WITHOUT_TAG + 2 * piece);
  const inPieces = (document: string): Element => {
    const reader = new XmlReader(limits);
    for (let at = 0; at < document.length; at += piece) reader.write(Buffer.from(document.slice(at, at + piece)));
    return reader.end();
  };
  for (const [what, text] of Object.entries({ text: `<b>${long}</b>`, attribute: `<b c="${long}"/>`, name: `<b${long}/>`, instruction: `<?b ${long}?>` })) {
    t.throws(() => inPieces(`<a>${text}</a>`), { ...BAD_XML, message: /without a tag/ }, what);
  }
  const comment = `<a><!--${'x'.repeat(100)}`;
  t.throws(() => new XmlReader(limits).write(Buffer.from(comment)), { ...BAD_XML, message: /comments/ }, 'a comment is refused before its end');
  t.end();
});

void t.test('what was made at random is read as it was made, in pieces of any sizes', (t) => {
  const random = seededRandom(20_070_501);
  for (let round = 0; round < 300; round += 1) {
    const tree = randomElement(random, 0);
    const bytes = Buffer.from(render(tree));
    const reader = new XmlReader();
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random.below(9);
      reader.write(bytes.subarray(at, at + size));
      at += size;
    }
    const read = reader.end();
    t.equal(JSON.stringify(read), JSON.stringify(tree), `round ${round}`);
  }
  t.end();
});

void t.test('what was broken at random is read or refused, and is never anything else', (t) => {
  const random = seededRandom(4_711);
  const seeds = ['<exec><op>inc</op><in><number>42</number></in></exec>', '<?xml version="1.0"?><a b="c">&lt;<d/>&#65;</a>', '<a><![CDATA[x]]><!-- y --><?z?></a>', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'];
  let taken = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const bytes = broken(Buffer.from(seeds[random.below(seeds.length)]!), random);
    const whole = outcome(() => readDocument(bytes));
    const pieces = outcome(() => byteByByte(bytes));
    if (typeof whole === 'object') taken += 1;
    if (JSON.stringify(whole) !== JSON.stringify(pieces)) t.fail(`${JSON.stringify(bytes.toString('latin1'))}: ${JSON.stringify([whole, pieces])}`);
    if (typeof whole === 'object' && /[\0-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]/.test(allTexts(whole))) t.fail(`a control character got through: ${bytes.toString('latin1')}`);
  }
  t.ok(taken > 100, `${taken} of them are documents still`);
  t.end();
});

function outcome(read: () => Element): Element | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof OperationError && error.code === CODES.BAD_XML) return 'refused';
    throw error;
  }
}

function broken(bytes: Buffer, random: SeededRandom): Buffer {
  let result = Buffer.from(bytes);
  for (let times = 1 + random.below(3); times > 0; times -= 1) {
    const at = random.below(result.length);
    const kind = random.below(3);
    if (kind === 0) result[at] = random.below(256);
    else if (kind === 1) result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + random.below(4))]);
    else result = Buffer.concat([result.subarray(0, at), result.subarray(random.below(result.length)), result.subarray(at)]);
    if (result.length === 0) return result;
  }
  return result;
}
