import { mock } from 'node:test';
import t from 'tap';
import { ArgoError } from '../../src/kit/errors.js';
import { LONGEST_DEADLINE } from '../../src/kit/limits.js';
import type { Command, Context, Plugin, Target } from '../../src/plugins/host/contract.js';
import { Reply } from '../../src/server/reply.js';
import { SEED_CONFIG, startCore, STEVE_HASH, TextSink } from './core.js';

const ok = (...body: string[]): string => ['200 OK', ...body, '300 DONE', ''].join('\n');
const WORDS = [
  'auth', 'autostart', 'dmesg', 'disk', 'exit', 'help', 'info', 'ip', 'list', 'load', 'mac', 'nop', 'pause', 'quit', 'reboot', 'resume', 'rx',
  'start', 'status', 'stop', 'suspend', 'tx', 'unpause', 'uptime',
];

await t.test('a stranger may use auth, help, nop, exit and list', async (t) => {
  const { session, ask } = await startCore(t);
  const open = new Set(['auth', 'help', 'nop', 'exit', 'quit', 'list']);
  for (const word of [...WORDS, 'bogus', '*', '"li st"', '""', '__proto__', 'constructor', 'LIJST', '200', '--help']) {
    for (const rest of ['', ' lj', ' nothing', ' *', ' @nope', ' --bogus', ' [', ' demo', ' --force --wait lj']) {
      const reply = await ask(await session(), word + rest);
      if (open.has(word)) t.notMatch(reply, /NOT AUTHENTICATED/, word + rest);
      else t.equal(reply, '400 NOT AUTHENTICATED\n', word + rest);
    }
  }
  t.equal(await ask(await session(), 'list'), ok('lj', 'builder', 'test', 'dev'));
  t.equal(await ask(await session(), 'auth nobody steve'), '400 NOT AUTHENTICATED\n');
});

await t.test('a long form pushes no purpose of the others off the screen', async (t) => {
  const { session, ask } = await startCore(t);
  const lines = (await ask(await session('steve'), 'help')).split('\n').slice(1, -2);
  t.same(lines.filter((line) => / {41}/.test(line)), []);
  t.equal(lines.filter((line) => line.length <= 80).length > 2, true);
});

await t.test('help shows a stranger what it may use', async (t) => {
  const { session, ask } = await startCore(t);
  const shown = (await ask(await session(), 'help')).split('\n').slice(1, -2).map((line) => line.split(' ')[0]);
  t.same(shown, ['auth', 'exit', 'help', 'list', 'nop']);
  t.match(await ask(await session(), 'HELP List'), /^200 OK\nlist \[available\|running\|paused\|stopped\|hosts\] \[--ids\] \[--full\] {2}\S.*\n300 DONE\n$/);
  t.match(await ask(await session(), 'help start'), /^400 UNKNOWN COMMAND: help lists the commands\n$/);
  t.match(await ask(await session(), 'help enrol-me'), /^400 UNKNOWN COMMAND: help lists the commands\n$/);
  for (const line of ['enrol-me', 'enrol-me x y z', `enrol-me argo-enrol_${'A'.repeat(43)} node1 ssh-ed25519 AAAA`]) t.equal(await ask(await session(), line), '400 NOT AUTHENTICATED\n', 'as any other word');
  const tenant = (await ask(await session('tenant'), 'help')).split('\n').slice(1, -2).map((line) => line.split(' ')[0]);
  t.equal(tenant.includes('start') && tenant.includes('status') && tenant.includes('list'), true);
  t.equal(tenant.includes('stop') || tenant.includes('dmesg'), false, 'a tenant sees what some grant of it holds');
});

await t.test('list before login can be switched off', async (t) => {
  const { session, ask } = await startCore(t, { config: SEED_CONFIG.replace('[server]', '[server]\nanonymous-list = false') });
  const stranger = await session();
  for (const line of ['list', 'list available', 'list bogus', 'LIST']) t.equal(await ask(stranger, line), '400 NOT AUTHENTICATED\n', line);
  t.notMatch(await ask(stranger, 'help'), /\nlist/);
  t.equal(await ask(await session('tenant'), 'list'), ok('lj', 'test'));
});

