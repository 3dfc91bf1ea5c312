import t from 'tap';
import { readCommandLine } from '../../src/client/command-line.js';
import { readOwnOptions } from '../../src/client/completion-options.js';

const HOME = '/home/steve';

void t.test('what is understood is what the command itself would take', async (t) => {
  for (const own of [
    [], ['--server', 'lab'], ['--server=lab'], ['--server', '[::1]:20203', '--account', 'LAB\\steve'], ['--server=a', '--server', 'b'], ['--account', '007'],
    ['--tls'], ['--no-tls'], ['--no-tls', '--tls'], ['--tls', '--no-tls'], ['--tls', '--no-tls', '--tls'], ['--ca-file', 'a=b', '--config=/c', '--tls'],
    ['--fingerprint', `SHA256:${'A'.repeat(43)}=`], ['--fingerprint=SHA256:x='], ['--account=a b'],
  ]) {
    const { options } = await readCommandLine([...own, 'list']);
    t.same({ ...readOwnOptions(own, HOME) }, Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)), own.join(' '));
  }
});

void t.test('of any other, nothing is known of all', async (t) => {
  for (const own of [
    ['--tls=true'], ['--tls=false'], ['--caFile=F'], ['--caFile', 'F'], ['--frob'], ['-x'], ['--help'], ['--completion=zsh'], ['--no-tls=x'], ['--no-server'], ['--tls', '--tls.x'],
    ['--server'], ['--server='], ['--server', '--tls'], ['--account', '--tls'], ['--account', '-x'], ['--account=\'a\''], ['--account="a"'],
  ]) t.equal(readOwnOptions(['--server', 'lab', ...own], HOME), undefined, own.join(' '));
});

void t.test('nor where the shell may make something else of a value', async (t) => {
  for (const value of ['$ME', '$(whoami)', '`whoami`', '<(cat x)', '{a,b}', '~root', '~', 'a*', 'a?']) {
    t.equal(readOwnOptions(['--account', value], HOME), undefined, value);
    t.equal(readOwnOptions([`--server=${value}`], HOME), undefined, value);
  }
  t.same(readOwnOptions(['--config', '~/lab.toml', '--ca-file', '~/ca.pem'], HOME), { config: '/home/steve/lab.toml', caFile: '/home/steve/ca.pem' });
  t.equal(readOwnOptions(['--config=~/lab.toml'], HOME), undefined, 'no shell does it there');
  t.equal(readOwnOptions(['--account', '~/x'], HOME), undefined);
});
