import bcrypt from 'bcrypt';
import t from 'tap';
import { hashPassword, impossibleHash, passwordFault, verifyPassword as verifyInTurn } from '../../src/auth/passwords.js';

const { signal } = new AbortController();

/** In a line where all are alike. */
const verifyPassword = (password: string, hash: string, from: AbortSignal, group = 'a', isFirst = false): Promise<boolean> =>
  verifyInTurn(password, hash, from, { path: [group], isFirst });
/** Of `steve`. */
const HASH = '$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO';

await t.test('which passwords can be used', async (t) => {
  for (const password of ['a', 'a b', '"\\', 'ü'.repeat(36), 'x'.repeat(72)]) t.equal(passwordFault(password), undefined, password);
  t.match(passwordFault(''), /empty/);
  t.match(passwordFault('x'.repeat(73)), /longer than 72 bytes/);
  t.match(passwordFault('ü'.repeat(37)), /longer than 72 bytes/, 'bytes count, not characters');
  for (const control of ['\n', '\r', '\0', '\t', '\u001b', '\u007f', '\u0085', '\u009f']) t.match(passwordFault(`a${control}b`), /control/, JSON.stringify(control));
});

await t.test('a hash is made with the cost that the configuration asks for, and salted', async (t) => {
  const [first, second] = await Promise.all([hashPassword('s3cret'), hashPassword('s3cret')]);
  t.match(first, /^\$2b\$12\$[./A-Za-z0-9]{53}$/);
  t.not(first, second);
  t.equal(await verifyPassword('s3cret', first, signal), true);
  t.equal(await verifyPassword('s3creT', first, signal), false);
});

await t.test('hashes as other programs write them', async (t) => {
  for (const version of ['2a', '2b', '2y']) {
    t.equal(await verifyPassword('steve', HASH.replace('2b', version), signal), true, version);
    t.equal(await verifyPassword('Steve', HASH.replace('2b', version), signal), false, version);
  }
});

await t.test('what bcrypt does not look at does not open the door', async (t) => {
  const hash = await bcrypt.hash('x'.repeat(72), 12);
  t.equal(await verifyPassword('x'.repeat(72), hash, signal), true);
  t.equal(await verifyPassword(`${'x'.repeat(72)}y`, hash, signal), false, 'more than 72 bytes');
  t.equal(await verifyPassword('', await bcrypt.hash('', 12), signal), false, 'an empty password');
});

await t.test('the hash of nobody takes the whole work and no password', async (t) => {
  for (const cost of [4, 12]) {
    const hash = impossibleHash(cost);
    t.match(await bcrypt.hash('anything', hash.slice(0, 29)), hash.slice(0, 28), 'bcrypt takes its salt and cost as good ones');
    t.equal(await bcrypt.compare('anything', hash), false);
    t.equal(bcrypt.getRounds(hash), cost);
  }
});

await t.test('who has gone does not take a turn', async (t) => {
  await t.rejects(verifyPassword('steve', HASH, AbortSignal.abort(new Error('gone'))), { message: 'gone' });
});

await t.test('too many at a time are refused at once, and those before them are served', async (t) => {
  const cheap = bcrypt.hashSync('steve', 4);
  const outcomes = await Promise.all(Array.from({ length: 400 }, () =>
    verifyPassword('steve', cheap, signal).then(String, (error: Error) => error.message.split(':')[0])));
  const refused = outcomes.filter((outcome) => outcome === 'BUSY').length;
  t.ok(refused >= 100 && refused <= 144, `${refused} refused: 256 may wait, one or two are at work`);
  t.equal(outcomes.filter((outcome) => outcome === 'true').length, 400 - refused);
  t.equal(outcomes.lastIndexOf('true') < outcomes.indexOf('BUSY'), true, 'first come, first served');
  t.equal(await verifyPassword('steve', cheap, signal), true, 'and then there is room again');
});

await t.test('a group that asks for much does not keep others waiting, and who is to go first does', async (t) => {
  const cheap = bcrypt.hashSync('steve', 4);
  const order: string[] = [];
  const check = (group: string, isFirst = false): Promise<unknown> => verifyPassword('wrong', cheap, signal, group, isFirst).then(() => order.push(group), () => undefined);
  const flood = Array.from({ length: 400 }, () => check('flood'));
  await Promise.all([check('other'), check('first', true)]);
  t.ok(order.filter((group) => group === 'flood').length < 20, 'though room for those who wait was all taken');
  await Promise.all(flood);
});
