import t, { type Test } from 'tap';
import { RegisteredRemotes } from '../../../src/daemon/registered-remotes.js';
import type { SiteInfo } from '../../../src/fleet/contract.js';
import { Inventory } from '../../../src/fleet/front/inventory.js';
import type { SiteOrders } from '../../../src/fleet/front/orders.js';
import { RemoteProviders } from '../../../src/fleet/front/providers.js';
import { MachineKinds } from '../../../src/fleet/front/remote-machine.js';
import type { AliveMessage, OfferedProvider } from '../../../src/fleet/messages.js';
import { chunkKey, INVENTORY_BUCKET } from '../../../src/fleet/subjects.js';
import { Provider } from '../../../src/instances/provider.js';
import { Registry } from '../../../src/instances/registry.js';
import { INCARNATION, keysOf, putValues, tellState, valuesOf } from '../../support/fleet/inventory-values.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { until } from '../../support/until.js';

const WITHIN = 30_000;

const offer = (name: string, more: Partial<OfferedProvider> = {}): OfferedProvider => ({ name, type: 'libvirt', held: true, dmesg: false, ...more });

/** A front whose sites say what the test says. */
function world(t: Test, configured: readonly string[] = []) {
  const hub = new MemoryHub();
  const site = hub.connect('berlin');
  const registry = new Registry();
  const log: string[] = [];
  const infos = new Map<string, SiteInfo>();
  const asked: string[] = [];
  const names = new Set(configured);
  const local = (name: string): Provider => new Provider(
    { name, type: 'sim', options: {}, actionTimeout: undefined, pollInterval: undefined, concurrency: undefined, fingerprint: '' },
    { options: {}, open: () => ({ list: () => Promise.resolve([]), close: () => Promise.resolve() }) }, registry, () => undefined,
  );
  const locals = configured.map(local);
  registry.arrange(locals);
  const opened = new RegisteredRemotes({ registry, log: (level, message, facts) => log.push(`${level} ${message} ${JSON.stringify(facts)}`), isConfigured: (name) => names.has(name), listed: () => undefined });
  const kinds = new MachineKinds();
  const inventory = new Inventory({
    bus: hub.connect('f1'), keys: keysOf('berlin', 'paris'), refused: { add: () => undefined }, log: () => undefined,
    isOffered: (name, provider) => infos.get(name)?.alive?.providers.some((one) => one.name === provider && one.held),
    kindsOf: (site, provider) => kinds.at({ site, provider, orders: {} as SiteOrders }),
    providersChanged: () => providers.changed(),
  });
  const providers: RemoteProviders = new RemoteProviders({
    inventory, sites: () => [...infos.keys()],
    site: (name) => infos.get(name) ?? { name, trouble: 'nothing was heard of it yet', heard: undefined, skew: undefined, alive: undefined },
    dmesg: (name, provider) => { asked.push(`${name}.${provider}`); return Promise.resolve('a line'); },
    arrange: (wanted) => opened.arrange(wanted),
  });
  inventory.watch();
  t.teardown(async () => {
    inventory.close();
    providers.close();
    await opened.close(0);
    await Promise.all(locals.map((one) => one.close(0)));
  });
  const says = (name: string, offered: readonly OfferedProvider[], trouble?: string): void => {
    const alive: AliveMessage = { v: 1, site: name, incarnation: INCARNATION, at: Date.now(), started: 0, version: '1', interval: 5000, providers: [...offered], orders: 0, outbox: 0 };
    infos.set(name, { name, trouble, heard: Date.now(), skew: 0, alive });
    inventory.siteChanged(name);
    providers.siteChanged(name);
  };
  const shown = (): string[] => registry.providers().map((one) => `${one.name} ${one.settings.type}${one.staleReason === undefined ? '' : `: ${one.staleReason}`}`);
  const machines = (): string[] => [...registry.all()].map((one) => `${one.fullName} ${one.state}`);
  return { hub, site, registry, log, says, shown, machines, asked, names, opened, local, locals };
}

const showing = (shown: () => string[], ...wanted: string[]) => until(() => shown().join('\n') === wanted.join('\n'), WITHIN, wanted.join(' | ')).catch((error: unknown) => {
  throw new Error(`${(error as Error).message}, there is ${shown().join(' | ')}`);
});

