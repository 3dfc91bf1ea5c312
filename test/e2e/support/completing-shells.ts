import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ARGO, argo, complete, makeHome, Terminal, untilIdle } from '../../client/support/argo.js';
import { startDaemon } from '../../support/daemon.js';
import { lacks } from '../../support/peers.js';
import { until } from '../../support/until.js';
import { configuration, PASSWORD } from './client-daemon.js';

/** Names that shells take apart, or read as something of their own. Those that would run leave a file behind. */
const NAMES = ['a:b', 'a:cd', 'with blank', 'br[1]', 'k=v', '$HOME', '$(touch ran-1)x', '`touch ran-2`x', "it's", 'qu"ote', 'ba\\ck', 'bang!', 'semi;touch ran-3', 'p|touch ran-4', 'star*', '~tilde', 'eé', '{a,b}', '#hash', '-dash', '@at', 'nb\u00a0sp'];
const PROVIDER = `
[providers.odd]
type = "sim"
instances = ${JSON.stringify([...NAMES, 'web1'])}
`;

/** Until names are kept: a login on a busy machine, ms. */
const KEPT_WITHIN_MS = 60_000;
/** Longest life of a shell, ms: a program is started for each Tab. */
const SHELL_WITHIN_MS = 120_000;
/** What each shell is to print when it wants a line. */
export const PROMPT = 'ready> ';

/** What is typed in front of a Tab, and the words that `argo` is then called with. */
export type Case = readonly [typed: string, ...told: string[]];

/** A shell as a person has it, without what the machine's owner has set up. */
export interface CompletingShell {
  readonly name: string;
  readonly shell: 'bash' | 'zsh' | 'fish';
  /** starts it, so that it reads ~/rc or ~/.zshrc */
  readonly command: string;
  /** what stands there: its prompt is {@link PROMPT}, and ~/script, which argo has printed, is loaded in some way */
  readonly setUp: string;
  readonly cases: readonly Case[];
  readonly skip?: string | false;
}

export const CASES: readonly Case[] = [
  ['unp', 'unpause'],
  ['status l', 'status', 'lj'],
  ['status a:c', 'status', 'a:cd'],
  ['status wit', 'status', 'with blank'],
  ['status "wit', 'status', 'with blank'],
  ["status 'wit", 'status', 'with blank'],
  ['status with\\ b', 'status', 'with blank'],
  ['status lj k=', 'status', 'lj', 'k=v'],
  ['status \\$H', 'status', '$HOME'],
  ["status '$H", 'status', '$HOME'],
  ['status \\$\\(', 'status', '$(touch ran-1)x'],
  ["status '$(", 'status', '$(touch ran-1)x'],
  ['status \\`', 'status', '`touch ran-2`x'],
  ['status it', 'status', "it's"],
  ['status "it', 'status', "it's"],
  ['status qu', 'status', 'qu"ote'],
  ["status 'qu", 'status', 'qu"ote'],
  ['status ba\\\\', 'status', 'ba\\ck'],
  ['status ban', 'status', 'bang!'],
  ['status "ban', 'status', 'bang!'],
  ['status nb', 'status', 'nb\u00a0sp'],
  ['status sem', 'status', 'semi;touch ran-3'],
  ['status p', 'status', 'p|touch ran-4'],
  ['status eé', 'status', 'eé'],
  ['status br', 'status', '"br[1]"'],
  ['status star', 'status', '"star*"'],
  ['status odd/we', 'status', 'odd/web1'],
  ['status demo/l', 'status', 'demo/lj'],
  ['status odd/wi', 'status', 'odd/with blank'],
  ["status 'web[1-2]' lj --timeo", 'status', 'web[1-2]', 'lj', '--timeout='],
  ['stop lj --wa', 'stop', 'lj', '--wait'],
  ['status @we', 'status', '@web'],
  ['--accou', '--account'],
  ['--server la', '--server', 'lab'],
  ['--config so', '--config', 'some.toml'],
];

/** Where it is only how the script is loaded, or how words are parted, that differs. */
export const FEW = CASES.filter(([typed]) => /a:c|wit|odd|k=|@|--server|br|"it/.test(typed));

/** A home with a login; `argo` in its PATH completes as always, and tells what else it is called with. */
async function makeLogin(test: { teardown(end: () => unknown): unknown }, shell: string, port: number): Promise<{ home: string; env: Record<string, string> }> {
  const home = makeHome(test);
  test.teardown(() => untilIdle(home));
  const [bin, config] = [join(home, 'bin'), join(home, '.config', 'argo')];
  for (const folder of [bin, config]) mkdirSync(folder, { recursive: true });
  symlinkSync(ARGO, join(bin, 'argo-itself'));
  writeFileSync(join(bin, 'argo'), '#!/bin/sh\ncase $1 in --complete*) exec argo-itself "$@";; esac\nprintf "told"; printf " <%s>" "$@"; echo " told"\n');
  chmodSync(join(bin, 'argo'), 0o755);
  writeFileSync(join(config, 'config.toml'), `server = "127.0.0.1:${port}"\naccount = "steve"\npassword = ${JSON.stringify(PASSWORD)}\n\n[servers.lab]\nserver = "127.0.0.1:1"\n`, { mode: 0o600 });
  writeFileSync(join(home, 'script'), (await argo(home, ['--completion', shell])).stdout);
  writeFileSync(join(home, 'some.toml'), '');
  await until(async () => (await complete(home, 'zsh', ['argo', 'status', 'l'])).stdout === 'lj\n', KEPT_WITHIN_MS, 'names are kept');
  return { home, env: { PATH: `${bin}:${process.env.PATH}`, HOME: home } };
}

/** Tries completion in shells, on a terminal: what a Tab makes of a line is what is then run, and nothing else is. */
export async function tryCompletion(shells: readonly CompletingShell[]): Promise<void> {
  const daemon = await startDaemon({ config: `${await configuration()}${PROVIDER}` });
  t.teardown(() => daemon.stop());
  for (const { name, shell, command, setUp, cases, skip } of shells) {
    await t.test(name, { skip: lacks(shell, 'script') || skip || false }, async (t) => {
      const { home, env } = await makeLogin(t, shell, daemon.port);
      for (const file of ['rc', '.zshrc']) writeFileSync(join(home, file), `${setUp}\n`);
      const terminal = new Terminal(home, `cd && exec ${command}`, env, SHELL_WITHIN_MS);
      t.teardown(() => terminal.close());
      await terminal.expect(PROMPT);
      for (const [typed, ...told] of cases) {
        // keys that come while a Tab is answered wait
        for (const keys of [`argo ${typed}`, '\t', '\r']) terminal.send(keys);
        await terminal.expect(`told${told.map((word) => ` <${word}>`).join('')} told`);
        await terminal.expect(PROMPT);
        t.pass(typed);
      }
      t.same(readdirSync(home).filter((file) => file.startsWith('ran-')), [], 'no name was run');
    });
  }
}
