import t from 'tap';
import { ArgoError } from '../../../src/kit/errors.js';
import { stateOfHost, type Witness, type Word } from '../../../src/drivers/host/host-status.js';

/** What those say who can be asked, and what that comes to. */

const soon = (): AbortSignal => AbortSignal.timeout(60_000);
const says = (word: Word): Witness => () => Promise.resolve(word);
const cannot = (why: string): Witness => () => Promise.reject(new ArgoError('UNREACHABLE', why));
/** Says nothing until it is no longer wanted. */
const hangs: Witness = (signal) => new Promise((_, reject) => {
  if (signal.aborted) reject(signal.reason as Error);
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
});
const outcome = (asked: Promise<Word>): Promise<string> => asked.catch((error: unknown) => (error instanceof ArgoError ? error.message : String(error)));

const CASES: readonly [string, readonly Witness[], string][] = [
  ['one sign of life is enough', [says('off'), says('off'), says('on')], 'on'],
  ['and nobody else is waited for', [hangs, says('on')], 'on'],
  ['nor is a failure in the way', [cannot('no right'), says('on')], 'on'],
  ['all silent', [says('off'), says('off')], 'off'],
  ['one in doubt', [says('off'), says('unknown')], 'unknown'],
  ['one in doubt, and one that cannot tell', [says('unknown'), cannot('no right')], 'unknown'],
  ['silent, and one that cannot tell', [says('off'), cannot('no right')], 'UNREACHABLE: no right'],
  ['a manager that knows more than the network', [says('suspended'), says('off')], 'suspended'],
  ['and the network cannot tell', [says('suspended'), cannot('no right')], 'suspended'],
  ['on its way down, and its manager has not noticed', [says('unknown'), says('stopping')], 'stopping'],
  ['asleep by its manager\'s word, but it answers', [says('suspended'), says('on')], 'on'],
  ['one that throws at once', [() => { throw new ArgoError('FAILED', 'ours'); }, says('off')], 'FAILED: ours'],
];

for (const [name, witnesses, expected] of CASES) {
  void t.test(name, async (t) => t.equal(await outcome(stateOfHost(witnesses, soon())), expected));
}

void t.test('nobody asks on when it is over', async (t) => {
  const reason = new Error('its time is over');
  const stop = new AbortController();
  const asked = outcome(stateOfHost([hangs, hangs], stop.signal));
  stop.abort(reason);
  t.equal(await asked, String(reason));
  t.equal(await outcome(stateOfHost([hangs], stop.signal)), String(reason));
  let ended = false;
  const slow: Witness = (signal) => {
    signal.addEventListener(
      'abort',
      () => {
        ended = true;
      },
      { once: true },
    );
    return hangs(signal);
  };
  t.equal(await stateOfHost([slow, says('on')], soon()), 'on');
  t.ok(ended, 'the others are told');
});
