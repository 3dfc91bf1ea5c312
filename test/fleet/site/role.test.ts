import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { FleetSettings } from '../../../src/config/config.js';
import { newSeed, NkeySigner } from '../../../src/fleet/signer.js';
import { SiteRole, type SiteRoleSettings } from '../../../src/fleet/site/role.js';
import { Gate } from '../../../src/instances/gate.js';
import { State, type CopyOutbox, type OutboxOptions } from '../../../src/store/state.js';
import { RememberedAudit } from '../../server/core.js';
import { MemoryHub } from '../../support/fleet/memory-bus.js';
import { World } from './data-world.js';

await t.test('as many events are kept as the configuration says, also after a reload', async (t) => {
  const world = new World();
  const folder = mkdtempSync(join(tmpdir(), 'argo-site-'));
  const kept = new Map<string, () => number>();
  const state = new class extends State {
    override outbox(namespace: string, options: OutboxOptions = {}): CopyOutbox {
      if (options.most) kept.set(namespace, options.most);
      return super.outbox(namespace, options);
    }
  }(folder, () => undefined);
  const { events, registry, log } = world;
  const gate = new Gate({ registry, audit: new RememberedAudit(), log, actionTimeout: () => 10_000, groups: () => new Map() });
  const settings = (outboxSize: number): SiteRoleSettings => {
    const fleet: FleetSettings = {
      roles: new Set(['site']), name: 'berlin', servers: [], caFile: undefined, nkey: {}, aliveInterval: 5000, deadAfter: 20_000, sendTimeout: 5000, outboxSize, share: ['*'], fronts: [],
      sites: undefined, fingerprint: '',
    };
    return { fleet, groups: new Map(), providers: world.settings };
  };
  const role = new SiteRole(
    { gate, registry, events, state, bus: new MemoryHub().connect('berlin'), signer: new NkeySigner(newSeed()), log, incarnation: 'incarnation-0001', version: '1.2.3' }, settings(2000),
  );
  role.start();
  const sizes = (): object => Object.fromEntries([...kept].map(([name, most]) => [name, most()]));
  t.same(sizes(), { 'fleet events': 2000, 'fleet deeds': 2000 });
  role.configure(settings(5000));
  t.same(sizes(), { 'fleet events': 5000, 'fleet deeds': 5000 });
  await world.end();
  await role.close();
  await state.close();
  rmSync(folder, { recursive: true, force: true });
});