await t.test('the checks and their order', async (t) => {
  const { session, ask, audit } = await startCore(t);
  const [steve, tenant] = [await session('steve'), await session('tenant')];
  for (const [who, line, reply] of [
    // the word, then the options, then whether there are names at all
    [steve, 'bogus', '400 UNKNOWN COMMAND: help lists the commands\n'],
    [tenant, 'stop', '400 NOT ALLOWED\n'], [tenant, 'stop --bogus lj', '400 NOT ALLOWED\n'],
    [steve, 'status', '400 USAGE: status NAME... [--timeout=SECONDS]\n'], [steve, 'status --force lj', '400 USAGE: status NAME... [--timeout=SECONDS]\n'],
    [steve, 'start --wait=x nothing', /^400 USAGE: start NAME/], [steve, 'nop --x', /^400 USAGE: nop/], [steve, 'list --wait', /^400 USAGE: list/],
    [steve, 'list bogus', /^400 USAGE: list/], [steve, 'list running paused', /^400 USAGE/], [steve, 'dmesg demo demo', /^400 USAGE: dmesg/],
    [steve, 'auth', /^400 USAGE: auth USER PASSWORD/], [steve, 'auth steve', /^400 USAGE/], [steve, 'auth a b c', /^400 USAGE/],
    // then the names
    [steve, 'status nothing', '400 NO SUCH INSTANCE: nothing\n'], [steve, 'status demo/nothing', /^400 NO SUCH INSTANCE/], [steve, 'status no*', '400 NO MATCH\n'],
    [steve, 'status @nope', '400 NO MATCH\n'], [steve, 'status web[1-', /^400 BAD REQUEST: \[ without \]/], [steve, 'status [9-1]', /^400 BAD REQUEST/],
    [steve, 'dmesg nothing', '400 NO SUCH PROVIDER: nothing\n'], [steve, 'status "l*"', '400 NO SUCH INSTANCE: l*\n'], [steve, 'status ""', /^400 NO SUCH INSTANCE/],
    // what may not be seen is not told from what is not there
    [tenant, 'status builder', '400 NOT ALLOWED\n'], [tenant, 'status nothing', '400 NOT ALLOWED\n'], [tenant, 'status demo/builder', '400 NOT ALLOWED\n'],
    [tenant, 'start lj builder', '400 NOT ALLOWED\n'], [tenant, 'start lj nothing', '400 NOT ALLOWED\n'], [tenant, 'status b*', '400 NO MATCH\n'], [tenant, 'status x*', '400 NO MATCH\n'],
    [tenant, 'dmesg', '400 NOT ALLOWED\n'], [tenant, 'dmesg demo', '400 NOT ALLOWED\n'], [tenant, 'dmesg nothing', '400 NOT ALLOWED\n'],
    // what may be seen and not done
    [tenant, 'start test', '400 NOT ALLOWED\n'], [tenant, 'start *', '400 NOT ALLOWED\n'], [tenant, 'pause lj', '400 NOT ALLOWED\n'],
    // lines that are none
    [steve, '"open', '400 BAD REQUEST: an open quote\n'], [steve, `status ${'x '.repeat(1100)}`, /^400 BAD REQUEST/],
  ] as const) {
    const given = await ask(who, line);
    if (typeof reply === 'string') t.equal(given, reply, line);
    else t.match(given, reply, line);
    t.notMatch(given, /200 OK/, 'the checks come before 200');
  }
  t.same(audit.begun, [], 'nothing was done');
});

await t.test('the sessions of the seed', async (t) => {
  const { session, ask } = await startCore(t);
  const stranger = await session();
  t.equal(await ask(stranger, 'list available'), ok('lj', 'builder', 'test', 'dev'));
  t.equal(await ask(stranger, 'pause lj'), '400 NOT AUTHENTICATED\n');
  t.equal(await ask(stranger, 'auth steve steve'), ok());
  t.equal(await ask(stranger, 'pause lj'), ok());
  t.equal(await ask(stranger, 'list paused'), ok('lj'));
  t.equal(await ask(stranger, 'PAUSE lj'), ok(), 'already there');
  t.equal(await ask(stranger, 'unpause lj'), ok());
  t.equal(await ask(stranger, 'exit'), ok());
  t.equal(stranger.closing, true);
});

