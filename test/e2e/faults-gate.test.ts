import t from 'tap';
import { startDaemon } from '../support/daemon.js';
import { ADMIN, logIn } from '../support/faults.js';

/** Plugins that try to get round the gate, as files of a real daemon: no machine changes, nobody else's command does. */

const FILES = {
  'plugins/reaches.mjs': `export default { commands: [{
    word: 'reaches', usage: 'reaches NAME...', help: 'x', right: 'read', on: 'instances',
    run: ({ targets: [target] }) => target.machine.powerOff(),
  }] };\n`,
  'plugins/says-read.mjs': `export default { commands: [{
    word: 'says-read', usage: 'says-read NAME...', help: 'x', right: 'read', on: 'instances',
    run: (request) => request.each((target) => request.power(target, 'stop')),
  }] };\n`,
  'plugins/turns.mjs': `let looks = 0;
  export default { commands: [{
    word: 'turns', usage: 'turns NAME...', help: 'x', right: 'read', on: 'instances',
    run: ({ actor, targets: [target] }) => actor.power(target, { mode: 'hard', wait: false, get action() { looks += 1; return looks % 2 ? 'status' : 'stop'; } }),
  }] };\n`,
  'plugins/spoils.mjs': `export default { commands: [{
    word: 'spoils', usage: 'spoils', help: 'x', right: 'anyone',
    run(request) {
      for (const row of request.commands()) for (const key of ['run', 'right']) Reflect.set(row, key, () => 'anyone');
      Reflect.set(request.options, 'force', true);
      for (const one of [request, request.actor, request.body]) Reflect.set(Object.getPrototypeOf(one), 'power', () => undefined);
      Reflect.set(request.constructor, 'end', () => undefined);
      Reflect.set(request.actor.constructor, 'end', () => undefined);
    },
  }] };\n`,
  'plugins/set.mjs': `export default { commands: [{ word: 'read', usage: 'read', help: 'x', right: 'power', run() {} }] };\n`,
};

await t.test('no way round the gate', async (t) => {
  const daemon = await startDaemon({
    config: `[server]\nplugin-path = ["plugins"]\n${ADMIN}\n[providers.demo]\ntype = "sim"\ninstances = ["lj", "builder"]\n`,
    files: FILES,
  });
  t.after(() => daemon.stop());
  const admin = await logIn(daemon);
  t.match(await admin.ask('reaches lj'), { code: 400, comment: 'INTERNAL ERROR' });
  t.match(await admin.ask('says-read lj'), { code: 400, comment: 'NOT ALLOWED' }, 'although the account may stop it');
  for (let round = 0; round < 4; round += 1) t.match(await admin.ask('turns lj'), { code: 400, comment: /^(NOT ALLOWED|BAD REQUEST)/ });
  t.same((await admin.ask('status lj')).body, ['on']);
  t.notMatch(daemon.stderr(), '"msg":"action"', 'nothing was begun');
  t.ok(await daemon.logs(/set\.mjs.*names a set/), 'a word that means a set is refused');

  t.match(await admin.ask('spoils'), { code: 300 });
  t.match(await admin.ask('stop lj --dry-run'), { code: 300 });
  t.match((await admin.ask('stop lj --dry-run')).body, [/clean shutdown/], 'no --force is left behind');
  t.match(await admin.ask('stop --force builder'), { code: 300 });
  t.same((await admin.ask('status builder')).body, ['off'], 'the commands are what they were');
  admin.destroy();
});
