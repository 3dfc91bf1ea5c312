import t from 'tap';
import { MOST_ADDRESSES } from '../../../src/protocols/ping/limits.js';
import { Names } from '../../../src/protocols/ping/names.js';

const never = new AbortController().signal;
const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

await t.test('addresses are not looked up', async (t) => {
  const names = new Names(() => { throw new Error('was called'); });
  t.same(await names.resolve('10.0.0.1', never), ['10.0.0.1']);
  t.same(await names.resolve('fe80::1%eth0', never), ['fe80::1%eth0']);
});

await t.test('names are asked for once at a time, and kept for a while', async (t) => {
  const asked: string[] = [];
  const names = new Names((name) => {
    asked.push(name);
    return Promise.resolve(['10.0.0.1', '::1']);
  });
  t.same(await Promise.all([names.resolve('a', never), names.resolve('a', never), names.resolve('b', never)]),
    [['10.0.0.1', '::1'], ['10.0.0.1', '::1'], ['10.0.0.1', '::1']]);
  await names.resolve('a', never);
  t.same(asked, ['a', 'b']);
});

await t.test('of many addresses the first few are taken', async (t) => {
  const names = new Names(() => Promise.resolve(Array.from({ length: 50 }, (_, i) => `10.0.0.${i}`)));
  t.equal((await names.resolve('many', never)).length, MOST_ADDRESSES);
});

await t.test('failures have their reasons, and are not kept', async (t) => {
  await t.rejects(new Names(failing('ENOTFOUND')).resolve('nosuch', never), { kind: 'unresolved', message: 'there is no host of the name nosuch' });
  await t.rejects(new Names(failing('EAI_AGAIN')).resolve('later', never), { kind: 'unresolved', message: /could not be found out \(EAI_AGAIN\)/ });
  await t.rejects(new Names(() => Promise.resolve([])).resolve('empty', never), { kind: 'unresolved', message: 'empty has no address' });
  let broken = true;
  const names = new Names(() => (broken ? failing('EAI_AGAIN')() : Promise.resolve(['10.0.0.1'])));
  await t.rejects(names.resolve('a', never), { kind: 'unresolved', message: /EAI_AGAIN/ });
  broken = false;
  t.same(await names.resolve('a', never), ['10.0.0.1']);
});

await t.test('a resolver that never answers', async (t) => {
  let asked = 0;
  const names = new Names(() => new Promise(() => { asked += 1; }));
  const controller = new AbortController();
  const aborted = t.rejects(names.resolve('slow', controller.signal), { message: 'enough' });
  controller.abort(new Error('enough'));
  await aborted;
  await t.rejects(names.resolve('slow', controller.signal), { message: 'enough' });
  await t.rejects(names.resolve('slow', never), { kind: 'unresolved', message: 'nobody told the address of slow in time' });
  t.equal(asked, 1);
});
