import t, { type Test } from 'tap';
import type { GrantSettings } from '../../src/config/config.js';
import type { Right } from '../../src/instances/operation-table.js';
import type { Permission } from '../../src/instances/principal.js';
import { WORKS, type WorkName } from '../../src/instances/work-table.js';
import type { ArgoError } from '../../src/kit/errors.js';
import { FakeMachine } from './fake-driver.js';
import { world, type World } from './works-world.js';

/** Every piece of work, for every kind of account, on everything that is there or is not, and through commands of every right: what comes of it is compared with the sentences of the specification. */

const ACCOUNTS: Readonly<Record<string, readonly GrantSettings[]>> = {
  all: [{ instances: ['*'], commands: ['*'] }],
  reader: [{ instances: ['*'], commands: ['read'] }],
  maker: [{ instances: ['kvm1/*'], commands: ['configure'] }],
  hosts: [{ instances: ['*'], commands: ['host'] }],
  power: [{ instances: ['*'], commands: ['power', 'console', 'shell', 'plan'] }],
  word: [{ instances: ['kvm1/*'], commands: ['image.create', 'route.list', 'machine.delete', 'machine.migrate'] }, { instances: ['kvm2/*'], commands: ['machine.migrate'] }],
  half: [{ instances: ['kvm1/*'], commands: ['*'] }, { instances: ['kvm2/*'], commands: ['read'] }],
  tenant: [{ instances: ['lj'], commands: ['*'] }],
  one: [{ instances: ['kvm1/lj'], commands: ['read', 'configure'] }],
  looker: [{ instances: ['kvm1/db'], commands: [] }],
  absent: [{ instances: ['gone/*', 'kvm1/ghost'], commands: ['*'] }],
  command: [{ instances: ['kvm1/*'], commands: ['image'] }],
  mover: [{ instances: ['*'], commands: ['migrate', 'console'] }],
  nobody: [],
};
const THROUGH: readonly (Permission | undefined)[] = [
  undefined, ...(['read', 'power', 'configure', 'host', 'plan', 'console', 'shell'] as const).map((right: Right) => ({ word: 'trial', right })),
  { word: 'image', right: 'configure' }, { word: 'image', right: 'read' }, { word: 'image.create', command: 'image', right: 'configure' },
];
const MACHINES: Readonly<Record<string, readonly string[]>> = { kvm1: ['lj', 'db'], kvm2: ['lj'] };
const PROVIDERS = ['kvm1', 'kvm2', 'gone'];
const NAMES = Object.keys(WORKS) as WorkName[];
const guard = { rollback: 5000, force: false };
const route = { destination: '10.0.0.0', prefix: 8, interface: 'eth0' };
const ARGS: Readonly<Record<string, object>> = {
  'image.create': { name: 'a', size: 2n ** 30n, format: 'raw' }, 'image.delete': { name: 'a' }, 'template.describe': { template: 'a' }, 'template.deploy': { template: 'a', name: 'b', settings: {} }, 'template.delete': { template: 'a' },
  'template.preview': { template: 'a' }, 'template.create': { template: 'a', settings: {} }, 'machine.delete': { disks: false }, 'machine.migrate': { to: 'kvm2' }, 'hardware.change': { vcpus: 1 },
  'machine.install': { name: 'a', osVariant: 'b', osType: 'c', iso: 'd', disk: { size: 2n ** 30n }, memory: 2n ** 30n, vcpus: 1, apic: true, acpi: true },
  'route.add': { ...route, ...guard }, 'route.replace': { old: route, new: route, ...guard }, 'route.delete': { ...route, ...guard }, 'gateway.read': { interface: 'eth0' }, 'gateway.set': { gateway: '10.0.0.1', interface: 'eth0', ...guard },
  'bridge.add': { name: 'br0', ...guard }, 'bridge.change': { name: 'br0', ...guard }, 'bridge.delete': { name: 'br0', ...guard }, 'bridge.add-member': { bridge: 'br0', member: 'eth0', ...guard }, 'bridge.delete-member': { bridge: 'br0', member: 'eth0', ...guard },
  'stats.host': { figures: ['cpu'] },
};

// the model: sentences about names and words, without the code's patterns and tables

