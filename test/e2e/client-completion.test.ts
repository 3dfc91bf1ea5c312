import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ARGO, argo, makeHome, Terminal, untilIdle } from '../client/support/argo.js';
import { startDaemon } from '../support/daemon.js';
import { lacks } from '../support/peers.js';
import { until } from '../support/until.js';
import { configuration, PASSWORD } from './support/client-daemon.js';

/** Completion in real shells, on a terminal: what a Tab makes of a line is what is then run, and nothing else is. */

/** Names that shells take apart, or read as something of their own. Those that would run leave a file behind. */
const NAMES = ['a:b', 'a:cd', 'with blank', 'br[1]', 'k=v', '$HOME', '$(touch ran-1)x', '`touch ran-2`x', "it's", 'qu"ote', 'ba\\ck', 'bang!', 'semi;touch ran-3', 'p|touch ran-4', 'star*', '~tilde', 'eé', '{a,b}', '#hash', '-dash', '@at'];
const PROVIDER = `
[providers.odd]
type = "sim"
instances = ${JSON.stringify([...NAMES, 'web1'])}
`;

const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';
const BASH = 'bash --noprofile --rcfile ~/rc -i';
const ZSH = 'zsh -d -i';
const FISH = "fish --no-config -i -C '. ~/rc'";
const QUIET_FISH = "function fish_prompt; echo -n 'ready> '; end; function fish_greeting; end; set -g fish_autosuggestion_enabled 0";
const COMPINIT = 'autoload -U compinit; compinit -D -u';
const QUIET_ZSH = "unsetopt zle_bracketed_paste prompt_cr prompt_sp; PS1='ready> '";

/** Longest life of a shell, ms: a program is started for each Tab. */
const SHELL_WITHIN_MS = 120_000;

/** Each shell as a person has it, without what the machine's owner has set up. */
const SHELLS = {
  bash: { shell: 'bash', command: BASH, setUp: "PS1='ready> '; . ~/script" },
  'bash with bash-completion': { shell: 'bash', command: BASH, setUp: `PS1='ready> '; . ${BASH_COMPLETION}; mkdir -p ~/data/completions; cp ~/script ~/data/completions/argo; BASH_COMPLETION_USER_DIR=~/data` },
  'bash where words end at a slash, and not at a colon': { shell: 'bash', command: BASH, setUp: "PS1='ready> '; . ~/script; COMP_WORDBREAKS=${COMP_WORDBREAKS//:}/" },
  zsh: { shell: 'zsh', command: ZSH, setUp: `${QUIET_ZSH}; ${COMPINIT}; . ~/script` },
  'zsh from a folder of functions': { shell: 'zsh', command: ZSH, setUp: `${QUIET_ZSH}; mkdir ~/functions; cp ~/script ~/functions/_argo; fpath=(~/functions $fpath); ${COMPINIT}` },
  fish: { shell: 'fish', command: FISH, setUp: `${QUIET_FISH}; . ~/script` },
  'fish from a folder of completions': { shell: 'fish', command: FISH, setUp: `${QUIET_FISH}; mkdir ~/completions; cp ~/script ~/completions/argo.fish; set fish_complete_path ~/completions` },
} as const;

const daemon = await startDaemon({ config: `${await configuration()}${PROVIDER}` });
t.teardown(() => daemon.stop());

interface Login {
  readonly home: string;
  readonly env: Record<string, string>;
  /** where what was told is kept */
  readonly cache: string;
}

/** A home with a login; `argo` in its PATH completes as always, and tells what else it is called with. */
async function makeLogin(test: { teardown(remove: () => unknown): unknown }, shell: string, account = 'steve'): Promise<Login> {
  const home = makeHome(test);
  test.teardown(() => untilIdle(home));
  const [bin, config] = [join(home, 'bin'), join(home, '.config', 'argo')];
  for (const folder of [bin, config]) mkdirSync(folder, { recursive: true });
  symlinkSync(ARGO, join(bin, 'argo-itself'));
  const told = 'case $1 in --complete*) exec argo-itself "$@";; esac; printf "told"; printf " <%s>" "$@"; echo " told"';
  writeFileSync(join(bin, 'argo'), `#!/bin/sh\n${told}\n`);
  chmodSync(join(bin, 'argo'), 0o755);
  writeFileSync(join(config, 'config.toml'), `server = "127.0.0.1:${daemon.port}"\naccount = "${account}"\npassword = ${JSON.stringify(PASSWORD)}\n\n[servers.lab]\nserver = "127.0.0.1:1"\n`, { mode: 0o600 });
  writeFileSync(join(home, 'script'), `${(await argo(home, ['--completion', shell])).stdout}`);
  writeFileSync(join(home, 'some.toml'), '');
  await until(async () => (await argo(home, ['--complete', 'zsh', 'argo', 'status', 'l'])).stdout === 'lj\n', 30_000, 'names are kept');
  return { home, env: { PATH: `${bin}:${process.env.PATH}`, HOME: home }, cache: join(home, '.cache', 'argo') };
}

/** What a line becomes by a Tab: `typed` and the words that `argo` is then called with. */
const CASES: readonly (readonly [typed: string, ...told: string[]])[] = [
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
  ['status sem', 'status', 'semi;touch ran-3'],
  ['status p', 'status', 'p|touch ran-4'],
  ['status eé', 'status', 'eé'],
  ['status br', 'status', '"br[1]"'],
  ['status star', 'status', '"star*"'],
  ['status odd/w', 'status', 'odd/web1'],
  ["status 'web[1-2]' lj --timeo", 'status', 'web[1-2]', 'lj', '--timeout='],
  ['stop lj --wa', 'stop', 'lj', '--wait'],
  ['status @we', 'status', '@web'],
  ['--accou', '--account'],
  ['--server la', '--server', 'lab'],
  ['--config so', '--config', 'some.toml'],
];

/** Where it is only how the script is loaded, or how words are parted, that differs. */
const FEW = CASES.filter(([typed]) => /a:c|wit|odd|k=|@|--server|br|"it/.test(typed));

for (const [name, { shell, command, setUp }] of Object.entries(SHELLS)) {
  const missing = lacks(shell, 'script') || (name.includes('bash-completion') && !existsSync(BASH_COMPLETION) && `needs ${BASH_COMPLETION}`);
  await t.test(name, { skip: missing }, async (t) => {
    const { home, env } = await makeLogin(t, shell);
    for (const file of ['rc', '.zshrc']) writeFileSync(join(home, file), `${setUp}\n`);
    const terminal = new Terminal(home, `cd && exec ${command}`, env, SHELL_WITHIN_MS);
    t.teardown(() => terminal.close());
    await terminal.expect('ready> ');
    for (const [typed, ...told] of name === shell ? CASES : FEW) {
      terminal.send(`argo ${typed}`);
      terminal.send('\t');
      // a key of the person's own is carried out when the Tab has been
      terminal.send('\r');
      await terminal.expect(`told${told.map((word) => ` <${word}>`).join('')} told`);
      await terminal.expect('ready> ');
      t.pass(typed);
    }
    t.same(readdirSync(home).filter((file) => file.startsWith('ran-')), [], 'no name was run');
  });
}

await t.test('what it keeps is for its owner alone', async (t) => {
  const { cache } = await makeLogin(t, 'bash');
  t.equal(statSync(cache).mode & 0o777, 0o700);
  for (const file of readdirSync(cache)) t.equal(statSync(join(cache, file)).mode & 0o777, 0o600);
});
