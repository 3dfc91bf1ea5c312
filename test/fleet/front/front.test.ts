import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { FleetSettings } from '../../../src/config/config.js';
import { Front } from '../../../src/fleet/front/front.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { State } from '../../../src/store/state.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { ScriptedSite } from '../../support/fleet/scripted-site.js';
import { until } from '../../support/until.js';
import { WITHIN } from './world.js';

const offered = (name: string, held = true) => ({ name, type: 'libvirt', held, dmesg: false });

await t.test('sites and their providers are told by name, in whichever order they were heard of', async (t) => {
  const hub = new MemoryHub();
  const signer = new NkeySigner(newSeed());
  const folder = mkdtempSync(join(tmpdir(), 'argo-front-'));
  const state = new State(folder, () => undefined);
  const sites = ['s10', 's2', 'berlin'].map((name) => new ScriptedSite(hub, name, signer.publicKey));
  const settings: FleetSettings = {
    roles: new Set(['front']), name: 'f1', servers: [], caFile: undefined, nkey: {}, aliveInterval: 5000, deadAfter: 20_000, sendTimeout: 5000, share: ['*'], fronts: [],
    sites: new Map(sites.map(({ name, signer: { publicKey } }) => [name, publicKey])), fingerprint: '',
  };
  const front = new Front({ bus: hub.connect('f1'), signer, state, log: () => undefined, arrange: () => undefined }, settings);
  t.teardown(async () => {
    await front.close();
    await state.close();
    rmSync(folder, { recursive: true, force: true });
  });
  front.start();
  for (const site of sites) site.alive({ providers: [offered('san1', false), offered('kvm10'), offered('kvm2')] });
  await until(() => front.sites().every(({ trouble }) => trouble === undefined), WITHIN, 'all to be heard of');
  t.same(front.sites().map(({ name, providers }) => [name, ...providers.map((one) => one.name)].join(' ')), [
    'berlin berlin.kvm2 berlin.kvm10 berlin.san1', 's2 s2.kvm2 s2.kvm10 s2.san1', 's10 s10.kvm2 s10.kvm10 s10.san1',
  ]);
  t.same(front.sites()[0]!.providers.map(({ held }) => held), [true, true, false]);
});
