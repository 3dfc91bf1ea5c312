# Completion of argo for fish: the server says which commands and names there are, over the login that
# ~/.config/argo/config.toml has. Without one, or without a server, there is nothing to offer.
function __argo_candidates
    set -l words (commandline -opc)
    argo --get-yargs-completions $words (commandline -ct) 2>/dev/null
end

complete -c argo -f -a '(__argo_candidates)'
