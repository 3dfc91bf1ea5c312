import t from 'tap';
import { escapeXml } from '../../../src/kit/xml-text.js';
import { WmiAnswerError } from '../../../src/protocols/wmi/errors.js';
import { child, qualifiedText, readXml } from '../../../src/protocols/wsman/xml.js';

void t.test('elements, attributes and texts, by namespace', async (t) => {
  const root = await readXml(`\uFEFF<?xml version="1.0" encoding="utf-8"?><!-- hello -->
    <a:Envelope xmlns:a="urn:a" xmlns="urn:default" a:one='1' two = "&lt;2&gt;">
      <Inner xml:lang="en"><b:Leaf xmlns:b="urn:b" xmlns:a="urn:other">x &amp; y<![CDATA[<z>&amp;]]>&#65;&#x1F600;</b:Leaf><a:Empty /></Inner >
    </a:Envelope> <!-- bye -->`);
  t.match(root, { namespace: 'urn:a', name: 'Envelope' });
  t.same([...root.attributes], [['urn:a one', '1'], ['two', '<2>']]);
  const inner = child(root, 'urn:default', 'Inner');
  t.equal(inner?.attributes.get('http://www.w3.org/XML/1998/namespace lang'), 'en');
  t.equal(child(inner, 'urn:b', 'Leaf')?.text, 'x & y<z>&amp;A😀');
  t.ok(child(inner, 'urn:a', 'Empty'), 'a prefix that was declared anew is as it was outside of it');
  t.equal(child(inner, 'urn:other', 'Empty'), undefined);
});

void t.test('spaces are kept, and line ends are one character', async (t) => {
  t.equal((await readXml('<a>  </a>')).text, '  ');
  t.equal((await readXml('<a>1\r\n2\r3\n</a>')).text, '1\n2\n3\n');
  t.equal((await readXml('<a>1&#13;2</a>')).text, '1\r2');
});

void t.test('a QName in a text', async (t) => {
  t.same(qualifiedText(await readXml('<a xmlns:w="urn:w"> w:AccessDenied </a>')), { namespace: 'urn:w', name: 'AccessDenied' });
  t.same(qualifiedText(await readXml('<a xmlns="urn:d">Bare</a>')), { namespace: 'urn:d', name: 'Bare' });
  t.equal(qualifiedText(await readXml('<a>x:Nowhere</a>')), undefined);
});

const BAD: Readonly<Record<string, string>> = {
  nothing: '',
  'text alone': 'hello',
  'text before': 'x<a/>',
  'text after': '<a/>x',
  'a second root': '<a/><b/>',
  'an open element': '<a><b></b>',
  'crossed ends': '<a><b></a></b>',
  'an end too many': '<a/></a>',
  'a document type': '<!DOCTYPE a><a/>',
  'entities that grow': '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>',
  'an external entity': '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
  'a document type inside': '<a><!DOCTYPE b></a>',
  'an entity that nobody defined': '<a>&x;</a>',
  'the name of a method as an entity': '<a>&constructor;</a>',
  'a bare ampersand': '<a>1 & 2</a>',
  'an entity without end': '<a>&lt</a>',
  'a character beyond all': '<a>&#x110000;</a>',
  'an instruction': '<a><?php echo?></a>',
  'a second declaration': '<?xml version="1.0"?><?xml version="1.0"?><a/>',
  'an unknown prefix': '<x:a/>',
  'an unknown prefix of an attribute': '<a x:b="1"/>',
  'an attribute twice': '<a b="1" b="2"/>',
  'an attribute without quotes': '<a b=1/>',
  'an attribute without value': '<a b/>',
  'an attribute with markup': '<a b="<"/>',
  'a comment without end': '<a><!-- </a>',
  'CDATA without end': '<a><![CDATA[ </a>',
  'CDATA outside': '<![CDATA[x]]><a/>',
  'a tag without name': '<a>< b/></a>',
  'deep nesting': `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`,
};

