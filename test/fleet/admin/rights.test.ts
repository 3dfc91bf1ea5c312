import t from 'tap';
import { accountsBlock, forbiddenTo, permissionBlock, rightsOf, type Member } from '../../../src/fleet/admin/rights.js';
import type { Part } from '../../../src/fleet/parts.js';
import { NkeySigner, newSeed } from '../../../src/fleet/signer.js';
import { aliveSubject, askSubject, auditSubject, chunkKey, eventSubject, orderSubject, resultSubject, tokenOf } from '../../../src/fleet/subjects.js';
import { blocksOf, readDocument } from '../../docs/markdown.js';
import { fits } from '../../support/fleet/memory-store.js';

const member = (name: string, ...parts: Part[]): Member => ({ name, parts, leases: ['san1', 'my.san'] });

const may = (who: Member, on: 'publish' | 'subscribe', subject: string): boolean => rightsOf(who)[on].some(({ pattern }) => fits(pattern, subject));

/** What the bus's clients send for a read, and for a watch. */
const reading = (stream: string, subject: string): string => `$JS.API.DIRECT.GET.${stream}.${subject}`;
const watching = (stream: string, filter: string): string => `$JS.API.CONSUMER.CREATE.${stream}.0b9bd7b1.${filter}`;

await t.test('a site may do what it needs, and nothing for another', (t) => {
  const berlin = member('berlin', 'site');
  const own = [
    aliveSubject('berlin'), eventSubject('berlin', 'state'), `$KV.argo-inventory.${chunkKey('berlin', 'kvm1', 0)}`, `$KV.argo-inventory.${chunkKey('berlin', 'ö', 7)}`,
    `$KV.argo-leases.${tokenOf('san1')}`, `$KV.argo-leases.${tokenOf('my.san')}`, reading('KV_argo-leases', `$KV.argo-leases.${tokenOf('san1')}`),
    reading('ARGO_EVENTS', eventSubject('berlin', 'state')), 'argo.v1.store.KV_argo-inventory',
  ];
  for (const subject of own) t.ok(may(berlin, 'publish', subject), subject);
  for (const subject of [orderSubject('berlin'), askSubject('berlin'), resultSubject('berlin'), '_INBOX.berlin.x.y']) t.ok(may(berlin, 'subscribe', subject), subject);
  const others = [
    aliveSubject('paris'), eventSubject('paris', 'state'), `$KV.argo-inventory.${chunkKey('paris', 'kvm1', 0)}`, '$KV.argo-leases.other', orderSubject('paris'), orderSubject('berlin'),
    reading('ARGO_EVENTS', eventSubject('paris', 'state')), reading('KV_argo-inventory', '$KV.argo-inventory.paris.kvm1.0'), watching('KV_argo-inventory', '$KV.argo-inventory.>'),
    watching('KV_argo-inventory', '$KV.argo-inventory.berlin.>'), watching('KV_argo-leases', '$KV.argo-leases.san1'), '$JS.API.STREAM.DELETE.ARGO_EVENTS', '$JS.API.STREAM.PURGE.ARGO_EVENTS', auditSubject('f1'), '_INBOX.f1.x',
  ];
  for (const subject of others) t.notOk(may(berlin, 'publish', subject), subject);
  for (const subject of [orderSubject('paris'), '_INBOX.f1.x', '_INBOX.berlin2.x', '>', eventSubject('berlin', 'state')]) t.notOk(may(berlin, 'subscribe', subject), subject);
  t.equal(rightsOf(berlin).answers, true);
  t.end();
});

