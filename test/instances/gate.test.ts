import type { Duplex } from 'node:stream';
import { inspect } from 'node:util';
import t, { type Test } from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import type { Actor } from '../../src/instances/actor.js';
import type { Listing } from '../../src/instances/listing.js';
import type { Command, Context } from '../../src/plugins/host/contract.js';
import { SEED_CONFIG, startCore, type Core } from '../server/core.js';

/** Every way round the gate that a plugin may try with what it is given. None may reach a machine, another account or a later request. */

const command = (word: string, right: Command['right'], run: Command['run'], rest: Partial<Command> = {}): Command =>
  ({ word, usage: word, help: 'x', right, run, ...rest });

/** A server with commands of the test's own, and the state of a machine without asking through any of them. */
async function arrange(t: Test, commands: readonly Command[], config = SEED_CONFIG): Promise<Core & { state(name: string): Promise<string> }> {
  const core = await startCore(t, { config, plugins: { trial: { commands } } });
  return { ...core, state: async (name) => (await core.ask(await core.session('steve'), `status ${name}`)).split('\n')[1] ?? '' };
}

/** What `run` does as a command of some right on lj, for steve who may everything. @returns what it threw, or undefined */
async function tryAs(t: Test, right: Command['right'], attempt: (request: Context) => unknown): Promise<unknown> {
  let thrown: unknown;
  const core = await arrange(t, [command('trial', right, async (request) => {
    try {
      await attempt(request);
    } catch (error) {
      thrown = error;
    }
  }, { on: 'instances' })]);
  await core.ask(await core.session('steve'), 'trial lj');
  t.equal(await core.state('lj'), 'on', 'the machine is as it was');
  t.same(core.audit.begun, [], 'nothing was begun');
  return thrown;
}

const REFUSED = new ArgoError('NOT ALLOWED', 'the request is over');
const order = { action: 'stop', mode: 'hard', wait: false } as const;

await t.test('a target reaches no machine', async (t) => {
  await tryAs(t, 'read', async ({ targets: [target] }) => {
    for (const way of ['machine', 'owner', 'powerOff', 'turn', 'settings', 'watch']) t.notOk(way in target!, way);
    t.equal(Object.getPrototypeOf(target), Object.prototype);
    t.ok(Object.isFrozen(target) && Object.isFrozen(target!.capabilities));
    await (target as unknown as { machine: { powerOff(): Promise<void> } }).machine.powerOff();
  });
});

await t.test('nothing that is handed out shows what is inside', async (t) => {
  await tryAs(t, 'power', (request) => {
    for (const one of [request, request.actor, request.visible(), request.body]) {
      t.same(Reflect.ownKeys(one), [], 'no own keys or symbols');
      t.equal(JSON.stringify(one), '{}');
      t.notMatch(inspect(one, { showHidden: true, depth: 9 }), /registry|machine|mandate|principal|powerOff/);
      t.ok(Object.isFrozen(Object.getPrototypeOf(one)));
      t.equal(one.constructor, Object, 'the class is not found from its objects');
    }
  });
});