const RIGHT_OF = (name: WorkName): 'read' | 'configure' | 'host' => {
  if (/^(route|gateway|bridge)\./.test(name) && !/\.(list|read)$/.test(name)) return 'host';
  return /\.(list|groups|describe|preview|limits|read|host|guests)$/.test(name) ? 'read' : 'configure';
};
const IS_OF_MACHINE = (name: WorkName): boolean => /^(hardware\.|template\.(preview|create)|machine\.(delete|migrate))/.test(name);

const matches = (pattern: string, provider: string, name: string): boolean => [`*`, `${provider}/*`, name, `${provider}/${name}`].includes(pattern);
const covers = (pattern: string, provider: string): boolean => pattern === '*' || pattern === `${provider}/*`;
/** What a request stands for in grants; undefined: its command may not do that, whoever uses it. */
const permissionOf = (name: WorkName, through: Permission | undefined): Permission | undefined => {
  if (through === undefined) return { word: name, command: name === 'machine.migrate' ? 'migrate' : name.replace(/\..*/, ''), right: RIGHT_OF(name) };
  return RIGHT_OF(name) === 'read' || through.right === RIGHT_OF(name) ? through : undefined;
};
const holds = ({ commands }: GrantSettings, { word, command, right }: Permission): boolean => commands.some((held) => ['*', word, command, right].includes(held));
const may = (account: string, name: WorkName, through: Permission | undefined, reaches: (pattern: string) => boolean): boolean => {
  const permission = permissionOf(name, through);
  return permission !== undefined && ACCOUNTS[account]!.some((grant) => holds(grant, permission) && grant.instances.some(reaches));
};

function expectedOnProvider(account: string, name: WorkName, through: Permission | undefined, provider: string): string {
  const isThere = provider in MACHINES;
  if (may(account, name, through, (pattern) => covers(pattern, provider))) return isThere ? 'done' : 'NO SUCH PROVIDER';
  const some = name === 'stats.guests' && isThere && MACHINES[provider]!.some((one) => may(account, name, through, (pattern) => matches(pattern, provider, one)));
  return some ? 'done' : 'NOT ALLOWED';
}

function expectedOnMachine(account: string, name: WorkName, through: Permission | undefined, provider: string, id: string): string {
  const isThere = MACHINES[provider]?.includes(id) === true;
  const patterns = ACCOUNTS[account]!.flatMap(({ instances }) => instances);
  if (!isThere) return patterns.some((pattern) => covers(pattern, provider)) ? 'NO SUCH INSTANCE' : 'NOT ALLOWED';
  if (!may(account, name, through, (pattern) => matches(pattern, provider, id))) return 'NOT ALLOWED';
  if (name !== 'machine.migrate') return 'done';
  if (!may(account, name, through, (pattern) => covers(pattern, 'kvm2'))) return 'NOT ALLOWED';
  return provider === 'kvm2' ? 'BAD REQUEST' : 'done';
}

/** Every method that the table names, each of which counts. */
function abilitiesOf(on: 'provider' | 'instance', called: (name: string) => unknown): Record<string, Record<string, () => Promise<unknown>>> {
  const abilities: Record<string, Record<string, () => Promise<unknown>>> = {};
  for (const [name, row] of Object.entries(WORKS)) if (row.on === on) (abilities[row.ability] ??= {})[row.method] = async () => called(name);
  return abilities;
}

async function arrange(t: Test): Promise<World & { readonly calls: string[] }> {
  const calls: string[] = [];
  const called = (name: string): unknown => {
    calls.push(name);
    return name === 'stats.guests' ? MACHINES['kvm1']!.map((id) => ({ id })) : name.endsWith('.list') ? [] : {};
  };
  const hosts = Object.fromEntries(Object.entries(MACHINES).map(([name, machines]) => [name, {
    machines: machines.map((one) => Object.assign(new FakeMachine(one, 'off'), { abilities: abilitiesOf('instance', called) })),
    abilities: abilitiesOf('provider', called), destination: () => ({ provider: name, access: {} }),
  }]));
  return Object.assign(await world(t, { hosts, accounts: ACCOUNTS }), { calls });
}

