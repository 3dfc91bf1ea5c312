import t from 'tap';
import { Account } from '../../src/auth/account.js';
import { Gate } from '../../src/instances/gate.js';
import { RememberedAudit } from '../server/core.js';
import { FakeMachine, fakeProvider } from './fake-driver.js';

const MACHINE = { provider: 'fake', id: 'lj' };

await t.test('a mark of boots is told only where another process could go by it, and to who may reboot', async (t) => {
  const machine: FakeMachine & { bootMarkLasts?: boolean } = new FakeMachine('lj', 'on');
  const { registry } = await fakeProvider([machine]);
  const gate = new Gate({ registry, audit: new RememberedAudit(), log: () => undefined, actionTimeout: () => 60_000, groups: () => new Map() });
  const actor = (commands: string[]) => gate.actor({
    identity: { name: 'kim', principal: new Account({ name: 'kim', passwordHash: '', from: undefined, grants: [{ instances: ['*'], commands }] }, new Map()), onTakenAway: () => () => undefined },
    through: undefined, origin: 'x',
  });
  t.equal(await actor(['power']).bootMark(MACHINE), undefined, 'what was counted here says nothing to another');
  machine.bootMarkLasts = true;
  t.equal(await actor(['power']).bootMark(MACHINE), '0');
  await t.rejects(actor(['read']).bootMark(MACHINE), { message: 'NOT ALLOWED' });
});
