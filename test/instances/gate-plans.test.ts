import { inspect } from 'node:util';
import t from 'tap';
import type { Actor } from '../../src/instances/actor.js';
import { ArgoError } from '../../src/kit/errors.js';
import type { Command, Context } from '../../src/plugins/host/contract.js';
import { startPlans, type PlansCore } from '../plans/arrange.js';

/** The ways round the gate to plans that a plugin may try with what it is given. */

const NEVER = new AbortController().signal;

/** Each thing that may be asked of plans, as a promise. */
const WAYS: Readonly<Record<string, (plans: Actor['plans']) => Promise<unknown>>> = {
  preview: (plans) => plans.preview('power-cut', NEVER)[Symbol.asyncIterator]().next(),
  run: (plans) => plans.run('power-cut'),
  status: (plans) => plans.status('power-cut'),
  follow: (plans) => plans.follow('power-cut', NEVER)[Symbol.asyncIterator]().next(),
  cancel: (plans) => plans.cancel('power-cut', { undo: false }),
  resume: (plans) => plans.resume('power-cut'),
  hold: (plans) => plans.hold('power-cut'),
  release: (plans) => plans.release('power-cut'),
};

const command = (right: Command['right'], run: (request: Context) => Promise<void>): Command => ({ word: 'trial', usage: 'trial', help: 'x', right, run });

/** Runs `work` within a command of some right, for steve who may everything. */
async function within(core: (commands: readonly Command[]) => Promise<PlansCore>, right: Command['right'], work: (request: Context) => Promise<void>): Promise<PlansCore> {
  let thrown: unknown;
  const arranged = await core([command(right, async (request) => {
    await work(request).catch((error: unknown) => { thrown = error; });
  })]);
  await arranged.say('steve', 'trial');
  if (thrown !== undefined) throw thrown as Error;
  return arranged;
}

await t.test('a command of another right gets nothing, whoever uses it', async (t) => {
  for (const right of ['read', 'power', 'configure', 'host', 'console', 'anyone'] as const) {
    const { engine } = await within((commands) => startPlans(t, { plugins: { trial: { commands } } }), right, async ({ actor: { plans } }) => {
      for (const [name, way] of Object.entries(WAYS)) await t.rejects(way(plans), new ArgoError('NOT ALLOWED'), `${right}: ${name}`);
      t.same([await plans.list(), await plans.runs()], [[], []]);
    });
    t.same([await engine.runs(), engine.isHeld('power-cut')], [[], false]);
  }
});

await t.test('what is kept is worth nothing when the request is over', async (t) => {
  let kept: Actor['plans'] | undefined;
  let actor: Actor | undefined;
  const { engine } = await within((commands) => startPlans(t, { plugins: { trial: { commands } } }), 'plan', async (request) => {
    [kept, actor] = [request.actor.plans, request.actor];
    await request.actor.plans.run('webs-off');
  });
  for (const plans of [kept!, actor!.plans]) {
    for (const [name, way] of Object.entries(WAYS)) await t.rejects(way(plans), new ArgoError('NOT ALLOWED', 'the request is over'), name);
    t.same([await plans.list(), await plans.runs()], [[], []]);
  }
  t.equal((await engine.runs()).length, 1);
});

await t.test('what a request follows ends with it', async (t) => {
  let changes: AsyncIterator<unknown> | undefined;
  const { engine } = await within((commands) => startPlans(t, { plugins: { trial: { commands } } }), 'plan', async ({ actor: { plans } }) => {
    const { id } = await plans.run('webs-off');
    changes = plans.follow(id, NEVER)[Symbol.asyncIterator]();
    await changes.next();
  });
  engine.target('1a2b3c00', 'all', 'demo/web1', 'sent');
  t.same(await changes!.next(), { value: undefined, done: true });
  t.equal(engine.following, 0);
});

await t.test('what is handed out is one\'s own copy and shows nothing of what is inside', async (t) => {
  await within((commands) => startPlans(t, { plugins: { trial: { commands } } }), 'plan', async ({ actor: { plans } }) => {
    t.same([Reflect.ownKeys(plans), JSON.stringify(plans), Object.isFrozen(Object.getPrototypeOf(plans)), plans.constructor], [[], '{}', true, Object]);
    t.notMatch(inspect(plans, { showHidden: true, depth: 9 }), /desk|engine|identity|principal/i);
    const run = await plans.run('power-cut');
    run.began.setFullYear(1970);
    t.throws(() => { (run as { state: string }).state = 'done'; }, TypeError);
    const { run: again, stages } = await plans.status(run.id);
    t.not(again.began.getFullYear(), 1970);
    t.ok(Object.isFrozen(stages) && stages.every((stage) => Object.isFrozen(stage) && Object.isFrozen(stage.after) && Object.isFrozen(stage.targets)));
    t.ok(Object.isFrozen((await plans.list())[0]));
  });
});

await t.test('what is handed in is what the contract says', async (t) => {
  const { engine } = await within((commands) => startPlans(t, { plugins: { trial: { commands } } }), 'plan', async ({ actor: { plans } }) => {
    for (const name of [undefined, 5, ['power-cut'], { toString: () => 'power-cut' }] as unknown as string[]) {
      await t.rejects(plans.run(name), { message: /^BAD REQUEST/ });
      await t.rejects(plans.status(name), { message: /^BAD REQUEST/ });
    }
    for (const signal of [undefined, { aborted: false }] as unknown as AbortSignal[]) {
      await t.rejects(plans.follow('power-cut', signal)[Symbol.asyncIterator]().next(), { message: /^BAD REQUEST/ });
    }
    for (const name of ['__proto__', 'constructor', '']) await t.rejects(plans.run(name), { message: /^NO SUCH PLAN/ });
  });
  t.same(await engine.runs(), []);
});

await t.test('a gateway\'s actor goes by its account alone; without plans there are none', async (t) => {
  const { authenticator, gate } = await startPlans(t);
  const identity = { name: 'webs', principal: authenticator.account('webs')!, onTakenAway: () => () => undefined };
  const { plans } = gate.actor({ identity, through: undefined, origin: 'test' });
  t.same((await plans.list()).map(({ name }) => name), ['webs-off']);
  await t.rejects(plans.run('power-cut'), new ArgoError('NO SUCH PLAN', 'power-cut'));
});
