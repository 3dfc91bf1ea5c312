import t from 'tap';
import { Account } from '../../src/auth/account.js';
import { Observer, Service } from '../../src/auth/service.js';
import type { Grantable, Permission } from '../../src/instances/principal.js';

const LJ: Grantable = { provider: 'lab', name: 'lj' };
const STOP: Permission = { word: 'stop', right: 'power' };
const STATUS: Permission = { word: 'status', right: 'read' };

await t.test('an account that works for a gateway may what the configuration says of it now, and nothing without it', (t) => {
  const accounts = new Map([['ups', new Account({ name: 'ups', passwordHash: '', from: undefined, grants: [{ instances: ['lab/*'], commands: ['power'] }] }, new Map())]]);
  const watching = new Set<{ refresh(): void }>();
  const service = new Service('ups', { account: (name) => accounts.get(name), watching });
  let taken = 0;
  const end = service.onTakenAway(() => { taken += 1; });
  const reload = (): void => watching.forEach((one) => one.refresh());
  t.same([service.principal.allows(LJ, STOP), service.principal.allows(LJ, STATUS), service.principal.sees(LJ)], [true, false, true]);
  reload();
  t.equal(taken, 0, 'it is there as before');
  accounts.clear();
  reload();
  t.equal(taken, 1);
  t.same([service.principal.allows(LJ, STOP), service.principal.sees(LJ), service.name], [false, false, 'ups']);
  end();
  reload();
  t.equal(taken, 1, 'nobody listens any more');
  t.end();
});

await t.test('who makes figures of all instances sees each, may do nothing, and is never taken away', (t) => {
  const observer = new Observer();
  const end = observer.onTakenAway();
  t.equal(observer.principal, observer);
  t.equal(observer.name, '');
  t.same([observer.sees(), observer.reaches(), observer.coversProvider(), observer.coversName()], [true, true, true, true]);
  t.same([observer.allows(), observer.allowsProvider(), observer.allowsSomewhere()], [false, false, false]);
  end();
  t.end();
});
