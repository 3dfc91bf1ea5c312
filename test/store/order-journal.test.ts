import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FLEET_ORDERS_REMEMBERED } from '../../src/kit/fleet-limits.js';
import { orderJournal } from '../../src/store/order-journal.js';
import { fromRoot } from '../support/paths.js';
import { until } from '../support/until.js';
import { open, scratch } from './state-folder.js';

const WITHIN = 60_000;

await t.test('an order begins once, and what came of it stays', async (t) => {
  const folder = scratch(t);
  const state = open(t, folder);
  const orders = state.orders();
  t.same(await orders.begin('k05', 'k05', 'me', ''), { state: 'forgotten' }, 'before anything has begun, nobody knows what began elsewhere');
  const answers = await Promise.all(Array.from({ length: 20 }, () => orders.begin('k10', 'k05', 'me', 'about it')));
  t.equal(answers.filter((one) => one.state === 'new').length, 1);
  t.same(await orders.begin('k10', 'k05', 'other', 'else'), { state: 'open', by: 'me', about: 'about it' });
  await orders.end('k10', 'the result');
  await orders.end('k10', 'another');
  await orders.end('k99', 'never begun');
  t.same(await orders.begin('k10', 'k05', 'me', ''), { state: 'ended', result: 'the result' });
  t.same(await orders.begin('k05', 'k00', 'me', ''), { state: 'forgotten' }, 'one that is not greater than the first that could be known');
  await state.close();
  const again = open(t, folder).orders();
  t.same(await again.begin('k10', 'k50', 'me', ''), { state: 'ended', result: 'the result' });
  t.same(await again.begin('k20', 'k50', 'me', ''), { state: 'absent' }, 'it never began, and is too old to begin now');
  t.same(await again.begin('k20', 'k50', 'me', ''), { state: 'absent' }, 'that is not written down');
  t.same(await again.begin('k05', 'k50', 'me', ''), { state: 'forgotten' });
  t.same(await again.begin('k60', 'k50', 'me', ''), { state: 'new' });
});

await t.test('those of the least keys are forgotten, but for what is under way, and never taken for new', async (t) => {
  const orders = open(t, scratch(t)).orders();
  const key = (number: number): string => `k${String(number).padStart(7, '0')}`;
  await orders.begin(key(1), 'k', 'me', 'under way');
  await orders.begin(key(2), 'k', 'before me', 'cut off');
  await orders.begin(key(3), 'k', 'me', '');
  await orders.end(key(3), 'r');
  await Promise.all(Array.from({ length: FLEET_ORDERS_REMEMBERED - 3 }, (_, index) => orders.begin(key(10 + index), 'k', 'before me', '')));
  t.same(await orders.begin(key(500_000), 'k', 'me', ''), { state: 'new' });
  t.same(await orders.begin(key(2), 'k', 'me', ''), { state: 'forgotten' });
  t.same(await orders.begin(key(1), 'k', 'me', ''), { state: 'open', by: 'me', about: 'under way' });
  t.same(await orders.begin(key(3), 'k', 'me', ''), { state: 'ended', result: 'r' });
  t.same(await orders.begin(key(4), 'k', 'me', ''), { state: 'new' }, 'greater than what was forgotten');
  t.same(await orders.begin(key(3), 'k', 'me', ''), { state: 'forgotten' }, 'it made room');
  t.same(await orders.begin(key(5), 'k', 'me', ''), { state: 'new' });
  t.same(await orders.begin(key(10), 'k', 'me', ''), { state: 'forgotten' });
  t.same(await orders.begin(key(6), 'k', 'me', ''), { state: 'forgotten' }, 'it may have been one of those');
  t.same(await orders.begin(key(1), 'k', 'me', ''), { state: 'open', by: 'me', about: 'under way' });
});

await t.test('a file that is lost while the server runs is followed by one that takes nothing that had begun for new', async (t) => {
  const greatest: unknown[] = [];
  const orders = orderJournal((_operation, args) => {
    greatest.push(args[2]);
    return Promise.resolve({ state: 'new' });
  });
  for (const key of ['k20', 'k10', 'k30', 'k40']) await orders.begin(key, 'k00', 'me', '');
  t.same(greatest, ['', 'k20', 'k20', 'k30'], 'it is told of what has begun already');
});

await t.test('what was answered survives the end of the process by force', async (t) => {
  const folder = scratch(t);
  const script = `
    import { State } from ${JSON.stringify(fromRoot('dist/src/store/state.js'))};
    const orders = new State(${JSON.stringify(folder)}, () => undefined).orders();
    for (let number = 0; ; number += 1) {
      await orders.begin('k' + String(number).padStart(6, '0'), 'k', 'me', 'it');
      process.stdout.write(number + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; });
  await until(() => said.includes('20\n'), WITHIN, 'twenty orders');
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  t.ok(existsSync(join(folder, 'state.sqlite')));
  const last = said.trim().split('\n').at(-1)!;
  const orders = open(t, folder).orders();
  t.same(await orders.begin(`k${last.padStart(6, '0')}`, 'k', 'other', ''), { state: 'open', by: 'me', about: 'it' });
});
