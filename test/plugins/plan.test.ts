import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { connect } from '../support/line-client.js';
import { until } from '../support/until.js';
import { startPlans } from '../plans/arrange.js';

const TIME = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
const OK = '200 OK\n300 DONE\n';

/** A reply with times taken out. */
const plain = (reply: string): string => reply.replace(new RegExp(TIME, 'g'), 'TIME').replace(/\d\d:\d\d:\d\d/g, 'CLOCK');

await t.test('plans, and how they stand', async (t) => {
  const { engine, say } = await startPlans(t);
  t.equal(await say('steve', 'plan'), '200 OK\npower-cut idle\npower-back idle\nwebs-off idle\n300 DONE\n');
  t.equal(plain(await say('steve', 'plan run power-cut')), '200 OK\nrun 1a2b3c00 power-cut running began=TIME stages=0/2 targets=0/0 cause=steve\n300 DONE\n');
  t.same(engine.causes.map(({ source, words }) => [source, words]), [['account steve', 'steve']]);
  engine.target('1a2b3c00', 'workers', 'demo/web1', 'sent');
  engine.target('1a2b3c00', 'workers', 'demo/web2', 'failed', 'TIMEOUT: still on');
  t.equal(await say('steve', 'plan hold webs-off'), OK);
  t.equal(plain(await say('steve', 'plan')), '200 OK\npower-cut running stage 0/2 1/2 CLOCK run=1a2b3c00 failed=1\npower-back idle\nwebs-off held\n300 DONE\n');
  t.equal(await say('steve', 'plan run webs-off'), '400 WRONG STATE: webs-off is held\n');
  t.equal(await say('steve', 'plan run power-cut'), '400 WRONG STATE: power-cut runs already: 1a2b3c00\n');
  t.equal(await say('steve', 'plan release webs-off'), OK);
  engine.setRun('1a2b3c00', { state: 'asking', reason: 'cut off by a restart' });
  t.match(plain(await say('steve', 'plan')), 'power-cut asking stage 0/2 1/2 CLOCK run=1a2b3c00 failed=1\n');
  t.match(await say('steve', 'plan resume power-cut'), /^200 OK\nrun 1a2b3c00 power-cut running /);
  t.equal(await say('steve', 'plan resume power-cut'), '400 WRONG STATE: 1a2b3c00 is running\n');
  engine.end('1a2b3c00', 'failed', 'too many');
  t.match(plain(await say('steve', 'plan')), 'power-cut idle last=failed run=1a2b3c00 ended=TIME\n');
});

await t.test('triggers are told to those who may use all that they begin', async (t) => {
  const { say } = await startPlans(t, {
    triggers: [
      { name: 'ups', type: 'nut', plans: ['power-cut', 'power-back'], words: 'rack1: on line, charge 98 %' },
      { name: 'heat', type: 'command', plans: ['power-cut'], words: 'not asked yet' },
    ],
  });
  t.equal(await say('steve', 'plan triggers'), '200 OK\nups nut plans=power-cut,power-back now="rack1: on line, charge 98 %"\nheat command plans=power-cut now="not asked yet"\n300 DONE\n');
  t.equal(await say('cutter', 'plan triggers'), '200 OK\nheat command plans=power-cut now="not asked yet"\n300 DONE\n');
  t.equal(await say('webs', 'plan triggers'), OK);
  t.equal(await say('reader', 'plan triggers'), '400 NOT ALLOWED\n');
  t.match(await say('steve', 'plan triggers ups'), /^400 USAGE/);
});

