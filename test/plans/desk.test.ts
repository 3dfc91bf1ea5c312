import t from 'tap';
import { PLANS, PLANS_CONFIG, startPlans } from './arrange.js';
import { planOf, stageOf } from '../support/plan-engine.js';
import { ArgoError } from '../../src/kit/errors.js';
import { parseConfig } from '../support/configuration.js';

const OK = '200 OK\n300 DONE\n';
const names = (reply: string): string[] => reply.split('\n').slice(1, -2).map((line) => line.split(' ')[0]!);

await t.test('who may use which plan', async (t) => {
  const { say } = await startPlans(t);
  t.same(names(await say('steve', 'plan')), ['power-cut', 'power-back', 'webs-off']);
  t.same(names(await say('cutter', 'plan')), ['power-cut'], 'the word plan:NAME, in any case');
  t.same(names(await say('webs', 'plan')), ['webs-off'], 'the right plan on all that it names');
  t.equal(await say('reader', 'plan'), '400 NOT ALLOWED\n');
  t.match(await say('cutter', 'help'), /^plan \[/m, 'the word plan is theirs who may use one plan');
  t.notMatch(await say('reader', 'help'), /^plan \[/m);
});

await t.test('one that may not be used is as one that is not there', async (t) => {
  const { engine, say } = await startPlans(t);
  for (const plan of ['power-cut', 'nothing']) {
    t.equal(await say('webs', `plan ${plan}`), `400 NO SUCH PLAN: ${plan}\n`, 'who could use a plan of that name');
    for (const line of [`plan ${plan}`, `plan run ${plan}`, `plan hold ${plan}`, `plan status ${plan}`]) {
      t.equal(await say('cutter', line.replace('power-cut', 'power-back')), '400 NOT ALLOWED\n', `who could not: ${line}`);
    }
  }
  await say('steve', 'plan run power-cut');
  for (const id of ['1a2b3c00', '1a2b3c99']) {
    for (const word of ['status', 'cancel', 'resume']) t.equal(await say('webs', `plan ${word} ${id}`), `400 NO SUCH RUN: ${id}\n`);
  }
  t.equal(await say('webs', 'plan status'), OK);
  t.match(await say('cutter', 'plan status'), /^200 OK\nrun 1a2b3c00 power-cut /);
  t.equal(await say('cutter', 'plan cancel power-cut --undo'), '400 NOT ALLOWED\n', 'nor may it be undone by a plan that may not be used');
  t.match(await say('cutter', 'plan cancel power-cut'), /^200 OK\n/);
  t.same((await engine.runs()).map(({ state }) => state), ['cancelled']);
});

await t.test('where nothing is selected, the grant alone counts; what cannot be found out is refused', async (t) => {
  let hasListedAll = true;
  const { engine, say } = await startPlans(t, { plans: [planOf('empty', [stageOf('none', ['nobody*'])]), ...PLANS], hasListedAll: () => hasListedAll });
  t.same(names(await say('webs', 'plan')), ['empty', 'webs-off']);
  hasListedAll = false;
  t.same(names(await say('webs', 'plan')), [], 'a provider may come to have what it names');
  t.same(names(await say('steve', 'plan')), ['empty', 'power-cut', 'power-back', 'webs-off']);
  hasListedAll = true;
  engine.select = async ({ stages }) => stages.map(({ name }) => ({ stage: name, targets: [], remarks: ['more than 10 are selected'] }));
  t.same(names(await say('webs', 'plan')), [], 'what it selects is not known');
  t.same(names(await say('steve', 'plan')), ['empty', 'power-cut', 'power-back', 'webs-off'], 'who may use it on all that there is needs to know nothing');
  engine.select = undefined;
  const selected = await engine.targets(PLANS.find(({ name }) => name === 'webs-off')!);
  engine.select = async ({ stages }) => stages.map(({ name }) => ({ ...selected[0]!, stage: name, remarks: ['FAILED: tags cannot be read'] }));
  t.same(names(await say('webs', 'plan')), [], 'nor is what a tag selects beside what is known');
  engine.select = () => Promise.reject(new ArgoError('UNREACHABLE', 'demo'));
  t.same(names(await say('webs', 'plan')), []);
  t.equal(await say('webs', 'plan run webs-off'), '400 NO SUCH PLAN: webs-off\n');
  t.match(await say('steve', 'plan run webs-off'), /^200 OK\nrun /);
  t.equal(await say('steve', 'plan power-cut'), '400 UNREACHABLE: demo\n');
});

await t.test('a plan that a reload has taken away: its run is theirs who may use it on everything', async (t) => {
  const { engine, say } = await startPlans(t);
  await say('cutter', 'plan run power-cut');
  engine.remove('power-cut');
  t.equal(await say('webs', 'plan status 1a2b3c00'), '400 NO SUCH RUN: 1a2b3c00\n');
  t.equal(await say('steve', 'plan run power-cut'), '400 NO SUCH PLAN: power-cut\n');
  t.match(await say('steve', 'plan cancel 1a2b3c00'), /^200 OK\nrun 1a2b3c00 power-cut cancelled/);
});

await t.test('a grant that is taken away ends the following at once', async (t) => {
  const { engine, authenticator, gate, say } = await startPlans(t);
  await say('steve', 'plan run power-cut');
  const account = authenticator.account('cutter')!;
  const identity = { name: 'cutter', get principal() { return authenticator.account('cutter') ?? authenticator.anonymous; }, onTakenAway: () => () => undefined };
  const { plans } = gate.actor({ identity, through: undefined, origin: 'test' });
  const changes = plans.follow('1a2b3c00', new AbortController().signal)[Symbol.asyncIterator]();
  t.match((await changes.next()).value, { run: { id: '1a2b3c00' } });
  engine.target('1a2b3c00', 'workers', 'demo/web1', 'sent');
  t.match((await changes.next()).value, { targets: [{ instance: 'demo/web1', state: 'sent' }] });
  authenticator.configure(await parseConfig('argo-server.conf', PLANS_CONFIG.replace('plan:Power-Cut', 'plan:other'), '/nonexistent'));
  t.not(authenticator.account('cutter'), account);
  engine.target('1a2b3c00', 'workers', 'demo/web1', 'done');
  await t.rejects(changes.next(), new ArgoError('NOT ALLOWED'));
  t.equal(engine.following, 0);
});

await t.test('a dry run with a provider that does not answer', async (t) => {
  const many = Array.from({ length: 300 }, (_, at) => `"dead${at}"`).join(', ');
  const faults = Array.from({ length: 300 }, (_, at) => `dead${at} = "hang"`).join(', ');
  const config = PLANS_CONFIG.replace('"web*", "db"', '"*"') + `[providers.gone]\ntype = "sim"\ninstances = [${many}]\nfaults = { ${faults} }\n`;
  const { say } = await startPlans(t, { config, plans: [planOf('all', [stageOf('first', ['gone/*', 'web1']), stageOf('second', ['gone/*', 'db'])])] });
  const lines = (await say('steve', 'plan all')).split('\n').slice(1, -1);
  t.equal(lines.pop(), '400 FAILED: 600 of 602');
  t.match(lines.filter((line) => line.includes('no answer'))[0], /^first gone\/dead\d+: UNREACHABLE: no answer from dead\d+; clean shutdown, then power off after 120 s \(it is unknown\)$/);
  const second = lines.filter((line) => line.startsWith('second'));
  t.match(second.find((line) => line.includes('demo/db')), /^second demo\/db: clean shutdown/);
  t.equal(second.filter((line) => /^second gone\/dead\d+: UNREACHABLE: gone does not answer$/.test(line)).length, 300, 'not asked a second time');
});

await t.test('of a run from before its plan was changed only machines are told that the right holds for', async (t) => {
  const { engine, say } = await startPlans(t);
  await say('steve', 'plan run webs-off');
  engine.target('1a2b3c00', 'all', 'demo/web1', 'done');
  engine.target('1a2b3c00', 'all', 'demo/secret', 'done');
  const told = async (account: string): Promise<string[]> => [...(await say(account, 'plan status webs-off')).matchAll(/^target all (\S+)/gm)].map(([, name = '']) => name);
  t.same(await told('webs'), ['demo/web1']);
  t.same(await told('steve'), ['demo/web1', 'demo/secret']);
  engine.end('1a2b3c00', 'done');
  t.notMatch(await say('webs', 'plan status 1a2b3c00 --follow'), 'secret');
});

await t.test('what the plan\'s account was told of the way to a provider is for who sees all of it', async (t) => {
  const { engine, say } = await startPlans(t);
  await say('steve', 'plan run webs-off');
  engine.target('1a2b3c00', 'all', 'demo/web1', 'failed', 'UNREACHABLE: SSH: root@10.0.0.7: refused');
  engine.target('1a2b3c00', 'all', 'demo/web2', 'failed', 'FAILED: no disk');
  t.match(await say('steve', 'plan status webs-off'), /^target all demo\/web1 stop failed "UNREACHABLE: SSH: root@10\.0\.0\.7: refused"$/m);
  const told = await say('webs', 'plan status webs-off');
  t.match(told, /^target all demo\/web1 stop failed UNREACHABLE$/m);
  t.match(told, /^target all demo\/web2 stop failed "FAILED: no disk"$/m);
  const config = `${PLANS_CONFIG}faults = { web1 = "hang" }\n`;
  const hanging = await startPlans(t, { config });
  t.match(await hanging.say('steve', 'plan webs-off'), /^all demo\/web1: UNREACHABLE: no answer from web1; /m);
  t.match(await hanging.say('webs', 'plan webs-off'), /^all demo\/web1: UNREACHABLE$/m);
});