await t.test('logins change and end', async (t) => {
  const { session, ask } = await startCore(t);
  const one = await session('steve');
  t.equal(await ask(one, 'status builder'), ok('on'));
  t.equal(await ask(one, 'AUTH tenant steve'), ok());
  t.equal(await ask(one, 'status builder'), '400 NOT ALLOWED\n');
  t.equal(await ask(one, 'auth tenant'), '400 USAGE: auth USER PASSWORD\n');
  t.equal(await ask(one, 'status lj'), ok('on'), 'a wrong form changes nothing');
  t.equal(await ask(one, 'auth steve wrong'), '400 NOT AUTHENTICATED\n');
  t.equal(await ask(one, 'status lj'), '400 NOT AUTHENTICATED\n', 'a wrong password logs out');
  t.equal(await ask(one, 'auth "steve" "steve"'), ok());
  t.equal(await ask(one, 'status lj'), ok('on'));
});

await t.test('words of `auth` are taken as they are typed', async (t) => {
  const seen: string[] = [];
  const { session, ask } = await startCore(t, {
    authenticator: {
      verify: (password) => {
        seen.push(password);
        return Promise.resolve(false);
      },
      pause: () => Promise.resolve(),
    },
  });
  for (const line of ['auth steve --force', 'auth steve "a b"', 'auth steve pa"ss', 'auth steve --', 'auth steve *', 'auth steve ü', 'auth steve \\"']) await ask(await session(), line);
  t.same(seen, ['--force', 'a b', 'pa"ss', '--', '*', 'ü', '\\"']);
});

await t.test('several targets: a line each, and what failed', async (t) => {
  const { session, ask, audit } = await startCore(t, { config: `
[server]
listen = ["127.0.0.1:0"]
[accounts.steve]
password = "${STEVE_HASH}"
grants = [{ instances = ["*"], commands = ["*"] }]
[groups]
web = ["web[1-2]", "@more"]
more = ["extra"]
[providers.a]
type = "sim"
instances = ["web1", "web2", "extra", "two words", "same", "bad"]
faults = { bad = "error" }
[providers.b]
type = "sim"
instances = ["same", "web3"]
` });
  const steve = await session('steve');
  const sorted = async (line: string): Promise<string[]> => {
    const [first, ...rest] = (await ask(steve, line)).trimEnd().split('\n');
    return [first ?? '', ...rest.slice(0, -1).sort(), rest.at(-1) ?? ''];
  };
  t.equal(await ask(steve, 'list'), ok('web1', 'web2', 'extra', 'two words', 'a/same', 'bad', 'b/same', 'web3'));
  t.equal(await ask(steve, 'list --full'), ok('a/web1', 'a/web2', 'a/extra', 'a/two words', 'a/same', 'a/bad', 'b/same', 'b/web3'));
  t.match(await ask(steve, 'list running --full --ids'), /^200 OK\na\/web1 \S+\n/);
  t.same(await sorted('pause web[1-3] extra'), ['200 OK', 'extra: done', 'web1: done', 'web2: done', 'web3: done', '300 DONE']);
  t.same(await sorted('status @web'), ['200 OK', 'extra: paused', 'web1: paused', 'web2: paused', '300 DONE']);
  t.same(await sorted('unpause web* bad'), ['200 OK', 'bad: FAILED: simulated fault', 'web1: done', 'web2: done', 'web3: done', '400 FAILED: 1 of 4']);
  t.same(await sorted('status web1 a/web1 web[1-2]'), ['200 OK', 'web1: on', 'web2: on', '300 DONE'], 'each target once');
  t.same(await sorted('status */same'), ['200 OK', 'a/same: on', 'b/same: on', '300 DONE']);
  t.equal(await ask(steve, 'status same'), '400 AMBIGUOUS: a/same, b/same\n');
  t.equal(await ask(steve, 'status b/same'), ok('on'));
  t.equal(await ask(steve, 'status "two words"'), ok('on'));
  t.equal(await ask(steve, 'status two words'), '400 NO SUCH INSTANCE: two\n');
  t.equal(await ask(steve, 'status extr?'), ok('extra: paused'), 'a glob has a line a target, also where it finds one');
  t.equal(await ask(steve, 'pause bad'), '200 OK\n400 FAILED: simulated fault\n');
  t.equal(await ask(steve, 'status bad'), ok('unknown'));
  t.equal(audit.begun.length, 4 + 4 + 1, 'every action is on record, and no reading');
  t.equal(audit.ended.length, audit.begun.length);
  t.equal(await ask(steve, 'dmesg'), '400 AMBIGUOUS: a, b\n');
  t.equal(await ask(steve, 'dmesg b'), ok('Simulated hypervisor b: 2 machines'));
});

