import t from 'tap';
import * as v from 'valibot';
import type { TriggerTypes } from '../../src/config/catalogue.js';
import type { Config } from '../../src/config/config.js';
import { parseConfig } from '../../src/config/load.js';
import { stoppedBy } from '../../src/config/plans.js';
import { secretEntries } from '../../src/config/secret.js';
import { text } from '../../src/config/values.js';
import { openLoaders } from '../../src/daemon/loaders.js';
import { faultsIn } from '../support/configuration.js';

const FILE = 'argo-server.conf';
const UPS = '[accounts.ups]\npassword = "$2b$12$NputH3vRqBIdT3Fcq5GCFOmeRf0Z.6rUOcz6VRBiuKunt6qCHPKGO"\n';

/** A kind of trigger that names one plan, and may have a password. */
const BELL: TriggerTypes = {
  types: () => ['bell'],
  options: (type) => Promise.resolve(type === 'bell' ? { plan: text, hears: v.optional(text), ...secretEntries('password') } : undefined),
  plans: (_type, options) => Promise.resolve([{ plan: (options as { plan: string }).plan, path: ['plan'] }]),
  hears: (_type, options) => Promise.resolve((options as { hears?: string }).hears === undefined ? [] : [{ plan: (options as { hears: string }).hears, path: ['hears'] }]),
  groups: () => Promise.resolve([]),
  faults: (_type, options) => Promise.resolve((options as { plan: string }).plan === 'loud' ? [{ message: 'too loud', path: ['plan'] }] : []),
};

const parse = (source: string): Promise<Config> =>
  parseConfig(FILE, source, '/state', { ...openLoaders(() => undefined).catalogues, triggers: () => Promise.resolve(BELL) });

const faultsOf = (source: string): Promise<string[]> => faultsIn(parse(source));

await t.test('every key of a plan, and what is taken where one is left out', async (t) => {
  const { plans } = await parse(`${UPS}
[groups]
workers = ["w*"]
[plans.power-cut]
account = "ups"
time-limit = "12m"
resume = "ask"
exclusive = "power"
when-busy = "cancel"
undo = "power-back"
stages = [
  { name = "workers", stop = ["@workers"], parallel = 20, soft = "90s", then = "force", max-failures = "10%", on-failure = "force" },
  { name = "db", suspend = ["db[1-3]", "kvm/*"], after = ["workers"], pause-before = "10s", pause-between = "500ms", max-failures = 3, settle = { command = ["/bin/true", "x"], timeout = "2m" } },
]
[plans.power-back]
account = "ups"
[[plans.power-back.stages]]
name = "rest"
start = ["gw", "@stopped-by power-cut"]
wait = "on"
settle = { command = ["/bin/true"] }
[[plans.power-back.stages]]
name = "all"
stop = ["*"]
`);
  t.match(plans.get('power-cut'), {
    name: 'power-cut', account: 'ups', timeLimit: 720_000, resume: 'ask', exclusive: 'power', whenBusy: 'cancel', undo: 'power-back',
    stages: [
      { name: 'workers', action: 'stop', targets: ['@workers'], after: [], parallel: 20, soft: 90_000, then: 'force', pauseBefore: 0, pauseBetween: 0, settle: undefined, maxFailures: { percent: 10 }, onFailure: 'force' },
      { name: 'db', action: 'suspend', targets: ['db[1-3]', 'kvm/*'], after: ['workers'], parallel: 16, soft: undefined, then: 'leave', pauseBefore: 10_000, pauseBetween: 500,
        settle: { command: ['/bin/true', 'x'], timeout: 120_000 }, maxFailures: { count: 3 }, onFailure: 'abort' },
    ],
  });
  t.match(plans.get('power-back'), {
    timeLimit: undefined, resume: 'continue', exclusive: undefined, whenBusy: 'wait', undo: undefined,
    stages: [
      { action: 'start', targets: ['gw', '@stopped-by power-cut'], maxFailures: { count: 0 }, onFailure: 'abort', settle: { timeout: 300_000 } },
      { action: 'stop', maxFailures: { count: 0 }, onFailure: 'continue' },
    ],
  });
  t.same([stoppedBy('@stopped-by a'), stoppedBy('@stopped-by'), stoppedBy('stopped-by a'), stoppedBy('@workers')], ['a', undefined, undefined, undefined]);
});

const plan = (rest: string): string => `[plans.p]\naccount = "ups"\n${rest}\n`;
const stages = (...list: string[]): string => plan(`stages = [\n${list.map((one) => `  { ${one} },\n`).join('')}]`);
const stage = (rest: string): string => stages(`name = "s", ${rest}`);
const GOOD = 'stages = [{ name = "s", stop = ["*"] }]';

