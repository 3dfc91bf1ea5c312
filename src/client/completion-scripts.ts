/**
 * What `argo --completion SHELL` prints, and what packages bring along. Each script asks `argo --complete SHELL`
 * (shell-completion.ts), and tells it what is typed through a pipe: arguments can be read by everybody, those of `printf` are
 * none, since it is built in. It answers with a candidate a line, or fails where the shell is to complete in its own way.
 * None of them evaluates anything: what a server calls a machine is text. `command` passes by an alias of the same name.
 */

/** bash inserts what it is given as it is: the answer is already written as bash wants it, less what stays of the word (`$2` is what goes). */
const BASH = [
  '# Completion of argo for bash, by what its server says.',
  '_argo()',
  '{',
  '    local answer candidate',
  '    COMPREPLY=()',
  '    if ! answer=$(builtin printf "%s\\0" "${COMP_LINE:0:COMP_POINT}" "$2" | command argo --complete bash 2>/dev/null); then',
  '        compopt -o bashdefault -o default',
  '        return',
  '    fi',
  '    while IFS= read -r candidate; do',
  '        [[ -z $candidate ]] || COMPREPLY+=("$candidate")',
  '    done <<<"$answer"',
  '    # behind --timeout= its value follows',
  '    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace',
  '}',
  'complete -F _argo argo',
];

/** zsh quotes what it inserts by itself. */
const ZSH = [
  '#compdef argo',
  '# Completion of argo for zsh, by what its server says.',
  '_argo()',
  '{',
  '    local answer typed=${(Q)PREFIX}',
  '    local -a candidates fitting',
  '    # within these a backslash is one',
  '    [[ $compstate[quote] != "\'" ]] || typed=$PREFIX',
  '    if ! answer=$(builtin printf "%s\\0" "${(@Q)words[1,CURRENT-1]}" "$typed" | command argo --complete zsh 2>/dev/null); then',
  '        [[ $PREFIX != --*=* ]] || compset -P 1 "*="',
  '        _files',
  '        return',
  '    fi',
  '    candidates=("${(@f)answer}")',
  '    candidates=("${(@)candidates:#}")',
  '    fitting=("${(@M)candidates:#${(b)typed}*}")',
  '    # what has to be written in other quotes than those that were typed takes their place, where nothing else fits',
  '    local -a way=()',
  '    (( $#fitting )) || { fitting=("$candidates[@]"); way=(-U) }',
  '    # behind --timeout= its value follows',
  '    compadd $way -S "" -- "${(@M)fitting:#*=}"',
  '    compadd $way -- "${(@)fitting:#*=}"',
  '}',
  'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then',
  '    _argo "$@"',
  'else',
  '    compdef _argo argo',
  'fi',
];

/**
 * fish quotes, too. It also picks what fits, by more than how words begin, so of the word that is typed the server's side gets
 * only what says which kind it is of.
 */
const FISH = [
  '# Completion of argo for fish, by what its server says.',
  'function __argo_candidates',
  '    set -l before (commandline -opc)',
  "    set -l kind (commandline -ct | string match -r '^(?:@|-[\\w-]*=?|[\\w.-]+/)')",
  '    builtin printf "%s\\0" $before "$kind" | command argo --complete fish 2>/dev/null; or __fish_complete_path (commandline -ct)',
  'end',
  "complete -c argo -f -a '(__argo_candidates)'",
];

/** By the name of the shell. */
export const COMPLETION_SCRIPTS: ReadonlyMap<string, string> = new Map(
  Object.entries({ bash: BASH, zsh: ZSH, fish: FISH }).map(([shell, lines]) => [shell, lines.join('\n')]),
);