await t.test('--dry-run does nothing', async (t) => {
  const { session, ask, audit } = await startCore(t);
  const steve = await session('steve');
  t.match(await ask(steve, 'stop --dry-run lj'), /^200 OK\nlj: clean shutdown.*\n300 DONE\n$/);
  t.match(await ask(steve, 'stop --dry-run --force l* dev'), /lj: power off/);
  t.equal(await ask(steve, 'status lj'), ok('on'));
  t.same(audit.begun, []);
});

await t.test('autostart: the last word says how, and it needs the right to configure', async (t) => {
  const config = SEED_CONFIG.replace('instances = ["lj", "builder"', 'faults = { dev = "deaf" }\ninstances = ["lj", "builder"')
    .replace('commands = ["start"]', 'commands = ["power"]');
  const { session, ask, audit } = await startCore(t, { config });
  const steve = await session('steve');
  t.match(await ask(steve, 'info lj'), /^persistent: yes\nautostart: off$/m);
  t.equal(await ask(steve, 'autostart lj on --dry-run'), ok('lj: autostart on (it is off)'));
  t.same(audit.begun, []);
  t.equal(await ask(steve, 'autostart lj ON'), '200 OK\n300 DONE\n');
  t.match(await ask(steve, 'info lj'), /^autostart: on$/m);
  t.equal(await ask(steve, 'autostart lj on --dry-run'), ok('lj: nothing, autostart is on already'));
  t.match(await ask(steve, 'autostart lj builder off'), /lj: done\n.*builder: done|builder: done\n.*lj: done/s);
  t.equal(await ask(steve, 'autostart dev on'), '200 OK\n400 FAILED: the order was accepted, but autostart of dev is as it was\n');
  t.match(audit.begun, [{ command: 'autostart', instance: 'demo/lj', options: 'on' }, { options: 'off' }, { options: 'off' }, { instance: 'demo/dev' }]);
  t.match(audit.ended.map(({ outcome }) => outcome).sort(), [/^FAILED/, 'already so', 'done', 'done']);
  for (const words of ['lj', 'lj perhaps', 'on', 'lj on builder']) t.match(await ask(steve, `autostart ${words}`), /^400 USAGE: autostart NAME/, words);
  t.equal(await ask(await session('tenant'), 'autostart lj on'), '400 NOT ALLOWED\n');
});

const command = (word: string, rest: Partial<Command>): Command => ({ word, usage: word, help: 'For a test.', right: 'anyone', run: () => undefined, ...rest });