await t.test('a dry run says what would be done, stage by stage, and does nothing', async (t) => {
  const { audit, engine, say } = await startPlans(t);
  for (const line of ['plan power-cut', 'plan run power-cut --dry-run', 'plan power-cut --dry-run']) {
    const [accepted, ...lines] = (await say('steve', line)).split('\n').slice(0, -1);
    const end = lines.pop();
    t.same([accepted, end], ['200 OK', '300 DONE'], line);
    t.same(lines.slice(0, 3).sort(), [
      'workers demo/web1: clean shutdown, then power off after 90 s (it is on)', 'workers demo/web2: clean shutdown, then power off after 90 s (it is on)',
      'workers demo/web3: nothing, it is off already',
    ], line);
    t.same(lines.slice(3), ['"db stage": after workers', '"db stage": NOT ALLOWED: secret', '"db stage" demo/db: clean shutdown, then power off after 120 s (it is on)'], line);
  }
  t.same([audit.begun, await engine.runs()], [[], []]);
});

await t.test('what is wrong is said', async (t) => {
  const { say } = await startPlans(t);
  for (const [line, reply] of [
    ['plan run', /^400 USAGE: plan \[NAME/], ['plan cancel', /^400 USAGE/], ['plan power-cut power-back', /^400 USAGE/], ['plan run a b', /^400 USAGE/], ['plan --follow', /^400 USAGE/],
    ['plan status --follow', /^400 USAGE/], ['plan run power-cut --undo', /^400 USAGE/], ['plan hold power-cut --dry-run', /^400 USAGE/], ['plan run power-cut --what', /^400 USAGE/],
    ['plan nothing', /^400 NO SUCH PLAN: nothing\n$/], ['plan run nothing', /^400 NO SUCH PLAN: nothing\n$/], ['plan hold nothing', /^400 NO SUCH PLAN: nothing\n$/],
    ['plan status nothing', /^400 NO SUCH PLAN: nothing\n$/], ['plan status power-cut', /^400 NO SUCH RUN: power-cut has not run yet\n$/], ['plan cancel 0000abcd', /^400 NO SUCH RUN: 0000abcd\n$/],
    ['plan status', /^200 OK\n300 DONE\n$/],
  ] as const) t.match(await say('steve', line), reply, line);
});

await t.test('a run in full, and the list of runs', async (t) => {
  const { engine, say } = await startPlans(t);
  await say('steve', 'plan run power-cut');
  const id = '1a2b3c00';
  engine.setRun(id, { deadline: new Date(), cause: 'trigger ups: low-battery (charge 18 %)' });
  engine.stage(id, 'workers', 'running', { ended: 1, failed: 1, all: 3 });
  engine.target(id, 'workers', 'demo/web1', 'failed', 'TIMEOUT: "still" on');
  engine.target(id, 'workers', 'demo/my vm', 'sent');
  t.equal(plain(await say('steve', `plan status ${id}`)), [
    '200 OK',
    `run ${id} power-cut running began=TIME deadline=TIME stages=0/2 targets=1/2 failed=1 cause="trigger ups: low-battery (charge 18 %)"`,
    'stage workers running 1/3 failed=1',
    'stage "db stage" waiting 0/0 after=workers',
    String.raw`target workers demo/web1 stop failed "TIMEOUT: \"still\" on"`,
    'target workers "demo/my vm" stop sent',
    '300 DONE', ''].join('\n'));
  engine.end(id, 'cancelled', 'power is back');
  await say('steve', 'plan run power-cut');
  const runs = (await say('steve', 'plan status')).split('\n');
  t.match(runs[1], /^run 1a2b3c01 power-cut running /, 'newest first');
  t.match(runs[2], /^run 1a2b3c00 power-cut cancelled .* reason="power is back"$/);
  t.match(await say('steve', 'plan status power-cut'), /^200 OK\nrun 1a2b3c01 /, 'a name stands for the last run');
});

await t.test('cancel, and what undoes it', async (t) => {
  const { engine, say } = await startPlans(t);
  await say('steve', 'plan run power-cut');
  t.match(await say('steve', 'plan cancel 1a2b3c00'), /^200 OK\nrun 1a2b3c00 power-cut cancelled .* reason="cancelled by steve"\n300 DONE: no further order is sent; what was sent stays sent\n$/);
  t.equal(await say('steve', 'plan cancel 1a2b3c00'), '400 WRONG STATE: 1a2b3c00 has ended\n');
  await say('steve', 'plan run power-cut');
  t.match(await say('steve', 'plan cancel power-cut --undo'), /^200 OK\nrun 1a2b3c01 power-cut cancelled .*\nrun 1a2b3c02 power-back running .*\n300 DONE/);
  await say('steve', 'plan run webs-off');
  t.equal(await say('steve', 'plan cancel webs-off --undo'), '400 WRONG STATE: webs-off has no undo\n');
  await say('steve', 'plan run power-cut');
  await say('steve', 'plan hold power-back');
  t.equal(await say('steve', 'plan cancel power-cut --undo'), '400 WRONG STATE: power-back is held\n');
  t.match((await engine.runs()).map(({ plan, state }) => `${plan} ${state}`), ['power-cut running', 'webs-off running', 'power-back running', 'power-cut cancelled', 'power-cut cancelled'], 'nothing is cancelled where it cannot be undone');
  await say('steve', 'plan release power-back');
  engine.begin = () => Promise.reject(new ArgoError('AUDIT UNAVAILABLE', 'the journal of plans: the disk is full'));
  t.equal(await say('steve', 'plan cancel power-cut --undo'), '400 AUDIT UNAVAILABLE: run 1a2b3c04 is cancelled, and power-back was not begun: the journal of plans: the disk is full\n', 'what was done is not hidden by what was not');
});

await t.test('follow: all of it, then what changes, then how it ended', async (t) => {
  const core = await startPlans(t);
  const { port } = await core.listen();
  const { engine } = core;
  const client = await connect(port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  client.line('plan run power-cut --follow');
  await client.expect(/stage "db stage" waiting 0\/0 after=workers\n/);
  engine.target('1a2b3c00', 'workers', 'demo/web1', 'sent');
  await client.expect(/target workers demo\/web1 stop sent\n/);
  engine.target('1a2b3c00', 'workers', 'demo/web1', 'failed', 'TIMEOUT');
  engine.target('1a2b3c00', 'workers', 'demo/web2', 'done');
  engine.stage('1a2b3c00', 'workers', 'done', { ended: 2, failed: 1, all: 2 });
  const block = await client.expect(/target workers demo\/web2 stop done\n/);
  t.match(block, /^run 1a2b3c00 power-cut running .* targets=2\/2 failed=1 .*\nstage workers done 2\/2 failed=1\ntarget workers demo\/web1 stop failed TIMEOUT\n/, 'in blocks');
  engine.end('1a2b3c00', 'failed');
  t.match(await client.expect(/400 .*\n/), /^run 1a2b3c00 power-cut failed .* ended=.*\n400 FAILED: 1 of 2\n$/);
  for (const [state, reason, end] of [
    ['done', undefined, '300 DONE'], ['cancelled', 'power is back', '400 FAILED: power is back'], ['failed', 'the time is over', '400 FAILED: the time is over'], ['unknown', undefined, '400 UNCERTAIN: it was cut off'],
  ] as const) {
    client.line('plan run webs-off');
    const [, id = ''] = /run (\S+) webs-off/.exec(await client.expect('300 DONE\n'))!;
    client.line(`plan status ${id} --follow`);
    await client.expect(/stage all waiting 0\/0\n/);
    engine.end(id, state, reason);
    t.match((await client.expect(/(300|400) .*\n/)).trimEnd().split('\n').at(-1), end);
  }
  t.equal((await client.ask('plan status webs-off --follow')).comment, 'UNCERTAIN: it was cut off', 'of a run that is over');
  await until(() => engine.following === 0, 5000, 'nobody follows');
});

await t.test('the next line, and leaving, end the following and not the run', async (t) => {
  const core = await startPlans(t);
  const { port } = await core.listen();
  const { engine } = core;
  const [client, leaving] = [await connect(port), await connect(port)];
  t.teardown(() => client.destroy());
  for (const one of [client, leaving]) await one.ask('auth steve steve');
  client.line('plan run power-cut --follow');
  leaving.line('plan run webs-off --follow');
  for (const one of [client, leaving]) await one.expect(/stage .* waiting 0\/0.*\n/);
  await until(() => engine.following === 2, 5000, 'both follow');
  client.line('nop');
  t.match(await client.expect(/300 DONE\n200 OK\n300 DONE\n/), /300 DONE\n200 OK\n300 DONE\n$/);
  leaving.socket.resetAndDestroy();
  await until(() => engine.following === 0, 5000, 'nobody follows');
  t.same((await engine.runs()).map(({ state }) => state), ['running', 'running']);
  client.send('plan status power-cut --follow\nplan webs-off\n');
  await client.expect(/200 OK\n300 DONE\n/);
  t.match(await client.expect(/300 DONE\n/), /all demo\/web1: /, 'a dry run is not ended by what is sent behind it');
});

await t.test('who reads slowly costs no queue', async (t) => {
  const core = await startPlans(t);
  const { port } = await core.listen();
  const { engine } = core;
  const client = await connect(port);
  t.teardown(() => client.destroy());
  await client.ask('auth steve steve');
  client.line('plan run webs-off --follow');
  await client.expect(/stage all waiting 0\/0\n/);
  client.socket.pause();
  const filling = 'x'.repeat(500);
  for (let round = 0; round < 20; round += 1) {
    for (let target = 0; target < 500; target += 1) engine.target('1a2b3c00', 'all', `demo/${target}`, 'failed', `${round} ${filling}`);
    await new Promise((resolve) => { setTimeout(resolve, 60); });
  }
  engine.end('1a2b3c00', 'done');
  client.socket.resume();
  const text = await client.expect(/400 FAILED: 500 of 500\n/);
  const told = text.split('\n').filter((line) => line.startsWith('target '));
  t.equal(new Map(told.map((line) => [line.split(' ')[2], line])).size, 500);
  t.ok([...new Map(told.map((line) => [line.split(' ')[2], line])).values()].every((line) => line.includes('"19 x')), 'the last of each is told last');
  t.ok(told.length < 20 * 500, `${told.length} lines of ${20 * 500}`);
});

await t.test('events of plans', async (t) => {
  const core = await startPlans(t);
  const { port } = await core.listen();
  const clients = await Promise.all(['steve', 'cutter', 'webs', 'reader'].map(async (account) => {
    const client = await connect(port);
    t.teardown(() => client.destroy());
    await client.ask(`auth ${account} steve`);
    return client;
  }));
  const [steve, cutter, webs] = clients as [typeof clients[0], typeof clients[0], typeof clients[0]];
  steve!.line('watch --types=plan,server');
  cutter!.line('watch');
  t.equal((await webs!.ask('watch')).comment, 'NOT ALLOWED', 'it may not read');
  const reader = clients[3]!;
  reader.line('watch --types=plan,server');
  for (const one of [steve, cutter, reader]) await one!.expect('200 OK\n');
  core.events.add({ type: 'plan', plan: 'power-cut', run: '1a2b3c00', outcome: 'begun' });
  core.events.add({ type: 'plan', plan: 'webs-off', run: '1a2b3c01', outcome: 'begun' });
  core.events.add({ type: 'plan', plan: 'power-cut', run: '1a2b3c00', stage: 'db stage', outcome: 'failed', reason: '2 of 3' });
  core.events.add({ type: 'server', now: 'reloaded' });
  const told = async (client: typeof steve): Promise<string[]> =>
    (await client!.expect(/server reloaded\n/)).split('\n').slice(0, -1).map((line) => line.split(' ').slice(2).join(' '));
  t.same(await told(steve), ['plan power-cut begun run=1a2b3c00', 'plan webs-off begun run=1a2b3c01', 'plan power-cut failed run=1a2b3c00 stage="db stage" reason="2 of 3"', 'server reloaded']);
  t.same(await told(cutter), ['plan power-cut begun run=1a2b3c00', 'plan power-cut failed run=1a2b3c00 stage="db stage" reason="2 of 3"', 'server reloaded']);
  t.same(await told(reader), ['server reloaded']);
});
