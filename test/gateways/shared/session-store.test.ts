import t from 'tap';
import { SESSIONS } from '../../../src/kit/web-limits.js';
import { SessionStore, type SavedSession } from '../../../src/gateways/shared/session-store.js';
import type { KeyValue } from '../../../src/store/state.js';
import { until } from '../../support/until.js';

const WITHIN = 10_000;

const session = (id: string): SavedSession => ({ id, account: 'anna', mark: 'm', address: '::1', begun: 1, used: 2 });

/** A store on a disk that may be full. */
function world() {
  const disk = { isFull: false, there: new Map<string, string>(), deleted: 0 };
  const write = async (change: () => unknown): Promise<void> => {
    if (disk.isFull) throw new Error('database or disk is full');
    change();
  };
  const kv = {
    set: (key: string, value: string) => write(() => disk.there.set(key, value)),
    delete: (key: string) => write(() => {
      disk.deleted += 1;
      disk.there.delete(key);
    }),
    list: async (_prefix: string, after?: string) => (after === undefined ? [...disk.there].map(([key, value]) => ({ key, value })) : []),
  };
  const said: string[] = [];
  return { disk, said, store: new SessionStore(kv as unknown as KeyValue, (_level, message) => void said.push(message)) };
}

void t.test('a session that ended while the disk was full is gone when there is room', async (t) => {
  const { disk, said, store } = world();
  for (const id of ['a', 'b', 'c']) store.save(session(id));
  await until(() => disk.there.size === 3, WITHIN, 'three sessions');
  disk.isFull = true;
  await store.remove('a');
  await store.remove('b');
  t.same((await store.load()).map(({ id }) => id), ['a', 'b', 'c']);
  t.ok(said.length > 0, 'the log says it');
  disk.isFull = false;
  store.save(session('c'));
  await until(() => disk.there.size === 1, WITHIN, 'what was left to go');
  t.same((await store.load()).map(({ id }) => id), ['c']);
});

void t.test('not more of them are known than there are sessions', async (t) => {
  const { disk, store } = world();
  disk.isFull = true;
  for (let number = 0; number < SESSIONS + 10; number += 1) await store.remove(String(number));
  disk.isFull = false;
  await store.remove('last');
  t.equal(disk.deleted, SESSIONS);
});