await t.test('plugins that throw', async (t) => {
  const plugin: Plugin = { commands: [
    command('throws', { run: () => { throw new Error('hunter2'); } }),
    command('throws-text', { run: () => { throw 'hunter2'; } }),
    command('rejects', { run: (context) => { context.body.line('half'); return Promise.reject(new TypeError('hunter2')); } }),
    command('refuses', { run: () => Promise.reject(new ArgoError('WRONG STATE', 'asleep')) }),
    command('each-throws', { right: 'read', on: 'instances', run: (context) => context.each(() => Promise.reject(new Error('hunter2'))) }),
  ] };
  const { session, ask, logged } = await startCore(t, { plugins: { plugin } });
  const steve = await session('steve');
  t.equal(await ask(steve, 'throws'), '400 INTERNAL ERROR\n');
  t.equal(await ask(steve, 'throws-text'), '400 INTERNAL ERROR\n');
  t.equal(await ask(steve, 'rejects'), '200 OK\nhalf\n400 INTERNAL ERROR\n');
  t.equal(await ask(steve, 'refuses'), '400 WRONG STATE: asleep\n');
  t.equal(await ask(steve, 'each-throws lj'), '200 OK\n400 INTERNAL ERROR\n');
  t.equal(await ask(steve, 'each-throws l*'), '200 OK\nlj: INTERNAL ERROR\n400 FAILED: 1 of 1\n');
  t.equal(logged.filter((line) => line.startsWith('error command failed') && line.includes('hunter2')).length >= 4, true, 'the log has the cause');
  t.equal(await ask(steve, 'nop'), ok());
});

await t.test('what a plugin without types hands over is one line each, and ends no reply', async (t) => {
  const forged = (): string => ({ toString: () => 'x', valueOf: () => 'x\n300 DONE\n200 OK' }) as never;
  const row = { usage: 'x', help: 'x', right: 'read' } as const;
  const plugin: Plugin = { commands: [
    { ...row, word: 'p-line', run: ({ body }) => { body.line(forged()); } },
    { ...row, word: 'p-lines', run: ({ body }) => body.lines([forged()]) },
    { ...row, word: 'p-remark', run: (request) => request.remark(forged()) },
    { ...row, word: 'p-odd', run: () => { throw Object.assign(new ArgoError('FAILED'), { message: forged() }); } },
    { ...row, word: 'p-phrase', run: () => { throw new ArgoError('NO LUCK' as never); } },
    { ...row, word: 'p-number', run: () => 5 as never },
    { ...row, word: 'p-null', run: () => null as never, repeatable: true },
    { ...row, word: 'p-thenable', run: () => ({ then: (resolve: () => void) => resolve() }) as never },
    { ...row, word: 'p-each', on: 'instances', run: (request) => request.each(() => Promise.resolve({ forEach: forged, map: forged } as never)) },
    { ...row, word: 'p-bytes', on: 'instances', run: (request) => request.each((target) => request.read(target, 'rx') as never) },
  ] };
  const { session, ask } = await startCore(t, { plugins: { plugin } });
  const steve = await session('steve');
  for (const [line, reply] of [
    ['p-line', ok('x')], ['p-lines', ok('x')], ['p-remark', '200 OK\n300 DONE: x\n'], ['p-odd', '400 x\n'], ['p-phrase', '400 INTERNAL ERROR\n'],
    ['p-number', ok()], ['p-null', ok()], ['p-thenable', ok()], ['p-each lj', ok('[object Object]')], ['p-bytes lj', /^200 OK\n\d+\n300 DONE\n$/],
  ] as const) t.match(await ask(steve, line), reply, line);
});

await t.test('a request that a plugin has kept tells nothing of who comes after it', async (t) => {
  let kept: Context | undefined;
  let rows: Iterator<unknown> | undefined;
  const row = { usage: 'x', help: 'x', right: 'anyone' } as const;
  const plugin: Plugin = { commands: [{ ...row, word: 'p-keep', run: (request) => {
    kept = request;
    rows = request.commands()[Symbol.iterator]();
    rows.next();
  } }] };
  const { session, ask } = await startCore(t, { plugins: { plugin } });
  const visitor = await session();
  await ask(visitor, 'p-keep');
  await ask(visitor, 'auth steve steve');
  t.equal(kept!.account, undefined);
  t.throws(() => [...kept!.commands()], /NOT ALLOWED: the request is over/);
  t.throws(() => rows!.next(), /NOT ALLOWED: the request is over/);
  t.equal(kept!.interrupted.aborted, true);
});

