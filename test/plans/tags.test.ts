import t, { type Test } from 'tap';
import { Service } from '../../src/auth/service.js';
import type { Mandate } from '../../src/instances/principal.js';
import type { Tags } from '../../src/instances/tags.js';
import { StateError } from '../../src/store/state-error.js';
import type { TagStore } from '../../src/store/tags.js';
import { accountTable } from '../server/core.js';
import { until } from '../support/until.js';
import { cause, plan, stage, stageStates, targetStates, WITHIN, World, type Life, type WorldOptions } from './world.js';

/** Plans whose stages name tags: what has them when the stage begins is switched, by the plan's own account, and nothing else is. */

const ACCOUNTS = `[server]\nlisten = ["127.0.0.1:0"]\n${accountTable('ups', '"power", "read"', '"sim/*", "far/x1"')}${accountTable('kim', '"*"')}`;
const PROVIDERS = `
[providers.sim]
type = "sim"
instances = ["web1", "web2", "db1", { name = "off1", state = "off" }]
[providers.far]
type = "sim"
instances = ["x1", "x2"]
`;

const begin = async ({ engine }: Life, name: string): Promise<string> => {
  const begun = await engine.begin(name, cause());
  if (begun.result !== 'begun') throw new Error(begun.result);
  return begun.run;
};

/** Tags as kim changes them. */
function tagsOf({ gate, authenticator }: Life): {
  readonly tags: Tags;
  tag(name: string, tag: string): Promise<void>;
  untag(name: string, tag: string): Promise<void>;
} {
  const mandate: Mandate = { identity: new Service('kim', authenticator), through: undefined, origin: 'test' };
  const actor = gate.actor(mandate);
  const found = async (name: string) => (await actor.select([name])).instances[0]!;
  return {
    tags: actor.tags,
    tag: async (name, tag) => void (await actor.tags.add(await found(name), tag)),
    untag: async (name, tag) => void (await actor.tags.remove(await found(name), tag)),
  };
}

const arrange = async (t: Test, options: Pick<WorldOptions, 'plans'> & Partial<WorldOptions>): Promise<Life> => new World(t, { providers: PROVIDERS, accounts: ACCOUNTS, ...options }).open();

await t.test('what has a tag is switched, its own or its host\'s, where the plan\'s account may', async (t) => {
  const life = await arrange(t, { plans: [plan('cut', [stage('racks', 'stop', ['@tag:rack 7'], { soft: 5000 }), stage('hosts', 'stop', ['@tag:cellar'], { soft: 5000, after: ['racks'] })])] });
  const { tags, tag } = tagsOf(life);
  for (const name of ['web1', 'off1', 'far/x2']) await tag(name, 'rack 7');
  await tags.add('far', 'cellar');
  const ended = await life.ended(await begin(life, 'cut'));
  t.same(targetStates(ended), { 'sim/web1': 'done', 'sim/off1': 'already', 'far/x1': 'done' }, 'x2 bears both tags, and the plan\'s account does not see it');
  t.same(life.states(), { 'sim/web1': 'off', 'sim/web2': 'on', 'sim/db1': 'on', 'sim/off1': 'off', 'far/x1': 'off', 'far/x2': 'on' });
  t.ok(life.audit.begun.filter(({ command }) => !command.startsWith('tag.')).every(({ account: by }) => by === 'ups'));
});

await t.test('tags are looked at when the stage begins, and not again', async (t) => {
  const life = await arrange(t, { plans: [plan('cut', [stage('first', 'stop', ['web1'], { soft: 5000 }), stage('second', 'stop', ['@tag:late'], { soft: 5000, after: ['first'], pauseBefore: 1500 })])] });
  const { tag, untag } = tagsOf(life);
  await tag('db1', 'late');
  const run = await begin(life, 'cut');
  await until(async () => stageStates((await life.engine.run(run))!)['second'] === 'pausing', WITHIN, 'the pause');
  await untag('db1', 'late');
  await tag('web2', 'late');
  t.same(targetStates(await life.ended(run)), { 'sim/web1': 'done', 'sim/web2': 'done' });
  t.equal(life.states()['sim/db1'], 'on');
});

await t.test('a run that goes on after a kill has the machines with which its stage began', async (t) => {
  const world = new World(t, { providers: PROVIDERS, accounts: ACCOUNTS, plans: [plan('cut', [stage('racks', 'stop', ['@tag:rack'], { soft: 5000, parallel: 1, pauseBetween: 1500 })])] });
  const life = await world.open();
  const { tag } = tagsOf(life);
  for (const name of ['web1', 'db1']) await tag(name, 'rack');
  const run = await begin(life, 'cut');
  await until(() => life.states()['sim/web1'] === 'off' || life.states()['sim/db1'] === 'off', WITHIN, 'the first');
  life.kill();
  const next = tagsOf(life);
  await next.tag('web2', 'rack');
  await next.untag('db1', 'rack');
  await next.untag('web1', 'rack');
  await life.engine.close();
  await life.state.close();
  const after = await world.open();
  t.same(targetStates(await after.ended(run)), { 'sim/web1': 'done', 'sim/db1': 'done' });
  t.equal(after.states()['sim/web2'], 'on');
});

await t.test('a tag that nothing has is no failure; tags that cannot be read are one, and the stages behind it go by that', async (t) => {
  const nobody = await arrange(t, { plans: [plan('cut', [stage('racks', 'stop', ['@tag:none'])])] });
  const quiet = await nobody.ended(await begin(nobody, 'cut'));
  t.match([quiet.run.state, quiet.stages], ['done', [{ state: 'done', reason: /NO MATCH: @tag:none/ }]]);

  const fail = (): never => { throw new StateError('unavailable', 'no disk'); };
  const broken: TagStore = {
    all: async function* () {
      yield await Promise.reject(new StateError('unavailable', 'no disk'));
    },
    add: async () => fail(),
    remove: async () => fail(),
    rename: async () => fail(),
    replace: async () => fail(),
    setAbsent: async () => fail(),
    setPresent: async () => fail(),
    forget: async () => fail(),
  };
  const life = await arrange(t, { tags: broken, plans: [plan('start', [stage('racks', 'start', ['off1', '@tag:rack'], { onFailure: 'abort' }), stage('rest', 'stop', ['db1'], { after: ['racks'] })])] });
  const ended = await life.ended(await begin(life, 'start'));
  t.same(stageStates(ended), { racks: 'failed', rest: 'skipped' });
  t.match(ended.stages[0]!.reason, /FAILED: tags cannot be read/);
  t.same(targetStates(ended), { 'sim/off1': 'done' }, 'what is known is switched');
  t.equal(life.states()['sim/db1'], 'on');
});
