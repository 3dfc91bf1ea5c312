import t from 'tap';
import { partWords, readCommandLine } from '../../src/client/command-line.js';

void t.test('ours are parted from the server\'s', async (t) => {
  t.same(partWords(['stop', 'web[1-20]', '--wait', '--force', '--timeout=60', '--dry-run', '--wait=60']), {
    own: [], words: ['stop', 'web[1-20]', '--wait', '--force', '--timeout=60', '--dry-run', '--wait=60'], json: false,
  });
  t.same(partWords(['--server', 'lab', 'list', '--json', '--account=steve', 'running']), {
    own: ['--server', 'lab', '--account=steve'], words: ['list', 'running'], json: true,
  });
  t.same(partWords(['--frob', 'list']), { own: ['--frob'], words: ['list'], json: false });
  t.same(partWords(['list', '--frob', '-x']), { own: [], words: ['list', '--frob', '-x'], json: false });
  t.same(partWords(['frob', '--', '--json', '--server']), { own: [], words: ['frob', '--json', '--server'], json: false });
  t.same(partWords(['--', '-x']), { own: [], words: ['-x'], json: false });
});

void t.test('what is read', async (t) => {
  t.match(await readCommandLine(['list']), { options: {}, json: false, words: ['list'] });
  t.match(await readCommandLine(['--server=lab', '--no-tls', '--ca-file', 'x', '--fingerprint', 'y', '--config', 'z', 'list', '--account', 'steve']), {
    options: { server: 'lab', tls: false, caFile: 'x', fingerprint: 'y', config: 'z', account: 'steve' }, words: ['list'],
  });
  t.match(await readCommandLine(['--server=a', '--server=b', 'list']), { options: { server: 'b' } });
  t.match(await readCommandLine(['--account', '007', 'list']), { options: { account: '007' } });
  t.match(await readCommandLine(['stop', '--help']), { words: ['help', 'stop'] });
  t.match((await readCommandLine(['--help'])).print, /Exit codes/);
  t.match((await readCommandLine(['--version'])).print, /^\d+\.\d+\.\d+/);
});

void t.test('a password is no argument', async (t) => {
  for (const argv of [['auth', 'a'], ['AUTH', 'a', 'b'], ['enrol', 'approve', 'h1', 'root', 's3cret'], ['Enrol', 'APPROVE', 'h1', 'SHA256:x', 'root', 's3cret', '--json'], ['--json', 'enrol', 'approve', '--x', 'h1', 'root', 's3cret']]) {
    await t.rejects(readCommandLine(argv), { message: /must not stand on the command line/ }, argv.join(' '));
  }
  for (const argv of [['enrol', 'approve'], ['enrol', 'approve', 'h1'], ['enrol', 'approve', 'h1', 'SHA256:x', 'root', '--json'], ['enrol', 'approve', 'h1', 'root'], ['enrol', 'refuse', 'a', 'b', 'c', 'd']]) {
    t.match(await readCommandLine(argv), { words: argv.filter((word) => word !== '--json') });
  }
});

void t.test('what is refused', async (t) => {
  for (const argv of [['--frob', 'list'], ['--password', 'x', 'list'], ['--password=x', 'list'], ['--server'], ['-x', 'list'], ['auth', 'a', 'b'], ['AUTH', 'a', 'b']]) {
    await t.rejects(readCommandLine(argv), argv.join(' '));
  }
});