await t.test('a command does not do what needs another right', async (t) => {
  const attempts: Record<string, (request: Context) => unknown> = {
    'request.power': (request) => request.power(request.targets[0]!, 'stop'),
    'actor.power': ({ actor, targets: [target] }) => actor.power(target!, order),
    'an order that changes between two looks': ({ actor, targets: [target] }) => {
      let looks = 0;
      return actor.power(target!, { ...order, get action() { looks += 1; return looks % 2 === 1 ? 'status' as 'stop' : 'stop'; } });
    },
    'an action that is a reading': ({ actor, targets: [target] }) => actor.power(target!, { ...order, action: 'status' as 'stop' }),
    'a reading that is an action': ({ actor, targets: [target] }) => actor.read(target!, 'start' as 'status'),
    'a reading with two faces': ({ actor, targets: [target] }) => {
      let looks = 0;
      return actor.read(target!, { toString: () => (looks++ < 1 ? 'status' : 'powerOff') } as unknown as 'status');
    },
    'request.configure': (request) => request.configure(request.targets[0]!, { operation: 'autostart', value: true }),
    'actor.configure': ({ actor, targets: [target] }) => actor.configure(target!, { operation: 'autostart', value: true }),
    'a setting that is none': ({ actor, targets: [target] }) => actor.configure(target!, { operation: 'stop' as 'autostart', value: true }),
    'actor.tags.add': ({ actor, targets: [target] }) => actor.tags.add(target!, 'x'),
    'a host\'s tag': ({ actor }) => actor.tags.add('demo', 'x'),
    'what tagging would do': ({ actor, targets: [target] }) => actor.tags.plan({ what: 'add', subject: target!, tag: 'x' }),
    'actor.work on an instance': ({ actor, targets: [target] }) => actor.work('machine.delete', target!, { disks: true }),
    'actor.work on a provider': ({ actor }) => actor.work('image.delete', 'demo', { name: 'a.img' }),
    'actor.work with two faces': ({ actor }) => {
      let looks = 0;
      return actor.work({ toString: () => (looks++ < 1 ? 'image.list' : 'image.delete') } as unknown as 'image.delete', 'demo', { name: 'a.img' });
    },
    'a provider with two faces': ({ actor }) => actor.work('image.delete', { toString: () => 'demo', provider: 'demo', id: 'lj' } as unknown as string, { name: 'a.img' }),
    'a work that is a power action': ({ actor, targets: [target] }) => actor.work('stop' as 'machine.delete', target!, { disks: true }),
    'what would be done': ({ actor, targets: [target] }) => actor.planWork('machine.delete', target!, { disks: true }),
    'inherited names': ({ actor, targets: [target] }) => actor.power(target!, { ...order, action: 'constructor' as 'stop' }),
    __proto__: ({ actor, targets: [target] }) => actor.read(target!, '__proto__' as 'status'),
  };
  for (const right of ['read', 'console', 'host', 'plan'] as const) {
    for (const [name, attempt] of Object.entries(attempts)) {
      t.match(await tryAs(t, right, attempt), { phrase: /^(NOT ALLOWED|BAD REQUEST)$/ }, `${right}: ${name}`);
    }
  }
  for (const right of ['read', 'power', 'configure', 'shell'] as const) {
    t.match(await tryAs(t, right, ({ actor }) => actor.tags.setHostType([{ provider: 'demo', type: 'KVM' }])), { phrase: 'NOT ALLOWED' }, right);
  }
  for (const [right, name] of [['power', 'image.delete'], ['configure', 'bridge.delete'], ['host', 'image.delete'], ['read', 'bridge.delete'], ['shell', 'bridge.delete']] as const) {
    t.match(await tryAs(t, right, ({ actor }) => actor.work(name, 'demo', { name: 'x', rollback: 5000, force: true } as never)), { phrase: 'NOT ALLOWED' }, `${right}: ${name}`);
  }
  t.match(await tryAs(t, 'power', ({ actor, targets: [target] }) => actor.read(target!, 'shutdown' as 'status')), { phrase: 'BAD REQUEST' });
  t.match(await tryAs(t, 'power', ({ actor, targets: [target] }) => actor.read(target!, 'start' as 'status')), { phrase: 'BAD REQUEST' }, 'nor its own right past the audit');
});

await t.test('a console is opened by its own right alone, and shows nothing of what carries it', async (t) => {
  const attempts: Record<string, (request: Context) => unknown> = {
    'actor.console': ({ actor, targets: [target] }) => actor.console(target!, { kind: 'text' }),
    'request.console': (request) => request.console(request.targets[0]!, 'text'),
    'a shell': ({ actor, targets: [target] }) => actor.console(target!, { kind: 'shell' }),
    'a kind that is none': ({ actor, targets: [target] }) => actor.console(target!, { kind: 'constructor' as 'text' }),
    'a kind with two faces': ({ actor, targets: [target] }) => {
      let looks = 0;
      return actor.console(target!, { get kind() { looks += 1; return looks === 1 ? 'vnc' as const : 'text' as const; }, viewOnly: true });
    },
  };
  for (const right of ['read', 'power', 'configure', 'host', 'plan'] as const) {
    for (const [name, attempt] of Object.entries(attempts)) t.match(await tryAs(t, right, attempt), { phrase: /^(NOT ALLOWED|NOT SUPPORTED|BAD REQUEST)$/ }, `${right}: ${name}`);
  }
  t.match(await tryAs(t, 'console', attempts['a shell']!), { phrase: 'NOT ALLOWED' }, 'nor a shell by the right to consoles');
  let stream: Duplex | undefined;
  const core = await arrange(t, [command('trial', 'console', async ({ actor, targets: [target] }) => {
    const open = await actor.console(target!, { kind: 'text' });
    ({ stream } = open);
    t.ok(Object.isFrozen(open));
    t.notMatch(inspect(open, { showHidden: true, depth: 4 }), /SimConsole|registry|mandate|principal/);
    t.throws(() => open.resize({ columns: -1, rows: 1e9 }), { message: /^BAD REQUEST/ } as never);
  }, { on: 'instances' })]);
  await core.ask(await core.session('steve'), 'trial lj');
  t.equal(stream?.destroyed, true, 'it ends with the request');
  t.match(core.audit.begun, [{ command: 'trial: console.open', options: '--kind=text' }]);
});

