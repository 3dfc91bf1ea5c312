import t from 'tap';
import { lineOf } from '../../../src/drivers/management/ssh-commands.js';
import { run } from '../../peers/enclosure.js';
import { lacks } from '../../support/peers.js';

/** The line that a login shell is given, whichever it is. */

const SHELLS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  sh: ['sh'], bash: ['bash'], dash: ['dash'], zsh: ['zsh'], tcsh: ['tcsh'], fish: ['fish'], busybox: ['busybox', 'sh'],
};
const WORDS = ['$(id)', '$HOME', '; id', 'a b', '*', '\'"\\', '\\\\', '', '-rf', '!!', '`id`', '{a,b}', '~', '#x', '(id)', '%1', '=ls', '^a^b'];

for (const [name, [program, ...first]] of Object.entries(SHELLS)) {
  await t.test(`by ${name}`, { skip: lacks(program) }, async (t) => {
    const said = async (line: string): Promise<string> => (await run(program, [...first, '-c', line])).stdout;
    t.equal(await said(lineOf(['printf', '<%s>', ...WORDS])), WORDS.map((word) => `<${word}>`).join(''));
    t.match(await said(lineOf(['env'])), /^LC_ALL=C$/m);
    t.match(await said(lineOf(['env'])), /^PATH=.*:\/usr\/sbin:\/sbin$/m);
    t.equal((await run(program, [...first, '-c', lineOf(['argo-no-such-program'])])).code, 127);
    if (process.getuid?.() === 0) t.equal(await said(lineOf(['printf', '<%s>', ...WORDS], true)), WORDS.map((word) => `<${word}>`).join(''), 'of root, without sudo');
  });
}