await t.test('providers of sites stand behind those of the configuration, with their machines', async (t) => {
  const { site, says, shown, machines, locals } = world(t, ['own']);
  await locals[0]!.refresh();
  await putValues(site, [...valuesOf([['a', 'web1'], ['b', 'web2', 'off']]), ...valuesOf([['a', 'db']], { provider: 'esx' })]);
  says('berlin', [offer('kvm1'), offer('esx', { type: 'vsphere' })]);
  await showing(shown, 'own sim', 'berlin.esx vsphere', 'berlin.kvm1 libvirt');
  t.same(machines(), ['berlin.esx/db on', 'berlin.kvm1/web1 on', 'berlin.kvm1/web2 off']);
  tellState(site, 4, { provider: 'kvm1', id: 'b', now: 'on' });
  await until(() => machines().includes('berlin.kvm1/web2 on'), WITHIN, 'the event');
  await putValues(site, valuesOf([['b', 'web2']], { seq: 5 }));
  await until(() => !machines().join().includes('web1'), WITHIN, 'that one is gone');
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'own sim', 'berlin.kvm1 libvirt');
  says('berlin', [offer('kvm1', { type: 'xen' })]);
  await showing(shown, 'own sim', 'berlin.kvm1 xen');
  t.same(machines(), ['berlin.kvm1/web2 on']);
});

await t.test('they stand by site and then by name, as people expect it, in whichever order they were heard of', async (t) => {
  const { says, shown } = world(t, ['own']);
  says('s10', [offer('b'), offer('a')], 'away');
  says('berlin', [offer('san10'), offer('kvm10'), offer('kvm2')], 'away');
  says('s2', [offer('a')], 'away');
  const names = (): string[] => shown().map((line) => line.replace(/[ :].*/, ''));
  await showing(names, 'own', 'berlin.kvm2', 'berlin.kvm10', 'berlin.san10', 's2.a', 's10.a', 's10.b');
  says('berlin', [offer('kvm10'), offer('kvm2'), offer('esx'), offer('san10')], 'away');
  await showing(names, 'own', 'berlin.esx', 'berlin.kvm2', 'berlin.kvm10', 'berlin.san10', 's2.a', 's10.a', 's10.b');
});

await t.test('before a site is heard of, what it had is shown as out of date', async (t) => {
  const { site, says, shown, machines, registry } = world(t);
  await putValues(site, valuesOf([['a', 'web1']]));
  await showing(shown, 'berlin.kvm1 libvirt: site berlin: nothing was heard of it yet');
  t.same(machines(), ['berlin.kvm1/web1 on']);
  t.equal(registry.providerNamed('berlin.kvm1')!.answers, false);
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'berlin.kvm1 libvirt');
  t.equal(registry.providerNamed('berlin.kvm1')!.answers, true);
});

await t.test('a site that falls silent is stale at once with its reason, and current again when it is back', async (t) => {
  const { site, says, shown, machines, registry } = world(t);
  await putValues(site, valuesOf([['a', 'web1']]));
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'berlin.kvm1 libvirt');
  const provider = registry.providerNamed('berlin.kvm1')! as Provider;
  says('berlin', [offer('kvm1')], 'it is silent');
  t.equal(provider.staleReason, 'site berlin: it is silent', 'without a listing');
  t.equal(provider.answers, false);
  await provider.relist();
  t.same([provider.staleReason, provider.answers, provider.listed, machines()], ['site berlin: it is silent', false, true, ['berlin.kvm1/web1 on']]);
  says('berlin', [offer('kvm1', { stale: 'no route to host' })]);
  await showing(shown, 'berlin.kvm1 libvirt: no route to host');
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'berlin.kvm1 libvirt');
});