await t.test('a plugin that never ends is given up, and told so', async (t) => {
  const signals: AbortSignal[] = [];
  const plugin: Plugin = { commands: [
    command('sleeps', { run: (context) => { signals.push(context.signal); return new Promise(() => undefined); } }),
    command('sleeps-on', { right: 'read', on: 'instances', run: (context) => { signals.push(context.signal); return new Promise(() => undefined); } }),
    command('sleeps-long', { right: 'host', on: 'provider', options: ['rollback'], run: (context) => { signals.push(context.signal); return new Promise(() => undefined); } }),
  ] };
  const { session, ask } = await startCore(t, { plugins: { plugin } });
  const steve = await session('steve');
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const first = ask(steve, 'sleeps');
  mock.timers.tick(59_999);
  t.equal(signals[0]?.aborted, false);
  mock.timers.tick(1);
  t.equal(await first, '400 TIMEOUT: the command did not end\n');
  t.equal(signals[0]?.aborted, true);
  const second = ask(steve, 'sleeps-on lj');
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  mock.timers.tick(60_000);
  t.equal(signals[1]?.aborted, false, 'on instances it has the time of their actions on top');
  mock.timers.tick(150_000);
  t.equal(await second, '200 OK\n400 TIMEOUT: the command did not end\n');
  t.equal(signals[1]?.aborted, true);
  const third = ask(steve, 'sleeps-long demo --rollback=10m');
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  mock.timers.tick(700_000);
  t.equal(signals[2]?.aborted, false, 'so long a host may need until it has undone a change');
  mock.timers.tick(20_000);
  t.equal(await third, '400 TIMEOUT: the command did not end\n');
});

await t.test('a plugin that writes for ever ends with its client; one that acts, when no action lasts any longer', async (t) => {
  const signals: AbortSignal[] = [];
  const run = async ({ body, signal }: Context): Promise<void> => {
    signals.push(signal);
    for (; !signal.aborted; await new Promise(setImmediate)) body.line('on and on');
  };
  const plugin: Plugin = { commands: [command('p-tail', { right: 'anyone', run }), command('p-act', { right: 'power', run })] };
  const core = await startCore(t, { plugins: { plugin } });
  const session = await core.session('steve');
  const tail = core.dispatcher.dispatch(session, 'p-tail', new Reply(new TextSink(), '\n'));
  const acting = await core.session('steve');
  const act = core.dispatcher.dispatch(acting, 'p-act', new Reply(new TextSink(), '\n'));
  t.same(signals.map(({ aborted }) => aborted), [false, false]);
  session.end();
  await tail;
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  acting.end();
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
  t.same(signals.map(({ aborted }) => aborted), [true, false]);
  mock.timers.tick(LONGEST_DEADLINE);
  await act;
  t.equal(signals[1]!.aborted, true);
});

