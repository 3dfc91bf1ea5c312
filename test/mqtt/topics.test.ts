import t from 'tap';
import { level, plain, Topics } from '../../src/mqtt/topics.js';

const topics = new Topics({ id: 'argo', topics: 'home/argo', discovery: 'homeassistant' });

/** Names that could change a topic, be a pattern, or come to one with another. */
const NAMES = ['web1', 'web 1', 'web%201', 'web_201', 'a/b', 'a+b', 'a#b', '#', '+', '$SYS', '..', 'Gerät', 'Gerat', 'サーバー', 'emoji 🖥', '_', '__', 'a__b', '-', 'A', 'a', '"', '\u00a0', 'x'.repeat(300)];

await t.test('each name is one level, without patterns, and none comes to that of another', (t) => {
  for (const write of [level, plain]) {
    const written = NAMES.map(write);
    t.equal(new Set(written).size, NAMES.length);
    for (const [at, one] of written.entries()) {
      t.notMatch(one, /[/+#\s\u0000-\u001f]/, String(NAMES[at]));
      t.ok(one.length > 0);
    }
  }
  t.equal(level('web1'), 'web1');
  t.equal(level('web 1'), 'web%201', 'as people know it');
  t.equal(level('サーバー'), 'サーバー');
  t.end();
});

await t.test('Home Assistant gets letters, digits, - and _ alone', (t) => {
  const illegal = /^homeassistant\/\w+\/[a-zA-Z0-9_-]+\/[a-zA-Z0-9_-]+\/config$/;
  for (const name of NAMES) t.match(topics.config('switch', topics.device(name, name), 'power'), illegal, name);
  const devices = NAMES.flatMap((one) => NAMES.map((other) => topics.device(one, other)));
  t.equal(new Set(devices).size, NAMES.length ** 2, 'where a name ends is always clear');
  t.end();
});

await t.test('whose provider what a broker has kept is', (t) => {
  for (const provider of NAMES) {
    const told = `${topics.of(provider, 'x')}/attributes`;
    t.equal(topics.ownerOf(told)?.base, topics.of(provider, 'x'));
    t.ok(topics.ownerOf(told)?.isOf(provider));
    const config = topics.config('switch', topics.device(provider, '7'), 'power')!;
    t.match(topics.ownerOf(config), { base: undefined, device: topics.device(provider, '7') });
    t.same(NAMES.filter((other) => topics.ownerOf(config)?.isOf(other)), [provider]);
    t.same(NAMES.filter((other) => topics.ownerOf(told)?.isOf(other)), [provider]);
  }
  for (const strange of ['home/argo/attributes', 'home/argo/a/b/c/attributes', 'home/argo/a/b/set', 'home/argo/a/b/availability', 'homeassistant/switch/other/argo__x/config', 'homeassistant/switch/argo/argo__x/y', 'homeassistant/switch/argo/lamp/config', 'x', '']) t.equal(topics.ownerOf(strange), undefined, strange);
  t.end();
});

await t.test('without discovery there is nothing to be found', (t) => {
  const silent = new Topics({ id: 'argo', topics: 'argo', discovery: undefined });
  t.equal(silent.config('switch', 'x', 'power'), undefined);
  t.same(silent.left, ['argo/+/+/attributes']);
  t.same([silent.marks, topics.marks], [['argo/owner'], ['home/argo/owner', 'homeassistant/bridge/argo/owner']]);
  t.end();
});
