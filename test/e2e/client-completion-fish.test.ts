import { CASES, FEW, PROMPT, tryCompletion } from './support/completing-shells.js';

/** Completion in fish: read at its start, and from a folder of completions, as the Debian package has it. */

const FISH = { shell: 'fish', command: "fish --no-config -i -C '. ~/rc'" } as const;
const SET_UP = `function fish_prompt; echo -n '${PROMPT}'; end; function fish_greeting; end; set -g fish_autosuggestion_enabled 0`;

await tryCompletion([
  { name: 'fish', ...FISH, setUp: `${SET_UP}; . ~/script`, cases: CASES },
  { name: 'a folder of completions', ...FISH, setUp: `${SET_UP}; mkdir ~/completions; cp ~/script ~/completions/argo.fish; set fish_complete_path ~/completions`, cases: FEW },
]);
