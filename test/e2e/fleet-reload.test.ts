import t from 'tap';
import { newSeed } from '../../src/fleet/signer.js';
import { AUDIT_STREAM } from '../../src/fleet/subjects.js';
import { LONG } from '../support/faults.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { NATS_PROGRAMS } from '../peers/nats.js';
import { ADMIN, Fleet } from './support/fleet.js';

/** What a reload changes of a fleet, without a restart and without a loss of what is under way. */

await t.test('reloads of a site and a front', { skip: lacks(...NATS_PROGRAMS), timeout: 400_000 }, async (t) => {
  const sim = (name: string, more = 'instances = ["a", "b"]'): string => `[providers.${name}]\ntype = "sim"\n${more}\n`;
  const slow = sim('slow', 'instances = ["s1", "s2", "s3", "s4"]\nlatency = "1500ms"');
  const fleet = await Fleet.start(t, { sites: { berlin: { tables: `${sim('kvm1')}${sim('kvm2')}${slow}` } }, fronts: { f1: { tables: sim('own') } } });
  const [site, front] = [fleet.site('berlin'), fleet.front('f1')];
  const shown = async (): Promise<string> => (await front.ask('fleet')).split('\n').map((line) => / providers=(\S*)/.exec(line)?.[1] ?? '').join('');
  const shows = (wanted: string) => until(async () => await shown() === wanted, LONG, `${wanted} at the front`);
  const same = (text: string): string => text;
  const ALL = 'berlin.kvm1,berlin.kvm2,berlin.slow';
  await shows(ALL);

  await t.test('what is shared', async (t) => {
    await site.reload((text) => text.replace('[[fleet.fronts]]', 'share = ["kvm2", "slow"]\n[[fleet.fronts]]'));
    await shows('berlin.kvm2,berlin.slow');
    t.match(await front.ask('status berlin.kvm1/a'), /^400 NO SUCH INSTANCE/);
    await site.reload(same);
    await shows(ALL);
    await until(async () => await front.ask('status berlin.kvm1/a') === 'on', LONG, 'the machine');
  });

  await t.test('what a front may', async (t) => {
    await site.reload((text) => text.replace(/(name = "f1"\npublic-key = "[^"]*"\ngrants = )[^\n]*/, '$1[{ instances = ["*"], commands = ["read"] }]'));
    t.match(await front.ask('stop berlin.kvm1/a --wait'), /400 NOT ALLOWED/);
    t.equal(await site.ask('status kvm1/a'), 'on');
    await site.reload(same);
    t.equal(await front.ask('stop berlin.kvm1/a --wait'), '');
    t.equal(await site.ask('status kvm1/a'), 'off');
  });

  await t.test('which sites a front knows', async (t) => {
    await front.reload((text) => text.replace('name = "berlin"', 'name = "paris"'));
    await until(async () => !(await front.ask('list')).includes('berlin.'), LONG, 'that berlin is none of its sites');
    t.match(await front.ask('fleet'), /^paris away /);
    await front.reload(same);
    await fleet.isUp('f1', 'berlin');
    await shows(ALL);
    await until(async () => await front.ask('status berlin.kvm2/a') === 'on', LONG, 'its machines');
  });

  await t.test('a provider of the front that is called as one of a site', async (t) => {
    await front.reload((text) => `${text}${sim('"berlin.kvm1"', 'instances = ["mine"]')}`);
    t.equal(await front.ask('status berlin.kvm1/mine'), 'on');
    t.match(await front.ask('status berlin.kvm1/b'), /^400 NO SUCH INSTANCE/);
    t.equal(await front.ask('status berlin.kvm2/b'), 'on');
    t.ok(await front.daemon.logs('provider of a site is not shown: one of the configuration has its name'));
    await front.reload(same);
    await until(async () => await front.ask('status berlin.kvm1/b') === 'on', LONG, 'the machine of the site');
    t.match(await front.ask('status berlin.kvm1/mine'), /^400 NO SUCH INSTANCE/);
  });

  await t.test('other servers of the bus, in the middle of orders', async (t) => {
    const fewer = (text: string): string => text.replace(/servers = \[("[^"]+")[^\]]*\]/, 'servers = [$1]');
    const orders = [front.logIn(), front.logIn()].map(async (client, at) => (await client).answer(`stop berlin.slow/s${at + 1} --wait`, LONG));
    await until(async () => (await site.ask('task')).split('\n').length >= 2, LONG, 'that both are under way at the site');
    await Promise.all([front.reload(fewer), site.reload(fewer)]);
    t.same(await Promise.all(orders), ['', '']);
    await fleet.isUp('f1', 'berlin');
    t.equal(await site.ask('status slow/s1'), 'off');
    await Promise.all([front.reload(same), site.reload(same)]);
    await fleet.isUp('f1', 'berlin');
  });

  await t.test('a key that the bus does not know', async (t) => {
    const seed = newSeed();
    await front.reload((text) => text.replace(/nkey = "[^"]*"/, `nkey = "${seed}"`));
    await fleet.isAway('f1', 'berlin', /does not admit the key/);
    t.match(await front.ask('start berlin.kvm1/a'), /400 UNREACHABLE/);
    t.notOk(front.daemon.stderr().includes(seed), 'the key is in no log');
    t.equal(await front.ask('status own/a'), 'on');
    await front.reload(same);
    await fleet.isUp('f1', 'berlin');
    t.equal(await front.ask('start berlin.kvm1/a --wait'), '');
  });

  await t.test('out of the fleet and back', async (t) => {
    await front.reload((text) => text.slice(0, text.indexOf('[fleet]')) + text.slice(text.indexOf(ADMIN)));
    await until(async () => !(await front.ask('list')).includes('s1'), LONG, 'that it shows its own alone');
    t.equal((await (await front.logIn()).ask('fleet', LONG)).comment, 'DONE: this server is no front of a fleet');
    t.equal(await front.ask('status own/a'), 'on');
    await front.reload(same);
    await fleet.isUp('f1', 'berlin');
    await until(async () => await front.ask('status berlin.kvm1/b') === 'on', LONG, 'the machines of the site');
  });

  await t.test('a site that is a front as well shows others, not itself', async (t) => {
    await front.reload((text) => text.replace('role = ["front"]', 'role = ["site","front"]'));
    await fleet.isUp('f1', 'berlin');
    t.notMatch(await front.ask('fleet'), /^f1 /m);
    await until(async () => await front.ask('status berlin.kvm1/b') === 'on', LONG, 'the machines of the other');
    t.notMatch(await front.ask('list'), /f1\.own/);
    await front.reload(same);
    await fleet.isUp('f1', 'berlin');
  });

  await t.test('the audit of the front is in the stream of audits, each entry once and in order', async (t) => {
    const own = front.audit().flatMap(({ id, outcome }) => (outcome === null ? [`${id} begun`] : [`${id} begun`, `${id} ${outcome}`])).sort();
    let inStream: string[] = [];
    await until(async () => {
      inStream = (await entriesOf(fleet)).map(({ id, outcome }) => `${id} ${outcome ?? 'begun'}`);
      return inStream.length >= own.length;
    }, LONG, 'all entries in the stream');
    t.same([...inStream].sort(), own);
    const ids = inStream.filter((line) => line.endsWith(' begun')).map((line) => Number(line.split(' ')[0]));
    t.same(ids, [...ids].sort((one, other) => one - other));
  });
});

interface Entry {
  readonly id: number;
  readonly outcome?: string;
}

async function entriesOf({ nats }: Fleet): Promise<readonly Entry[]> {
  const { state } = await nats.ask(`STREAM.INFO.${AUDIT_STREAM}`) as { readonly state: { readonly first_seq: number; readonly last_seq: number } };
  const entries: Entry[] = [];
  for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq += 1) {
    const { message } = await nats.ask(`STREAM.MSG.GET.${AUDIT_STREAM}`, { seq }) as { readonly message: { readonly data: string } };
    entries.push(...(JSON.parse(Buffer.from(message.data, 'base64').toString()) as { readonly entries: readonly Entry[] }).entries);
  }
  return entries;
}
