import t from 'tap';
import { Completer } from '../../src/client/completion.js';

const HELP = ['help [COMMAND]  the commands', 'start NAME... [--wait]  starts', 'status NAME...', 'stop NAME...', '  continued', 'start again'];
const row = (word: string, more: object = {}): string => JSON.stringify({ word, aliases: [], usage: word, help: 'x', right: 'read', on: null, options: [], words: [], ...more });
const ROWS = [
  row('help'), row('list', { words: ['running', 'paused'] }),
  row('stop', { right: 'power', on: 'instances', aliases: ['halt'], options: [{ name: 'wait', value: 'optional' }, { name: 'timeout', value: 'required' }] }),
  row('status', { on: 'instances' }), row('autostart', { on: 'instances', words: ['on', 'off'] }), row('report', { words: ['daily', 'weekly'], options: [{ name: 'json', value: 'none' }] }), 'no JSON', '{"word":7}', 'null',
];
const NAMES = ['lj', 'web1', 'web2', 'my vm', 'odd[1]', '@at', 'a"b', 'nb\u00a0'];

void t.test('completion', async (t) => {
  const asked: string[] = [];
  const completer = new Completer(async (line) => {
    asked.push(line);
    return line === 'help --json' ? ROWS : NAMES;
  });
  t.same(await completer.complete('st'), [['stop ', 'status '], 'st']);
  t.same(await completer.complete(''), [['help ', 'list ', 'stop ', 'halt ', 'status ', 'autostart ', 'report '], '']);
  t.same(await completer.complete('report w'), [['weekly'], 'w'], 'words of a plugin');
  t.same(await completer.complete('autostart o'), [['odd[1]'].map((name) => `"${name}"`), 'o'], 'names first');
  t.same(await completer.complete('autostart lj of'), [['off'], 'of'], 'then the word that ends it');
  t.same(await completer.complete('report --'), [['--json'], '--']);
  t.same(await completer.complete('halt web1 --t'), [['--timeout='], '--t']);
  t.same(await completer.complete('status we'), [['web1', 'web2'], 'we']);
  t.same(await completer.complete('stop web1 l'), [['lj'], 'l']);
  t.same(await completer.complete('stop my'), [['"my vm"'], 'my']);
  t.same(await completer.complete('stop "my v'), [['"my vm"'], '"my v']);
  t.same(await completer.complete('stop odd'), [['"odd[1]"'], 'odd'], 'a name that looks like a pattern is offered literally');
  t.same(await completer.complete('stop nb'), [['"nb\u00a0"'], 'nb']);
  t.same((await completer.complete('stop '))[0].length, NAMES.length);
  t.same(await completer.complete('list r'), [['running'], 'r']);
  t.same(await completer.complete('help sto'), [['stop'], 'sto']);
  t.same(await completer.complete('stop web1 --w'), [['--wait'], '--w']);
  t.same(await completer.complete('status web1 --w'), [[], '--w']);
  t.same(await completer.complete('auth s'), [[], 's']);
  t.same(asked, ['help --json', 'list'], 'the server is asked once in a while');
});

void t.test('verbs, and what follows them', async (t) => {
  const verb = (word: string, more: object): object => ({ word, usage: word, help: 'x', right: 'read', on: null, options: [], words: [], ...more });
  const rows = [
    row('image', { verbs: [
      verb('list', { on: 'provider', options: [{ name: 'json', value: 'none' }], providers: ['demo', 'lab'] }), verb('create', { right: 'configure', on: 'provider', words: ['raw', 'qcow2'], providers: ['demo'] }),
    ] }),
    row('hardware', { verbs: [verb('show', { on: 'instance' })] }),
    row('stats', { on: 'provider', words: ['cpu', 'df'], providers: ['demo', 'lab'] }),
    row('dmesg', { on: 'provider' }),
    row('migrate', { on: 'instance' }),
  ];
  const completer = new Completer(async (line) => (line === 'help --json' ? rows : NAMES));
  t.same(await completer.complete('image '), [['list ', 'create '], '']);
  t.same(await completer.complete('image l'), [['list '], 'l']);
  t.same(await completer.complete('image list '), [['demo', 'lab'], '']);
  t.same(await completer.complete('image --json LIST l'), [['lab'], 'l'], 'an option in front is none of them');
  t.same(await completer.complete('image list demo '), [[], '']);
  t.same(await completer.complete('image list --'), [['--json'], '--']);
  t.same(await completer.complete('image create demo web 10G q'), [['qcow2'], 'q']);
  t.same(await completer.complete('image nothing '), [[], '']);
  t.same(await completer.complete('hardware show we'), [['web1', 'web2'], 'we']);
  t.same(await completer.complete('hardware show web1 '), [[], ''], 'one name only');
  t.same(await completer.complete('stats l'), [['lab'], 'l']);
  t.same(await completer.complete('stats demo c'), [['cpu'], 'c']);
  t.same(await completer.complete('dmesg '), [[], ''], 'a server that tells no providers');
  t.same(await completer.complete('migrate my'), [['"my vm"'], 'my']);
});

void t.test('groups and tags', async (t) => {
  const completer = new Completer(async (line) => (line === 'help --json' ? ROWS : line === 'tag list' ? ['1 OpenNode', '2 web', '3 "rack 7"', '3 db', ''] : NAMES));
  t.same(await completer.complete('stop @'), [['@tag:OpenNode', '@web', '@tag:"rack 7"', '@tag:db'], '@']);
  t.same(await completer.complete('stop lj @tag:d'), [['@tag:db'], '@tag:d']);
  t.same(await completer.complete('report @'), [[], '@'], 'where no machines are named');
});

void t.test('full names behind the name of a provider', async (t) => {
  const asked: string[] = [];
  const answers: Record<string, string[]> = { 'help --json': ROWS, list: NAMES, 'list --full': ['demo/lj', 'demo/my vm', 'lab/lj'] };
  const completer = new Completer(async (line) => { asked.push(line); return answers[line]!; });
  t.same(await completer.complete('status demo/'), [['demo/lj', '"demo/my vm"'], 'demo/']);
  t.same(await completer.complete('status lab/l'), [['lab/lj'], 'lab/l']);
  t.same(asked, ['help --json', 'list --full']);
  answers.list = ['lj', 'demo/web', 'lab/web'];
  answers['list --full'] = [];
  t.same(await new Completer(async (line) => answers[line]!).complete('status demo/'), [['demo/web'], 'demo/'], 'an older server tells those that need it');
});

void t.test('a server that does not know help --json', async (t) => {
  const completer = new Completer(async (line) => (line === 'help --json' ? [] : line === 'help' ? HELP : NAMES));
  t.same(await completer.complete('st'), [['start ', 'status ', 'stop '], 'st']);
  t.same(await completer.complete('stop we'), [['web1', 'web2'], 'we']);
  t.same(await completer.complete('stop --'), [[], '--']);
});

void t.test('without a server there is nothing to complete', async (t) => {
  t.same(await new Completer(async () => []).complete('st'), [[], 'st']);
});
