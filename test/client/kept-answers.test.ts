import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askAnswers } from '../../src/client/asked-answers.js';
import { KeptAnswers, mostOf } from '../../src/client/kept-answers.js';
import type { Session } from '../../src/client/session.js';
import { ArgoError } from '../../src/kit/errors.js';
import { must } from '../peers/enclosure.js';
import { lacks } from '../support/peers.js';
import { age } from './support/age.js';

const HOUR_S = 3600;
const STEVE = { server: 'lab:20203', account: 'steve', trust: 'tls' };
const ANSWERS = { list: ['lj', 'my vm'], 'help --json': [] };
const FRESH = { answers: ANSWERS, isFresh: true };

const paths = (folder: string): string[] => readdirSync(folder).map((name) => join(folder, name));
const makeFolder = (test: { testdir(): string }): string => {
  const folder = join(test.testdir(), 'cache');
  mkdirSync(folder, { mode: 0o700 });
  return folder;
};

void t.test('what was told is kept for whom it was told', async (t) => {
  const folder = makeFolder(t);
  const kept = new KeptAnswers(folder, STEVE);
  t.equal(kept.read(), undefined);
  kept.write(ANSWERS);
  t.match(kept.read(), FRESH);
  for (const other of [{ ...STEVE, account: 'kim' }, { ...STEVE, account: '' }, { ...STEVE, server: 'lab:20204' }, { ...STEVE, trust: 'plain' }]) {
    const others = new KeptAnswers(folder, other);
    t.equal(others.read(), undefined);
    const [file] = paths(folder);
    others.write({ list: ['kim'] });
    const [theirs] = paths(folder).filter((path) => path !== file);
    // whatever lies where theirs would be
    writeFileSync(theirs!, readFileSync(file!));
    t.equal(others.read(), undefined, 'what is not theirs is not read');
    rmSync(theirs!);
  }
  kept.write({ list: ['web1'] });
  t.same(kept.read()?.answers, { list: ['web1'] });
  kept.forget();
  t.equal(kept.read(), undefined);
  t.same(readdirSync(folder), [], 'nothing else is left behind');
});

void t.test('for how long', async (t) => {
  const folder = makeFolder(t);
  const kept = new KeptAnswers(folder, STEVE);
  kept.write(ANSWERS);
  const [file] = paths(folder);
  age(file!, HOUR_S);
  t.match(kept.read(), { answers: ANSWERS, isFresh: false });
  age(file!, 25 * HOUR_S);
  t.equal(kept.read(), undefined);
  age(file!, -HOUR_S);
  t.equal(kept.read(), undefined, 'what comes from the future');
  age(file!, -30);
  t.match(kept.read(), FRESH, 'the clock of a server of files may be a little ahead');
  kept.write(ANSWERS, Date.now() - HOUR_S * 1000);
  t.match(kept.read(), { isFresh: false }, 'what was told before');
  age(file!, 25 * HOUR_S);
  writeFileSync(join(folder, 'history'), '');
  age(join(folder, 'history'), 25 * HOUR_S);
  new KeptAnswers(folder, { ...STEVE, account: 'kim' }).takeTurn();
  t.equal(readdirSync(folder).length, 2, 'what is too old is swept out, and nothing of others');
  t.ok(readdirSync(folder).includes('history'));
});

