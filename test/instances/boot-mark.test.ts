import t from 'tap';
import { Account } from '../../src/auth/account.js';
import { Gate } from '../../src/instances/gate.js';
import { RememberedAudit } from '../server/core.js';
import { FakeMachine, fakeProvider } from './fake-driver.js';

const MACHINE = { provider: 'fake', id: 'lj' };

const kim = (gate: Gate, commands: string[]) => gate.actor({
  identity: { name: 'kim', principal: new Account({ name: 'kim', passwordHash: '', from: undefined, grants: [{ instances: ['*'], commands }] }, new Map()), onTakenAway: () => () => undefined },
  through: undefined, origin: 'x',
});

async function gateOf(machine: FakeMachine): Promise<Gate> {
  const { registry } = await fakeProvider([machine]);
  return new Gate({ registry, audit: new RememberedAudit(), log: () => undefined, actionTimeout: () => 60_000, groups: () => new Map() });
}

await t.test('a mark of boots is told only where another process could go by it, and to who may reboot', async (t) => {
  const machine: FakeMachine & { bootMarkLasts?: boolean } = new FakeMachine('lj', 'on');
  const gate = await gateOf(machine);
  const actor = (commands: string[]) => kim(gate, commands);
  t.equal(await actor(['power']).bootMark(MACHINE), undefined, 'what was counted here says nothing to another');
  machine.bootMarkLasts = true;
  t.equal(await actor(['power']).bootMark(MACHINE), '0');
  await t.rejects(actor(['read']).bootMark(MACHINE), { message: 'NOT ALLOWED' });
});

await t.test('a plan to wait for a reboot is refused where the reboot would be', async (t) => {
  const machine = new FakeMachine('lj', 'on');
  const actor = kim(await gateOf(machine), ['power']);
  const plan = (wait: boolean | number): Promise<string> => actor.plan(MACHINE, { action: 'reboot', mode: 'soft', wait }, {});
  for (const wait of [false, true]) t.equal(await plan(wait), 'clean reboot (it is on)');
  Object.assign(machine, { bootMark: undefined });
  t.equal(await plan(false), 'clean reboot (it is on)');
  for (const wait of [true, 20_000]) await t.rejects(plan(wait), { message: 'NOT SUPPORTED: a reboot of lj cannot be verified; leave out --wait' });
});