await t.test('for a client that has gone no further target is read, and all are still switched', async (t) => {
  for (const { line, goesOn } of [{ line: 'touch *', goesOn: false }, { line: 'flip *', goesOn: true }]) {
    let begun = 0;
    const sink = new TextSink();
    const run = (context: Context): Promise<void> => context.each(async () => {
      begun += 1;
      if (begun === 300) sink.gone = true;
      await new Promise(setImmediate);
    });
    const core = await startCore(t, {
      config: SEED_CONFIG.replace(/instances = \["lj".*\n$/, 'count = 2000\n'),
      plugins: { bulk: { commands: [command('touch', { right: 'read', on: 'instances', run }), command('flip', { right: 'power', on: 'instances', run })] } },
    });
    const session = await core.session('steve');
    await core.dispatcher.dispatch(session, line, new Reply(sink, '\n'));
    if (goesOn) t.equal(begun, 2000);
    else t.ok(begun >= 300 && begun < 600, `${begun} begun`);
  }
});

await t.test('what a plugin without types forgets is neither told as done nor waited for without end', async (t) => {
  const wrong = <T>(value: T): never => value as never;
  const each = (work: (context: Context) => (target: Target) => Promise<void>) => (context: Context): Promise<void> => context.each(work(context));
  const { session, ask, audit, logged } = await startCore(t, { plugins: { bad: { commands: [
    command('at-once', { right: 'power', on: 'instances', run: each(() => () => wrong('there')) }),
    command('nothing', { right: 'power', on: 'instances', run: each(() => () => Promise.reject(wrong<unknown>(undefined))) }),
    command('text', { right: 'power', on: 'instances', run: each(() => () => Promise.reject(wrong<unknown>('spilt'))) }),
    command('unheard', { right: 'power', on: 'instances', run: (context) => { void context.each((target) => context.power(target, 'stop').then(() => undefined)).catch(() => undefined); } }),
    command('by-actor', { right: 'power', on: 'instances', run: (context) => { void context.actor.power(context.targets[0]!, { action: 'stop', mode: 'soft', wait: true }).catch(() => undefined); } }),
    command('off', { right: 'power', run: (context) => context.each((target) => context.power(target, 'stop').then(() => undefined)) }),
    command('unheard-too', { right: 'power', on: 'instances', run: (context) => { void context.power(context.targets[0]!, 'stop').catch(() => undefined); } }),
  ] } } });
  const steve = await session('steve');
  t.equal(await ask(steve, 'at-once lj dev'), ok('lj: there', 'dev: there'));
  t.equal(await ask(steve, 'nothing lj dev'), '200 OK\nlj: INTERNAL ERROR\ndev: INTERNAL ERROR\n400 FAILED: 2 of 2\n');
  t.equal(await ask(steve, 'text lj dev'), '200 OK\nlj: INTERNAL ERROR\ndev: INTERNAL ERROR\n400 FAILED: 2 of 2\n');
  t.match(logged.filter((line) => line.includes('command failed')), [/"nothing","cause":"undefined was thrown"/, /"text","cause":"spilt"/], 'the cause is told, once a request');
  for (const word of ['unheard', 'by-actor', 'unheard-too']) t.equal(await ask(steve, `${word} lj`), '200 OK\n400 INTERNAL ERROR\n', word);
  t.match(logged.at(-1), /"unheard-too","cause":"the command ended before what it had begun/);
  t.ok(audit.begun.length <= 3);
  t.equal(await ask(steve, 'off lj'), '400 INTERNAL ERROR\n', 'nothing is done, so it is not told as done');
  t.match(logged.at(-1), /"off","cause":"each is for a command on instances/);
});

await t.test('a dry run changes nothing, whatever the command forgets', async (t) => {
  const run = (act: (context: Context) => Promise<unknown>) => async (context: Context): Promise<void> => { await act(context); };
  const options = ['dry-run'] as const;
  const { session, ask, audit } = await startCore(t, { plugins: { rash: { commands: [
    command('switch', { right: 'power', on: 'instances', options, run: run(({ actor, targets: [one] }) => actor.power(one!, { action: 'stop', mode: 'hard', wait: false })) }),
    command('begin', { right: 'power', on: 'instances', options, run: run(({ actor, targets }) => actor.orders.begin(targets, { action: 'stop', mode: 'hard', wait: false }, 'key-12345')) }),
    command('make', { right: 'configure', options, run: run(({ actor }) => actor.work('image.delete', 'demo', { name: 'x' } as never)) }),
    command('note', { right: 'power', options, run: run(({ actor }) => actor.record({ action: 'tea', subject: 'pot' }, () => Promise.reject(new Error('brewed')))) }),
    command('look', { right: 'power', on: 'instances', options, run: (context) => context.each(async (one) => context.power(one, 'stop').then(String)) }),
  ] } } });
  const steve = await session('steve');
  for (const line of ['switch lj --dry-run', 'begin lj --dry-run', 'note --dry-run', 'make --dry-run']) {
    t.match(await ask(steve, line), /^(200 OK\n)?400 NOT SUPPORTED: the command would do it, and this is a dry run\n$/, line);
  }
  t.same(audit.begun, []);
  t.equal(await ask(steve, 'look lj --dry-run'), ok('lj: clean shutdown (it is on)'));
  t.equal(await ask(steve, 'switch lj'), ok());
});
