import type { Test } from 'tap';
import type { HostCommandOptions, Words } from '../../../src/drivers/management/host-commands.js';
import type { CommandResult } from '../../../src/protocols/ssh/command.js';
import { outcome } from '../driving.js';

/** What commands on a host do alike, whether they are begun here or over SSH. */

export type Run = (words: Words, options?: Partial<HostCommandOptions>) => Promise<CommandResult>;

export async function commandsDoAsSaid(t: Test, run: Run): Promise<void> {
  await t.test('each word arrives as it is, and so does the input', async (t) => {
    const words = ['$(id)', '; id', 'a b', '*', '\'"\\', 'two\nlines', '', '-rf', '!!', '`id`'];
    t.equal((await run(['printf', '<%s>', ...words])).stdout, words.map((word) => `<${word}>`).join(''));
    t.match((await run(['env'])).stdout, /^LC_ALL=C$/m);
    t.match((await run(['env'])).stdout, /^PATH=.*:\/usr\/sbin:/m, 'also for what only root needs');
    t.equal((await run(['cat'], { stdin: 'sesame' })).stdout, 'sesame');
    t.match(await outcome(run(['echo', 'a\0b'])), { phrase: 'BAD REQUEST' });
  });

  await t.test('how it ended', async (t) => {
    t.match(await run(['sh', '-c', 'echo out; echo err >&2; exit 3']), { code: 3, stdout: 'out\n', stderr: 'err\n' });
    t.match(await run(['argo-no-such-program']), { code: 127 });
    t.match(await outcome(run(['sleep', '60'], { timeout: 300 })), { phrase: 'TIMEOUT' });
    t.match(await outcome(run(['sleep', '60'], { timeout: 300, effect: 'acts' })), { phrase: 'UNCERTAIN' });
  });

  await t.test('what it says meanwhile is heard', async (t) => {
    let heard = '';
    let atOne = '';
    const ended = run(['sh', '-c', 'echo one; cat >/dev/null; sleep 0.3; echo two'], { effect: 'acts', heard: (recent) => {
      heard += recent;
      atOne ||= heard;
    } });
    t.equal((await ended).stdout, 'one\ntwo\n');
    t.equal(atOne, 'one\n', 'before it ended');
    t.match(heard, /two\n$/);
  });
}
