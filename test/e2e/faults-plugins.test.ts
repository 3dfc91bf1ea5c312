import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { ADMIN, logIn, LONG } from '../support/faults.js';
import { connect } from '../support/line-client.js';

/** Plugins that fail in every way that one process can bear: the others and the daemon go on. */

const CONFIG = `[server]
plugin-path = ["plugins", "nowhere"]
${ADMIN}
[providers.demo]
type = "sim"
instances = ["lj", "builder"]
`;

/** Never to be seen by a client. */
const CAUSE = 'cause-for-the-log';

/** A module whose commands are anyone's; each is a word and the source of its `run`. */
const plugin = (commands: Readonly<Record<string, string>>): string => `export default { commands: [
${Object.entries(commands).map(([word, run]) => `  { word: '${word}', usage: '${word}', help: 'does harm', right: 'anyone', run: ${run} },`).join('\n')}
] };\n`;

const FILES = {
  'plugins/fails-to-load.mjs': `throw new Error('${CAUSE}');\n`,
  'plugins/is-not-javascript.mjs': 'export default {{{\n',
  'plugins/exports-nothing.mjs': '\n',
  'plugins/lacks-run.mjs': "export default { commands: [{ word: 'lame', usage: 'lame', help: '', right: 'anyone' }] };\n",
  'plugins/takes-a-word.mjs': plugin({ nop: '() => undefined' }),
  'plugins/throws.mjs': plugin({
    throws: `() => { throw new Error('${CAUSE}'); }`,
    rejects: `async ({ body }) => { body.line('first'); await null; throw new Error('${CAUSE}'); }`,
    'throws-nothing': '() => { throw undefined; }',
    'throws-text': `() => { throw '${CAUSE}'; }`,
    'wrong-line': '({ body }) => body.line({ toString() { throw new Error("no text"); } })',
  }),
  'plugins/outlives.mjs': plugin({
    'late-line': "({ body }) => { setTimeout(() => body.line('300 too late'), 20); }",
    'late-rejection': `() => { void Promise.reject(new Error('${CAUSE}')); }`,
    'late-throw': `() => { setTimeout(() => { throw new Error('${CAUSE}'); }, 20); }`,
  }),
  'plugins/never-ends.mjs': plugin({
    never: '() => new Promise(() => {})',
    'never-streaming': "async ({ body }) => { for (;;) await body.lines(['on and on']); }",
  }),
  'plugins/works.mjs': plugin({ works: "({ body }) => body.line('well')" }),
};

// its deadline is waited for
t.jobs = 2;

