import t from 'tap';
import { DEFAULT_CHOICES, differences, layoutFault, layoutOf, LAYOUT, storeLayout } from '../../src/fleet/store-layout.js';

await t.test('four of them, each kept by three servers', (t) => {
  const layout = storeLayout();
  t.same(layout.map(({ title, stream }) => [title, stream]), [['argo-inventory', 'KV_argo-inventory'], ['argo-leases', 'KV_argo-leases'], ['ARGO_EVENTS', 'ARGO_EVENTS'], ['ARGO_AUDIT', 'ARGO_AUDIT']]);
  for (const { settings } of layout) {
    t.match(settings, { storage: 'file', num_replicas: 3, deny_delete: true, allow_direct: true });
    t.ok(settings.max_bytes > 0, 'it has an end');
    t.equal(layoutOf(settings), LAYOUT);
  }
  t.end();
});

await t.test('what is the same as the server tells it has no differences', (t) => {
  for (const one of storeLayout()) {
    // a server leaves out what is false or nothing, and tells more than was asked for
    const told = Object.fromEntries(
      Object.entries({ ...one.settings, max_consumers: -1, sealed: false }).filter(([, value]) => value !== false && value !== 0),
    );
    t.same(differences(one, told), [], one.title);
  }
  t.end();
});

await t.test('each difference is told in words, and whether anything breaks by it', (t) => {
  const [inventory, , events] = storeLayout();
  t.same(differences(events!, { ...events!.settings, max_age: 86_400 * 1e9, num_replicas: 1, max_bytes: -1, deny_delete: false, subjects: ['x.>', 'y'] }).map(({ isChoice, words }) => `${isChoice}: ${words}`).sort(), [
    'false: deny_delete is false, and would be true',
    'false: subjects is x.>,y, and would be argo.v1.event.*.*',
    'true: max_age is 1 d, and would be 7 d',
    'true: max_bytes is without limit, and would be 1.0 GiB',
    'true: num_replicas is 1, and would be 3',
  ]);
  t.same(differences(inventory!, { ...inventory!.settings, max_msgs_per_subject: 5, max_age: 90 * 1e9 }).map(({ words }) => words).sort(), [
    'max_age is 90 s, and would be for ever', 'max_msgs_per_subject is 5, and would be 1',
  ]);
  t.same(differences(storeLayout({ ...DEFAULT_CHOICES, replicas: 1 })[0]!, inventory!.settings).map(({ words }) => words), ['num_replicas is 3, and would be 1']);
  t.end();
});

await t.test('layouts of other versions are named', (t) => {
  t.equal(layoutFault(LAYOUT), undefined);
  t.match(layoutFault(layoutOf({})), /was not made by `argo-server fleet init`/);
  t.match(layoutFault(layoutOf({ description: 'mine' })), /was not made/);
  t.match(layoutFault(layoutOf({ description: 'argo-server fleet, layout 0: x' })), /is of layout 0, and this argo-server needs 1/);
  t.match(layoutFault(layoutOf({ description: 'argo-server fleet, layout 9: x' })), /is of layout 9, and this argo-server knows 1: a newer one/);
  t.end();
});
