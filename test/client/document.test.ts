import t from 'tap';
import { toDocument } from '../../src/client/document.js';
import { parseTargetLine } from '../../src/client/outcome.js';
import { requestFromLine, withFacts } from '../../src/client/request.js';

const document = (line: string, lines: readonly string[], error: { phrase: string; detail: string } | null = null) => {
  const asked = requestFromLine(line);
  const request = withFacts(asked, asked.command === 'dmesg' ? { word: 'dmesg', aliases: [], right: 'read', on: 'provider', options: [], words: [], providers: [], verbs: [] } : undefined);
  return toDocument(request, lines.map((text) => (request.many ? parseTargetLine(text, request.acts) ?? text : text)), { error, note: null });
};
const fine = { ok: true, error: null };

void t.test('documents', async (t) => {
  t.same(document('list running', ['lj', 'a: b']).results, [{ name: 'lj', lines: [], ...fine }, { name: 'a: b', lines: [], ...fine }]);
  t.same(document('list --ids', ['lj 1', 'a b "x\\y"']).results.map(({ name, id }) => [name, id]), [['lj', '1'], ['a b', '"x\\y"']]);
  t.same(document('status lj', ['on']), {
    command: 'status lj', ok: true, results: [{ name: 'lj', state: 'on', lines: ['on'], ...fine }], error: null, note: null,
  });
  t.same(document('status a b', ['b: off', 'a: on']).results, [{ name: 'b', state: 'off', lines: ['off'], ...fine }, { name: 'a', state: 'on', lines: ['on'], ...fine }]);
  t.match(document('uptime lj', ['273129 3 days, 3:52:09']).results, [{ seconds: 273129 }]);
  t.match(document('rx lj', ['123456 120.6 KiB']).results, [{ bytes: 123456 }]);
  t.match(document('tx lj', ['18446744073709551615 16.0 EiB']).results, [{ bytes: '18446744073709551615' }]);
  t.same(document('info lj', ['name: lj', 'ip: 10.0.0.1', 'ip: 10.0.0.2', 'note: a: b', 'odd']).results[0]?.info, { name: 'lj', ip: ['10.0.0.1', '10.0.0.2'], note: 'a: b' });
  t.match(document('info a b', ['a: name: a', 'b: name: b', 'a: os: LINUX']).results, [{ name: 'a', info: { name: 'a', os: 'LINUX' } }, { name: 'b', info: { name: 'b' } }]);
  t.same(document('disk a b', ['a: vda', 'b: vda', 'a: vdb']).results, [{ name: 'a', lines: ['vda', 'vdb'], ...fine }, { name: 'b', lines: ['vda'], ...fine }]);
  t.same(document('dmesg dom0', ['(XEN) up']).results, [{ name: null, lines: ['(XEN) up'], ...fine }]);
  t.same(document('nop', []).results, []);
  t.same(document('frobnicate lj', ['x']).results, [{ name: 'lj', lines: ['x'], ...fine }], 'a command of a plugin');
});

void t.test('verbs: which words are instances', async (t) => {
  const verb = (word: string, on: string | undefined, right: string) => ({ word, right, on, options: [], words: [], providers: [] });
  const facts = { ...verb('hardware', undefined, 'read'), aliases: [], verbs: [verb('show', 'instance', 'read'), verb('change', 'instance', 'configure'), verb('list', 'provider', 'read')] };
  const targets = (line: string): readonly string[] => withFacts(requestFromLine(line), facts).targets.map(({ text }) => text);
  t.same(targets('hardware show lj'), ['lj']);
  t.same(targets('hardware CHANGE "my vm" memory=1G vcpus=2'), ['my vm'], 'settings are none');
  t.same(targets('hardware list demo'), []);
  t.same(targets('hardware nothing lj'), []);
  t.same(targets('hardware'), []);
  const { many, acts } = withFacts(requestFromLine('hardware change lj memory=1G'), facts);
  t.same([many, acts], [false, true]);
});

void t.test('failures are told where they belong', async (t) => {
  const denied = { phrase: 'NOT ALLOWED', detail: '' };
  t.same(document('stop lj', [], denied), {
    command: 'stop lj', ok: false, results: [{ name: 'lj', ok: false, lines: [], error: denied }], error: denied, note: null,
  });
  const partly = document('stop a b', ['a: done', 'b: BUSY: 2 wait'], { phrase: 'FAILED', detail: '1 of 2' });
  t.same(partly.results, [{ name: 'a', lines: [], ...fine }, { name: 'b', ok: false, lines: [], error: { phrase: 'BUSY', detail: '2 wait' } }]);
  t.equal(partly.ok, false);
  t.same(document('stop a*', [], { phrase: 'NO MATCH', detail: '' }).results, []);
  t.same(document('list', [], denied).results, []);
});
