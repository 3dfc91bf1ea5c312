import t from 'tap';
import { Completer } from '../../src/client/completion.js';

const HELP = ['help [COMMAND]  the commands', 'start NAME... [--wait]  starts', 'status NAME...', 'stop NAME...', '  continued', 'start again'];
const NAMES = ['lj', 'web1', 'web2', 'my vm', 'odd[1]', '@at', 'a"b'];

void t.test('completion', async (t) => {
  const asked: string[] = [];
  const completer = new Completer(async (line) => {
    asked.push(line);
    return line === 'help' ? HELP : NAMES;
  });
  t.same(await completer.complete('st'), [['start ', 'status ', 'stop '], 'st']);
  t.same(await completer.complete(''), [['help ', 'start ', 'status ', 'stop '], '']);
  t.same(await completer.complete('status we'), [['web1', 'web2'], 'we']);
  t.same(await completer.complete('stop web1 l'), [['lj'], 'l']);
  t.same(await completer.complete('stop my'), [['"my vm"'], 'my']);
  t.same(await completer.complete('stop "my v'), [['"my vm"'], '"my v']);
  t.same(await completer.complete('stop odd'), [['"odd[1]"'], 'odd'], 'a name that looks like a pattern is offered literally');
  t.same((await completer.complete('stop '))[0].length, NAMES.length);
  t.same(await completer.complete('list r'), [['running'], 'r']);
  t.same(await completer.complete('help sto'), [['stop'], 'sto']);
  t.same(await completer.complete('stop web1 --w'), [['--wait'], '--w']);
  t.same(await completer.complete('status web1 --w'), [[], '--w']);
  t.same(await completer.complete('auth s'), [[], 's']);
  t.same(asked, ['help', 'list'], 'the server is asked once in a while');
});

void t.test('without a server there is nothing to complete', async (t) => {
  t.same(await new Completer(async () => []).complete('st'), [[], 'st']);
});
