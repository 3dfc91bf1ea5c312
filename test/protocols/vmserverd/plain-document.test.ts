import t from 'tap';
import { VMSERVERD_DEPTH, VMSERVERD_PLAIN } from '../../../src/kit/vmserverd-limits.js';
import { readPlainDocument } from '../../../src/protocols/vmserverd/plain-document.js';
import { readDocument } from '../../../src/protocols/vmserverd/xml.js';
import { seededRandom } from '../../support/seeded-random.js';

/** What the reader of all documents makes of one; undefined where it refuses it. */
function fully(text: string): unknown {
  try {
    return readDocument(text);
  } catch {
    return undefined;
  }
}

await t.test('what is plain is read as the other reader reads it', (t) => {
  for (const text of ['<exec><op>inc</op><in><number>42</number></in></exec>', '<exec>\n  <op>a b</op>\t<in></in> </exec> \n', '<a_1.b-c>~!@#$%^*()"\'</a_1.b-c>', '<a></a>']) {
    const plain = readPlainDocument(Buffer.from(text));
    t.not(plain, undefined, text);
    t.same(plain, readDocument(text), text);
  }
  t.end();
});

await t.test('all else is left to it', (t) => {
  const deep = '<a>'.repeat(VMSERVERD_DEPTH + 1) + '</a>'.repeat(VMSERVERD_DEPTH + 1);
  for (const text of ['', ' <a></a>', '<a/>', '<a b="c"></a>', '<a>&lt;</a>', '<a>ü</a>', '<a>\r\n</a>', '<a>]]></a>', '<a></b>', '<a>', '</a>', '<a></a><a></a>', '<a></a>x', '<?xml version="1.0"?><a></a>', '<!-- --><a></a>', '<a>\x7F</a>', '<a>\x01</a>', '<1></1>', '<:a></:a>', 'a', deep, `<a>${'x'.repeat(VMSERVERD_PLAIN)}</a>`]) {
    t.equal(readPlainDocument(Buffer.from(text)), undefined, text.slice(0, 40));
  }
  t.end();
});

await t.test('random documents, whole and broken', (t) => {
  const { below } = seededRandom(20_260_211);
  const PARTS = ['<a>', '</a>', '<b>', '</b>', '<exec>', '</exec>', 'x', ' ', '\n', '\r', '&amp;', '<c/>', '<a b="c">', '>', '<', ']]>', 'ü', '\t', '42', '<!', '<a.b>', '</a.b>', '\x00'];
  let [plain, refused] = [0, 0];
  for (let round = 0; round < 20_000; round += 1) {
    const inner = Array.from({ length: below(8) }, () => PARTS[below(PARTS.length)]).join('');
    const text = below(10) < 7 ? `<r>${inner}</r>` : inner;
    const found = readPlainDocument(Buffer.from(text));
    if (found === undefined) refused += 1;
    else {
      plain += 1;
      const wanted = fully(text);
      if (JSON.stringify(found) !== JSON.stringify(wanted)) t.same(found, wanted, JSON.stringify(text));
    }
  }
  t.ok(plain > 500 && refused > 500, `${plain} were plain, ${refused} were not`);
  t.end();
});
