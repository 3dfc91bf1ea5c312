import t from 'tap';
import { Watch } from '../../../src/protocols/vim/properties.js';
import { VimSession } from '../../../src/protocols/vim/session.js';
import { VimDouble } from '../../peers/vim-double.js';

await t.test('what fails where news is taken is no fault of the server', async (t) => {
  const vim = await VimDouble.start();
  t.teardown(() => vim.stop());
  vim.addVm('vm-1');
  const session = new VimSession({ url: new URL(vim.url), trust: () => ({ kind: 'anyone' }), credentials: () => ({ user: 'argo', password: 'x' }) });
  const signal = AbortSignal.timeout(60_000);
  t.teardown(() => session.close(signal));
  const watch = await Watch.open(session, { VirtualMachine: ['name'] }, signal);
  const mistake = new TypeError('our own');
  await t.rejects(watch.next(false, signal, () => { throw mistake; }), mistake);
});
