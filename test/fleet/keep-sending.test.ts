import t from 'tap';
import { BusError } from '../../src/fleet/contract.js';
import { keepSending } from '../../src/fleet/keep-sending.js';
import { Bell } from '../../src/kit/bell.js';

/** @param each what one attempt does, after another; then there is nothing more, and it is told to end */
async function run(bell: Bell, each: readonly (() => Promise<boolean>)[]): Promise<{ sends: number; doubts: number; failures: string[] }> {
  let [sends, doubts] = [0, 0];
  let isEnding = false;
  const failures: string[] = [];
  await keepSending({
    bus: { trouble: undefined },
    bell,
    isEnding: () => isEnding,
    send: () => {
      const attempt = each[sends++];
      if (sends === each.length) {
        isEnding = true;
        bell.ring();
      }
      return attempt === undefined ? Promise.resolve(false) : attempt();
    },
    doubt: () => { doubts += 1; },
    failed: (error) => failures.push(error.message),
  }, new AbortController().signal);
  return { sends, doubts, failures };
}

await t.test('where there is more, it goes right on', async (t) => {
  const { sends } = await run(new Bell(), [() => Promise.resolve(true), () => Promise.resolve(true), () => Promise.resolve(false)]);
  t.equal(sends, 4, 'and looks once more, since it was rung meanwhile');
});

await t.test('what comes while it sends is sent, also when it is to end', async (t) => {
  const bell = new Bell();
  let waiting = 1;
  const send = (): Promise<boolean> => {
    waiting = 0;
    return Promise.resolve(false);
  };
  const late = async (): Promise<boolean> => {
    await send();
    waiting += 1;
    bell.ring();
    return false;
  };
  await run(bell, [late, late, send]);
  t.equal(waiting, 0);
});

await t.test('what fails is told, and tried again', async (t) => {
  const { sends, doubts, failures } = await run(new Bell(), [
    () => Promise.reject(new BusError('down', 'it is away')),
    () => Promise.resolve(false),
  ]);
  t.same(failures, ['it is away']);
  t.equal(doubts, 1, 'what has arrived is not known then');
  t.ok(sends >= 2);
});

await t.test('where others have written, it is sent once more before that is a failure', async (t) => {
  const conflict = (): Promise<boolean> => Promise.reject(new BusError('conflict', 'another has written'));
  t.match(await run(new Bell(), [conflict, () => Promise.resolve(false)]), { doubts: 1, failures: [] });
  t.match(await run(new Bell(), [conflict, conflict, () => Promise.resolve(false)]), { doubts: 2, failures: ['another has written'] });
});