await t.test('every work, account, subject and command', async (t) => {
  const { actor, calls, audit } = await arrange(t);
  let decisions = 0;
  const seen = new Map<string, number>();
  for (const account of Object.keys(ACCOUNTS)) {
    for (const through of THROUGH) {
      const one = actor(account, through);
      for (const name of NAMES) {
        const subjects = IS_OF_MACHINE(name) ? PROVIDERS.flatMap((provider) => ['lj', 'db', 'ghost'].map((id) => ({ provider, id }))) : PROVIDERS;
        for (const on of subjects) {
          const title = `${account}${through ? ` by ${through.word} (${through.right})` : ''}: ${name} on ${typeof on === 'string' ? on : `${on.provider}/${on.id}`}`;
          const expected = typeof on === 'string' ? expectedOnProvider(account, name, through, on) : expectedOnMachine(account, name, through, on.provider, on.id);
          const unplanned = [calls.length, audit.begun.length] as const;
          const plan = await one.planWork(name, on as never, (ARGS[name] ?? {}) as never).then(() => 'done', (error: unknown) => (error as ArgoError).phrase);
          if (calls.slice(unplanned[0]).some((called) => !called.endsWith('.list')) || audit.begun.length > unplanned[1]) t.fail(`${title}: a dry run did something`);
          const before = [calls.length, audit.begun.length] as const;
          const actual = await one.work(name, on as never, (ARGS[name] ?? {}) as never).then(() => 'done', (error: unknown) => (error as ArgoError).phrase);
          if (actual !== expected || plan !== expected) t.same([actual, plan], [expected, expected], title);
          const isDone = expected === 'done';
          const isRecorded = isDone && RIGHT_OF(name) !== 'read';
          if (calls.length - before[0] !== Number(isDone) || audit.begun.length - before[1] !== Number(isRecorded)) t.fail(`${title}: what was called and recorded`);
          if (audit.begun.length > before[1]) t.match(audit.begun.at(-1), { account, instance: typeof on === 'string' ? on : `${on.provider}/${on.id}` });
          seen.set(expected, (seen.get(expected) ?? 0) + 1);
          decisions += 1;
        }
      }
    }
  }
  t.same([...seen.keys()].sort(), ['BAD REQUEST', 'NO SUCH INSTANCE', 'NO SUCH PROVIDER', 'NOT ALLOWED', 'done']);
  t.equal(decisions, [...seen.values()].reduce((sum, one) => sum + one));
  t.ok(decisions > 10_000 && seen.get('done')! > decisions / 20 && seen.get('NOT ALLOWED')! > decisions / 20, `${decisions} decisions of all kinds`);
});

await t.test('what is offered is what may be done', async (t) => {
  const { actor } = await arrange(t);
  for (const account of Object.keys(ACCOUNTS)) {
    for (const through of THROUGH) {
      for (const on of [...PROVIDERS, ...PROVIDERS.flatMap((provider) => ['lj', 'db', 'ghost'].map((id) => ({ provider, id })))]) {
        const allowed = NAMES.filter((name) => IS_OF_MACHINE(name) === (typeof on !== 'string')).filter((name) => (typeof on === 'string' ? expectedOnProvider(account, name, through, on)
          : may(account, name, through, (pattern) => matches(pattern, on.provider, on.id)) && MACHINES[on.provider]?.includes(on.id) ? 'done' : '') === 'done');
        let offered: readonly string[] = [];
        try {
          offered = actor(account, through).works(on);
        } catch (error) {
          t.match((error as ArgoError).phrase, /^(NOT ALLOWED|NO SUCH PROVIDER|NO SUCH INSTANCE)$/);
        }
        if (JSON.stringify(offered) !== JSON.stringify(allowed)) t.same(offered, allowed, `${account} ${through?.word} (${through?.right}) ${JSON.stringify(on)}`);
      }
    }
  }
});

await t.test('who may read only some machines is told of these', async (t) => {
  const { actor } = await arrange(t);
  for (const account of Object.keys(ACCOUNTS)) {
    for (const through of THROUGH) {
      if (expectedOnProvider(account, 'stats.guests', through, 'kvm1') !== 'done') continue;
      const expected = MACHINES['kvm1']!.filter((id) => may(account, 'stats.guests', through, (pattern) => matches(pattern, 'kvm1', id)));
      t.same((await actor(account, through).work('stats.guests', 'kvm1', {})).map(({ id }) => id), expected, account);
    }
  }
});
