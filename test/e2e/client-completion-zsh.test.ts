import { CASES, FEW, PROMPT, tryCompletion } from './support/completing-shells.js';

/** Completion in zsh: read at its start, and from a folder of functions, as the Debian package has it. */

const ZSH = { shell: 'zsh', command: 'zsh -d -i' } as const;
const SET_UP = `unsetopt prompt_cr prompt_sp; unset zle_bracketed_paste; PS1='${PROMPT}'`;
const COMPINIT = 'autoload -U compinit; compinit -D -u';

await tryCompletion([
  { name: 'zsh', ...ZSH, setUp: `${SET_UP}; ${COMPINIT}; . ~/script`, cases: CASES },
  { name: 'a folder of functions', ...ZSH, setUp: `${SET_UP}; mkdir ~/functions; cp ~/script ~/functions/_argo; fpath=(~/functions $fpath); ${COMPINIT}`, cases: FEW },
]);