/** A source, the place of its one fault, and its words. */
const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  // tables and names
  ['plans = 1', '1:1', /plans must be a table/], ['plans.p = 1', '1:7', /p: a table is expected/], ['[plans.p]\nstages = []\naccount = "ups"', '2:1', /stages: must not be empty/],
  ['[plans."a b"]', '1:1', /"a b" cannot be used as a name in \[plans\]/], ['[plans.run]', '1:1', /"run" cannot be used/], ['[plans.Status]', '1:1', /cannot be used/], ['[plans.0123abcd]', '1:1', /cannot be used/],
  [`${plan(GOOD)}[plans.P]\naccount = "ups"\n${GOOD}`, '4:1', /P and p differ in capitals only/],
  [`[plans.p]\n${GOOD}`, '1:1', /account is missing/], [`[plans.p]\naccount = "nobody"\n${GOOD}`, '2:1', /there is no account nobody/], ['[plans.p]\naccount = "ups"', '1:1', /stages is missing/],
  [plan(`${GOOD}\ntimelimit = "1m"`), '4:1', /unknown key timelimit/], [plan(`${GOOD}\ntime-limit = "0s"`), '4:1', /more than zero/], [plan(`${GOOD}\nresume = "maybe"`), '4:1', /one of "continue", "ask", "drop"/],
  [plan(`${GOOD}\nwhen-busy = "wait"`), '4:1', /when-busy needs exclusive/], [plan(`${GOOD}\nexclusive = "power"\nwhen-busy = "kill"`), '5:1', /one of "wait", "cancel"/],
  // what undoes what
  [plan(`${GOOD}\nundo = "q"`), '4:1', /there is no plan q/], [plan(`${GOOD}\nundo = "p"`), '4:1', /would undo itself/],
  [`${plan(`${GOOD}\nundo = "q"`)}[plans.q]\naccount = "ups"\nundo = "p"\n${GOOD}`, '4:1', /undo each other: p by q by p/],
  // stages
  [stages('stop = ["*"]'), '4:3', /name is missing/], [stages('name = "a b", stop = ["*"]'), '4:5', /name: letters, digits/], [stages('name = "s"'), '4:3', /the stage s does nothing: it needs one of start, stop/],
  [stages('name = "s", stop = ["*"], start = ["*"]'), '4:17', /has start and stop: a stage does one thing/],
  [stages('name = "s", stop = ["a"]', 'name = "s", stop = ["b"]'), '5:5', /there is a stage s already/],
  [stage('stop = ["*"], stpo = 1'), '4:31', /unknown key stpo/], [stage('destroy = ["*"]'), '4:17', /unknown key destroy/],
  // names
  [stage('stop = []'), '4:17', /stop names nobody/], [stage('stop = "*"'), '4:17', /stop: a list of names is expected/], [stage('stop = ["a", "web[1-"]'), '4:30', /without \]/], [stage('stop = ["a", ""]'), '4:30', /must not be empty/],
  [stage('stop = ["a", "@nope"]'), '4:30', /there is no group @nope/], [stage('start = ["@stopped-by q"]'), '4:26', /there is no plan q/], [stage('start = ["@stopped-by"]'), '4:26', /there is no group @stopped-by/],
  [stage('stop = ["@tag:a/b"]'), '4:25', /"a\/b" is no tag: /],
  // order
  [stage('stop = ["*"], after = ["t"]'), '4:40', /there is no stage t in this plan/], [stage('stop = ["*"], after = ["s"]'), '4:31', /the stage s waits for itself/],
  [stages('name = "a", stop = ["*"], after = ["c"]', 'name = "b", stop = ["*"], after = ["a"]', 'name = "c", stop = ["*"], after = ["b"]'), '4:31', /wait for each other: a after c after b after a/],
  // keys that fit other actions only
  [stage('start = ["*"], soft = "1s"'), '4:32', /soft is for a stage that has stop, and this one has start/], [stage('reboot = ["*"], then = "force"'), '4:33', /then is for a stage that has stop/],
  [stage('stop = ["*"], wait = "on"'), '4:31', /wait is for a stage that has start/], [stage('start = ["*"], on-failure = "force"'), '4:32', /on-failure = "force" is for a stage that has stop/],
  // values
  [stage('stop = ["*"], parallel = 0'), '4:31', /at least 1/], [stage('stop = ["*"], soft = "0s"'), '4:31', /more than zero/], [stage('stop = ["*"], then = "kill"'), '4:31', /one of "force", "leave"/],
  [stage('stop = ["*"], pause-before = 3'), '4:31', /a duration in quotes/], [stage('stop = ["*"], max-failures = "10"'), '4:31', /a number of failures is expected/],
  [stage('stop = ["*"], max-failures = -1'), '4:31', /a number of failures/], [stage('stop = ["*"], max-failures = "101%"'), '4:31', /a number of failures/], [stage('stop = ["*"], on-failure = "stop"'), '4:31', /one of "continue"/],
  [stage('stop = ["*"], settle = { timeout = "1s" }'), '4:31', /command is missing/], [stage('stop = ["*"], settle = { command = [] }'), '4:42', /a program is expected/],
  [stage('stop = ["*"], settle = { command = ["ready"] }'), '4:42', /must begin with \//], [stage('stop = ["*"], settle = { command = ["/bin/true"], timeout = "0s" }'), '4:67', /more than zero/],
  // triggers
  ['[triggers.t]', '1:1', /triggers\.t needs a type: one of bell/], ['[triggers.t]\ntype = "siren"', '2:1', /there is no trigger for type "siren"; there are bell/], ['[triggers."a b"]\ntype = "bell"', '1:1', /cannot be used/],
  [`${plan(GOOD)}[triggers.t]\ntype = "bell"\nhears = "q"\nplan = "p"`, '6:1', /there is no plan q/],
  [`${plan(GOOD)}[triggers.t]\ntype = "bell"\nhears = "p"\nplan = "p"`, '6:1', /the plan p would begin itself, without end/],
  [`${plan(GOOD)}[plans.q]\naccount = "ups"\n${GOOD}\n[triggers.t]\ntype = "bell"\nhears = "p"\nplan = "q"\n[triggers.u]\ntype = "bell"\nhears = "q"\nplan = "p"`, '9:1', /would begin each other, without end: p, then q, then p/],
  [`${plan(GOOD)}[triggers.t]\ntype = "bell"\nplan = "q"`, '6:1', /there is no plan q/], [`${plan(GOOD)}[triggers.t]\ntype = "bell"\nplan = "p"\nx = 1`, '7:1', /unknown key x/],
  [`${plan(GOOD)}[triggers.t]\ntype = "bell"\nplan = "p"\npassword-file = "/nonexistent/x"`, '7:1', /nonexistent\/x cannot be read: there is no such file/], [`[plans.loud]\naccount = "ups"\n${GOOD}\n[triggers.t]\ntype = "bell"\nplan = "loud"`, '6:1', /too loud/],
];

