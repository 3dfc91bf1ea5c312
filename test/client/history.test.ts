import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { History, HISTORY_LINES } from '../../src/client/history.js';
import { makeHome } from './support/argo.js';

void t.test('lines are kept, the newest first, for their owner alone', async (t) => {
  const path = join(makeHome(t), 'state', 'argo', 'history');
  const faults: string[] = [];
  const history = new History(path, (message) => faults.push(message));
  t.same(history.load(), []);
  for (const line of ['list', 'status lj', '   ', 'auth steve secret', '"AUTH" steve secret']) history.add(line);
  t.same(new History(path, () => {}).load(), ['status lj', 'list']);
  t.notMatch(readFileSync(path, 'utf8'), /secret/);
  t.equal(statSync(path).mode & 0o777, 0o600);
  chmodSync(path, 0o644);
  history.add('nop');
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(faults, []);
});

void t.test('a long file is shortened', async (t) => {
  const path = join(makeHome(t), 'history');
  writeFileSync(path, Array.from({ length: 2 * HISTORY_LINES + 1 }, (_, at) => `status vm${at}\n`).join(''));
  const lines = new History(path, () => {}).load();
  t.equal(lines.length, HISTORY_LINES);
  t.equal(lines[0], `status vm${2 * HISTORY_LINES}`);
  t.equal(readFileSync(path, 'utf8').split('\n').length, HISTORY_LINES + 1);
});

void t.test('a history that cannot be kept is told once', async (t) => {
  const home = makeHome(t);
  mkdirSync(join(home, 'history'));
  const faults: string[] = [];
  const history = new History(join(home, 'history'), (message) => faults.push(message));
  history.load();
  history.add('list');
  t.same(faults, [`the history in ${join(home, 'history')} cannot be kept (EISDIR)`]);
});