await t.test('what somebody has put in the place of a value makes a provider out of date, until its site has written it again', async (t) => {
  const { site, says, shown, machines } = world(t);
  await putValues(site, valuesOf([['a', 'web1']]));
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'berlin.kvm1 libvirt');
  const words = 'on the bus, what the site tells of these machines was changed by somebody else (1 of 1 values)';
  await site.bucket(INVENTORY_BUCKET).put(chunkKey('berlin', 'kvm1', 0), Buffer.from('{}'));
  await showing(shown, `berlin.kvm1 libvirt: ${words}`);
  t.same(machines(), ['berlin.kvm1/web1 on']);
  await putValues(site, valuesOf([['a', 'web1', 'off']]));
  await showing(shown, 'berlin.kvm1 libvirt');
  await until(() => machines().join() === 'berlin.kvm1/web1 off', WITHIN, 'the new state');
  await site.bucket(INVENTORY_BUCKET).delete(chunkKey('berlin', 'kvm1', 0));
  await showing(shown, `berlin.kvm1 libvirt: ${words}`);
  t.same(machines(), ['berlin.kvm1/web1 off']);
  says('berlin', []);
  await showing(shown);
});

await t.test('a site that offers what the inventory does not have yet is waited for', async (t) => {
  const { site, says, shown, machines, registry } = world(t);
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'berlin.kvm1 libvirt: not listed yet');
  t.equal(registry.providerNamed('berlin.kvm1')!.listed, false);
  const [first, second] = valuesOf([['a', 'web1'], ['b', 'web2'], ['c', 'web3'], ['d', 'web4']], { chunks: 2 });
  await putValues(site, [first!]);
  await putValues(site, [second!]);
  await showing(shown, 'berlin.kvm1 libvirt');
  t.equal(machines().length, 4);
  says('paris', [offer('kvm1')], 'it is silent');
  await showing(shown, 'berlin.kvm1 libvirt', 'paris.kvm1 libvirt: UNREACHABLE: site paris: it is silent');
});

await t.test('what another site has the lease of has no machines here, and says who has it', async (t) => {
  const { site, says, shown, machines } = world(t);
  await putValues(site, valuesOf([['a', 'web1']], { provider: 'san1' }));
  says('berlin', [offer('san1')]);
  await showing(shown, 'berlin.san1 libvirt');
  says('berlin', [offer('san1', { held: false, stale: 'no lease san1: paris has it' })]);
  await showing(shown, 'berlin.san1 libvirt: no lease san1: paris has it');
  t.same(machines(), []);
  says('berlin', [offer('san1', { held: false })]);
  await showing(shown, 'berlin.san1 libvirt: another site has its lease');
});

await t.test('a name of the configuration stays its own, also where a reload takes it', async (t) => {
  const { site, says, shown, log, names, opened, registry, local, machines } = world(t, ['berlin.kvm1']);
  await putValues(site, [...valuesOf([['a', 'web1']]), ...valuesOf([['a', 'web1']], { provider: 'kvm2' })]);
  says('berlin', [offer('kvm1'), offer('kvm2')]);
  await showing(shown, 'berlin.kvm1 sim: not listed yet', 'berlin.kvm2 libvirt');
  t.same(log.filter((line) => line.includes('is not shown')).length, 1);
  names.add('berlin.kvm2');
  opened.review();
  const second = local('berlin.kvm2');
  t.teardown(() => second.close(0));
  registry.arrange([second]);
  opened.review();
  t.same(shown(), ['berlin.kvm1 sim: not listed yet', 'berlin.kvm2 sim: not listed yet']);
  t.same(machines(), []);
  t.same(log.filter((line) => line.includes('is not shown')).length, 2, 'each is told of once');
  registry.remove(second, false);
  names.delete('berlin.kvm2');
  opened.review();
  await showing(shown, 'berlin.kvm1 sim: not listed yet', 'berlin.kvm2 libvirt');
});

await t.test('the log of a hypervisor is there where its site says so', async (t) => {
  const { site, says, shown, registry, asked } = world(t);
  await putValues(site, valuesOf([['a', 'web1']]));
  says('berlin', [offer('kvm1')]);
  await showing(shown, 'berlin.kvm1 libvirt');
  const provider = registry.providerNamed('berlin.kvm1')!;
  t.equal(provider.supportsDmesg, false);
  await t.rejects(provider.dmesg(new AbortController().signal), { message: 'NOT SUPPORTED: berlin.kvm1 has no hypervisor log to show' });
  says('berlin', [offer('kvm1', { dmesg: true })]);
  t.equal(provider.supportsDmesg, true);
  t.equal(await provider.dmesg(new AbortController().signal), 'a line');
  t.same(asked, ['berlin.kvm1']);
});