await t.test('each fault with its file, line and column', async (t) => {
  for (const [source, place, message] of FAULTS) {
    const [first = 'no fault', ...others] = await faultsOf(`${source.trimEnd()}\n${UPS}`);
    t.ok(first.startsWith(`${FILE}:${place}: `), `${JSON.stringify(source)}: ${first}`);
    t.match(first, message);
    t.same(others, [], `${JSON.stringify(source)} has one fault`);
  }
});

await t.test('a plan that is wrong is still one that triggers and other plans may name', async (t) => {
  const faults = await faultsOf(`${UPS}${plan('stages = 1')}[plans.q]\naccount = "ups"\nundo = "p"\nstages = [{ name = "s", start = ["@stopped-by p"] }]\n[triggers.t]\ntype = "bell"\nplan = "p"\n`);
  t.match(faults, [/stages: a list of stages is expected/]);
  t.equal(faults.length, 1);
});

await t.test('fingerprints change with the table alone', async (t) => {
  const source = (limit: string, word: string): string => `${UPS}${plan(`${GOOD}\ntime-limit = "${limit}"`)}[triggers.t]\ntype = "bell"\nplan = "p"\npassword = "${word}"\n`;
  const prints = async (text: string): Promise<(string | undefined)[]> => {
    const { plans, triggers } = await parse(text);
    return [plans.get('p')?.fingerprint, triggers.get('t')?.fingerprint];
  };
  const [ofPlan, ofTrigger] = await prints(source('1m', 'a'));
  t.same(await prints(`# moved\n${source('1m', 'a')}`), [ofPlan, ofTrigger]);
  const [otherPlan, sameTrigger] = await prints(source('2m', 'a'));
  t.not(otherPlan, ofPlan);
  t.equal(sameTrigger, ofTrigger);
  t.not((await prints(source('1m', 'b')))[1], ofTrigger);
});