await t.test('orders and calls are as the contract says', async (t) => {
  for (const [what, change, call] of [
    ['mode', { mode: 'HARD' }, {}], ['mode', { mode: null }, {}], ['wait', { wait: NaN }, {}], ['wait', { wait: -1 }, {}], ['wait', { wait: Infinity }, {}], ['wait', { wait: '1' }, {}],
    ['softFor', { mode: { softFor: 1e12 } }, {}], ['softFor of another action', { action: 'reboot', mode: { softFor: 1 } }, {}],
    ['deadline', {}, { deadline: NaN }], ['deadline', {}, { deadline: -5 }], ['deadline', {}, { deadline: 2 ** 40 }], ['signal', {}, { signal: { aborted: false } }],
  ] as const) {
    t.match(await tryAs(t, 'power', ({ actor, targets: [target] }) => actor.power(target!, { ...order, ...change } as unknown as typeof order, call as object)), { phrase: 'BAD REQUEST' }, what);
  }
});

await t.test('an order that is changed after the call is done as it was', async (t) => {
  const core = await arrange(t, [command('trial', 'power', async ({ actor, targets: [target] }) => {
    const mine = { action: 'pause' as 'pause' | 'stop', mode: 'soft' as const, wait: false };
    const done = actor.power(target!, mine);
    mine.action = 'stop';
    await done;
  }, { on: 'instances' })]);
  await core.ask(await core.session('steve'), 'trial lj');
  t.equal(await core.state('lj'), 'paused');
  t.same(core.audit.begun.map((entry) => entry.command), ['trial: pause']);
});

await t.test('forged names of instances', async (t) => {
  const outcomes: Record<string, string> = {};
  const refs: Record<string, object> = {
    unseen: { provider: 'demo', id: 'builder' },
    absent: { provider: 'demo', id: 'nobody' },
    'unseen under a false name': { provider: 'demo', id: 'builder', fullName: 'demo/lj' },
    'absent under a false name': { provider: 'demo', id: 'nobody', fullName: 'demo/lj' },
    'of no text': { provider: ['demo'], id: 'lj' },
    'of an object': { provider: 'demo', id: { toString: () => 'lj' } },
    'with a prototype': JSON.parse('{"__proto__":{"provider":"demo","id":"lj"}}') as object,
    proxy: new Proxy({ provider: 'demo', id: 'builder', fullName: 'demo/builder' }, {}),
  };
  const core = await arrange(t, [command('trial', 'read', async ({ actor }) => {
    for (const [name, ref] of Object.entries(refs)) {
      outcomes[name] = await actor.read(ref as Parameters<Actor['read']>[0], 'status').catch((error: unknown) => (error as ArgoError).message);
    }
    let looks = 0;
    const turning = { provider: 'demo', get id() { looks += 1; return looks === 1 ? 'lj' : 'builder'; } };
    t.equal(actor.known(turning).name, 'lj', 'what is looked at once does not turn into something else');
  })]);
  await core.ask(await core.session('tenant'), 'trial');
  t.match(outcomes, { unseen: 'NOT ALLOWED', absent: 'NOT ALLOWED', 'of no text': /^BAD REQUEST/, 'of an object': /^BAD REQUEST/, 'with a prototype': /^BAD REQUEST/, proxy: 'NOT ALLOWED' });
  t.equal(outcomes['unseen under a false name'], outcomes['absent under a false name'], 'a lie does not bring out what is there');
});

await t.test('what is kept is worth nothing when the request is over', async (t) => {
  for (const how of ['returns', 'resolves', 'throws', 'rejects']) {
    let kept: Context | undefined;
    let actor: Actor | undefined;
    let listing: Listing | undefined;
    const core = await arrange(t, [command('keep', 'power', (request) => {
      kept = request;
      if (how !== 'throws') [actor, listing] = [request.actor, request.visible()];
      if (how === 'throws') throw new Error('at once');
      return how === 'returns' ? undefined : how === 'resolves' ? Promise.resolve() : Promise.reject(new Error('later'));
    })]);
    const session = await core.session('tenant');
    await core.ask(session, 'keep');
    if (how === 'throws') t.equal(kept, undefined, 'tenant may not even begin it');
    const admin = await core.session('steve');
    await core.ask(admin, 'keep');
    const lj = { provider: 'demo', id: 'lj' } as never;
    for (const one of [actor ?? kept!.actor, kept!.actor]) {
      await t.rejects(one.power(lj, order), REFUSED, how);
      await t.rejects(one.read(lj, 'status'), REFUSED);
      await t.rejects(one.work('image.list', 'demo', {}), REFUSED);
      await t.rejects(one.work('machine.delete', lj, { disks: true }), REFUSED);
      await t.rejects(one.planWork('image.list', 'demo', {}), REFUSED);
      t.throws(() => one.works('demo'), REFUSED);
      await t.rejects(one.tasks.works(), REFUSED);
      await t.rejects(one.tags.list(), REFUSED);
      await t.rejects(one.tags.add(lj, 'x'), REFUSED);
      await t.rejects(one.enrolment.requests(), REFUSED);
      await t.rejects(one.select(['*']), REFUSED);
      t.throws(() => one.visible(), REFUSED);
      t.throws(() => one.known(lj), REFUSED);
      t.same(one.providers('dmesg'), []);
      t.equal(one.may('stop', lj), false);
      t.equal(one.signal.aborted, false);
    }
    if (listing) t.throws(() => [...listing!], REFUSED);
    if (listing) t.throws(() => [...listing!.names(() => true)], REFUSED);
    await t.rejects(kept!.login('steve', 'steve'), REFUSED);
    t.throws(() => kept!.close(), REFUSED);
    t.equal(admin.account?.name, 'steve', 'whoever is logged in stays so');
    t.equal(admin.closing, false);
    t.equal(await core.state('lj'), 'on');
  }
});