await t.test('a front may order and look, and neither forges nor deletes', (t) => {
  const f1 = member('f1', 'front');
  for (const subject of [orderSubject('berlin'), askSubject('berlin'), resultSubject('paris'), auditSubject('f1'), watching('KV_argo-inventory', '$KV.argo-inventory.>'), reading('KV_argo-leases', '$KV.argo-leases.san1')]) {
    t.ok(may(f1, 'publish', subject), subject);
  }
  for (const subject of [aliveSubject('berlin'), eventSubject('berlin', 'state'), '_INBOX.f1.x']) t.ok(may(f1, 'subscribe', subject), subject);
  for (const subject of [aliveSubject('berlin'), eventSubject('berlin', 'state'), '$KV.argo-inventory.berlin.kvm1.0', '$KV.argo-leases.san1', auditSubject('f2'), '$JS.API.STREAM.DELETE.ARGO_AUDIT', '$JS.API.STREAM.CREATE.X']) {
    t.notOk(may(f1, 'publish', subject), subject);
  }
  for (const subject of [orderSubject('berlin'), '_INBOX.f2.x']) t.notOk(may(f1, 'subscribe', subject), subject);
  t.equal(rightsOf(f1).answers, false);
  t.end();
});

await t.test('one that is both has the rights of both, each once', (t) => {
  const both = member('hq', 'site', 'front');
  t.ok(may(both, 'publish', orderSubject('berlin')));
  t.ok(may(both, 'publish', aliveSubject('hq')));
  const patterns = rightsOf(both).publish.map(({ pattern }) => pattern);
  t.equal(new Set(patterns).size, patterns.length);
  t.same(forbiddenTo(both).map(({ words }) => words), ['write the inventory of any site', 'have what is stored sent to anybody', 'delete buckets and streams', 'hear the orders to any site', 'hear the answers to any front']);
  t.end();
});

await t.test('what is tried is what the pattern allows, and reaches nobody', (t) => {
  for (const part of ['site', 'front', 'admin'] as const) {
    const { publish, subscribe } = rightsOf(member('berlin', part));
    for (const { pattern, trial } of [...publish, ...subscribe]) if (trial !== undefined) t.ok(fits(pattern, trial), `${pattern}: ${trial}`);
    // no name of a site has this
    for (const { trial } of publish) if (trial?.startsWith('argo.v1.site.') === true) t.match(trial, /^argo\.v1\.site\._\./);
    for (const { trial } of subscribe) t.notMatch(trial, /\.(?:op|ask|result)$/, 'no order is taken away');
  }
  t.end();
});

await t.test('the block', (t) => {
  const key = new NkeySigner(newSeed()).publicKey;
  const block = permissionBlock(member('berlin', 'site'), key);
  t.match(block, `{ nkey: ${key}, permissions: {`);
  t.match(block, '"argo.v1.site.berlin.alive"');
  t.match(block, /allow_responses: \{ max: \d+, expires: "5m" \}/);
  t.match(block, /^  SITE_berlin \{$/m, 'a site is in an account of its own');
  const imported = [...block.matchAll(/\{ service: \{ account: FLEET, subject: "([^"]+)" \}/g)].map(([, subject]) => subject!);
  for (const subject of ['$KV.argo-inventory.berlin.>', '$KV.argo-leases.san1', 'argo.v1.event.berlin.*', '_INBOX.*.>']) t.ok(imported.includes(subject), subject);
  const others = ['$KV.argo-inventory.paris.kvm1.0', '$KV.argo-leases.other', eventSubject('paris', 'state'), aliveSubject('paris'), auditSubject('f1'), '$JS.API.STREAM.DELETE.ARGO_EVENTS', '$JS.API.STREAM.PURGE.KV_argo-inventory'];
  for (const subject of others) t.notOk(imported.some((pattern) => fits(pattern, subject)), `an answer does not get to ${subject}`);
  t.match(permissionBlock(member('hq', 'site', 'front'), key), /^ {6}# site and front hq\n {6}\{ nkey/, 'one that is both is with the fronts');
  t.equal(blocksOf(readDocument('docs/fleet.md')).find(({ marks }) => marks.includes('fleet.conf'))!.text.trimEnd(), accountsBlock('', '').trimEnd(), 'as docs/fleet.md has it');
  t.notMatch(permissionBlock(member('f1', 'front'), key), 'allow_responses');
  t.end();
});
