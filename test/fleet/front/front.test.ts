import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { FleetSettings } from '../../../src/config/config.js';
import { Front } from '../../../src/fleet/front/front.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { State, type CopyOutbox, type OutboxOptions } from '../../../src/store/state.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { ScriptedSite } from '../../support/fleet/scripted-site.js';
import { until } from '../../support/until.js';
import { WITHIN } from './world.js';

const offered = (name: string, held = true) => ({ name, type: 'libvirt', held, dmesg: false });

/** A front, and how many entries of its audit are kept as its configuration says. */
function world(t: Test, sites: readonly string[] = []) {
  const hub = new MemoryHub();
  const signer = new NkeySigner(newSeed());
  const folder = mkdtempSync(join(tmpdir(), 'argo-front-'));
  const kept: (() => number)[] = [];
  const state = new class extends State {
    override outbox(namespace: string, options: OutboxOptions = {}): CopyOutbox {
      if (options.most) kept.push(options.most);
      return super.outbox(namespace, options);
    }
  }(folder, () => undefined);
  const scripted = sites.map((name) => new ScriptedSite(hub, name, signer.publicKey));
  const settings: FleetSettings = {
    roles: new Set(['front']), name: 'f1', servers: [], caFile: undefined, nkey: {}, aliveInterval: 5000, deadAfter: 20_000, sendTimeout: 5000, outboxSize: 2000, share: ['*'], fronts: [],
    sites: new Map(scripted.map(({ name, signer: { publicKey } }) => [name, publicKey])), fingerprint: '',
  };
  const front = new Front({ bus: hub.connect('f1'), signer, state, rows: async () => [], log: () => undefined, arrange: () => undefined }, settings);
  t.teardown(async () => {
    await front.close();
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  front.start();
  return { front, settings, sites: scripted, kept };
}

await t.test('as much of its audit is kept as the configuration says, also after a reload', (t) => {
  const { front, settings, kept } = world(t);
  t.same(kept.map((most) => most()), [2000]);
  front.configure({ ...settings, outboxSize: 5000 });
  t.same(kept.map((most) => most()), [5000]);
  t.end();
});

await t.test('sites and their providers are told by name, in whichever order they were heard of', async (t) => {
  const { front, sites } = world(t, ['s10', 's2', 'berlin']);
  for (const site of sites) site.alive({ providers: [offered('san1', false), offered('kvm10'), offered('kvm2')] });
  await until(() => front.sites().every(({ trouble }) => trouble === undefined), WITHIN, 'all to be heard of');
  t.same(front.sites().map(({ name, providers }) => [name, ...providers.map((one) => one.name)].join(' ')), [
    'berlin berlin.kvm2 berlin.kvm10 berlin.san1', 's2 s2.kvm2 s2.kvm10 s2.san1', 's10 s10.kvm2 s10.kvm10 s10.san1',
  ]);
  t.same(front.sites()[0]!.providers.map(({ held }) => held), [true, true, false]);
});