await t.test('methods cannot be replaced for others', async (t) => {
  await tryAs(t, 'power', (request) => {
    for (const one of [request, request.actor, request.visible(), request.body]) {
      const prototype = Object.getPrototypeOf(one) as Record<string, unknown>;
      for (const name of Reflect.ownKeys(prototype)) {
        t.equal(Reflect.set(prototype, name, () => 'mine'), false, String(name));
        t.equal(Reflect.defineProperty(prototype, name, { value: () => 'mine' }), false, String(name));
      }
    }
    for (const name of ['done', 'fail', 'accept', 'progress']) t.notOk(name in request.body, `the body has no ${name}`);
  });
});

await t.test('a request leaves nothing behind for the next', async (t) => {
  const core = await arrange(t, [command('spoil', 'anyone', (request) => {
    t.throws(() => { (request.options as { force: boolean }).force = true; }, TypeError);
    t.throws(() => (request.targets as unknown[]).push({}), TypeError);
    t.equal(Reflect.set(request.options, 'dryRun', true), false);
    request.body.unchanged(request.visible(), 'running', () => ['forged']);
  }, { on: undefined as never })]);
  const admin = await core.session('steve');
  await core.ask(admin, 'spoil');
  t.notMatch(await core.ask(admin, 'list running'), 'forged', 'a listing that another command made ready');
  await core.ask(admin, 'stop lj');
  t.equal(core.audit.begun.at(-1)?.options, '', 'no option of somebody else');
});

await t.test('rows of commands are the server\'s own', async (t) => {
  const mine = command('mine', 'power', (request) => request.each((target) => request.power(target, 'stop')), { on: 'instances', aliases: ['my'], options: ['force'] }) as { -readonly [Key in keyof Command]: Command[Key] };
  const rows: object[] = [];
  const core = await arrange(t, [mine, command('rows', 'anyone', (request) => { rows.push(...request.commands()); })]);
  mine.right = 'anyone';
  Reflect.deleteProperty(mine, 'on');
  mine.run = () => { throw new Error('replaced'); };
  t.match(await core.ask(await core.session('tenant'), 'mine lj'), /^400 NOT ALLOWED/);
  t.match(await core.ask(await core.session(), 'mine lj'), /^400 NOT AUTHENTICATED/);
  await core.ask(await core.session('steve'), 'rows');
  t.ok(rows.length > 20);
  for (const row of rows as Command[]) {
    t.notOk('run' in row, `${row.word} cannot be run by another`);
    t.ok(Object.isFrozen(row) && Object.isFrozen(row.aliases) && Object.isFrozen(row.options), row.word);
  }
  t.equal((await core.ask(await core.session('steve'), 'mine lj')), '200 OK\n300 DONE\n', 'its own row is what it was when it was loaded');
});

await t.test('a word that means a set in grants is no command', async (t) => {
  await t.rejects(arrange(t, [command('read', 'power', () => undefined)]), /names a set/);
});

await t.test('what is read is one\'s own copy, and errors carry no driver', async (t) => {
  const config = `${SEED_CONFIG}faults = { dev = "error" }\n`;
  let caught: ArgoError | undefined;
  const core = await arrange(t, [command('trial', 'read', async ({ actor, targets: [target] }) => {
    const facts = await actor.read(target!, 'info').catch((error: unknown) => { caught = error as ArgoError; return undefined; });
    t.ok(facts === undefined || Object.isFrozen(facts));
  }, { on: 'instances' })], config);
  await core.ask(await core.session('steve'), 'trial *');
  t.equal(caught?.cause, undefined);
});
