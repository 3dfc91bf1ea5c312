import t from 'tap';
import { TextIndex } from '../../src/kit/text-index.js';
import { seededRandom } from '../support/seeded-random.js';

interface Item {
  readonly text: string;
  readonly number: number;
}

const index = (): TextIndex<Item> => new TextIndex(({ text }: Item) => text);

void t.test('it does what a map does, while it is small and beyond', (t) => {
  for (const [seed, range, steps] of [[1, 12, 500], [2, 500, 3000], [3, 40_000, 80_000]] as const) {
    const random = seededRandom(seed);
    const [mine, model] = [index(), new Map<string, Item>()];
    let wrong = 0;
    for (let step = 0; step < steps; step += 1) {
      const text = `vm${random.below(range)}`;
      const item = { text, number: step };
      if (random.below(4) > 0) {
        if (mine.put(item) !== model.get(text)) wrong += 1;
        model.set(text, item);
      } else {
        if (mine.delete(text) !== model.get(text)) wrong += 1;
        model.delete(text);
      }
    }
    for (let at = 0; at < range; at += 1) if (mine.get(`vm${at}`) !== model.get(`vm${at}`)) wrong += 1;
    t.same([wrong, mine.size], [0, model.size]);
    t.same(new Set(mine), new Set(model.values()));
  }
  t.end();
});

void t.test('texts of any characters, and none', (t) => {
  const items = ['', '\u0000', 'ä', 'a\u0308', '😀', 'x'.repeat(10_000)].map((text, number) => ({ text, number }));
  const all = index();
  for (const item of items) t.equal(all.put(item), undefined);
  for (const item of items) t.equal(all.get(item.text), item);
  t.equal(all.get('a'), undefined);
  t.end();
});
