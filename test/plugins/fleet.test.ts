import t, { type Test } from 'tap';
import type { FleetDesk, KnownSite } from '../../src/instances/fleet.js';
import { accountTable, startCore } from '../server/core.js';

/** The word `fleet`, and what an actor is told of sites. */

const HEARD = Date.UTC(2026, 10, 29, 20, 0, 3);

const site = (name: string, more: Partial<KnownSite> = {}): KnownSite =>
  ({ name, trouble: undefined, heard: HEARD, skew: 4.4, started: HEARD - 60_000, version: '1.0.0', orders: 2, outbox: 7, providers: [], ...more });

const offered = (name: string, more: Partial<KnownSite['providers'][number]> = {}): KnownSite['providers'][number] =>
  ({ name, type: 'libvirt', stale: undefined, held: true, ...more });

const SITES: readonly KnownSite[] = [
  site('berlin', { providers: [offered('berlin.kvm1'), offered('berlin.san1', { held: false, stale: 'munich has its lease', type: 'sim' })] }),
  site('munich', { trouble: 'its clock is off by 40 s', skew: -40_000, providers: [offered('munich.kvm1', { stale: 'its clock is off by 40 s' })] }),
  site('paris', { trouble: 'it was never heard of', heard: undefined, skew: undefined, started: undefined, version: undefined, orders: undefined, outbox: undefined }),
];

const CONFIG = `
[server]
listen = ["127.0.0.1:0"]
${accountTable('steve', '"*"')}
${accountTable('berliner', '"read"', '"berlin.*/*"')}
${accountTable('owner', '"read", "power"', '"web1"')}
${accountTable('named', '"read"', '"munich.kvm1/db*"')}
${accountTable('switcher', '"power"')}
${accountTable('parisian', '"read"', '"paris.*/*"')}
[providers."berlin.kvm1"]
type = "sim"
instances = ["web1", "web2"]
`;

async function arrange(t: Test, desk: Partial<FleetDesk> | undefined) {
  const core = await startCore(t, { config: CONFIG, ...desk && { fleet: { trouble: undefined, outbox: undefined, sites: () => SITES, ...desk } } });
  return async (account: string, line: string): Promise<string> => core.ask(await core.session(account), line);
}

const BERLIN = 'berlin up heard=2026-11-29T20:00:03.000Z skew=4ms version=1.0.0 started=2026-11-29T19:59:03.000Z orders=2 outbox=7 providers=berlin.kvm1,berlin.san1 stale=berlin.san1 elsewhere=berlin.san1\n';
const MUNICH = 'munich away trouble="its clock is off by 40 s" heard=2026-11-29T20:00:03.000Z skew=-40000ms version=1.0.0 started=2026-11-29T19:59:03.000Z orders=2 outbox=7 providers=munich.kvm1 stale=munich.kvm1\n';
const PARIS = 'paris away trouble="it was never heard of"\n';

await t.test('who sees everything is told everything', async (t) => {
  const ask = await arrange(t, {});
  t.equal(await ask('steve', 'fleet'), `200 OK\n${BERLIN}${MUNICH}${PARIS}300 DONE\n`);
  const [, berlin = '', , paris = ''] = (await ask('steve', 'fleet --json')).split('\n');
  t.same(JSON.parse(berlin), {
    name: 'berlin', up: true, heard: '2026-11-29T20:00:03.000Z', skew: 4.4, started: '2026-11-29T19:59:03.000Z', version: '1.0.0', orders: 2, outbox: 7,
    providers: [{ name: 'berlin.kvm1', type: 'libvirt', held: true }, { name: 'berlin.san1', type: 'sim', stale: 'munich has its lease', held: false }],
  });
  t.same(JSON.parse(paris), { name: 'paris', up: false, trouble: 'it was never heard of', providers: [] });
});

await t.test('others are told of what they see something of, and no more', async (t) => {
  const ask = await arrange(t, { trouble: 'connect ECONNREFUSED 10.0.0.7:4222' });
  t.equal(await ask('berliner', 'fleet'), `200 OK\n${BERLIN}300 DONE: no connection to the bus: it cannot be reached\n`, 'all of one site');
  t.equal(await ask('owner', 'fleet'), '200 OK\nberlin up heard=2026-11-29T20:00:03.000Z skew=4ms providers=berlin.kvm1\n300 DONE: no connection to the bus: it cannot be reached\n', 'one machine');
  t.equal(await ask('named', 'fleet'), '200 OK\nmunich away trouble="nothing can be ordered there now" heard=2026-11-29T20:00:03.000Z skew=-40000ms providers=munich.kvm1 stale=munich.kvm1\n300 DONE: no connection to the bus: it cannot be reached\n', 'a grant that names a provider');
  t.match(await ask('named', 'fleet --json'), /"stale":"nothing can be ordered there now"/);
  t.match(await ask('parisian', 'fleet'), /^200 OK\nparis away trouble="it was never heard of"\n300 /, 'a site that offers nothing yet');
  t.match(await ask('steve', 'fleet'), /\n300 DONE: no connection to the bus: connect ECONNREFUSED 10\.0\.0\.7:4222\n$/);
  t.equal(await ask('switcher', 'fleet'), '400 NOT ALLOWED\n', 'the word needs read');
});

await t.test('where there is no fleet, or no front, there are no sites', async (t) => {
  const none = '200 OK\n300 DONE: this server is no front of a fleet\n';
  t.equal(await (await arrange(t, undefined))('steve', 'fleet'), none);
  t.equal(await (await arrange(t, { outbox: 3, sites: () => undefined }))('steve', 'fleet'), none);
  t.match(await (await arrange(t, {}))('steve', 'fleet berlin'), /^400 USAGE: fleet \[--json\]/);
});
