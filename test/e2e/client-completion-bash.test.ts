import { existsSync } from 'node:fs';
import { CASES, FEW, PROMPT, tryCompletion } from './support/completing-shells.js';

/** Completion in bash: by itself, with Debian's bash-completion, which loads the script when it is needed, and where words end elsewhere. */

const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';
const BASH = { shell: 'bash', command: 'bash --noprofile --rcfile ~/rc -i' } as const;

await tryCompletion([
  { name: 'bash', ...BASH, setUp: `PS1='${PROMPT}'; . ~/script`, cases: CASES },
  {
    name: 'bash-completion', ...BASH, skip: !existsSync(BASH_COMPLETION) && `needs ${BASH_COMPLETION}`, cases: FEW,
    setUp: `PS1='${PROMPT}'; . ${BASH_COMPLETION}; mkdir -p ~/data/completions; cp ~/script ~/data/completions/argo; BASH_COMPLETION_USER_DIR=~/data`,
  },
  { name: 'words that end at a slash, and not at a colon', ...BASH, setUp: `PS1='${PROMPT}'; . ~/script; COMP_WORDBREAKS=\${COMP_WORDBREAKS//:}/`, cases: FEW },
]);