void t.test('what SOAP is not made of is refused', async (t) => {
  for (const [what, text] of Object.entries(BAD)) await t.rejects(readXml(text), WmiAnswerError, what);
});

void t.test('XML that is cut off anywhere is refused', async (t) => {
  const whole = '<?xml version="1.0"?><a xmlns:b="urn:b" c="d&amp;e"><b:f>g<![CDATA[h]]></b:f><!-- i --><j/></a>';
  t.ok(await readXml(whole));
  for (let length = 0; length < whole.length; length++) await t.rejects(readXml(whole.slice(0, length)), WmiAnswerError, `${length} characters`);
});

void t.test('a name that objects have by birth is a name like any other', async (t) => {
  t.equal((await readXml('<__proto__ constructor="x"/>')).attributes.get('constructor'), 'x');
});

void t.test('long rows of anything are read in one go', async (t) => {
  for (const part of [' ', '<', '&', 'a', 'a=', ' a="1', '<!--', '&#', '"', '<a ']) {
    await t.rejects(readXml(`<a${part.repeat(100_000)}`), WmiAnswerError, part);
    await t.rejects(readXml(`<a>${part.repeat(100_000)}`), WmiAnswerError, part);
  }
});

void t.test('what is escaped comes back as it was', async (t) => {
  const text = `<tag attr="1">&amp; 'x'\t\r\n ä€😀 ]]>`;
  t.equal((await readXml(`<a>${escapeXml(text)}</a>`)).text, text);
  t.equal((await readXml(`<a b="${escapeXml(text)}"/>`)).attributes.get('b'), text);
  for (const bad of ['\0', '\u001b', '\ufffe', '\ud800', 'x\udc00']) t.throws(() => escapeXml(bad), RangeError);
});

void t.test('limits: what is at the edge is read, what is beyond is refused', async (t) => {
  const attributes = (count: number): string => Array.from({ length: count }, (_, at) => `a${at}=""`).join(' ');
  t.equal((await readXml(`<a ${attributes(64)}><b ${attributes(64)}/></a>`)).attributes.size, 64);
  await t.rejects(readXml(`<a ${attributes(65)}/>`), { name: 'WmiAnswerError', message: /attributes/ });
  const prefixes = (count: number, from = 0): string => Array.from({ length: count }, (_, at) => `xmlns:p${from + at}="urn:p"`).join(' ');
  t.equal((await readXml(`<a ${prefixes(32)}><b ${prefixes(32, 32)}/><c ${prefixes(32, 64)}/></a>`)).children.length, 2);
  await t.rejects(readXml(`<a ${prefixes(32)}><b ${prefixes(33, 32)}/></a>`), { name: 'WmiAnswerError', message: /prefixes/ });
  t.equal((await readXml(`<a>${'<b/>'.repeat(499_999)}</a>`)).children.length, 499_999);
  await t.rejects(readXml(`<a>${'<b/>'.repeat(500_000)}</a>`), { name: 'WmiAnswerError', message: /nodes/ });
  const long = 'x'.repeat(1_100_000);
  t.equal((await readXml(`<a>${long.slice(0, 1_000_000)}<b/>${long.slice(0, 1_000_000)}</a>`)).text.length, 2_000_000);
  for (const [what, text] of Object.entries({ text: long, comment: `<!--${long}-->`, section: `<![CDATA[${long}]]>`, name: `<${long}/>`, attribute: `<b c="${long}"/>`, instruction: `<?${long}?>` })) {
    await t.rejects(readXml(`<a>${text}</a>`), { name: 'WmiAnswerError', message: /without a tag/ }, what);
  }
});

void t.test('others get their turns while a long answer is read', async (t) => {
  let turns = 0;
  let isRead = false;
  const count = (): void => {
    turns += 1;
    if (!isRead) setImmediate(count);
  };
  setImmediate(count);
  await readXml(`<a>${'<b>text</b>'.repeat(200_000)}</a>`);
  isRead = true;
  t.ok(turns > 5, `${turns} turns`);
});
