import t from 'tap';
import { CODES, OperationError } from '../../../src/protocols/vmserverd/codes.js';
import { AnswerWriter, inBlocks, readAnswer, readRequest, writeRequest } from '../../../src/protocols/vmserverd/envelope.js';
import { fields, flag, list, nothing, text, whole } from '../../../src/protocols/vmserverd/shape.js';
import { readDocument } from '../../../src/protocols/vmserverd/xml.js';

const OLD_SERVER = { id: 'GSX', title: 'VMware Server', version: '1.0.3 build-44356', build: '44356' };
const number = fields({ number: whole() });

void t.test('the seed\'s exchange, to the letter', (t) => {
  const asked = '<exec><op>inc</op><in><number>42</number></in></exec>';
  t.equal([...writeRequest('inc', number.write('in', { number: 42 }))].join(''), asked);
  const request = readRequest(readDocument(asked));
  t.equal(request.operation, 'inc');
  t.same(number.read(request.in), { number: 42 });
  const answered = '<exec><product id="GSX"><title>VMware Server</title><version>1.0.3 build-44356</version><build>44356</build></product><returncode>1</returncode><out><number>43</number></out></exec>';
  t.equal([...new AnswerWriter(OLD_SERVER).success(number.write('out', { number: 43 }))].join(''), answered);
  const printed = 'result = <exec><product id="GSX"><title>VMware Server</title> \n   <version>1.0.3 build-44356</version><build>44356</build></product>\n   <returncode>1</returncode><out><number>43</number></out></exec>'.slice('result = '.length);
  for (const document of [answered, printed]) {
    const answer = readAnswer(readDocument(document));
    t.same(number.read(answer.out), { number: 43 });
    t.same(answer.product, { title: 'VMware Server', version: '1.0.3 build-44356', build: '44356' });
  }
  t.end();
});

void t.test('the request that the seed prints with spaces in it', (t) => {
  const request = readRequest(readDocument(`  <exec>
     <op>FileManager_MakeDir</op>
     <in>
       <directories><directory>C:\\My Directory\\New Subdirectory</directory></directories>
       <owner_mode>rwx</owner_mode>
       <group_mode>rwx</group_mode>
       <other_mode>rwx</other_mode>
       <makeParents>0</makeParents>
     </in>
  </exec>`));
  t.equal(request.operation, 'FileManager_MakeDir');
  const shape = fields({ directories: list('directory', text()), owner_mode: text(), group_mode: text(), other_mode: text(), makeParents: flag });
  t.same(shape.read(request.in), { directories: ['C:\\My Directory\\New Subdirectory'], owner_mode: 'rwx', group_mode: 'rwx', other_mode: 'rwx', makeParents: false });
  t.end();
});

void t.test('a request without <in> has an empty one', (t) => {
  t.same(nothing.read(readRequest(readDocument('<exec><op> VMServerd_IsAdminUser </op></exec>')).in), {});
  t.end();
});

void t.test('a request that is none', (t) => {
  for (const document of [
    '<exec/>', '<exec><in/></exec>', '<run><op>inc</op></run>', '<exec><op>inc</op><op>dec</op></exec>', '<exec><op>inc</op><in/><in/></exec>', '<exec><op>inc</op>x</exec>',
    '<exec><op>inc</op><out/></exec>', '<exec><op><b/></op></exec>', '<exec><op/></exec>', '<exec><op>a b</op></exec>', '<exec><op>../x</op></exec>', `<exec><op>${'x'.repeat(65)}</op></exec>`,
  ]) t.throws(() => readRequest(readDocument(document)), { name: 'OperationError', code: CODES.INVALID_ARGUMENT }, document);
  t.throws(() => [...writeRequest('</op>', [])], RangeError);
  t.end();
});

void t.test('what has no build says none', (t) => {
  t.equal(new AnswerWriter({ ...OLD_SERVER, build: '' }).failure(new OperationError(CODES.TIMEOUT, 'x')), '<exec><product id="GSX"><title>VMware Server</title><version>1.0.3 build-44356</version></product><returncode>0</returncode><error><code>-17</code><message>x</message></error></exec>');
  t.end();
});

void t.test('a failure is one at the other end, with the same number and words', (t) => {
  const written = new AnswerWriter(OLD_SERVER).failure(new OperationError(CODES.NO_SUCH_MACHINE, 'No such virtual machine: <a&b>\x1B[31m\uD800'));
  t.equal(written, '<exec><product id="GSX"><title>VMware Server</title><version>1.0.3 build-44356</version><build>44356</build></product>'
  + '<returncode>0</returncode><error><code>-11</code><message>No such virtual machine: &lt;a&amp;b&gt;\uFFFD[31m\uFFFD</message></error></exec>');
  t.throws(() => readAnswer(readDocument(written)), { name: 'OperationError', code: -11, message: 'No such virtual machine: <a&b>\uFFFD[31m\uFFFD' });
  t.end();
});

void t.test('failures as other servers may say them', (t) => {
  const failure = (document: string): unknown => {
    try {
      return readAnswer(readDocument(document));
    } catch (error) {
      return error;
    }
  };
  t.match(failure('<exec><returncode>0</returncode><out><what>went</what> wrong</out></exec>'), { name: 'OperationError', code: CODES.UNSPECIFIED, message: 'wrong went' });
  t.match(failure('<exec><returncode>-8</returncode></exec>'), { code: CODES.UNSPECIFIED, message: 'it says no more' });
  t.match(failure('<exec><returncode>0</returncode><error><code>1</code><message>odd</message></error></exec>'), { code: CODES.UNSPECIFIED, message: 'odd' });
  for (const none of ['<exec/>', '<html><returncode>1</returncode></html>', '<exec><out/></exec>']) t.match(failure(none), { code: CODES.UNEXPECTED_RESPONSE });
  t.end();
});

void t.test('an answer is made while it is taken, in blocks', (t) => {
  let made = 0;
  const values = function* (): Generator<string> { for (; made < 1000; made += 1) yield 'x'.repeat(10); };
  const pieces = inBlocks(new AnswerWriter(OLD_SERVER).success(list('one', text()).write('out', values())), 1000);
  const first = pieces.next().value as string;
  t.ok(first.length >= 1000 && first.length < 1100);
  t.ok(made < 100);
  const whole = [first, ...pieces].join('');
  t.equal(readAnswer(readDocument(whole)).out.children.length, 1000);
  t.end();
});