void t.test('nothing is read but a small file of ours alone', async (t) => {
  const folder = makeFolder(t);
  const kept = new KeptAnswers(folder, STEVE);
  kept.write(ANSWERS);
  const [file] = paths(folder);
  t.equal(statSync(file!).mode & 0o777, 0o600);
  chmodSync(file!, 0o644);
  t.equal(kept.read(), undefined, 'others can read it');
  chmodSync(file!, 0o600);
  t.match(kept.read(), FRESH);
  const text = readFileSync(file!, 'utf8');
  const replaced = (content: string): void => { rmSync(file!, { force: true, recursive: true }); writeFileSync(file!, content, { mode: 0o600 }); };
  for (const wrong of ['', '{', 'null', '7', text.replace('"my vm"', '7'), text.replace('["lj","my vm"]', '{}'), text.replace('steve', 'kim'), text.replace('"answers"', '"x"'), `${text}${' '.repeat(17 * 1024 * 1024)}`]) {
    replaced(wrong);
    t.equal(kept.read(), undefined, wrong.slice(0, 80));
  }
  rmSync(file!);
  writeFileSync(join(folder, 'elsewhere'), text, { mode: 0o600 });
  symlinkSync('elsewhere', file!);
  t.equal(kept.read(), undefined, 'a link');
  rmSync(file!);
  mkdirSync(file!, { mode: 0o700 });
  t.equal(kept.read(), undefined, 'a folder');
  rmSync(file!, { recursive: true });
  if (lacks('mkfifo') === false) {
    await must('mkfifo', ['-m', '600', file!]);
    t.equal(kept.read(), undefined, 'a pipe that nobody writes to');
  }
  replaced(text);
  t.match(kept.read(), FRESH);
});

void t.test('the server is asked once in a while', async (t) => {
  const folder = join(t.testdir(), 'a', 'cache');
  const kept = new KeptAnswers(folder, STEVE);
  t.ok(kept.takeTurn());
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.notOk(kept.takeTurn());
  t.ok(new KeptAnswers(folder, { ...STEVE, account: 'kim' }).takeTurn(), 'for each by itself');
  for (const path of paths(folder)) age(path, HOUR_S);
  t.ok(kept.takeTurn());
  t.notOk(kept.takeTurn());
  for (const path of paths(folder)) age(path, -30);
  t.notOk(kept.takeTurn(), 'by a clock that is ahead');
});

void t.test('where a login was refused it is left alone for a while', async (t) => {
  const folder = makeFolder(t);
  const kept = new KeptAnswers(folder, STEVE);
  const later = (seconds: number): void => { for (const path of paths(folder)) age(path, seconds); };
  kept.write(ANSWERS);
  kept.refuse();
  t.equal(kept.read(), undefined);
  t.notOk(kept.takeTurn());
  later(4 * 60);
  t.notOk(kept.takeTurn());
  t.ok(new KeptAnswers(folder, { ...STEVE, account: 'kim' }).takeTurn(), 'others are not');
  later(6 * 60);
  t.ok(kept.takeTurn());
  kept.refuse();
  kept.write(ANSWERS);
  later(60);
  t.ok(kept.takeTurn(), 'until it lets us in');
});

void t.test('what another server may have told is not kept', async (t) => {
  const kept = new KeptAnswers(makeFolder(t), STEVE);
  const failing = (phrase: 'CERTIFICATE REJECTED' | 'UNREACHABLE'): Session =>
    ({ connect: () => Promise.reject(new ArgoError(phrase)), close: () => { /* there is nothing */ } }) as unknown as Session;
  kept.write(ANSWERS);
  t.equal(await askAnswers(failing('UNREACHABLE'), kept), undefined);
  t.match(kept.read(), FRESH);
  t.equal(await askAnswers(failing('CERTIFICATE REJECTED'), kept), undefined);
  t.equal(kept.read(), undefined);
  t.ok(kept.takeTurn(), 'and it is asked again');
});

void t.test('a folder that cannot be used is as good as none', async (t) => {
  const kept = new KeptAnswers(join(t.testdir({ cache: 'a file' }), 'cache'), STEVE);
  kept.write(ANSWERS);
  kept.forget();
  t.equal(kept.read(), undefined);
  t.notOk(kept.takeTurn(), 'each Tab would start a process');
});

void t.test('of a long answer as much as a Tab can read', async (t) => {
  t.same(mostOf(['a', 'b']), ['a', 'b']);
  t.same(mostOf([]), []);
  t.same(mostOf(['a', 'x'.repeat(512 * 1024), 'b']), ['a']);
});