void t.test('plugins that fail', { jobs: 2 }, async (t) => {
  const daemon = await startDaemon({ config: CONFIG, files: FILES });
  t.after(() => daemon.stop());
  const client = await connect(daemon.port);

  const neverEnding = t.test('one that never ends holds up nobody and meets its deadline', async (t) => {
    const waiting = await connect(daemon.port);
    waiting.send('never\nnop\n');
    const other = await logIn(daemon);
    for (let i = 0; i < 20; i++) t.equal((await other.ask('status lj')).code, 300);
    t.match(await waiting.reply(LONG), { code: 400, comment: /^TIMEOUT/ }, 'it is ended');
    t.match(await waiting.reply(LONG), { code: 300 }, 'and the next request of its connection is answered');
    waiting.line('never');
    t.equal((await other.ask('nop')).code, 300);
    waiting.destroy();
    other.destroy();
  });

  await t.test('one that cannot be loaded is reported and leaves the others alone', async (t) => {
    t.same(await client.ask('works'), { code: 300, comment: 'DONE', accepted: 'OK', body: ['well'] });
    for (const name of ['fails-to-load', 'is-not-javascript', 'exports-nothing', 'lacks-run']) {
      t.ok(await daemon.logs(`${name}.mjs`), `${name} is named in the log`);
    }
    t.ok(await daemon.logs('nowhere'), 'so is a folder that is not there');
    const admin = await logIn(daemon);
    t.match(await admin.ask('lame'), { code: 400, comment: /^UNKNOWN COMMAND/ });
    admin.destroy();
    t.same(await client.ask('nop'), { code: 300, comment: 'DONE', accepted: 'OK', body: [] }, 'no word is taken over');
  });

  await t.test('one that throws becomes INTERNAL ERROR, its cause goes to the log', async (t) => {
    for (const word of ['throws', 'rejects', 'throws-nothing', 'throws-text', 'wrong-line']) {
      const reply = await client.ask(word);
      t.match(reply, { code: 400, comment: /^INTERNAL ERROR/ }, word);
      t.notMatch(reply.comment, CAUSE);
      t.equal((await client.ask('nop')).code, 300, 'the connection goes on');
    }
    t.ok(await daemon.logs(CAUSE));
  });

  await t.test('what one does after its end harms nobody', async (t) => {
    for (const word of ['late-line', 'late-rejection', 'late-throw']) {
      t.match(await client.ask(word), { code: 300 }, word);
      const other = await logIn(daemon);
      t.same(await other.ask('stop --force lj'), { code: 300, comment: 'DONE', accepted: 'OK', body: [] });
      t.same(await client.ask('nop'), { code: 300, comment: 'DONE', accepted: 'OK', body: [] }, 'replies keep their order');
      other.destroy();
    }
  });

  await t.test('one that streams for ever ends when its client is gone', async (t) => {
    const streaming = await connect(daemon.port);
    streaming.line('never-streaming');
    await streaming.expect('on and on\n');
    const other = await logIn(daemon);
    for (let i = 0; i < 20; i++) t.equal((await other.ask('status lj')).code, 300, 'others are served meanwhile');
    streaming.socket.resetAndDestroy();
    for (let i = 0; i < 20; i++) t.equal((await other.ask('status lj')).code, 300, 'and afterwards');
    other.destroy();
  });
  await neverEnding;
  client.destroy();
});

void t.test('the daemon ends although a command does not', async (t) => {
  const daemon = await startDaemon({ config: CONFIG, files: FILES });
  const client = await connect(daemon.port);
  client.line('never');
  const other = await connect(daemon.port);
  t.equal((await other.ask('nop')).code, 300);
  t.same(await daemon.stop(), { code: 0, signal: null });
  client.destroy();
  other.destroy();
});

void t.test('what a driver does that the contract has not is in the log, also where it stays a doubt', async (t) => {
  const machine = (id: string, member: string): string => `{ machine: { id: '${id}', name: '${id}', type: 'vm', status: () => 'on', ${member} }, state: 'on' }`;
  const daemon = await startDaemon({
    config: `${CONFIG}[providers.odd]\ntype = "odd"\n`,
    files: { 'plugins/odd.mjs': `export default { kind: 'driver', options: {}, open: () => ({ close() {}, list: () => [
      ${machine('spills', `shutdown() { throw '${CAUSE}'; }`)}, ${machine('strange', "status: () => 'blue'")},
      ...Array.from({ length: 500 }, (_, at) => ({ machine: { id: 'm' + at, name: 'm' + at, type: 'vm', status: () => 'green' }, state: 'on' }))] }) };\n` },
  });
  t.after(() => daemon.stop());
  const admin = await logIn(daemon);
  t.match(await admin.ask('stop spills'), { code: 400, comment: /^UNCERTAIN: / });
  t.ok(await daemon.logs(new RegExp(`UNCERTAIN.*${CAUSE}`)));
  t.same((await admin.ask('status strange')).body, ['unknown']);
  t.ok(await daemon.logs(/status unknown/));
  t.match(daemon.stderr(), /is not a state.*"status unknown"/);
  t.equal((await admin.ask('status odd/m*')).body.length, 500);
  t.ok(await daemon.logs(/"unknown":\d+,"msg":"status unknown"/));
  t.ok(daemon.stderr().split('"status unknown"').length < 20, 'a line a second, whatever their number');
  admin.destroy();
});
